"""The ways in: the command and the pytest plugin. Nothing of twingrad is imported before it is asked for.

This is a module of its own, so that a test suite that has twingrad installed and does not use it imports nothing of it,
and so that a module that hides one of twingrad's packages is told by its name.
"""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path

PACKAGES = "reference", "numpy_impl", "torch_impl"
"""The packages that `import twingrad` needs."""

HERE = Path(__file__).resolve().parent


def refuse_namesakes() -> None:
    """Raise ImportError if Python finds something else by the name of one of our packages."""
    for name in PACKAGES:
        try:
            spec = find_spec(name)
        except ValueError:  # of something in sys.modules that no import made
            spec = None
        found = Path(spec.origin).resolve() if spec and spec.origin else None
        if found != HERE / name / "__init__.py":
            place = found.parent if found and found.name == "__init__.py" else found
            raise ImportError(f"twingrad needs its package {name}, and Python finds {place}; that must be renamed")


def main() -> int:
    """The command `twingrad`."""
    try:
        refuse_namesakes()
    except ImportError as error:
        print(f"twingrad: {error}", file=sys.stderr)
        return 2
    from reference.commands.cli import main as command  # noqa: PLC0415  (see above)

    return command()
