"""Run implementations of a case side by side, step by step, and hold each against the twins."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np

from reference import exact
from reference.cases import Batch, Case
from reference.contract import Implementation, Params, RowGrad
from reference.errors import BadInput, Unsupported, one_line
from reference.judge.distance import Scale, moved
from reference.judge.form import Mismatch, as_grads, as_loss, as_params, as_state, flat
from reference.judge.load import load
from reference.judge.result import Divergence, Result
from reference.judge.tolerance import STAGES, Stage, tolerance

TWINS = ("numpy_impl", "torch_impl")
"""They are looked up by name, as a user's module is."""

TRUTH = "exact"
"""What every implementation is held against wherever it can be computed."""


@dataclass(eq=False)
class Runner:
    """An implementation at work: what it returned in this step, and which rows of its tables ever had a gradient."""

    result: Result
    trainer: Any = None
    out: dict[Stage, Any] = field(default_factory=dict)
    touched: dict[str, np.ndarray] = field(default_factory=dict)
    scale: Scale = field(default_factory=Scale)

    @property
    def running(self) -> bool:
        """Whether it goes on: without step() the parameters stay, and only the first batch can be compared."""
        updates = self.result.steps == 0 or hasattr(self.trainer, "step")
        return self.result.verdict == "agree" and updates

    def call(self, what: str, function: Callable[[], Any]) -> None:
        """Call the function; where it raises, the result is an error."""
        try:
            function()
        except (Exception, SystemExit) as error:
            self.result.verdict = "error"
            self.result.reason = f"{what} raised {one_line(error)}"


def judge(case: Case, implementations: Mapping[str, Implementation]) -> dict[str, Result]:
    """Hold each implementation against the exact values of the case; against the twins where it is too large."""
    if exact.feasible(case):
        found = hold(case, {TRUTH: exact} | dict(implementations), against=(TRUTH,))
        against, proof = "exact values", found[TRUTH].proof
    else:
        found = hold(case, {name: load(name) for name in TWINS} | dict(implementations))
        against, proof = "the twins", None
    for result in found.values():
        result.against, result.proof = against, proof
    return {name: found[name] for name in implementations}


def hold(
    case: Case,
    implementations: Mapping[str, Implementation],
    against: Sequence[str] = TWINS,
) -> dict[str, Result]:
    """Train all implementations on the batches of a case, in step, and compare each with every yardstick but itself.

    implementations: by name; those named in `against` are the yardsticks. Returns a result for each.
    """
    weights = case.weights()
    runners = [start(case, name, module, weights) for name, module in implementations.items()]
    for step in follow(case, runners, weights, against):
        if step == 1:
            _refuse_empty(case, [r for r in runners if r.result.implementation in {TRUTH, *TWINS} & {*against}])
    for runner in runners:
        close(runner)
        if runner.result.implementation == TRUTH and runner.trainer:
            runner.result.proof = runner.trainer.proof
    return {runner.result.implementation: runner.result for runner in runners}


def follow(
    case: Case, runners: Sequence[Runner], weights: Params, against: Sequence[str] = TWINS, every: int = 1
) -> Iterator[int]:
    """Train what has been started with the weights, in step; yields the number of each step that has been done.

    every: in how many steps there is one comparison; there is one after the last step in any case. It ends early where
    nothing is left to be compared.
    """
    yardsticks = [runner for runner in runners if runner.result.implementation in against]
    wanted = [runner for runner in runners if runner not in yardsticks] or yardsticks
    for step, batch in enumerate(case.batches(), start=1):
        if not any(runner.running for runner in wanted):
            break
        for runner in runners:
            _advance(runner, case, batch, step)
        if step % every == 0 or step == case.steps:
            _hold_all(runners, yardsticks, case, weights, step)
        for runner in runners:
            if runner.result.divergences:
                runner.result.verdict = "disagree"
        yield step


def _hold_all(runners: Sequence[Runner], yardsticks: Sequence[Runner], case: Case, weights: Params, step: int) -> None:
    """Compare what each runner returned with every yardstick but itself."""
    for place, runner in enumerate(runners):
        others = [other for other in yardsticks if other is not runner and other.out]
        if runner.out and not others and yardsticks != [runner]:
            runner.result.verdict, runner.result.reason = "error", f"step {step}: no twin to hold it against"
        for other in others:
            if runner not in yardsticks or runners.index(other) > place:
                compare(runner, other, case, step, both=runner in yardsticks)
            _compare_untouched(runner, other, weights, step)


def start(case: Case, name: str, module: Implementation, weights: Params) -> Runner:
    """Build a trainer with its own copy of the weights; where it cannot be, the result says why."""
    runner = Runner(Result(case, name))
    runner.touched = {table: np.zeros(case.model.shapes[table][0], bool) for table in case.model.tables}
    result = runner.result
    try:
        runner.trainer = module.build(case, {key: weight.copy() for key, weight in weights.items()})
    except Unsupported as unsupported:
        result.verdict, result.reason = "unsupported", str(unsupported) or "no reason given"
    except (Exception, SystemExit) as error:
        result.verdict, result.reason = "error", f"build raised {one_line(error)}"
    else:
        if not hasattr(runner.trainer, "loss_and_grads"):
            kind = type(runner.trainer).__name__
            result.verdict, result.reason = "error", f"build returned a {kind}, which has no loss_and_grads(batch)"
    return runner


def _advance(runner: Runner, case: Case, batch: Batch, step: int) -> None:
    """One step of one trainer; what it returns, in the one form of the comparison, is in `runner.out`."""
    runner.out = {}
    if not runner.running:
        return
    trainer, result = runner.trainer, runner.result
    own = type(batch)(*(copy(getattr(batch, part.name)) for part in fields(batch)))
    input_shapes = {name: getattr(batch, name).shape for name in case.model.input_gradients}

    def keep(stage: Stage, form: Callable[[Any], Any], given: Any) -> None:
        try:
            runner.out[stage] = _copy(form(given))
        except Mismatch as mismatch:
            expected, got = mismatch.expected, mismatch.got
            result.divergences.append(Divergence(step, stage, mismatch.tensor, None, expected, got, np.inf))

    def loss_and_grads() -> None:
        returned = trainer.loss_and_grads(own)
        if not isinstance(returned, tuple) or len(returned) != 2:
            raise TypeError(f"it returned a {type(returned).__name__}, not (loss, gradients)")
        keep("loss", as_loss, returned[0])
        keep("grads", lambda given: as_grads(case, given, input_shapes), returned[1])

    def update() -> None:
        trainer.step()
        if hasattr(trainer, "params"):
            keep("params", lambda given: as_params(case, given), trainer.params())
        if hasattr(trainer, "state"):
            keep("state", lambda given: as_state(case, given), trainer.state())

    runner.call(f"step {step}: loss_and_grads", loss_and_grads)
    if result.verdict == "agree" and hasattr(trainer, "step"):
        runner.call(f"step {step}: the update", update)
    result.steps = step
    for name in runner.touched.keys() & runner.out.get("grads", {}).keys():
        gradient = runner.out["grads"][name]
        if isinstance(gradient, RowGrad):
            runner.touched[name][gradient.rows] = True
        else:
            runner.touched[name] |= gradient.any(axis=1)


def _copy(value: Any) -> Any:
    """A copy that the optimizer's update cannot change: it may work in place, in the gradients too."""
    if isinstance(value, RowGrad):
        return RowGrad(value.rows.copy(), value.values.copy(), value.shape)
    return {name: _copy(part) for name, part in value.items()} if isinstance(value, dict) else np.copy(value)


def _refuse_empty(case: Case, yardsticks: Sequence[Runner]) -> None:
    """A gradient that is zero or the same everywhere would let a wrong one pass."""
    for yardstick in yardsticks:
        for name, gradient in yardstick.out.get("grads", {}).items():
            values = gradient.values if isinstance(gradient, RowGrad) else gradient
            if not values.any() or (values.size > 1 and np.ptp(values) == 0):
                raise BadInput(f"case {case.id}: the gradient of {name} is the same everywhere and so proves nothing")


def compare(runner: Runner, other: Runner, case: Case, step: int, both: bool) -> None:
    """Hold what the runner returned against the other; of two yardsticks, each against the other at once."""
    for stage in STAGES:
        if stage not in runner.out or stage not in other.out:
            continue
        got = dict(flat(stage, runner.out[stage]))
        bound = tolerance(case, stage, step)
        for name, expected in flat(stage, other.out[stage]):
            if name not in got:
                continue
            eps, index, wanted, found = other.scale.distance(f"{stage} {name}", expected, got[name], case.eps)
            pairs = ((runner, wanted, found), (other, found, wanted)) if both else ((runner, wanted, found),)
            for held, its_wanted, its_found in pairs:
                result = held.result
                result.worst[stage, name] = max(eps, result.worst.get((stage, name), 0.0))
                result.share[stage] = max(eps / bound, result.share.get(stage, 0.0))
                if not eps <= bound:
                    result.divergences.append(Divergence(step, stage, name, index, its_wanted, its_found, eps))


def _compare_untouched(runner: Runner, other: Runner, weights: Params, step: int) -> None:
    """Rows that had no gradient and that the yardstick left bit for bit alone must be left alone bit for bit."""
    for name in runner.touched if "params" in runner.out and "params" in other.out else ():
        if other.touched[name].all():
            continue
        initial, got, expected = weights[name], runner.out["params"][name], other.out["params"][name]
        for row in moved(initial, ~other.touched[name], got):
            if not moved(initial[[row]], np.ones(1, bool), expected[[row]]).size:
                column = int(np.argmax(got[row] != initial[row]))
                was, now = float(initial[row, column]), float(got[row, column])
                runner.result.divergences.append(Divergence(step, "params", name, (int(row), column), was, now, np.inf))
                break


def close(runner: Runner) -> None:
    """Say what was not covered; where nothing was compared, that is an error."""
    result = runner.result
    if result.verdict != "agree":
        return
    if not result.worst:
        result.verdict, result.reason = "error", "nothing was compared"
        return
    kinds = {name.split(".")[0] for stage, name in result.worst if stage == "state"}
    missing = [] if result.worst_of("params") is not None else ["params"]
    missing += [f"state {kind}" for kind in result.case.optimizer.state if kind not in kinds]
    result.reason = f"not covered: {', '.join(missing)}" if missing else result.reason
