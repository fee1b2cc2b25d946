"""In-place changes by an optimizer, to a whole tensor or to the rows that have a gradient.

`at` says where: `...` for everywhere, or the distinct rows in rising order. Nothing else is read or written.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy import ndarray

from numpy_impl.kernels.blocks import blocks
from reference.contract import RowGrad

SMALL = 2**16
"""Up to this many bytes, blocks do not help, and neither does treating a row as one item."""


def place(grad: ndarray | RowGrad) -> tuple[Any, ndarray]:
    """Where a gradient is (everywhere, or in some rows), and its values there."""
    return (grad.rows, grad.values) if isinstance(grad, RowGrad) else (..., grad)


# --- a step, and any other change ------------------------------------------------------------------------------------


def plain_descend(param: ndarray, at: Any, lr: float, grad: ndarray) -> None:
    """One step of gradient descent, at the gradient's places."""
    param[at] -= lr * grad


def descend(param: ndarray, at: Any, lr: float, grad: ndarray) -> None:
    """The same, block by block for a large gradient."""
    if at is ... and grad.nbytes <= SMALL:
        param -= lr * grad
    elif grad.nbytes <= SMALL:
        param[at] -= lr * grad
    else:
        for g, p in parts(at, grad, param):
            p -= lr * g


def plain_parts(at: Any, grad: ndarray, *tensors: ndarray) -> Iterator[tuple[ndarray, ...]]:
    """The gradient, and the matching parts of the tensors. The caller's loop changes these in place."""
    changed = [tensor[at] for tensor in tensors]
    yield grad, *changed
    for tensor, new in zip(tensors, changed, strict=True):
        tensor[at] = new


def parts(at: Any, grad: ndarray, *tensors: ndarray) -> Iterator[tuple[ndarray, ...]]:
    """The same, block by block. Copied rows are written back while they are still in the cache."""
    if at is ...:
        yield from zip(*(blocks(tensor, 4 * tensor[0].nbytes) for tensor in (grad, *tensors)), strict=True)
        return
    size = (1 + len(tensors)) * grad.shape[1] * grad.itemsize
    for rows, values in zip(blocks(at, size), blocks(grad, size), strict=True):
        copies = [tensor.take(rows, axis=0) for tensor in tensors]
        yield values, *copies
        for tensor, copy in zip(tensors, copies, strict=True):
            put(tensor, rows, copy)


def plain_put(tensor: ndarray, rows: ndarray, new: ndarray) -> None:
    """Overwrite these rows."""
    tensor[rows] = new


def put(tensor: ndarray, rows: ndarray, new: ndarray) -> None:
    """The same. NumPy copies a long row faster as one item."""
    if new.nbytes > SMALL and tensor.flags.c_contiguous:
        row = np.dtype((np.void, new.shape[1] * new.itemsize))
        tensor, new = tensor.view(row)[:, 0], new.view(row)[:, 0]
    tensor[rows] = new


# --- rows that had a gradient once -----------------------------------------------------------------------------------


def plain_union(before: Any, now: Any) -> Any:
    """The places in either of them."""
    return ... if now is ... else np.union1d(before, now)


def union(before: Any, now: Any) -> Any:
    """The same, without sorting if nothing is new."""
    if now is ... or np.array_equal(before, now):
        return now
    return np.union1d(before, now)


def plain_among(rows: Any, at: Any, grad: ndarray) -> ndarray:
    """The gradient in all the rows; 0 in those without one."""
    if at is ...:
        return grad
    values = np.zeros((len(rows), grad.shape[1]), grad.dtype)
    values[np.isin(rows, at)] = grad
    return values


def among(rows: Any, at: Any, grad: ndarray) -> ndarray:
    """The same, without copying if all rows have a gradient."""
    if at is ... or len(rows) == len(at):
        return grad
    values = np.zeros((len(rows), grad.shape[1]), grad.dtype)
    values[np.searchsorted(rows, at)] = grad
    return values
