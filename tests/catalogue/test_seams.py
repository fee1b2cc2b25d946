"""The cases in which what is right elsewhere gives way: each alone catches the mistake that it is for."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from reference.cases import Case
from reference.catalogue import catalogue
from reference.catalogue.seams import kinks, seams, small_rows
from reference.commands import mistakes
from reference.mistakes import MISTAKES
from reference.mistakes.known import RIGHT

FOR = {"kink-at-0": kinks, "gelu-over-its-input": kinks, "sigmoid-minus-one": small_rows}
"""Each mistake, and the cases that are for it."""

OTHERS = [
    replace(case, steps=1)
    for case in mistakes.small(catalogue())
    if case.dtype == "float32" and case.id not in {case.id for case in seams()}
]


def caught(case: Case, names: list[str]) -> set[str]:
    results = mistakes.make(case, {name: MISTAKES[name] for name in names})
    return {name for name, result in results.items() if result.verdict != "agree"}


@pytest.mark.parametrize("name", FOR)
def test_each_catches_the_mistake_that_it_is_for(name: str) -> None:
    found = {case.dtype for case in FOR[name]() if caught(case, [name])}
    assert found == {"float64", "float32"}


def test_no_other_case_catches_them() -> None:
    found = {case.id: names for case in OTHERS if (names := caught(case, list(FOR)))}
    # of a path with one node in it, every row can be small
    assert {name: names for name, names in found.items() if "saturated-tree" not in name} == {}


def test_the_rows_that_are_small() -> None:
    """Of each tensor every row that has a gradient; the scores are saturated, and exact in either dtype."""
    for case in small_rows():
        trainer = RIGHT.build(case, case.weights())
        loss, grads = trainer.loss_and_grads(next(case.batches()))
        assert 0 < loss < 1e-7
        assert all(0 < np.abs(gradient).max() < 1e-7 for gradient in grads.values())
