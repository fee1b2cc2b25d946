"""`import twingrad`: what users may rely on."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import twingrad

ROOT = Path(__file__).parents[2]


def test_every_name_is_there_and_said_in_the_docstring() -> None:
    assert sorted(twingrad.__all__, key=lambda name: (name[0].islower(), name)) == twingrad.__all__
    for name in twingrad.__all__:
        assert getattr(twingrad, name).__doc__
        assert f"`{name}`" in twingrad.__doc__ or name == "__version__", name


def test_it_imports_neither_torch_nor_pytest() -> None:
    """Nor what only the command needs."""
    heavy = {"torch", "torch_impl", "pytest", "reference.commands", "reference.vectors", "reference.read"}
    program = f"import sys, twingrad; sys.exit(', '.join({heavy} & set(sys.modules)) or 0)"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
