"""One implementation at work in a case: it is built, trained step by step, and closed, which gives its result."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

import numpy as np

from reference.cases import Batch, Case
from reference.cases.layout import laid_out
from reference.contract import Grads, Implementation, Params, RowGrad
from reference.errors import Failed, Unsupported, raised
from reference.exact.arithmetic import Proof
from reference.judge.distance import Distance, Scale, values_of
from reference.judge.form import Mismatch, Note, as_grads, as_loss, as_params, as_state, flat
from reference.judge.result import Divergence, LargestError, Result, Verdict
from reference.judge.switches import LEFT, Switches
from reference.judge.tolerance import Stage, Tolerance, tolerance


class Kept:
    """Gradients as an implementation returned them, and what they are when the next step begins."""

    def __init__(self, grads: dict[str, Any], form_of: Callable[[Any], Grads]) -> None:
        self.grads, self.form_of = grads, form_of
        self.before: Grads = {}

    def look(self) -> None:
        """See what they are now. Most implementations that are wrong have no next step, and so are not looked at."""
        self.before = _copy(self.form_of(self.grads))

    @property
    def changed(self) -> str | None:
        """The name of the first that is not what it was."""
        try:
            now = self.form_of(self.grads)
        except Mismatch as mismatch:
            return mismatch.tensor
        return next(
            (name for name, gradient in self.before.items() if name in now and not same(gradient, now[name])), None
        )


@dataclass(eq=False)
class Runner:
    """An implementation at work, and what has been found of it so far.

    weights: those it began with. trainer: None where it could not be built. out: what it returned in this step, by
    stage, in the one form of the comparison. kept: the gradients of the step before. touched: by table, the rows (V,)
    that ever had a gradient. scale: what the errors of others are measured by, where they are held against it. errors:
    the largest of each tensor, in eps and as a share of what is allowed. form: by what is asked for and what came, the
    tensors that have this wrong form. dtypes: of all tensors that came. switches: how the global ones stand for it.
    allowed: instead of the table of tolerances. The rest is what a `Result` has.
    """

    case: Case
    name: str
    weights: Params = field(default_factory=dict)
    trainer: Any = None
    out: dict[Stage, Any] = field(default_factory=dict)
    kept: Kept | None = None
    touched: dict[str, np.ndarray] = field(default_factory=dict)
    scale: Scale = field(default_factory=Scale)
    verdict: Verdict = "agree"
    reason: str = ""
    steps: int = 0
    errors: dict[tuple[Stage, str], tuple[float, float]] = field(default_factory=dict)
    divergences: list[Divergence] = field(default_factory=list)
    form: dict[tuple[str, str], list[str]] = field(default_factory=dict)
    dtypes: set[np.dtype] = field(default_factory=set)
    switches: Switches = field(default_factory=Switches)
    allowed: Tolerance = field(default_factory=dict)

    @property
    def running(self) -> bool:
        """Whether it goes on: without step() the parameters stay, and only the first batch can be compared."""
        return self.verdict == "agree" and (self.steps == 0 or hasattr(self.trainer, "step"))

    def advance(self, batch: Batch, step: int) -> None:
        """Take one step, with a copy of the batch; what it returns is in `out`, which is empty if it has ended."""
        self.out = {}
        if not self.running:
            return
        trainer, returned_grads = self.trainer, None
        if self.kept:
            self.kept.look()
        own = type(batch)(*(laid_out(getattr(batch, part.name), self.case.layout) for part in fields(batch)))
        input_shapes = {name: getattr(batch, name).shape for name in self.case.model.input_gradients}

        def form_of(grads: Any) -> Grads:
            return as_grads(self.case, grads, input_shapes, lambda *_: None)

        def keep(stage: Stage, form: Callable[[Any, Note], Any], given: Any) -> None:
            def note(what: str, expected: str, got: str) -> None:
                self.note(f"{stage} {what}" if "." in what else what, expected, got)

            try:
                self.out[stage] = _copy(form(given, note))
            except Mismatch as mismatch:
                expected, got = mismatch.expected, mismatch.got
                self.divergences.append(Divergence(step, stage, mismatch.tensor, None, expected, got, np.inf))

        def loss_and_grads() -> None:
            nonlocal returned_grads
            returned = trainer.loss_and_grads(own)
            kind = type(returned).__name__
            if not isinstance(returned, tuple | list) or len(returned) < 2:
                self.verdict = "error"
                self.reason = f"step {step}: loss_and_grads returned a {kind}, not (loss, gradients)"
                return
            if not isinstance(returned, tuple) or len(returned) != 2:
                self.note("loss_and_grads", "a tuple (loss, gradients)", f"a {kind} of {len(returned)}")
            keep("loss", lambda given, note: as_loss(given, self.case.dtype, note), returned[0])
            keep("grads", lambda given, note: as_grads(self.case, given, input_shapes, note), returned[1])
            returned_grads = returned[1]

        def update() -> None:
            trainer.step()
            if hasattr(trainer, "params"):
                keep("params", lambda given, note: as_params(self.case, given, note), trainer.params())
            if hasattr(trainer, "state"):
                keep("state", lambda given, note: as_state(self.case, given, note), trainer.state())

        with self.switches.turned():
            self._call(f"step {step}: loss_and_grads", loss_and_grads)
            if self.verdict == "agree" and hasattr(trainer, "step"):
                self._call(f"step {step}: the update", update)
        self.steps = step
        self._compare_given(own, batch, step)
        self._compare_kept(form_of, returned_grads, step)
        here = {values.dtype for values in map(values_of, self._tensors()) if values.ndim}
        self.dtypes |= here
        if "loss" in self.out and here and np.dtype(self.case.dtype) not in here:
            # a Python float says nothing of the digits that it was computed with
            self.out["loss"] = self.out["loss"].astype(min(here, key=lambda dtype: dtype.itemsize))
        for name, touched in self.touched.items():
            gradient = self.out.get("grads", {}).get(name)
            if isinstance(gradient, RowGrad):
                touched[gradient.rows] = True
            else:  # without a gradient, any row may have had one
                touched |= True if gradient is None else gradient.any(axis=1)

    def _compare_given(self, own: Batch, batch: Batch, step: int) -> None:
        """What it was given must be what it was, bit for bit."""
        for part in fields(batch):
            if not same(getattr(own, part.name), getattr(batch, part.name)):
                self.blame(f"changed its input {part.name} in step {step}")

    def _compare_kept(self, form_of: Callable[[Any], Grads], grads: Any, step: int) -> None:
        """The gradients of the step before must be what they were then, since somebody may have kept them.

        An update may work in place in its own gradients, so they are what it left of them.
        """
        if self.kept and (name := self.kept.changed):
            self.blame(f"the gradient returned in step {step - 1} for {name} changed in step {step}")
        looked_at = step < LOOKED_BACK and "grads" in self.out and isinstance(grads, Mapping)
        self.kept = Kept(dict(grads), form_of) if looked_at else None

    def blame(self, sentence: str) -> None:
        """It disagrees, and this is why; the first reason stands."""
        if self.verdict == "agree":
            self.verdict, self.reason = "disagree", sentence

    def _call(self, what: str, function: Callable[[], Any]) -> None:
        try:
            function()
        except (Exception, SystemExit) as error:
            self.verdict, self.reason = "error", f"{what} {raised(error)}"

    def _tensors(self) -> list[np.ndarray | RowGrad]:
        """All tensors of this step but the loss."""
        return [tensor for stage in self.out if stage != "loss" for _, tensor in flat(stage, self.out[stage])]

    def note(self, what: str, expected: str, got: str) -> None:
        """Note that something came in another form than is asked for, whatever its numbers are."""
        found = self.form.setdefault((expected, got), [])
        if what not in found:
            found.append(what)

    def enter(self, step: int, stage: Stage, tensor: str, distance: Distance, fewer_digits: bool = False) -> None:
        """Enter how far one of its tensors is off; it is a divergence where that is more than is allowed.

        fewer_digits: whether it came with fewer digits than the case has, and is held to the tolerance of float32.
        """
        eps, index, expected, got = distance
        case = replace(self.case, dtype="float32") if fewer_digits else self.case
        allowed = tolerance(case, stage, step, self.allowed)
        worst, share = self.errors.get((stage, tensor), (0.0, 0.0))
        self.errors[stage, tensor] = max(eps, worst), max(eps / allowed, share)
        if not eps <= allowed:
            self.divergences.append(Divergence(step, stage, tensor, index, expected, got, eps))

    def close(self, against: str = "", proof: Proof | None = None) -> Result:
        """What was found of it, and what was not covered; where nothing was compared, that is an error.

        against, proof: what the result is to say that it was held against, and that of its exact values.
        """
        verdict, reason = self.verdict, self.reason
        if verdict == "agree":
            compared = {stage for stage, _ in self.errors}
            if not compared:
                verdict, reason = "error", "nothing was compared"
            elif compared == {"loss"}:
                verdict, reason = "error", "nothing was compared but the loss: there are no gradients and no parameters"
            elif self.dtypes == {np.dtype("float32")} and self.case.dtype == "float64":
                verdict, reason = "unsupported", "not covered in float64: all came back in float32, right to its digits"
            else:
                verdict, reason = "form" if self.form else "agree", self._uncovered()
        errors = tuple(LargestError(*place, *error) for place, error in self.errors.items())
        divergences = tuple(self.divergences)
        found = errors, divergences, proof, self._form(), tuple(self.allowed.items())
        return Result(self.case, self.name, against, verdict, reason, self.steps, *found)

    def _uncovered(self) -> str:
        """What was not compared, in words; empty where all was."""
        grads = self.case.model.shapes.keys() | set(self.case.model.input_gradients)
        lacking = sorted(grads - {name for stage, name in self.errors if stage == "grads"})
        missing = ["grads"] if len(lacking) == len(grads) else [f"grads {name}" for name in lacking]
        missing += [] if any(stage == "params" for stage, _ in self.errors) else ["params"]
        kinds = {name.split(".")[0] for stage, name in self.errors if stage == "state"}
        missing += [f"state {kind}" for kind in self.case.optimizer.state if kind not in kinds]
        return f"not covered: {', '.join(missing)}" if missing else ""

    def _form(self) -> tuple[str, ...]:
        """A line for each form that is wrong, with the first of the tensors that have it."""
        found = []
        for (expected, got), tensors in self.form.items():
            more = f" and {len(tensors) - NAMED} more" if len(tensors) > NAMED else ""
            found.append(f"{', '.join(tensors[:NAMED])}{more}: {expected} is asked for, got {got}")
        return tuple(found)


NAMED = 3
"""At most this many tensors are named that have the same wrong form."""


LOOKED_BACK = 3
"""Up to this step, the gradients of the step before are looked at again."""


def start(
    case: Case, name: str, implementation: Implementation, weights: Params, allowed: Tolerance | None = None
) -> Runner:
    """Build a trainer with its own copy of the weights; where it cannot be built, the runner says why.

    allowed: instead of the table of tolerances.
    """
    runner = Runner(case, name, weights, allowed=allowed or {})
    runner.touched = {table: np.zeros(case.model.shapes[table][0], bool) for table in case.model.tables}
    runner.switches.own |= getattr(implementation, LEFT, {})
    own = {key: laid_out(weight, case.layout) for key, weight in weights.items()}
    try:
        with runner.switches.turned():
            runner.trainer = implementation.build(case, own)
    except Unsupported as unsupported:
        runner.verdict, runner.reason = "unsupported", str(unsupported) or "no reason given"
    except Failed as failed:
        runner.verdict, runner.reason = "error", str(failed)
    except (Exception, SystemExit) as error:
        runner.verdict, runner.reason = "error", f"build {raised(error)}"
    else:
        if not hasattr(runner.trainer, "loss_and_grads"):
            kind = type(runner.trainer).__name__
            runner.verdict, runner.reason = "error", f"build returned a {kind}, which has no loss_and_grads(batch)"
        for key, weight in weights.items():
            if not same(own.get(key), weight):
                runner.blame(f"changed its input {key} in build")
    return runner


def same(one: Any, other: Any) -> bool:
    """Whether two arrays, or two row gradients, have the same entries."""
    if isinstance(one, RowGrad):
        return np.array_equal(one.rows, other.rows) and same(one.values, other.values)
    nan = np.asarray(other).dtype.kind == "f"
    return np.array_equal(one, other) or (nan and np.array_equal(one, other, equal_nan=True))  # which takes longer


def _copy(value: Any) -> Any:
    """A copy that the optimizer's update cannot change: it may work in place, in the gradients too."""
    if isinstance(value, RowGrad):
        return RowGrad(value.rows.copy(), value.values.copy(), value.shape)
    return {name: _copy(part) for name, part in value.items()} if isinstance(value, dict) else np.copy(value)
