"""Memory that is reused from step to step.

To allocate a large array in every step costs more than its arithmetic: the operating system supplies its pages one by
one, zeroed, when they are first written to, and takes them all back afterwards. So `empty` keeps the memory. It reuses
memory only when nothing else refers to it: no array that it returned, no view, and no tensor that shares the memory.
So the arrays that a step returned never change later. If a caller keeps the gradients of every step, each step gets new
memory.

Every view of an array holds a reference to the array that owns the memory, and CPython counts references. This shows
whether memory is in use.
"""

from __future__ import annotations

import sys
import threading
from math import prod

import numpy as np
from numpy import ndarray
from numpy.typing import DTypeLike

LARGE = 2**20
"""Arrays of at least this many bytes are kept."""

KEPT = 8
"""At most this many arrays are kept."""


class _Kept(threading.local):
    """The owners of the memory, separate for each thread. The one used last is at the end."""

    def __init__(self) -> None:
        self.owners: list[ndarray] = []


_kept = _Kept()
_FREE = 2  # references to an unused owner: one from the list, one from the count itself


def plain_empty(shape: tuple[int, ...], dtype: DTypeLike) -> ndarray:
    """An array of the shape, with arbitrary entries."""
    return np.empty(shape, dtype)


def empty(shape: tuple[int, ...], dtype: DTypeLike) -> ndarray:
    """The same. A large array gets memory that was used before and is free again."""
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
    """The same, in reused memory."""
    return np.matmul(a, b, out=empty((len(a), b.shape[1]), a.dtype))
