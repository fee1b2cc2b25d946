"""Hold the gradient of any function against what it must be: `check_gradients`.

Each tensor is compared entry by entry, or where it is large, in a sample of its entries and in random directions in
which all of them move. An error is measured against the largest entry of its row, as everywhere in twingrad. What a
gradient may be off is what is allowed of the catalogue's cases, and where that is not enough, what the right gradient
itself moves when the last digits of the parameters do.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from reference.checks.comparison import Comparison
from reference.checks.derivatives import Unchecked, size_of
from reference.checks.facts import View, facts
from reference.checks.gradient_report import Finding, GradientReport, Verdict, Worst
from reference.checks.losses import ExactLoss, NumpyLoss, arrays_of
from reference.checks.scalars import Exact
from reference.contract import Params
from reference.errors import BadInput
from reference.judge.form import Mismatch, coalesced, read, rows_of
from reference.judge.runner import same
from reference.mistakes.description import listed

SEEN = 1e-2
"""A tensor of which no smaller part of its largest entry would be noticed counts as checked only beside larger ones."""


def check_gradients(
    loss: Callable[..., Any] | Exact,
    grads: Any,
    params: Mapping[str, Any],
    *args: Any,
    rows: Collection[str] = (),
    ids: Mapping[str, Any] | None = None,
    exclude: Collection[str] = (),
    entries: int = 1000,
    seed: int = 0,
    raises: bool = True,
) -> GradientReport:
    """Hold the gradients of a loss against its derivatives.

    loss: `loss(params, *args)`, one number, written in NumPy; or `exact(loss)`, written in scalars. grads: what is to
    be checked, by name, or a function of the same arguments that returns it, or `(loss, grads)`. A gradient is an array
    of any kind, or of a table (V, D) a RowGrad, a sparse tensor, or a pair of rows (U,) and values (U, D). params:
    arrays of floats, by name; the loss is differentiated in float64.

    rows: the names of those that must come as rows. ids: by table, the rows that args look up in it, of any shape, each
    as often as it is. exclude: the names of those that are not checked. entries: of a larger tensor this many are
    compared one by one, and the rest in random directions. seed: of these. raises: whether an AssertionError is raised
    unless all is right.

    Raises:
        AssertionError: a gradient is wrong or missing, or could not be checked. The message is the report.
        BadInput: params are no dict of float arrays, or something is named that is not among them.
    """
    own = {name: _param(name, value) for name, value in _mapping("params", params).items()}
    tables = {name: np.asarray(value) for name, value in _mapping("ids", ids or {}).items()}
    for what, names in (("rows", rows), ("ids", tables), ("exclude", exclude)):
        _known(what, names, own)
    for name, of in tables.items():
        _check_ids(name, of, own[name].shape)
    for name in rows:
        if own[name].ndim != 2:
            raise BadInput(f"rows: {name} has shape {own[name].shape}; only a table (V, D) has row gradients")
    if not own.keys() - set(exclude):
        raise BadInput("params: there is nothing to check; at least one that is not excluded is needed")
    if entries < 1:
        raise BadInput(f"entries is {entries}; at least 1 is needed")
    stream = np.random.default_rng(seed)
    source: NumpyLoss | ExactLoss = (
        ExactLoss(loss, own, args, stream) if isinstance(loss, Exact) else NumpyLoss(loss, own, args, stream)
    )
    __tracebackhide__ = True
    report = Check(source, set(rows), tables, set(exclude), entries, stream).report(grads)
    if raises:
        report.raise_if_wrong()
    return report


# --- what is given ---------------------------------------------------------------------------------------------------


def _mapping(what: str, given: Any) -> Mapping[str, Any]:
    if not isinstance(given, Mapping) or not all(isinstance(name, str) for name in given):
        raise BadInput(f"{what}: a dict by the names of tensors is needed, not {type(given).__name__}")
    return given


def _known(what: str, names: Collection[str], params: Mapping[str, Any]) -> None:
    if isinstance(names, str):
        raise BadInput(f"{what}: a list of names is needed, not the string {names!r}")
    unknown = [name for name in names if name not in params]
    if unknown:
        raise BadInput(f"{what}: {unknown[0]!r} is no parameter; there are {', '.join(params)}")


def _param(name: str, given: Any) -> np.ndarray:
    try:
        array = read(name, given, any_form)
    except Mismatch as mismatch:
        raise BadInput(f"params: {mismatch}") from None
    if array.dtype.kind != "f":
        raise BadInput(f"params: {name} is {array.dtype}; floats are needed")
    if not np.isfinite(array).all():
        raise BadInput(f"params: {name} has entries that are not finite")
    return array


def _check_ids(name: str, ids: np.ndarray, shape: tuple[int, ...]) -> None:
    if ids.dtype.kind not in "iu":
        raise BadInput(f"ids: {name} has {ids.dtype}; integers are needed")
    if ids.size and not (shape and 0 <= ids.min() <= ids.max() < shape[0]):
        raise BadInput(f"ids: {name} has ids from {ids.min()} to {ids.max()}; its shape is {shape}")


def any_form(tensor: str, expected: str, got: str) -> None:
    """A `Note` for which any form will do."""


def single(given: Any) -> Any:
    """An array of floats in float32; anything else as it is."""
    is_float = isinstance(given, np.ndarray) and given.dtype.kind == "f"
    return given.astype(np.float32) if is_float else given


def as_gradient(name: str, given: Any, shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray | None]:
    """A gradient as a dense float64 array, and its rows if it came as rows. Raises Mismatch where it is none."""
    parts, rows = rows_of(given), None
    if parts and len(shape) == 2:
        found = coalesced(name, parts, shape, "float64", any_form)
        array, rows = found.dense(), found.rows
    else:
        array = read(name, given, any_form)
    if array.shape != shape or array.dtype.kind not in "fiu":
        raise Mismatch(name, f"floats of shape {shape}", f"{array.dtype} of shape {array.shape}")
    return array.astype(np.float64), rows


# --- the check --------------------------------------------------------------------------------------------------------


@dataclass(eq=False)
class Check:
    """One check at work.

    views: by name, each gradient beside what it must be. again: computes the gradients once more, if they came from
    a function.
    """

    loss: NumpyLoss | ExactLoss
    rows: set[str]
    ids: Mapping[str, np.ndarray]
    exclude: set[str]
    entries: int
    stream: np.random.Generator
    views: dict[str, View] = field(default_factory=dict)
    again: Callable[[Params, Sequence[Any]], Mapping[str, Any]] | None = None

    def report(self, grads: Any) -> GradientReport:
        """What is found of the gradients."""
        try:
            value = self.loss.value()
            mine, given = self.computed(grads)
            _known("grads", given, self.loss.params)
            with np.errstate(all="ignore"), warnings.catch_warnings():
                warnings.simplefilter("ignore")  # complex numbers are cast; whether that matters is found out
                return GradientReport((*self.of_loss(value, mine), *self.findings(given)))
        except Unchecked as reason:
            return GradientReport(unchecked=str(reason))

    def computed(self, grads: Any) -> tuple[Any, Mapping[str, Any]]:
        """The loss that came with the gradients, if one did, and the gradients by name."""
        if not callable(grads):
            return None, _mapping("grads", grads)
        handed = {name: param.copy() for name, param in self.loss.params.items()}
        args = arrays_of(self.loss.loss, self.loss.args)
        before = {f"params[{name!r}]": param for name, param in self.loss.params.items()}
        before |= {name: arg.copy() for name, arg in args.items()}
        found = grads(handed, *self.loss.args)
        after = {f"params[{name!r}]": param for name, param in handed.items()} | args
        for name, was in before.items():
            if not same(after[name], was):
                raise Unchecked(f"the function that computes the gradients changes {name}")
        pair = isinstance(found, tuple) and len(found) == 2
        self.again = lambda params, args: grads(params, *args)[1] if pair else grads(params, *args)
        value, mine = found if pair else (None, found)
        return value, _mapping("grads", mine)

    def of_loss(self, value: float, given: Any) -> Iterator[Finding]:
        """A finding if the loss that came with the gradients is another one."""
        if given is not None:
            mine = float(read("loss", given, any_form).reshape(-1)[0])
            if not abs(mine - value) <= math.sqrt(self.loss.unit) * abs(value):
                eps = abs(mine - value) / (self.loss.unit * abs(value)) if value else math.inf
                yield Finding("loss", "wrong", worst=Worst((), value, mine, eps))

    def findings(self, given: Mapping[str, Any]) -> Iterator[Finding]:
        """A finding for each tensor."""
        found = {name: self.examined(name, given.get(name)) for name in self.loss.params}
        largest = max((np.abs(view.expected).max() for view in self.views.values()), default=0.0)
        alive = not all(self.loss.truth(name).zero for name in self.views)
        for name, finding in found.items():
            view = self.views.get(name)
            if view and finding.worst:
                others = {other: beside for other, beside in self.views.items() if other != name}
                seen = facts(view, others, self.loss.sizes, self.ids.get(name), self.loss.alone(name))
                yield replace(finding, said=(*finding.said, *seen))
            elif view and not alive:
                yield replace(finding, verdict="unchecked", said=("no gradient is other than 0, which proves nothing",))
            elif view and finding.notices > SEEN and view.allowed.max() > math.sqrt(self.loss.unit) * largest:
                hidden = f"rounding hides errors of {view.allowed.max():.2g}, and no gradient is much larger"
                yield replace(finding, verdict="unchecked", said=(hidden,))
            else:
                yield finding

    def examined(self, name: str, given: Any) -> Finding:
        """What is found of one gradient by itself."""
        size = self.loss.params[name].size
        if name in self.exclude or not size:
            return Finding(name, "excluded", size)
        if given is None:
            missing = f"no gradient was given; exclude=[{name!r}] leaves it out"
            return Finding(name, "not covered", size, said=(missing,))
        try:
            got, said = self.gradient(name, given)
            view, directions, share = self.compared(name, got)
        except Mismatch as mismatch:
            return Finding(name, "wrong", size, said=tuple(self.misshapen(name, mismatch, given)))
        except Unchecked as reason:
            return Finding(name, "unchecked", size, said=(str(reason),))
        if share > 1 and not view.off.any():
            said.append(f"off by {share:.3g} times what is allowed along a random direction, in which all entries move")
        self.views[name] = view
        return self.judged(name, view, directions, said)

    def compared(self, name: str, got: np.ndarray) -> tuple[View, int, float]:
        """A gradient beside the truth."""

        def jitter() -> np.ndarray | float:
            moved = ((as_gradient(name, grads[name], got.shape)[0], share) for grads, share in self.rounded)
            most = math.sqrt(self.loss.unit) * abs(self.loss.value()) / size_of(self.loss.wide[name])
            return np.minimum(np.max([abs(other - got) * share for other, share in moved], axis=0, initial=0.0), most)

        comparison = Comparison(self.loss.truth(name), got, self.loss.unit, self.stream, jitter)
        return comparison.whole(self.entries, self.ids.get(name))

    @cached_property
    def rounded(self) -> list[tuple[Mapping[str, Any], float]]:
        """The gradients once more, with what rounding does to them, and by which share it does so.

        They are computed at parameters with other last digits, and if these are float64, in float32.
        """
        if self.again is None:
            return []
        dtypes = {name: param.dtype for name, param in self.loss.params.items()}
        moved = [{name: param.astype(dtypes[name]) for name, param in params.items()} for params in self.loss.nearby]
        found = [(self.again(params, self.loss.args), 1.0) for params in moved]
        if self.loss.unit == np.finfo(np.float64).eps:
            params = {name: single(param) for name, param in self.loss.params.items()}
            with suppress(Exception):
                shorter = self.again(params, [single(arg) for arg in self.loss.args])
                found.append((shorter, self.loss.unit / float(np.finfo(np.float32).eps)))
        return found

    def judged(self, name: str, view: View, directions: int, said: list[str]) -> Finding:
        """The finding of what was compared."""
        share = np.where(view.error == 0, 0, np.nan_to_num(view.error / view.allowed, nan=np.inf))
        eps = np.where(view.error == 0, 0, view.error / (self.loss.unit * view.largest))
        notices = np.where(view.largest > 0, view.allowed / view.largest, 0).max() or math.nan
        worst = None
        if view.off.any():
            k = int(share.argmax())
            index = tuple(int(i) for i in np.unravel_index(view.entries[k], view.got.shape))
            worst = Worst(index, float(view.expected[k]), float(view.mine[k]), float(eps[k]))
        verdict: Verdict = "wrong" if worst or said else "right"
        measured = float(eps.max()), float(notices), len(view.entries), directions
        return Finding(name, verdict, view.got.size, self.loss.truth(name).way, *measured, worst, tuple(said))

    def gradient(self, name: str, given: Any) -> tuple[np.ndarray, list[str]]:
        """A gradient as a dense array, and what is wrong with its rows. Raises Mismatch where it is none."""
        array, rows = as_gradient(name, given, self.loss.params[name].shape)
        if name not in self.rows:
            return array, []
        if rows is None:
            return array, [f"rows are asked for, got a dense {type(given).__name__}"]
        looked = np.unique(self.ids[name]) if name in self.ids else rows
        odd = {
            "lack a gradient": np.setdiff1d(looked, rows),
            "have one and are not looked up": np.setdiff1d(rows, looked),
        }
        return array, [f"rows {listed(those)} {what}" for what, those in odd.items() if len(those)]

    def misshapen(self, name: str, mismatch: Mismatch, given: Any) -> Iterator[str]:
        """Sentences on a gradient of another shape, of which the transpose may be right, or the sum by ids."""
        yield f"expected {mismatch.expected}, got {mismatch.got}"
        shape, ids, tries = self.loss.params[name].shape, self.ids.get(name), {}
        try:
            array = read(name, given, any_form).astype(np.float64)
        except (Mismatch, TypeError, ValueError):
            return
        if array.T.shape == shape:
            tries["its transpose is right"] = array.T.copy()
        if ids is not None and array.size == ids.size * math.prod(shape[1:]):
            tries["added up by ids into the rows of the table, it is right"] = table = np.zeros(shape)
            np.add.at(table, ids.reshape(-1), array.reshape(-1, *shape[1:]))
        for words, got in tries.items():
            try:
                view, _, share = self.compared(name, got)
            except Unchecked:
                return
            if not view.off.any() and share <= 1:
                yield words
