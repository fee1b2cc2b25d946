"""Hold an optimizer alone against the exact updates: `check_optimizer`."""

from __future__ import annotations

import inspect
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass, fields, replace
from html import escape
from typing import Any

from reference.cases import Batch, Case
from reference.catalogue.optimizers import OPTIONS, optimizers
from reference.catalogue.spread import in_both_dtypes
from reference.checks.gradient_report import Asserted
from reference.contract import Grads, Params, State, Trainer
from reference.errors import BadInput, Unsupported
from reference.judge.result import Result
from reference.judge.run import judge
from reference.mistakes.diagnosis import diagnose
from reference.mistakes.explanation import Cause, Explanation
from reference.mistakes.known import RIGHT

KINDS = {kind.__name__.lower(): kind for kind in OPTIONS}


def check_optimizer(
    mine: Callable[..., Any], name: str, *, rows: bool = False, raises: bool = True, **options: Any
) -> OptimizerReport:
    """Hold an optimizer of your own against the exact updates, in the catalogue's cases on optimizers.

    mine: `mine(params, lr=..., ...)` returns an object with `step(grads)`, which changes params, a dict of arrays, in
    place, or returns the new ones. It gets those options of PyTorch's that it has parameters for, by PyTorch's names.
    Cases with another value than the default of an option that it has no parameter for are not supported. name: "sgd",
    "adagrad", "rmsprop", "adam", "adamw" or "sparseadam". rows: whether it also takes row gradients, as `RowGrad`;
    SparseAdam gets nothing else. raises: whether an AssertionError is raised unless all is right. options: values that
    are the same in all cases, which mine need not have parameters for.

    Its state is not compared; what is wrong in it shows in later steps. A mistake or variant that is known is named.

    Raises:
        AssertionError: an update is wrong, or no case is supported. The message is the report.
        BadInput: there is no such optimizer, or it has no such option.
    """
    if name not in KINDS:
        raise BadInput(f"check_optimizer: {name!r} is no optimizer; there are {', '.join(KINDS)}")
    unknown = [option for option in options if option not in {part.name for part in fields(KINDS[name])}]
    if unknown:
        known = ", ".join(part.name for part in fields(KINDS[name]))
        raise BadInput(f"check_optimizer: {name} has no option {unknown[0]!r}; it has {known}")
    if rows and (refused := KINDS[name]().rows_refused):
        raise BadInput(f"check_optimizer: rows=True: {refused}")
    port = Port(mine, options)
    results = [judge(case, {"mine": port}, {})["mine"] for case in cases(name, rows, options)]
    wrong = any(result.verdict == "disagree" for result in results)
    report = OptimizerReport(name, tuple(results), diagnose(port, results) if wrong else {})
    __tracebackhide__ = True
    if raises:
        report.raise_if_wrong()
    return report


def cases(name: str, rows: bool, options: Mapping[str, Any]) -> list[Case]:
    """The cases on this optimizer, in both dtypes. Clipping is not a part of it, so it is left out."""
    found: dict[str, Case] = {}
    for case in optimizers():
        if type(case.optimizer) is KINDS[name]:
            own = replace(case, optimizer=replace(case.optimizer, **options), max_norm=None)
            for both in in_both_dtypes(own):
                if not both.sparse or rows or name == "sparseadam":
                    found[f"{both.id} {both.optimizer} {both.model}"] = both
    return list(found.values())


class Port:
    """An implementation whose optimizer is the user's, and whose gradients are right. given: options that are fixed."""

    def __init__(self, mine: Callable[..., Any], given: Mapping[str, Any]) -> None:
        if not callable(mine):
            raise BadInput(f"check_optimizer: a class of optimizers is needed, got {type(mine).__name__}")
        self.mine, self.given = mine, given
        parameters = list(inspect.signature(mine).parameters.values())[1:]
        self.takes = {parameter.name for parameter in parameters}
        self.takes_all = any(parameter.kind is inspect.Parameter.VAR_KEYWORD for parameter in parameters)

    def build(self, case: Case, weights: Params) -> Trainer:
        """A trainer. Raises Unsupported if the case has an option that the user's optimizer has no parameter for."""
        passed = {}
        for part in fields(case.optimizer):
            value = getattr(case.optimizer, part.name)
            if self.takes_all or part.name in self.takes:
                passed[part.name] = value
            elif value != part.default and part.name not in self.given:
                raise Unsupported(f"takes no {part.name}")
        params = {key: weight.copy() for key, weight in weights.items()}
        return Updates(case, params, self.mine(params, **passed))


class Updates:
    """A trainer that has its gradients from the NumPy twin, and its updates from the user's optimizer."""

    def __init__(self, case: Case, params: Params, optimizer: Any) -> None:
        self.case, self.now, self.optimizer = case, params, optimizer
        self.grads: Grads = {}

    def loss_and_grads(self, batch: Batch) -> tuple[float, Grads]:
        """The loss and its gradients at the parameters that the user's optimizer made."""
        loss, grads = RIGHT.build(self.case, self.now).loss_and_grads(batch)
        self.grads = deepcopy(grads)
        return loss, grads

    def step(self) -> None:
        """The user's update."""
        made = self.optimizer.step(self.grads)
        if made is not None:
            self.now = made

    def params(self) -> Params:
        """The parameters."""
        return self.now

    def state(self) -> State:
        """None of it is known."""
        return {}


@dataclass(frozen=True, eq=False, repr=False)
class OptimizerReport(Asserted):
    """What a check of an optimizer found, case by case."""

    name: str
    results: tuple[Result, ...]
    explanations: Mapping[Result, Explanation]

    @property
    def right(self) -> bool:
        """Whether at least one case agrees, and none disagrees or fails."""
        return {"agree"} <= {result.verdict for result in self.results} <= {"agree", "unsupported"}

    def summary(self) -> str:
        """The whole in one line."""
        counts = Counter(result.verdict for result in self.results)
        return f"{self.name}: " + ", ".join(f"{number} {verdict}" for verdict, number in counts.items())

    def __str__(self) -> str:
        return "\n".join([self.summary(), *self._lines()])

    def _repr_html_(self) -> str:
        return f"<pre>{escape(str(self))}</pre>"

    def _lines(self) -> Iterator[str]:
        wrong = [result for result in self.results if result.verdict not in ("agree", "unsupported")]
        for result in wrong[:SHOWN]:
            yield f"{result.verdict} {result.case.id}: {result.first_divergence or result.reason or result.form[0]}"
        if len(wrong) > SHOWN:
            yield f"and {len(wrong) - SHOWN} more"
        causes: dict[str, list[Cause]] = {}
        for explanation in self.explanations.values():
            for cause in explanation.causes:
                causes.setdefault(cause.name, []).append(cause)
        for name, found in causes.items():
            yield f"{found[0].kind} {name} explains {len(found)} of {len(wrong)}"
            yield f"  {found[0].sentence}"
            yield f"  look for  {found[0].wrong}"
            yield f"  expected  {found[0].right}"
        nameless = next((e.observed for e in self.explanations.values() if e.observed), ())
        yield from (f"  {line}" for line in nameless)
        for reason, number in Counter(r.reason for r in self.results if r.verdict == "unsupported").items():
            yield f"{number} unsupported: {reason}"


SHOWN = 3
"""At most this many cases are shown."""
