"""Files that somebody else wrote: regular ones, up to a size, read without waiting."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from reference.errors import BadInput


def read_bounded(path: Path, largest: int, name: str | None = None) -> bytes:
    """The bytes of a regular file. largest: the most bytes that it may have. name: what messages call it.

    Raises:
        BadInput: there is no such file, it cannot be read, it is a device, a pipe or a socket, or it is too large.
    """
    name = name or str(path)
    try:
        mode = os.stat(path).st_mode  # first, since opening a device may already do something
        if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
            raise BadInput(f"{name}: is a device, a pipe or a socket; a file is needed")
        with open(path, "rb", opener=_without_waiting) as file:
            raw = file.read(largest + 1)
    except BadInput:
        raise
    except OSError as error:
        raise BadInput(f"{name}: cannot be read ({error.strerror})") from None
    except ValueError:  # a NUL in its name
        raise BadInput(f"{name!r}: is not the name of a file") from None
    if len(raw) > largest:
        raise BadInput(f"{name}: is larger than {largest // 2**20} MiB, which is the largest size allowed")
    return raw


def _without_waiting(path: str, flags: int) -> int:
    """Open a file without waiting, even if a pipe that nobody writes to has taken its place."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))
