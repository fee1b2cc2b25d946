"""Memory that is used again from step to step.

A large array that is made anew in every step costs more than its arithmetic: the operating system hands out its pages
one by one, zeroed, when they are first written to, and takes all of them back afterwards. `empty` keeps what it had. It
hands the same memory out again only where nobody holds it any more: neither the array that it returned, nor a view
of that, nor a tensor that shares its memory. So what a step returned never changes under the hands of who keeps it; who
keeps the gradients of every step merely gets new memory for each.

How it knows: every view of an array holds a reference to the array that owns the memory, and CPython counts references.
"""

from __future__ import annotations

import sys
import threading
from math import prod

import numpy as np
from numpy import ndarray
from numpy.typing import DTypeLike

LARGE = 2**20
"""Bytes from which an array is worth keeping."""

KEPT = 8
"""How many arrays are kept at most."""


class _Kept(threading.local):
    """The owners of the memory, in each thread its own; the one last used is the last."""

    def __init__(self) -> None:
        self.owners: list[ndarray] = []


_kept = _Kept()
_FREE = 2  # the references to an owner that nobody else holds: that of the list, and that of the count itself


def plain_empty(shape: tuple[int, ...], dtype: DTypeLike) -> ndarray:
    """An array of the shape, whose entries are whatever the memory had."""
    return np.empty(shape, dtype)


def empty(shape: tuple[int, ...], dtype: DTypeLike) -> ndarray:
    """The same, a large one in memory that was used before and that nobody holds any more."""
    size = prod(shape) * np.dtype(dtype).itemsize
    if size < LARGE:
        return np.empty(shape, dtype)
    owners = _kept.owners
    for i in range(len(owners)):
        if size <= owners[i].nbytes <= 2 * size and sys.getrefcount(owners[i]) == _FREE:
            owners.append(owners.pop(i))
            break
    else:
        owners.append(np.empty(size, np.uint8))
        del owners[:-KEPT]
    return owners[-1][:size].view(dtype).reshape(shape)


def plain_product(a: ndarray, b: ndarray) -> ndarray:
    """The matrix product."""
    return a @ b


def product(a: ndarray, b: ndarray) -> ndarray:
    """The same, in memory that was used before."""
    return np.matmul(a, b, out=empty((len(a), b.shape[1]), a.dtype))
