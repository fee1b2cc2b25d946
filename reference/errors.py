"""The two errors that an implementation may raise on purpose, and how an error is told in one line."""

from __future__ import annotations


def one_line(error: BaseException) -> str:
    """An exception's name and message."""
    return " ".join(f"{type(error).__name__}: {error}".split())


class Unsupported(Exception):
    """Raised by `build` where an implementation does not do a case; the reason is shown to the user."""


class BadInput(ValueError):
    """Raised for input that no implementation may see: what was given, where, and what is allowed."""
