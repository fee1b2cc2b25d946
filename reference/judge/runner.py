"""One implementation running a case: it is built, trained step by step, and closed, which gives its result."""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np

from reference.cases import Batch, Case
from reference.contract import Implementation, Params, RowGrad
from reference.errors import Unsupported, one_line
from reference.exact.arithmetic import Proof
from reference.judge.distance import Distance, Scale
from reference.judge.form import Mismatch, as_grads, as_loss, as_params, as_state
from reference.judge.result import Divergence, LargestError, Result, Verdict
from reference.judge.tolerance import Stage, tolerance


@dataclass(eq=False)
class Runner:
    """A running implementation, and what has been found about it so far.

    weights: the initial weights. trainer: None if it could not be built. out: what it returned in this step, by stage,
    in the form that is compared. touched: for each table, a mask (V,) of the rows that ever had a gradient. scale: the
    scale for the errors of others that are compared with this runner. errors: the largest error of each tensor, in eps
    and as a share of the tolerance. The other fields are those of `Result`.
    """

    case: Case
    name: str
    weights: Params = field(default_factory=dict)
    trainer: Any = None
    out: dict[Stage, Any] = field(default_factory=dict)
    touched: dict[str, np.ndarray] = field(default_factory=dict)
    scale: Scale = field(default_factory=Scale)
    verdict: Verdict = "agree"
    reason: str = ""
    steps: int = 0
    errors: dict[tuple[Stage, str], tuple[float, float]] = field(default_factory=dict)
    divergences: list[Divergence] = field(default_factory=list)

    @property
    def running(self) -> bool:
        """Whether it continues. Without step() the parameters never change, so only the first batch can be compared."""
        return self.verdict == "agree" and (self.steps == 0 or hasattr(self.trainer, "step"))

    def advance(self, batch: Batch, step: int) -> None:
        """Take one step with a copy of the batch. The returned values are in `out`, which is empty if it has ended."""
        self.out = {}
        if not self.running:
            return
        trainer = self.trainer
        own = type(batch)(*(copy(getattr(batch, part.name)) for part in fields(batch)))
        input_shapes = {name: getattr(batch, name).shape for name in self.case.model.input_gradients}

        def keep(stage: Stage, form: Callable[[Any], Any], given: Any) -> None:
            try:
                self.out[stage] = _copy(form(given))
            except Mismatch as mismatch:
                expected, got = mismatch.expected, mismatch.got
                self.divergences.append(Divergence(step, stage, mismatch.tensor, None, expected, got, np.inf))

        def loss_and_grads() -> None:
            returned = trainer.loss_and_grads(own)
            if not isinstance(returned, tuple) or len(returned) != 2:
                raise TypeError(f"it returned a {type(returned).__name__}, not (loss, gradients)")
            keep("loss", as_loss, returned[0])
            keep("grads", lambda given: as_grads(self.case, given, input_shapes), returned[1])

        def update() -> None:
            trainer.step()
            if hasattr(trainer, "params"):
                keep("params", lambda given: as_params(self.case, given), trainer.params())
            if hasattr(trainer, "state"):
                keep("state", lambda given: as_state(self.case, given), trainer.state())

        self._call(f"step {step}: loss_and_grads", loss_and_grads)
        if self.verdict == "agree" and hasattr(trainer, "step"):
            self._call(f"step {step}: the update", update)
        self.steps = step
        for name in self.touched.keys() & self.out.get("grads", {}).keys():
            gradient = self.out["grads"][name]
            if isinstance(gradient, RowGrad):
                self.touched[name][gradient.rows] = True
            else:
                self.touched[name] |= gradient.any(axis=1)

    def _call(self, what: str, function: Callable[[], Any]) -> None:
        try:
            function()
        except (Exception, SystemExit) as error:
            self.verdict, self.reason = "error", f"{what} raised {one_line(error)}"

    def enter(self, step: int, stage: Stage, tensor: str, distance: Distance) -> None:
        """Record the error of one tensor. It is a divergence if it exceeds the tolerance."""
        eps, index, expected, got = distance
        allowed = tolerance(self.case, stage, step)
        worst, share = self.errors.get((stage, tensor), (0.0, 0.0))
        self.errors[stage, tensor] = max(eps, worst), max(eps / allowed, share)
        if not eps <= allowed:
            self.divergences.append(Divergence(step, stage, tensor, index, expected, got, eps))

    def close(self, against: str = "", proof: Proof | None = None) -> Result:
        """The result, including what was not covered. If nothing was compared, that is an error.

        against: what the result says it was compared with. proof: the proof of the exact values.
        """
        verdict, reason = self.verdict, self.reason
        if verdict == "agree" and not self.errors:
            verdict, reason = "error", "nothing was compared"
        elif verdict == "agree":
            kinds = {name.split(".")[0] for stage, name in self.errors if stage == "state"}
            missing = [] if any(stage == "params" for stage, _ in self.errors) else ["params"]
            missing += [f"state {kind}" for kind in self.case.optimizer.state if kind not in kinds]
            reason = f"not covered: {', '.join(missing)}" if missing else ""
        errors = tuple(LargestError(*place, *error) for place, error in self.errors.items())
        divergences = tuple(self.divergences)
        return Result(self.case, self.name, against, verdict, reason, self.steps, errors, divergences, proof)


def start(case: Case, name: str, implementation: Implementation, weights: Params) -> Runner:
    """Build a trainer with its own copy of the weights. If that fails, the runner has the reason."""
    runner = Runner(case, name, weights)
    runner.touched = {table: np.zeros(case.model.shapes[table][0], bool) for table in case.model.tables}
    try:
        runner.trainer = implementation.build(case, {key: weight.copy() for key, weight in weights.items()})
    except Unsupported as unsupported:
        runner.verdict, runner.reason = "unsupported", str(unsupported) or "no reason given"
    except (Exception, SystemExit) as error:
        runner.verdict, runner.reason = "error", f"build raised {one_line(error)}"
    else:
        if not hasattr(runner.trainer, "loss_and_grads"):
            kind = type(runner.trainer).__name__
            runner.verdict, runner.reason = "error", f"build returned a {kind}, which has no loss_and_grads(batch)"
    return runner


def _copy(value: Any) -> Any:
    """A copy, because the optimizer's update may change arrays in place, even gradients."""
    if isinstance(value, RowGrad):
        return RowGrad(value.rows.copy(), value.values.copy(), value.shape)
    return {name: _copy(part) for name, part in value.items()} if isinstance(value, dict) else np.copy(value)
