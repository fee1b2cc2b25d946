"""The two errors that an implementation may raise on purpose, and a function that writes an error on one line."""

from __future__ import annotations


def one_line(error: BaseException) -> str:
    """An exception's name and message."""
    return " ".join(f"{type(error).__name__}: {error}".split())


class Unsupported(Exception):
    """Raised by `build` if an implementation does not support a case. The reason is shown to the user."""


class BadInput(ValueError):
    """Raised for invalid input. The message says what was given, where, and what is allowed."""
