"""The errors that an implementation may raise on purpose, and a function that writes an error on one line."""

from __future__ import annotations

import sysconfig
import traceback
from pathlib import Path


def one_line(error: BaseException) -> str:
    """An exception's name and message."""
    return " ".join(f"{type(error).__name__}: {error}".split())


def raised(error: BaseException) -> str:
    """An exception with the place in the user's own code that it came out of, as the end of a sentence.

    "raised in mine.py, line 12: ValueError: no such row". The place is the innermost line that is in no library and not
    in this package; where there is none, it is left out.
    """
    place = where(error)
    return f"raised in {place}: {one_line(error)}" if place else f"raised {one_line(error)}"


def where(error: BaseException) -> str:
    """The place in the user's own code that an exception came out of, "mine.py, line 12"; empty if there is none."""
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        file = Path(frame.filename)
        library = "site-packages" in file.parts or "dist-packages" in file.parts
        if file.is_file() and not library and not any(file.is_relative_to(folder) for folder in _LIBRARIES):
            return f"{file.name}, line {frame.lineno}"
    return ""


_LIBRARIES = Path(__file__).parent, Path(sysconfig.get_path("stdlib"))
"""Folders whose files no user has written."""


class Unsupported(Exception):
    """Raised by `build` if an implementation does not support a case. The reason is shown to the user."""


class Failed(Exception):
    """Raised by `build` where a program outside of Python failed. The sentence is shown to the user as it is."""


class BadInput(ValueError):
    """Raised for invalid input. The message says what was given, where, and what is allowed."""
