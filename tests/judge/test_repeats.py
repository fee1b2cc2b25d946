"""What does not repeat itself is told so, and gets no name; what fails the same way twice is diagnosed."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import numpy_impl
from reference.cases import Case
from reference.catalogue import catalogue
from reference.checks.twins import twins
from reference.commands.cli import main
from reference.judge.result import Result
from reference.judge.run import judge
from reference.mistakes import MISTAKES
from reference.mistakes.diagnosis import diagnose

CASE = {case.id: case for case in catalogue()}["classifier-primes-sgd-dense-f64"]
TABLE = "embedding.weight"

Change = Callable[[dict], dict]


class Changing:
    """The NumPy twin; `runs` counts how often it was built, and the change sees that number and the step."""

    def __init__(self, change: Callable[[int, int, dict], dict]) -> None:
        self.change, self.runs = change, 0

    def build(self, case: Case, weights: dict) -> Any:
        self.runs += 1
        run, steps, trainer = self.runs, itertools.count(1), numpy_impl.build(case, weights)
        right = trainer.loss_and_grads

        def loss_and_grads(batch: Any) -> Any:
            loss, grads = right(batch)
            return loss, self.change(run, next(steps), grads)

        trainer.loss_and_grads = loss_and_grads  # type: ignore[method-assign]
        return trainer


def entry(value: float) -> Change:
    def change(grads: dict) -> dict:
        table = grads[TABLE].copy()
        table[3, 1] = value
        return grads | {TABLE: table}

    return change


def judged(change: Callable[[int, int, dict], dict]) -> tuple[Result, Changing]:
    candidate = Changing(change)
    return judge(CASE, {"mine": candidate}, twins())["mine"], candidate


def test_another_value_in_the_second_run_is_the_verdict() -> None:
    result, candidate = judged(lambda run, step, grads: entry(0.41 if run == 1 else 0.52)(grads))
    assert result.verdict == "disagree"
    assert result.reason == f"does not repeat itself: step 1, {TABLE}[3, 1]: 0.41, then 0.52"
    assert result.divergences == ()
    assert diagnose(candidate, [result]) == {}


def test_it_is_found_in_the_step_that_failed() -> None:
    result, _ = judged(lambda run, step, grads: entry(run)(grads) if step == 3 else grads)
    assert result.reason == f"does not repeat itself: step 3, {TABLE}[3, 1]: 1.0, then 2.0"


def test_what_is_right_the_second_time_does_not_repeat_itself() -> None:
    result, _ = judged(lambda run, step, grads: entry(7.0)(grads) if run == 1 else grads)
    assert result.reason.startswith(f"does not repeat itself: step 1, {TABLE}[3, 1]: 7.0, then ")


def test_what_raises_the_second_time_does_not_repeat_itself() -> None:
    def change(run: int, step: int, grads: dict) -> dict:
        return entry(7.0)(grads) if run == 1 else grads["nothing"]

    reason = judged(change)[0].reason
    assert reason.startswith(
        "does not repeat itself: the second time, step 1: loss_and_grads raised in test_repeats.py"
    )
    assert reason.endswith("KeyError: 'nothing'")


@pytest.mark.parametrize(
    "change",
    [
        lambda run, step, grads: entry(0.41)(grads),
        lambda run, step, grads: entry(np.nan)(grads),
        lambda run, step, grads: entry(0.41 * (1 + run * 1e-16))(grads),  # a sum in another order
        lambda run, step, grads: grads | {TABLE: np.asarray(grads[TABLE])[:1]},
    ],
    ids=["the same", "NaN", "rounding", "another shape"],
)
def test_what_repeats_itself_is_diagnosed(change: Callable[[int, int, dict], dict]) -> None:
    result, candidate = judged(change)
    assert (result.verdict, result.reason) == ("disagree", "")
    assert candidate.runs == 2
    assert diagnose(candidate, [result]).keys() == {result}


def test_what_agrees_is_run_once() -> None:
    result, candidate = judged(lambda run, step, grads: grads)
    assert (result.verdict, candidate.runs) == ("agree", 1)


def test_a_known_mistake_repeats_itself() -> None:
    mistake = MISTAKES["duplicates-overwritten"]
    result = judge(CASE, {"mine": mistake}, twins())["mine"]
    (explanation,) = diagnose(mistake, [result]).values()
    assert [cause.name for cause in explanation.causes] == ["duplicates-overwritten"]


NOISY = """
import numpy as np
from numpy_impl import build as right

def build(case, weights):
    trainer = right(case, weights)
    given = trainer.loss_and_grads
    def loss_and_grads(batch):
        loss, grads = given(batch)
        return loss + np.random.standard_normal(), grads
    trainer.loss_and_grads = loss_and_grads
    return trainer
"""


def test_the_command_says_so_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    mine, found = tmp_path / "mine.py", tmp_path / "found.json"
    mine.write_text(NOISY)
    assert main(["verify", CASE.id, "--candidate", str(mine), "--json", str(found)]) == 1
    out = capsys.readouterr().out
    (line,) = [line for line in out.splitlines() if "repeat" in line]
    assert line.startswith(f"disagree {CASE.id}, {mine}: does not repeat itself: step 1, loss: ")
    assert "mistake" not in out
    (told,) = json.loads(found.read_text())["results"]
    assert told["reason"] in line
    assert (told["verdict"], told["diagnosis"], told["observed"]) == ("disagree", [], [])
