"""Convert what an implementation returns to one form."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from reference.cases import Case
from reference.contract import Grads, Params, RowGrad, State
from reference.judge.tolerance import Stage


class Mismatch(Exception):
    """A returned value breaks the contract: it has a wrong name, shape, dtype or layout."""

    def __init__(self, tensor: str, expected: str, got: str) -> None:
        super().__init__(f"{tensor}: expected {expected}, got {got}")
        self.tensor, self.expected, self.got = tensor, expected, got


def as_array(value: Any) -> np.ndarray:
    """Convert any kind of array to a NumPy array, without a copy if possible."""
    if hasattr(value, "detach"):
        value = value.detach()
    try:
        array = np.asarray(value)
    except (TypeError, ValueError, RuntimeError):
        return np.from_dlpack(value)
    # NumPy wraps an unknown kind of array in an array of one object
    foreign = array.dtype == object and not isinstance(value, np.ndarray) and hasattr(value, "__dlpack__")
    return np.from_dlpack(value) if foreign else array


def as_loss(value: Any) -> float:
    """The loss as a float. Raises Mismatch if it is not a single number."""
    return _number("loss", value)


def _number(name: str, value: Any) -> float:
    array = as_array(value)
    if array.size != 1 or array.dtype.kind not in "fiu":
        raise Mismatch(name, "one number", f"{array.dtype} of shape {array.shape}")
    return float(array.reshape(()))


def as_params(case: Case, given: Any, what: str = "parameters") -> Params:
    """Parameters by name. Raises Mismatch if a name, shape or dtype differs from the case's."""
    shapes = case.model.shapes
    _check_names(what, given, shapes)
    return {name: _as_tensor(name, given[name], shape, case.dtype) for name, shape in shapes.items()}


def as_grads(case: Case, given: Any, input_shapes: dict[str, tuple[int, ...]]) -> Grads:
    """Gradients by name; those of `case.row_tables` are coalesced rows. Raises Mismatch, like `as_params`.

    input_shapes: the shapes of the batch's fields that need a gradient, those in `model.input_gradients`.
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
    """Optimizer state by kind. A kind may be missing. Raises Mismatch if the optimizer does not have a kind.

    The state of a row table may be given as rows, like torch's sparse momentum_buffer. All other rows are then zero.
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
    """The same state, with the rows of row tables expanded to (V, D) arrays."""
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
        # coalesce() would sum in the dtype; below, the parts are summed in float64
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
        total = np.zeros((len(rows), shape[1]))  # float64, so that the conversion adds no error
        np.add.at(total, which, values)
        values = total.astype(dtype)
    return RowGrad(rows.astype(np.int64), values, (shape[0], shape[1]))


def flat(stage: Stage, value: Any) -> Iterator[tuple[str, np.ndarray | RowGrad]]:
    """Yield the tensors of a stage with their names."""
    if stage == "loss":
        yield "loss", np.array(value)
    elif stage == "state":
        for kind, tensors in value.items():
            yield from ((f"{kind}.{name}", tensor) for name, tensor in tensors.items())
    else:
        yield from value.items()
