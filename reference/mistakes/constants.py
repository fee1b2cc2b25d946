"""Solving for a number of somebody's own: an eps, a learning rate, what is added to a probability, a floor.

Some mistakes have a number in them (`Mistake.of`). What an implementation returns depends on it and nearly always
grows or falls with it, so one entry that the implementation returned tells which number it has.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

from reference.cases import Case
from reference.contract import Implementation
from reference.judge.form import dense, flat
from reference.judge.result import Divergence
from reference.judge.runner import start

GRID = tuple(10.0**power for power in range(-20, 3, 2))
"""A number is looked for between two of these."""

STEPS = 30
"""The most steps towards a number. Most are found in ten."""


def solved(case: Case, entry: Divergence, wrong: Callable[[float], Implementation]) -> float | None:
    """The number with which the wrong implementation returns what is expected of an entry; None if there is none."""

    def off(number: float) -> float:
        return returned(case, entry, wrong(number)) - float(entry.expected)

    if off(GRID[0]) == off(GRID[-1]):  # the entry does not depend on it
        return None
    at = [off(number) for number in GRID]
    if at[0] == 0:  # it is what no number at all gives, as of parameters that do not move
        return None
    for low, high, at_low, at_high in zip(GRID, GRID[1:], at, at[1:], strict=False):
        if at_low * at_high <= 0 and at_low != at_high:
            return between(off, low, high, at_low, at_high)
    return None


def between(off: Callable[[float], float], low: float, high: float, at_low: float, at_high: float) -> float:
    """Where a function is 0 that has two signs at two places: regula falsi, as the Illinois algorithm has it."""
    side = 0
    for _ in range(STEPS):
        middle = (low * at_high - high * at_low) / (at_high - at_low)
        at = off(middle)
        if at == 0 or middle in (low, high):
            return middle
        if at * at_high > 0:
            high, at_high, at_low = middle, at, at_low / (2 if side == 1 else 1)
            side = 1
        else:
            low, at_low, at_high = middle, at, at_high / (2 if side == -1 else 1)
            side = -1
    return middle


def returned(case: Case, entry: Divergence, implementation: Implementation) -> float:
    """What an implementation returns at the place of an entry; NaN where there is nothing."""
    runner = start(case, "", implementation, case.weights())
    for step, batch in zip(range(1, entry.step + 1), case.batches(), strict=False):
        runner.advance(batch, step)
    tensors = dict(flat(entry.stage, runner.out[entry.stage])) if entry.stage in runner.out else {}
    return float(dense(tensors[entry.tensor])[entry.index or ()]) if entry.tensor in tensors else math.nan


def rounded(number: float) -> Iterator[float]:
    """The number to one digit, to two, ..., as people write it, and last with all that it has."""
    yield from dict.fromkeys([*(float(f"{number:.{digits}g}") for digits in (1, 2, 3, 5)), number])
