"""One form for whatever an implementation returns, and the distance between two of them, in eps."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from reference.cases import Case
from reference.contract import Grads, Params, RowGrad, State

Stage = Literal["loss", "grads", "params", "state"]
_TINY = np.finfo(np.float64).tiny
STAGES: tuple[Stage, ...] = ("loss", "grads", "params", "state")

TOLERANCE: dict[str, dict[str, float]] = {
    # the worst that either twin was off in the catalogue, over the root of the step: 6.2, 29, 6.1, 370, 51
    "float64": {"loss": 24, "grads": 96, "params": 24, "normalized params": 768, "state": 192},
    # 8.5, 23, 6.7, 45, 47
    "float32": {"loss": 32, "grads": 72, "params": 24, "normalized params": 192, "state": 192},
}
"""How many eps an entry may be off in the first step, in units of the largest entry that its row has had.

From 3.1 to 4.3 times the worst that was measured on two kinds of processor, so that another BLAS has room, for
"normalized params" in float64 2.1 times; `twingrad verify` prints both. In step t it may be off by the root of t times
as many, as rounding adds up like a random walk. "normalized": under an optimizer that divides by the root of a second
moment, where a small gradient moves its parameter as far as a large one, and so does its rounding.
"""


class Mismatch(Exception):
    """What came back is not of the form that the contract asks for: another name, shape, dtype or layout."""

    def __init__(self, tensor: str, expected: str, got: str) -> None:
        super().__init__(f"{tensor}: expected {expected}, got {got}")
        self.tensor, self.expected, self.got = tensor, expected, got


@dataclass(frozen=True)
class Divergence:
    """The place where a tensor is furthest off: its index, both values there, and the error in eps of the dtype.

    Of something that has another form than the contract's, expected and got are words, and there is no index.
    """

    step: int
    stage: Stage
    tensor: str
    index: tuple[int, ...] | None
    expected: float | str
    got: float | str
    eps: float

    def __str__(self) -> str:
        where = f"[{', '.join(map(str, self.index))}]" if self.index else ""
        values = f"expected {self.expected}, got {self.got}"
        if self.stage == "params" and np.isinf(self.eps) and not isinstance(self.got, str) and np.isfinite(self.got):
            off = " (the row never had a gradient, and must stay bit for bit)"
        elif self.expected == 0 and self.eps > 1 / _TINY**0.5:
            off = " (where all of the row has always been 0)"
        else:
            off = f" ({self.eps:.3g} eps off)" if np.isfinite(self.eps) else ""
        return f"step {self.step}, {self.stage}, {self.tensor}{where}: {values}{off}"


def kind_of(case: Case, stage: Stage) -> str:
    """Which line of the table of tolerances the stage falls under."""
    return "normalized params" if stage == "params" and case.optimizer.normalizes else stage


def tolerance(case: Case, stage: Stage, step: int) -> float:
    """How many eps an entry of the stage may be off in the step, counted from 1."""
    return TOLERANCE[case.dtype][kind_of(case, stage)] * step**0.5


# --- one form --------------------------------------------------------------------------------------------------------


def as_array(value: Any) -> np.ndarray:
    """A NumPy array of whatever array it is, without a copy where that is possible."""
    if hasattr(value, "detach"):
        value = value.detach()
    try:
        array = np.asarray(value)
    except (TypeError, ValueError, RuntimeError):
        return np.from_dlpack(value)
    # NumPy wraps what it cannot see into in an array of one object
    foreign = array.dtype == object and not isinstance(value, np.ndarray) and hasattr(value, "__dlpack__")
    return np.from_dlpack(value) if foreign else array


def as_loss(value: Any) -> float:
    """The loss as a float. Raises Mismatch for anything that is not one number."""
    return _number("loss", value)


def _number(name: str, value: Any) -> float:
    array = as_array(value)
    if array.size != 1 or array.dtype.kind not in "fiu":
        raise Mismatch(name, "one number", f"{array.dtype} of shape {array.shape}")
    return float(array.reshape(()))


def as_params(case: Case, given: Any, what: str = "parameters") -> Params:
    """Parameters by name. Raises Mismatch for another name, shape or dtype than the case's."""
    shapes = case.model.shapes
    _check_names(what, given, shapes)
    return {name: _as_tensor(name, given[name], shape, case.dtype) for name, shape in shapes.items()}


def as_grads(case: Case, given: Any, input_shapes: dict[str, tuple[int, ...]]) -> Grads:
    """Gradients by name, those of `case.row_tables` as coalesced rows. Raises Mismatch, as `as_params` does.

    input_shapes: of the batch's fields whose gradient is asked for, `model.input_gradients`.
    """
    shapes = case.model.shapes | input_shapes
    _check_names("gradients", given, shapes)
    return {
        name: _as_rows(name, given[name], shape, case.dtype)
        if name in case.row_tables
        else _as_tensor(name, given[name], shape, case.dtype)
        for name, shape in shapes.items()
    }


def as_state(case: Case, given: Any) -> State:
    """Optimizer state by kind. A kind may be missing; raises Mismatch for one that the optimizer does not have.

    That of a row table may come as rows, as torch's momentum_buffer does, a sparse tensor: the other rows are zero.
    """
    kinds = case.optimizer.state
    if not isinstance(given, dict) or not given.keys() <= set(kinds):
        raise Mismatch("state", f"a dict with the kinds {list(kinds)}", _names(given))
    state: State = {}
    for kind in given:
        if kind == "step":
            _check_names("state step", given[kind], case.model.shapes)
            state[kind] = {name: np.array(_number(f"step.{name}", value)) for name, value in given[kind].items()}
        else:
            state[kind] = as_params(case, _whole(case, given[kind]), f"state {kind}")
    return state


def _whole(case: Case, given: Any) -> Any:
    """The same state, with what came as rows of a row table in a (V, D) array."""
    if not isinstance(given, dict):
        return given
    tables = {name: case.model.shapes[name] for name in case.row_tables if _is_rows(given.get(name))}
    return given | {name: _as_rows(name, given[name], shape, case.dtype).dense() for name, shape in tables.items()}


def _names(given: Any) -> str:
    return f"a dict with {sorted(map(str, given))}" if isinstance(given, dict) else f"a {type(given).__name__}"


def _check_names(what: str, given: Any, shapes: dict[str, tuple[int, ...]]) -> None:
    if not isinstance(given, dict) or given.keys() != shapes.keys():
        raise Mismatch(what, f"a dict with {sorted(shapes)}", _names(given))


def _is_rows(value: Any) -> bool:
    return isinstance(value, RowGrad | tuple) or getattr(value, "is_sparse", False)


def _as_tensor(name: str, value: Any, shape: tuple[int, ...], dtype: str) -> np.ndarray:
    if _is_rows(value):
        raise Mismatch(name, f"a dense array of shape {shape}", "rows")
    if value is None:
        raise Mismatch(name, f"a dense array of shape {shape}", "None")
    array = as_array(value)
    if array.shape != shape or array.dtype != dtype:
        raise Mismatch(name, f"{dtype} of shape {shape}", f"{array.dtype} of shape {array.shape}")
    return array


def _as_rows(name: str, value: Any, shape: tuple[int, ...], dtype: str) -> RowGrad:
    form = f"rows of a table of shape {shape}: a RowGrad, a sparse tensor or (rows, values)"
    if isinstance(value, RowGrad):
        rows, values, found = value.rows, value.values, tuple(value.shape)
    elif getattr(value, "is_sparse", False):
        # coalesce() would sum in the dtype; the parts are summed below, in more digits
        rows, values, found = value._indices()[0], value._values(), tuple(value.shape)
    elif isinstance(value, tuple) and len(value) == 2:
        (rows, values), found = value, shape
    else:
        raise Mismatch(name, form, type(value).__name__ if value is None else f"a dense {type(value).__name__}")
    rows, values = as_array(rows), as_array(values)
    if rows.dtype.kind not in "iu" or values.dtype != dtype:
        raise Mismatch(name, f"integer rows and {dtype} values", f"{rows.dtype} rows and {values.dtype} values")
    if found != shape or rows.ndim != 1 or values.shape != (len(rows), shape[1]):
        got = f"rows of shape {rows.shape} with values of shape {values.shape} for a table of shape {found}"
        raise Mismatch(name, f"rows (U,) with values (U, {shape[1]}) for a table of shape {shape}", got)
    if len(rows) and (rows.min() < 0 or rows.max() >= shape[0]):
        raise Mismatch(name, f"rows from 0 to {shape[0] - 1}", f"a row {rows.max() if rows.min() >= 0 else rows.min()}")
    if not (rows[1:] > rows[:-1]).all():
        rows, which = np.unique(rows, return_inverse=True)
        total = np.zeros((len(rows), shape[1]))  # float64, so that bringing it to this form adds no error
        np.add.at(total, which, values)
        values = total.astype(dtype)
    return RowGrad(rows.astype(np.int64), values, (shape[0], shape[1]))


# --- distance --------------------------------------------------------------------------------------------------------

Distance = tuple[float, tuple[int, ...], float | str, float | str]
"""Error in eps, index, expected and got, at the worst entry."""


def error(expected: np.ndarray, got: np.ndarray, largest: np.ndarray, eps: float) -> tuple[float, tuple[int, ...]]:
    """The largest error of an entry, in eps of the largest entry of its row, and where it is.

    largest: one number a row, as `row_sizes` gives them, in float64. Infinite where either side is not finite; beyond
    every bound where something is found in a row that has always been zero.
    """
    unit = np.maximum(largest * eps, _TINY)
    with np.errstate(all="ignore"):
        relative = np.abs(got - expected) / (unit[..., None] if expected.ndim > 1 else unit)
    index = tuple(int(i) for i in np.unravel_index(relative.argmax(), relative.shape))  # argmax stops at a NaN
    worst = float(relative[index])
    return worst if np.isfinite(worst) else np.inf, index


def row_sizes(tensor: np.ndarray) -> np.ndarray:
    """The largest absolute entry of each row, which is the last axis; a vector is one row, and so is a number."""
    return np.abs(tensor).max(axis=-1).astype(np.float64)


class Scale:
    """The largest entry that each row of each tensor has had so far.

    A loss that goes to zero leaves gradients far smaller than the terms whose difference they are, and the rounding of
    those terms stays; so an error is measured by what the row has been, not only by what is left of it.
    """

    def __init__(self) -> None:
        self.largest: dict[str, np.ndarray] = {}

    def of(self, name: str, expected: np.ndarray | RowGrad) -> np.ndarray:
        """The sizes of the rows of `expected`, after taking its own entries into account."""
        if isinstance(expected, RowGrad):
            seen = self.largest.setdefault(name, np.zeros(expected.shape[0]))
            seen[expected.rows] = np.maximum(seen[expected.rows], row_sizes(expected.values))
            return seen[expected.rows]
        sizes = row_sizes(expected)
        before = self.largest.get(name, sizes)
        self.largest[name] = np.maximum(before, sizes) if before.shape == sizes.shape else sizes
        return self.largest[name]

    def distance(self, name: str, expected: np.ndarray | RowGrad, got: np.ndarray | RowGrad, eps: float) -> Distance:
        """The distance of a tensor, or of a row gradient, from what is expected of it."""
        return distance(expected, got, self.of(name, expected), eps)


class Likeness(Scale):
    """The largest entry that each tensor has had so far, for all of its rows: for two that are both wrong, it may be.

    Those that are wrong in the same way may have nothing but rounding in a row where the right one has zero, or the
    other way round. What is not finite in both, and the same, sets them no further apart. Nor does what becomes of NaN
    times 0, in a tensor of a step whose loss is NaN in both: what is expected may have left it out of its sums, and it
    may be NaN where the other is 0.
    """

    lost = False
    """Whether the loss of this step is NaN in both."""

    def of(self, name: str, expected: np.ndarray | RowGrad) -> np.ndarray:
        """The largest finite entry of the tensor, for each row of `expected`."""
        values = _values(expected)
        sizes = super().of(name, _with(expected, np.where(np.isfinite(values), values, 0)))
        return np.full_like(sizes, self.largest[name].max())

    def distance(self, name: str, expected: np.ndarray | RowGrad, got: np.ndarray | RowGrad, eps: float) -> Distance:
        """The distance of a tensor from another one. The loss of a step comes before its other tensors."""
        one, other, largest = _values(expected), _values(got), self.of(name, expected)
        if one.shape == other.shape:
            same = ~np.isfinite(one) & ((one == other) | (np.isnan(one) & np.isnan(other)))
            if name == "loss loss":
                self.lost = bool(np.isnan(one).all() and np.isnan(other).all())
            if self.lost and np.isnan(one).any() and np.isnan(other).any():
                same |= np.isnan(other) | (np.isnan(one) & (other == 0))
            expected, got = _with(expected, np.where(same, 0, one)), _with(got, np.where(same, 0, other))
        return distance(expected, got, largest, eps)


def _values(tensor: np.ndarray | RowGrad) -> np.ndarray:
    return tensor.values if isinstance(tensor, RowGrad) else tensor


def _with(tensor: np.ndarray | RowGrad, values: np.ndarray) -> np.ndarray | RowGrad:
    return RowGrad(tensor.rows, values, tensor.shape) if isinstance(tensor, RowGrad) else values


def moved(initial: np.ndarray, untouched: np.ndarray, got: np.ndarray) -> np.ndarray:
    """The rows (V,) among those untouched that are no longer bit for bit what they were."""
    bits = f"u{initial.dtype.itemsize}"
    before, now = (np.ascontiguousarray(table).view(bits) for table in (initial[untouched], got[untouched]))
    return np.flatnonzero(untouched)[(before != now).any(axis=1)]


def flat(stage: Stage, value: Any) -> Iterator[tuple[str, np.ndarray | RowGrad]]:
    """The tensors of a stage with their names, one after the other."""
    if stage == "loss":
        yield "loss", np.array(value)
    elif stage == "state":
        for kind, tensors in value.items():
            yield from ((f"{kind}.{name}", tensor) for name, tensor in tensors.items())
    else:
        yield from value.items()


def distance(expected: Any, got: Any, largest: np.ndarray, eps: float) -> Distance:
    """Error in eps, index, expected and got at the worst entry of a tensor or of a row gradient.

    The index of a row gradient's entry is that in the whole table, its row the id.
    """
    if not isinstance(expected, RowGrad):
        worst, index = error(expected, got, largest, eps)
        return worst, index, float(expected[index]), float(got[index])
    if not np.array_equal(expected.rows, got.rows):
        row = int(np.setxor1d(expected.rows, got.rows)[0])
        words = ("no gradient in this row, it was not looked up", "a gradient in this row, be it zero")
        extra = row in got.rows
        return np.inf, (row,), words[not extra], "a gradient in this row" if extra else "no gradient in this row"
    if not len(expected.rows):  # nothing but padding was looked up
        return 0.0, (), 0.0, 0.0
    worst, (at, column) = error(expected.values, got.values, largest, eps)
    wanted, found = float(expected.values[at, column]), float(got.values[at, column])
    return worst, (int(expected.rows[at]), column), wanted, found
