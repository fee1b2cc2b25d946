"""Run implementations of a case side by side, step by step, and compare each with the values that it must equal."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from copy import copy
from itertools import islice

import numpy as np

from reference import exact
from reference.cases import Case
from reference.contract import Implementation, RowGrad
from reference.errors import BadInput
from reference.judge.distance import Likeness, moved, values_of
from reference.judge.form import dense, flat
from reference.judge.result import Divergence, Result, bracketed
from reference.judge.runner import Runner, start
from reference.judge.tolerance import STAGES, Tolerance

TRUTH = "exact"
"""The name of the exact values, which every implementation is compared with if they can be computed."""


def judge(
    case: Case,
    implementations: Mapping[str, Implementation],
    twins: Mapping[str, Implementation],
    allowed: Tolerance | None = None,
) -> dict[str, Result]:
    """Compare each implementation with the exact values of the case, or with the twins if the case is too large.

    allowed: instead of the table of tolerances. Returns a result for each implementation, by its name.
    """
    if exact.feasible(case):
        return hold(case, implementations, {TRUTH: exact}, "exact values", again=True, allowed=allowed)
    return hold(case, implementations, twins, "the twins", again=True, allowed=allowed)


def hold(
    case: Case,
    implementations: Mapping[str, Implementation],
    yardsticks: Mapping[str, Implementation],
    against: str = "",
    again: bool = False,
    allowed: Tolerance | None = None,
) -> dict[str, Result]:
    """Train all implementations on the batches of a case, step by step, and compare each with every other yardstick.

    An implementation that is also a yardstick, by the same name, runs once. against: what the results call the
    yardsticks. again: one that disagrees runs a second time, and if it differs from itself, that is the verdict.
    allowed: instead of the table of tolerances. Returns a result for each implementation, by its name.

    Raises:
        BadInput: a gradient of a yardstick is the same everywhere in the first step.
    """
    weights = case.weights()
    standing = {name: start(case, name, module, weights, allowed) for name, module in yardsticks.items()}
    held = {
        name: standing[name] if yardsticks.get(name) is module else start(case, name, module, weights, allowed)
        for name, module in implementations.items()
    }
    for step in follow(case, list(held.values()), list(standing.values())):
        if step == 1:
            _refuse_empty(case, standing.values())
    for name, runner in held.items() if again else ():
        if runner.divergences:
            _run_again(runner, implementations[name])
    proof = getattr(standing[TRUTH].trainer, "proof", None) if TRUTH in standing else None
    return {name: runner.close(against, proof) for name, runner in held.items()}


def follow(case: Case, held: Sequence[Runner], yardsticks: Sequence[Runner], every: int = 1) -> Iterator[int]:
    """Train the started runners step by step, and compare. Yields the number of each completed step.

    A runner may be both compared and a yardstick for others. every: compare after this many steps each time, and
    always after the last. It ends early if nothing is left to compare.
    """
    others = [runner for runner in held if runner not in yardsticks]
    runners, wanted = [*yardsticks, *others], others or yardsticks
    for step, batch in enumerate(case.batches(), start=1):
        if not any(runner.running for runner in wanted):
            break
        for runner in runners:
            runner.advance(batch, step)
        if step % every == 0 or step == case.steps:
            _hold_all(runners, yardsticks, step)
        for runner in runners:
            if runner.divergences:
                runner.verdict = "disagree"
        yield step


def _run_again(runner: Runner, implementation: Implementation) -> None:
    """Run it a second time; where the last step differs by more than rounding may, its verdict is that it does."""
    other = start(runner.case, runner.name, implementation, runner.weights, runner.allowed)
    for step, batch in enumerate(islice(runner.case.batches(), runner.steps), start=1):
        other.advance(batch, step)
    first = copy(runner)
    first.scale, other.divergences = Likeness(), []  # what is not finite in both is the same
    compare(other, first, runner.steps, both=False)
    found = Result(runner.case, runner.name, divergences=tuple(other.divergences)).first_divergence
    if found:
        told = f"step {found.step}, {found.tensor}{bracketed(found.index)}: {found.expected}, then {found.got}"
    elif other.verdict == "error" and other.reason != runner.reason:
        told = f"the second time, {other.reason}"
    else:
        return
    runner.verdict, runner.reason, runner.divergences = "disagree", f"does not repeat itself: {told}", []


def _hold_all(runners: Sequence[Runner], yardsticks: Sequence[Runner], step: int) -> None:
    """Compare what each runner returned with every other yardstick."""
    for place, runner in enumerate(runners):
        others = [other for other in yardsticks if other is not runner and other.out]
        if runner.out and not others and yardsticks != [runner]:
            runner.verdict, runner.reason = "error", f"step {step}: there is nothing to hold it against"
        for other in others:
            if runner not in yardsticks or runners.index(other) > place:
                compare(runner, other, step, both=runner in yardsticks)
            _compare_untouched(runner, other, step)


@np.errstate(all="ignore")
def compare(runner: Runner, other: Runner, step: int, both: bool) -> None:
    """Compare what the runner returned with the other. both: also enter the errors for the other runner."""
    for stage in STAGES:
        if stage not in runner.out or stage not in other.out:
            continue
        got = dict(flat(stage, runner.out[stage]))
        for name, expected in flat(stage, other.out[stage]):
            if name not in got:
                continue
            mine = got[name]
            if isinstance(mine, RowGrad) != isinstance(expected, RowGrad):  # one of them is dense in spite of the case
                mine, expected = dense(mine), dense(expected)
            unit = max(other.case.eps, *(float(np.finfo(values_of(side).dtype).eps) for side in (mine, expected)))
            eps, index, wanted, found = other.scale.distance(f"{stage} {name}", expected, mine, unit)
            fewer = unit > other.case.eps
            runner.enter(step, stage, name, (eps, index, wanted, found), fewer)
            if both:
                other.enter(step, stage, name, (eps, index, found, wanted), fewer)


def _compare_untouched(runner: Runner, other: Runner, step: int) -> None:
    """If a row had no gradient, and the yardstick left it unchanged bit for bit, the runner must do the same."""
    for name in runner.touched if "params" in runner.out and "params" in other.out else ():
        if other.touched[name].all():
            continue
        got = runner.out["params"][name]
        # what came with fewer digits is held to these
        initial, expected = (np.asarray(side, got.dtype) for side in (other.weights[name], other.out["params"][name]))
        for row in moved(initial, ~other.touched[name], got):
            if not moved(initial[[row]], np.ones(1, bool), expected[[row]]).size:
                column = int(np.argmax(got[row] != initial[row]))
                was, now = float(initial[row, column]), float(got[row, column])
                runner.divergences.append(Divergence(step, "params", name, (int(row), column), was, now, np.inf))
                break


def _refuse_empty(case: Case, yardsticks: Collection[Runner]) -> None:
    """Refuse a case with a gradient that is zero or the same everywhere: a wrong gradient could pass.

    A case that is there for the lack of a gradient is not refused.
    """
    if 1 in getattr(case.data, "silent", ()):
        return
    for yardstick in yardsticks:
        for name, gradient in yardstick.out.get("grads", {}).items():
            values = values_of(gradient)
            if not values.any() or (values.size > 1 and np.ptp(values) == 0):
                raise BadInput(f"case {case.id}: the gradient of {name} is the same everywhere and so proves nothing")
