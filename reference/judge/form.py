"""One form for whatever an implementation returns."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from reference.cases import Case
from reference.contract import Grads, Params, RowGrad, State
from reference.errors import raised
from reference.judge.tolerance import Stage

ARRAY = "an array"
ROWS = "rows as a RowGrad, a sparse tensor or (rows, values)"

SHORT = "bfloat16", "float8", "float4"
"""How the names of dtypes begin that have so few digits that a wrong number could pass for a right one."""

Note = Callable[[str, str, str], None]
"""Called with the name of a tensor, what is asked for, and what came, where only the form is wrong."""


class Mismatch(Exception):
    """What came back cannot be compared: it has another shape, lacks a name, or holds no numbers that can be read."""

    def __init__(self, tensor: str, expected: str, got: str) -> None:
        super().__init__(f"{tensor}: expected {expected}, got {got}")
        self.tensor, self.expected, self.got = tensor, expected, got


def refuse(tensor: str, expected: str, got: str) -> None:
    """The strictest `Note`: it raises Mismatch."""
    raise Mismatch(tensor, expected, got)


# --- the stages: each raises Mismatch for what cannot be compared, and calls `note` for what only has a wrong form ---


def as_loss(given: Any, dtype: str, note: Note = refuse) -> np.ndarray:
    """The loss as an array of no dimension. A Python float has the digits of float64, whatever the dtype."""
    array = _number("loss", given, note)
    return array if _finer(array.dtype, dtype) else _in_dtype("loss", array, dtype, note)


def as_params(case: Case, given: Any, note: Note = refuse, what: str = "parameters") -> Params:
    """Parameters by name."""
    shapes = case.model.shapes
    _check_names(what, given, shapes, note)
    missing = [name for name in shapes if name not in given]
    if missing:
        raise Mismatch(what, f"a dict with {sorted(shapes)}", _names(given))
    return {name: _as_tensor(case, name, given[name], shape, note) for name, shape in shapes.items()}


def as_grads(case: Case, given: Any, input_shapes: dict[str, tuple[int, ...]], note: Note = refuse) -> Grads:
    """Gradients by name, those of `case.row_tables` as coalesced rows. Those that are missing, or None, are left out.

    input_shapes: of the batch's fields whose gradient is asked for, `model.input_gradients`.
    """
    if given is None:
        return {}
    shapes = case.model.shapes | input_shapes
    _check_names("gradients", given, shapes, note)
    found: Grads = {}
    for name, shape in shapes.items():
        gradient = given.get(name)
        if gradient is not None:
            reader = _as_rows if name in case.row_tables else _as_tensor
            found[name] = reader(case, name, gradient, shape, note)
    return found


def as_state(case: Case, given: Any, note: Note = refuse) -> State:
    """Optimizer state by kind. A kind may be missing.

    That of a row table may come as rows, as torch's momentum_buffer does, a sparse tensor: the other rows are zero.
    """
    kinds = case.optimizer.state
    form = f"a dict with the kinds {list(kinds)}"
    if not isinstance(given, Mapping):
        raise Mismatch("state", form, _names(given))
    if not isinstance(given, dict) or not given.keys() <= set(kinds):
        note("state", form, _names(given))
    state: State = {}
    for kind in kinds:
        if kind not in given:
            continue
        if kind == "step":
            _check_names("state step", given[kind], case.model.shapes, note)
            if missing := [name for name in case.model.shapes if name not in given[kind]]:
                raise Mismatch("state step", f"a dict with {sorted(case.model.shapes)}", f"none for {missing[0]}")
            state[kind] = {name: _number(f"step.{name}", given[kind][name], note) for name in case.model.shapes}
        else:
            state[kind] = as_params(case, _whole(case, given[kind], note), note, f"state {kind}")
    return state


def _whole(case: Case, given: Any, note: Note) -> Any:
    """The same state, with what came as rows of a row table in a (V, D) array."""
    if not isinstance(given, dict):
        return given
    tables = {name: case.model.shapes[name] for name in case.row_tables if _is_rows(given.get(name))}
    return given | {name: dense(_as_rows(case, name, given[name], shape, note)) for name, shape in tables.items()}


def _names(given: Any) -> str:
    return f"a {type(given).__name__}" + (f" with {sorted(map(str, given))}" if isinstance(given, Mapping) else "")


def _check_names(what: str, given: Any, shapes: dict[str, tuple[int, ...]], note: Note) -> None:
    """Names that are not asked for, and a mapping that is no dict, are a matter of form."""
    if isinstance(given, dict) and given.keys() <= shapes.keys():
        return
    form = f"a dict with {sorted(shapes)}"
    if not isinstance(given, Mapping):
        raise Mismatch(what, form, _names(given))
    note(what, form, _names(given))


# --- tensors ---------------------------------------------------------------------------------------------------------


def _number(name: str, given: Any, note: Note) -> np.ndarray:
    if given is None:
        raise Mismatch(name, "one number", "None")
    array = read(name, given, note)
    if array.size != 1 or array.dtype.kind not in "fiu":
        raise Mismatch(name, "one number", f"{array.dtype} of shape {array.shape}")
    return array.reshape(()) if array.dtype.kind == "f" else array.reshape(()).astype(np.float64)


def _as_tensor(case: Case, name: str, given: Any, shape: tuple[int, ...], note: Note) -> np.ndarray:
    """A dense array in the case's dtype, or in one of fewer digits."""
    if given is None:
        raise Mismatch(name, f"a dense array of shape {shape}", "None")
    if _is_rows(given):
        note(name, "a dense array", "rows")
        return dense(_as_rows(case, name, given, shape, note))
    array = read(name, given, note)
    if array.ndim != len(shape) and _squeezed(array.shape) == _squeezed(shape):  # or it may be the transposed one
        note(name, f"an array of shape {shape}", f"one of shape {array.shape}")
        array = array.reshape(shape)
    if array.shape != shape:
        hint = ""
        if name in case.model.tables and array.shape[1:] and array.shape[-1] == shape[1]:
            scatter = "hand over (ids, lines)" if name in case.row_tables else "scatter it to the rows of the table"
            hint = f"; if that is one line for each id, {scatter}"
        raise Mismatch(name, f"{case.dtype} of shape {shape}", f"{array.dtype} of shape {array.shape}{hint}")
    if isinstance(given, list) and _finer(array.dtype, case.dtype):  # numbers of Python's have no dtype
        return array.astype(case.dtype)
    return _in_dtype(name, array, case.dtype, note)


def _squeezed(shape: tuple[int, ...]) -> list[int]:
    """The sizes that are not 1: arrays with the same ones have the same numbers in the same order."""
    return [size for size in shape if size != 1]


def _as_rows(case: Case, name: str, given: Any, shape: tuple[int, ...], note: Note) -> RowGrad | np.ndarray:
    """Rows, sorted and unique. A dense array is a matter of form, and stays one."""
    parts = rows_of(given)
    if not parts:
        try:
            array = _as_tensor(case, name, given, shape, note)
        except Mismatch as mismatch:
            raise Mismatch(name, ROWS if mismatch.expected == ARRAY else mismatch.expected, mismatch.got) from None
        note(name, ROWS, f"a dense {type(given).__name__}")
        return array
    if isinstance(given, list):
        note(name, ROWS, "a list [rows, values]")
    return coalesced(name, parts, shape, case.dtype, note)


Parts = tuple[Any, Any, tuple[int, ...] | None]
"""Rows, values and the shape of the whole table, if it is known."""


def coalesced(name: str, parts: Parts, shape: tuple[int, ...], dtype: str, note: Note = refuse) -> RowGrad:
    """Rows and values, in the dtype or in one of fewer digits, as rows that are sorted and unique.

    shape: that of the table, (V, D).
    """
    rows, values, of_table = read(name, parts[0], note), read(name, parts[1], note), parts[2] or shape
    if rows.ndim == 2 and rows.shape[1] == 1:
        rows = rows[:, 0]
    if rows.dtype.kind not in "iu":
        raise Mismatch(name, f"integer rows and {dtype} values", f"{rows.dtype} rows and {values.dtype} values")
    if of_table != shape or rows.ndim != 1 or values.shape != (len(rows), shape[1]):
        got = f"rows of shape {rows.shape} with values of shape {values.shape} for a table of shape {of_table}"
        raise Mismatch(name, f"rows (U,) with values (U, {shape[1]}) for a table of shape {shape}", got)
    if len(rows) and (rows.min() < 0 or rows.max() >= shape[0]):
        raise Mismatch(name, f"rows from 0 to {shape[0] - 1}", f"a row {rows.max() if rows.min() >= 0 else rows.min()}")
    values = _in_dtype(name, values, dtype, note)
    if not (rows[1:] > rows[:-1]).all():
        rows, which = np.unique(rows, return_inverse=True)
        total = np.zeros((len(rows), shape[1]))  # float64, so that bringing it to this form adds no error
        np.add.at(total, which, values)
        values = total.astype(values.dtype)
    return RowGrad(rows.astype(np.int64), values, (shape[0], shape[1]))


def dense(gradient: RowGrad | np.ndarray) -> np.ndarray:
    """A gradient as a dense array."""
    return gradient.dense() if isinstance(gradient, RowGrad) else gradient


def _is_rows(given: Any) -> bool:
    return rows_of(given) is not None


def rows_of(given: Any) -> Parts | None:
    """Rows, values and the shape of the whole table, if it says so; None for what is no row gradient."""
    if type(given) is np.ndarray:
        return None
    if isinstance(given, RowGrad):
        return given.rows, given.values, tuple(given.shape)
    if getattr(given, "is_sparse", False):
        # coalesce() would sum in the dtype; the parts are summed by the caller, in more digits
        return given._indices()[0], given._values(), tuple(given.shape)
    if isinstance(given, tuple) and len(given) == 2:
        return *given, None
    if isinstance(given, list) and [getattr(part, "ndim", None) for part in given] == [1, 2]:
        return *given, None
    # as TensorFlow's IndexedSlices and JAX's BCOO; SciPy's csr_matrix has indices and data of another meaning
    indices = getattr(given, "indices", None)
    values = getattr(given, "values", getattr(given, "data", None))
    if indices is None or values is None or callable(indices) or callable(values) or hasattr(given, "indptr"):
        return None
    return indices, values, None


# --- arrays ----------------------------------------------------------------------------------------------------------


def read(name: str, given: Any, note: Note) -> np.ndarray:
    """A NumPy array of whatever array it is, without a copy where that is possible.

    Raises Mismatch where it is none, and where reading it raises an error.
    """
    if type(given) is np.ndarray and given.dtype.kind == "f" and given.dtype.isnative:
        return given
    kind = type(given).__name__
    dtype = str(getattr(given, "dtype", "")).removeprefix("torch.")
    if dtype.startswith(SHORT):
        raise Mismatch(name, f"{ARRAY} of at least float16", f"{dtype}, which has too few digits to be compared")
    if np.ma.is_masked(given):
        raise Mismatch(name, ARRAY, f"a {kind}, of which {np.ma.count_masked(given)} numbers are masked")
    try:
        array, way = _array(given)
    except Exception as error:
        raise Mismatch(name, ARRAY, f"a {kind}, and reading it {raised(error)}") from None
    if array is None:
        raise Mismatch(name, ARRAY, f"a {kind}, which has no __array__ and no __dlpack__")
    if isinstance(given, list | tuple):
        note(name, ARRAY, f"a {kind}")
    elif way:
        note(name, ARRAY, f"a {kind}, of which {way} was read")
    if array.dtype == object:
        try:
            array = array.astype(np.float64)
        except (TypeError, ValueError):
            raise Mismatch(name, ARRAY, f"{array.dtype} of shape {array.shape}") from None
        note(name, f"{ARRAY} of floats", f"{ARRAY} of objects")
    if not array.dtype.isnative:
        note(name, f"{ARRAY} in the byte order of the machine", "one in the other byte order")
        array = array.astype(array.dtype.newbyteorder("="))
    return array


def _array(given: Any) -> tuple[np.ndarray | None, str]:
    """The array, and by which method or attribute it was found, where that is none that arrays have."""
    for method in ("detach", "cpu", "resolve_conj", "resolve_neg"):  # torch's, which may negate lazily
        if callable(getattr(given, method, None)):
            given = getattr(given, method)()
    try:
        array, failure = np.asarray(given), None
    except Exception as error:
        array, failure = np.array(None), error
    # NumPy wraps what it cannot see into in an array of one object
    if array.dtype != object or isinstance(given, np.ndarray | list | tuple):
        return array, ""
    for method in ("toarray", "to_dense"):  # of sparse matrices: SciPy's, and PyTorch's compressed ones
        if callable(getattr(given, method, None)):
            return np.asarray(getattr(given, method)()), f".{method}()"
    if callable(getattr(given, "get", None)) and not isinstance(given, Mapping):  # CuPy's, from the device
        return np.asarray(given.get()), ""
    if hasattr(given, "__dlpack__"):
        return np.from_dlpack(given), ""
    if callable(getattr(given, "numpy", None)):
        return np.asarray(given.numpy()), ".numpy()"
    if getattr(given, "data", None) is not None:
        return _array(given.data)[0], ".data"
    if failure:
        raise failure
    return None, ""


def _finer(found: np.dtype[Any], dtype: str) -> bool:
    """Whether it has as many digits as the dtype, or more."""
    return found.kind == "f" and np.finfo(found).eps <= np.finfo(dtype).eps


def _in_dtype(name: str, array: np.ndarray, dtype: str, note: Note) -> np.ndarray:
    """The array in the dtype; where it has fewer digits, as it is."""
    if array.dtype == dtype:
        return array
    if array.dtype.kind not in "fiu":
        raise Mismatch(name, dtype, str(array.dtype))
    fewer = array.dtype.kind == "f" and not _finer(array.dtype, dtype)
    note(name, dtype, f"{array.dtype}, and is held to its digits" if fewer else str(array.dtype))
    with np.errstate(over="ignore"):
        return array if fewer else array.astype(dtype)


def flat(stage: Stage, value: Any) -> Iterator[tuple[str, np.ndarray | RowGrad]]:
    """The tensors of a stage with their names, one after the other."""
    if stage == "loss":
        yield "loss", np.asarray(value)
    elif stage == "state":
        for kind, tensors in value.items():
            yield from ((f"{kind}.{name}", tensor) for name, tensor in tensors.items())
    else:
        yield from value.items()
