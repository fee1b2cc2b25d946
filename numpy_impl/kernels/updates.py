"""What an optimizer changes in place: the whole of a tensor, or those of its rows that have a gradient.

`at` says where: `...` for everywhere, or the distinct rows in rising order. Only what is there is read or written.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy import ndarray

from numpy_impl.kernels.blocks import blocks
from reference.contract import RowGrad

SMALL = 2**16
"""Bytes up to which nothing is gained by blocks, or by treating a row as one thing."""


def place(grad: ndarray | RowGrad) -> tuple[Any, ndarray]:
    """Where a gradient is, everywhere or in the rows that it names, and what it is there."""
    return (grad.rows, grad.values) if isinstance(grad, RowGrad) else (..., grad)


# --- a step, and any other change ------------------------------------------------------------------------------------


def plain_descend(param: ndarray, at: Any, lr: float, grad: ndarray) -> None:
    """One step down the gradient, where it is."""
    param[at] -= lr * grad


def descend(param: ndarray, at: Any, lr: float, grad: ndarray) -> None:
    """The same; a large gradient block by block."""
    if at is ... and grad.nbytes <= SMALL:
        param -= lr * grad
    elif grad.nbytes <= SMALL:
        param[at] -= lr * grad
    else:
        for g, p in parts(at, grad, param):
            p -= lr * g


def plain_parts(at: Any, grad: ndarray, *tensors: ndarray) -> Iterator[tuple[ndarray, ...]]:
    """The gradient, and what of the tensors it changes; whoever loops over them changes these in place."""
    changed = [tensor[at] for tensor in tensors]
    yield grad, *changed
    for tensor, new in zip(tensors, changed, strict=True):
        tensor[at] = new


def parts(at: Any, grad: ndarray, *tensors: ndarray) -> Iterator[tuple[ndarray, ...]]:
    """The same, block by block: copied rows are put back while they are still in the cache."""
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
    """The same. NumPy copies a long row faster where it is told that it is one thing."""
    if new.nbytes > SMALL and tensor.flags.c_contiguous:
        row = np.dtype((np.void, new.shape[1] * new.itemsize))
        tensor, new = tensor.view(row)[:, 0], new.view(row)[:, 0]
    tensor[rows] = new


# --- rows that had a gradient once -----------------------------------------------------------------------------------


def plain_union(before: Any, now: Any) -> Any:
    """The places that are in either."""
    return ... if now is ... else np.union1d(before, now)


def union(before: Any, now: Any) -> Any:
    """The same; where nothing is new, nothing is sorted."""
    if now is ... or np.array_equal(before, now):
        return now
    return np.union1d(before, now)


def plain_among(rows: Any, at: Any, grad: ndarray) -> ndarray:
    """The gradient in all the rows, of which some have none: there it is 0."""
    if at is ...:
        return grad
    values = np.zeros((len(rows), grad.shape[1]), grad.dtype)
    values[np.isin(rows, at)] = grad
    return values


def among(rows: Any, at: Any, grad: ndarray) -> ndarray:
    """The same; where all rows have a gradient, nothing is copied."""
    if at is ... or len(rows) == len(at):
        return grad
    values = np.zeros((len(rows), grad.shape[1]), grad.dtype)
    values[np.searchsorted(rows, at)] = grad
    return values
