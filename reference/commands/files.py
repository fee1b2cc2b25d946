"""The files that a command writes, each completely or not at all."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from reference.errors import BadInput


def check_writable(path: Path, option: str = "--json") -> None:
    """Raise BadInput before the work starts if the file cannot be written at the end."""
    folder = path.parent
    if str(path) == "-":
        raise BadInput(f"{option} -: is no file; the name of one is needed")
    if path.is_dir():
        raise BadInput(f"{option} {path}: is a folder; the name of a file is needed")
    if path.exists() and not path.is_file():
        raise BadInput(f"{option} {path}: is a device or a pipe; the name of a file is needed")
    if not folder.is_dir():
        raise BadInput(f"{option} {path}: the folder {folder} does not exist")
    if not os.access(folder, os.W_OK | os.X_OK) or (path.exists() and not os.access(path, os.W_OK)):
        raise BadInput(f"{option} {path}: cannot be written (permission denied)")


def check_apart(options: argparse.Namespace, read: Sequence[str], written: Sequence[str]) -> None:
    """Raise BadInput if a file would be written in the place of one that is read, or of another one.

    read, written: the names of the options.
    """
    taken: dict[Path, str] = {}
    for option in (*read, *written):
        if (given := getattr(options, option)) is None:
            continue
        path = Path(given).resolve()
        if option in written and path in taken:
            raise BadInput(f"--{option} {given}: is what {taken[path]} names; another file is needed")
        taken[path] = f"--{option}"


def write_whole(path: Path, content: str) -> None:
    """Write the file in one move, so that half a file is never seen. Raises BadInput if that fails."""
    path = path.resolve()  # follow a link and write to its target
    try:
        with tempfile.NamedTemporaryFile("w", encoding="utf-8", dir=path.parent, delete=False) as file:
            try:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
                os.chmod(file.name, 0o644)
                os.replace(file.name, path)
            except BaseException:
                os.unlink(file.name)
                raise
    except OSError as error:
        raise BadInput(f"{path}: cannot be written ({error.strerror})") from None


def complain(message: str) -> None:
    """Print one line to standard error."""
    print(f"twingrad: {message}", file=sys.stderr)
