"""The cases in which what is right elsewhere gives way: each alone catches the mistake that it is for."""

from __future__ import annotations

from dataclasses import replace

import pytest

from reference.cases import Case
from reference.catalogue import catalogue
from reference.catalogue.seams import kinks, seams
from reference.commands import mistakes
from reference.mistakes import MISTAKES

FOR = {"kink-at-0": kinks, "gelu-over-its-input": kinks}
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
    assert {case.id: names for case in OTHERS if (names := caught(case, list(FOR)))} == {}
