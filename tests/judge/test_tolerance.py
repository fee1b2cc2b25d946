"""A tolerance of one's own takes the place of the table's, for its stage alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import count
from typing import Any

import numpy as np
import pytest

from reference.catalogue import catalogue
from reference.checks.twins import twins
from reference.judge.run import hold, judge
from reference.judge.tolerance import TOLERANCE, tolerance
from tests.tools.altered import Altered

CASE = next(case for case in catalogue() if case.id == "linear-primes-adam-dense-f64")
TWINS = twins()
OFF = {
    "loss": Altered("loss", lambda loss: loss * 1.001),
    "grads": Altered("grads", lambda grads: {name: g * 1.001 for name, g in grads.items()}),
    "params": Altered("params", lambda params: {name: p * 1.001 for name, p in params.items()}),
    "state": Altered("state", lambda state: state | {"exp_avg": {k: m * 1.001 for k, m in state["exp_avg"].items()}}),
}
LARGE = 1e14  # eps


def test_it_grows_as_the_tables_does() -> None:
    own = {"grads": 10.0, "params": 7.0}
    assert tolerance(CASE, "grads", 4, own) == 20
    assert tolerance(CASE, "params", 9, own) == 21
    assert tolerance(CASE, "loss", 4, own) == 2 * TOLERANCE["float64"]["loss"]
    assert tolerance(replace(CASE, dtype="float32"), "params", 1) == TOLERANCE["float32"]["normalized params"]


@pytest.mark.parametrize("own", [*({stage: LARGE} for stage in OFF), {}, dict.fromkeys(OFF, LARGE)])
def test_it_lets_pass_what_is_off_in_its_stage(own: Mapping[Any, float]) -> None:
    for held in (judge(CASE, OFF, {}, own), hold(CASE, OFF | TWINS, TWINS, allowed=own)):
        found = {stage: held[stage] for stage in OFF}
        verdicts = {stage: "agree" if stage in own else "disagree" for stage in OFF}
        assert {stage: result.verdict for stage, result in found.items()} == verdicts
        assert {result.tolerance for result in found.values()} == {tuple(own.items())}


def test_a_share_is_that_of_what_is_allowed() -> None:
    result = judge(CASE, OFF, {}, {"loss": 1e13})["loss"]
    shares = [error.share for error in result.errors if error.stage == "loss"]
    assert shares == [pytest.approx(1e-3 / np.finfo(float).eps / 1e13, rel=0.1)]


def test_what_differs_by_less_repeats_itself() -> None:
    """It is run again with the same tolerance: what is off is its loss, and not that it has another one then."""
    runs = count(1)

    class Noisy(Altered):
        def build(self, case: Any, weights: Any) -> Any:
            factor = 1.01 + 1e-5 * next(runs)
            return Altered("loss", lambda loss: loss * factor).build(case, weights)

    noisy = Noisy("loss", lambda loss: loss)
    assert judge(CASE, {"noisy": noisy}, {}, {"loss": 1e12})["noisy"].divergences
    assert judge(CASE, {"noisy": noisy}, {}, {})["noisy"].reason.startswith("does not repeat itself: step 1, loss")


def test_the_twins_have_it_too_where_they_are_held_against_each_other() -> None:
    held = hold(CASE, TWINS, TWINS, allowed={"grads": 1e-9})
    assert {(result.verdict, result.tolerance) for result in held.values()} == {("disagree", (("grads", 1e-9),))}
