"""Run implementations of a case side by side, step by step, and hold each against what it must equal."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from copy import copy
from itertools import islice

import numpy as np

from reference import exact
from reference.cases import Case
from reference.contract import Implementation, RowGrad
from reference.errors import BadInput
from reference.judge.distance import Likeness, moved
from reference.judge.form import flat
from reference.judge.result import Divergence, Result
from reference.judge.runner import Runner, start
from reference.judge.tolerance import STAGES

TRUTH = "exact"
"""The name of what every implementation is held against wherever it can be computed."""


def judge(
    case: Case, implementations: Mapping[str, Implementation], twins: Mapping[str, Implementation]
) -> dict[str, Result]:
    """Hold each implementation against the exact values of the case; against the twins where it is too large for them.

    Returns a result for each implementation, by its name.
    """
    if exact.feasible(case):
        return hold(case, implementations, {TRUTH: exact}, "exact values", again=True)
    return hold(case, implementations, twins, "the twins", again=True)


def hold(
    case: Case,
    implementations: Mapping[str, Implementation],
    yardsticks: Mapping[str, Implementation],
    against: str = "",
    again: bool = False,
) -> dict[str, Result]:
    """Train all of them on the batches of a case, in step, and compare each with every yardstick but itself.

    An implementation that is one of the yardsticks, by the same name, is run once. against: what the yardsticks are
    called in the results. again: one that disagrees is run a second time, and where it differs from itself, that is the
    verdict. Returns a result for each implementation, by its name.

    Raises:
        BadInput: a gradient of a yardstick is the same everywhere in the first step.
    """
    weights = case.weights()
    standing = {name: start(case, name, module, weights) for name, module in yardsticks.items()}
    held = {
        name: standing[name] if yardsticks.get(name) is module else start(case, name, module, weights)
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
    """Train what has been started, in step, and compare; yields the number of each step that has been done.

    A runner may be held and a yardstick for the others. every: in how many steps there is one comparison; there is one
    after the last step in any case. It ends early where nothing is left to be compared.
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
    other = start(runner.case, runner.name, implementation, runner.weights)
    for step, batch in enumerate(islice(runner.case.batches(), runner.steps), start=1):
        other.advance(batch, step)
    first = copy(runner)
    first.scale, other.divergences = Likeness(), []  # what is not finite in both is the same
    compare(other, first, runner.steps, both=False)
    found = Result(runner.case, runner.name, divergences=tuple(other.divergences)).first_divergence
    if found:
        where = f"[{', '.join(map(str, found.index))}]" if found.index else ""
        told = f"step {found.step}, {found.tensor}{where}: {found.expected}, then {found.got}"
    elif other.verdict == "error":
        told = f"the second time, {other.reason}"
    else:
        return
    runner.verdict, runner.reason, runner.divergences = "disagree", f"does not repeat itself: {told}", []


def _hold_all(runners: Sequence[Runner], yardsticks: Sequence[Runner], step: int) -> None:
    """Compare what each runner returned with every yardstick but itself."""
    for place, runner in enumerate(runners):
        others = [other for other in yardsticks if other is not runner and other.out]
        if runner.out and not others and yardsticks != [runner]:
            runner.verdict, runner.reason = "error", f"step {step}: there is nothing to hold it against"
        for other in others:
            if runner not in yardsticks or runners.index(other) > place:
                compare(runner, other, step, both=runner in yardsticks)
            _compare_untouched(runner, other, step)


def compare(runner: Runner, other: Runner, step: int, both: bool) -> None:
    """Hold what the runner returned against the other; of two yardsticks, each against the other at once."""
    for stage in STAGES:
        if stage not in runner.out or stage not in other.out:
            continue
        got = dict(flat(stage, runner.out[stage]))
        for name, expected in flat(stage, other.out[stage]):
            if name not in got:
                continue
            eps, index, wanted, found = other.scale.distance(f"{stage} {name}", expected, got[name], other.case.eps)
            runner.enter(step, stage, name, (eps, index, wanted, found))
            if both:
                other.enter(step, stage, name, (eps, index, found, wanted))


def _compare_untouched(runner: Runner, other: Runner, step: int) -> None:
    """Rows that had no gradient and that the yardstick left bit for bit alone must be left alone bit for bit."""
    for name in runner.touched if "params" in runner.out and "params" in other.out else ():
        if other.touched[name].all():
            continue
        initial, got, expected = other.weights[name], runner.out["params"][name], other.out["params"][name]
        for row in moved(initial, ~other.touched[name], got):
            if not moved(initial[[row]], np.ones(1, bool), expected[[row]]).size:
                column = int(np.argmax(got[row] != initial[row]))
                was, now = float(initial[row, column]), float(got[row, column])
                runner.divergences.append(Divergence(step, "params", name, (int(row), column), was, now, np.inf))
                break


def _refuse_empty(case: Case, yardsticks: Collection[Runner]) -> None:
    """A gradient that is zero or the same everywhere would let a wrong one pass, unless the case is there for that."""
    if 1 in getattr(case.data, "silent", ()):
        return
    for yardstick in yardsticks:
        for name, gradient in yardstick.out.get("grads", {}).items():
            values = gradient.values if isinstance(gradient, RowGrad) else gradient
            if not values.any() or (values.size > 1 and np.ptp(values) == 0):
                raise BadInput(f"case {case.id}: the gradient of {name} is the same everywhere and so proves nothing")
