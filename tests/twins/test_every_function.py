"""Every public function of the NumPy twin has a mistake that is made in it, a gradcheck, and a place on a page."""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

import numpy_impl
from reference.mistakes import MISTAKES
from reference.mistakes.variants import VARIANTS
from reference.read.align import PAIRS, read_pair
from tests.twins.test_gradcheck import LAYERS, MODELS

ROOT = Path(__file__).parents[2]
FILES = sorted((ROOT / "numpy_impl").glob("*.py"))
NO_DERIVATIVE = {
    "renorm": "it changes the table itself, before the forward pass",
    "by_frequency": "PyTorch's convention, which is not the derivative",
    "build": "it makes a trainer",
    "without_row": "the row of the padding is a constant, whose gradient is not asked for",
}
"""Public functions outside of the optimizers that gradcheck cannot look at, and why."""


def tree(file: Path) -> ast.Module:
    return ast.parse(file.read_text(encoding="utf-8"))


def public() -> dict[str, str]:
    """The file of every public function."""
    return {
        node.name: file.name
        for file in FILES
        for node in tree(file).body
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_")
    }


FUNCTIONS = public()
NO_MISTAKE = {
    "build": "it makes a trainer",
    "loss_of": "it chooses a loss, each of which has mistakes of its own",
    "objective_of": "it chooses an objective, each of which has mistakes of its own",
}
"""Public functions in which no mistake is made, and why."""


def called() -> dict[str, set[str]]:
    """By function, or by class and method, the names that stand in it."""
    found = {}
    for file in FILES:
        for node in tree(file).body:
            parts = (
                [(f"{node.name}.{m.name}", m) for m in node.body if isinstance(m, ast.FunctionDef)]
                if isinstance(node, ast.ClassDef)
                else [(node.name, node)]
                if isinstance(node, ast.FunctionDef)
                else []
            )
            for name, part in parts:
                found[name] = {n.id for n in ast.walk(part) if isinstance(n, ast.Name)}
                found[name] |= {n.attr for n in ast.walk(part) if isinstance(n, ast.Attribute)}
    return found


def reached(roots: Iterable[str], calls: dict[str, set[str]]) -> set[str]:
    """The functions that are among the roots, or that one of them calls, at whatever depth."""
    found, rest = set(), list(roots)
    while rest:
        name = rest.pop()
        if name not in found:
            found.add(name)
            rest += calls.get(name, set()) & FUNCTIONS.keys()
    return found


def test_there_are_functions() -> None:
    assert FUNCTIONS["linear"] == "linear.py"
    assert len(FUNCTIONS) > 30


@pytest.mark.parametrize("function", sorted(FUNCTIONS.keys() - NO_MISTAKE.keys()))
def test_a_mistake_is_made_in_it_or_in_what_calls_it(function: str) -> None:
    planted = {name for known in (MISTAKES, VARIANTS) for mistake in known.values() for name in mistake.plants}
    assert function in reached(planted, called()), f"no mistake is planted in {function} or in what calls it"


def watched(run: Callable[[], Any]) -> set[str]:
    """The functions of the NumPy twin that are called."""
    seen: set[str] = set()

    def note(frame: FrameType, event: str, _: Any) -> None:
        if event == "call" and frame.f_globals.get("__name__", "").startswith("numpy_impl."):
            seen.add(frame.f_code.co_name)

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        run()
    finally:
        sys.setprofile(before)
    return seen


def test_gradcheck_looks_at_it() -> None:
    seen: set[str] = set()
    for layer, inputs, _ in LAYERS.values():
        seen |= watched(lambda layer=layer, inputs=inputs: layer(*inputs))
    for case in MODELS:
        seen |= watched(lambda case=case: numpy_impl.build(case, case.weights()).loss_and_grads(next(case.batches())))
    derived = {name for name, file in FUNCTIONS.items() if file != "optimizers.py"}
    assert derived >= NO_DERIVATIVE.keys()
    assert derived - seen - NO_DERIVATIVE.keys() == set()


def test_a_page_shows_it() -> None:
    shown = {name.split(".")[-1] for pair in PAIRS for part in read_pair(pair).parts for name in part.shown}
    assert FUNCTIONS.keys() - shown - {"build"} == set()


def test_the_three_columns_have_the_same_files() -> None:
    """`kernels/` is what makes the one fast, `arithmetic` the numbers of the other."""
    rooms = [
        {path.name for path in (ROOT / room).glob("*.py")} for room in ("numpy_impl", "torch_impl", "reference/exact")
    ]
    assert rooms[0] == rooms[1] == rooms[2] - {"arithmetic.py"}
