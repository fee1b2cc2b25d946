"""The READMEs of the house, and the module that the main one shows as an implementation of one's own."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
ROOMS = "benchmarks", "numpy_impl", "reference", "tests", "torch_impl"


def readmes(root: Path = ROOT) -> list[Path]:
    """The main README, then those of the rooms."""
    return [root / "README.md", *sorted(path for room in ROOMS for path in (root / room).rglob("README.md"))]


def blocks(text: str, language: str) -> list[str]:
    """The code blocks of a language; those of none are commands, and what they print."""
    every = re.findall(r"^```(\w*)\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    return [code for of, code in every if of == language]


README = (ROOT / "README.md").read_text(encoding="utf-8")
(MINE,) = (code for code in blocks(README, "python") if "def build(" in code)
"""mine.py: the classifier, right."""

KNOWN = 'np.add.at(g["embedding.weight"], ids, d[:, None])', 'g["embedding.weight"][ids] += d[:, None]'
"""A line of it, and what many write instead."""

UNKNOWN = '["fc1.weight"] / length', '["fc1.weight"] / (length + 1)'
"""A line of it, and one that is wrong in a way that is not among the known mistakes."""


FUNCTION = blocks((ROOT / "reference/checks/README.md").read_text(encoding="utf-8"), "python")[0]
"""A test of gradients by hand, of a function that twingrad does not know."""

LOST = 'np.add.at(g["users"], users, d * v)', 'g["users"][users] += d * v'
"""A line of it, and what many write instead."""


def changed(right: str, wrong: str) -> str:
    """mine.py with a wrong line."""
    if MINE.count(right) != 1:
        raise ValueError(f"mine.py in README.md has {MINE.count(right)} lines with {right!r}, not one")
    return MINE.replace(right, wrong)
