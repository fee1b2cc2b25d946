"""How an array lies in memory: the values are the same, and an implementation must read them whatever the strides."""

from __future__ import annotations

from typing import Literal, assert_never

import numpy as np
from numpy import ndarray
from numpy.lib.stride_tricks import as_strided

Layout = Literal["contiguous", "fortran", "strided", "offset", "broadcast", "unaligned"]


def laid_out(array: ndarray, layout: Layout) -> ndarray:
    """A copy that lies so in memory. What surrounds it there are other entries of the array.

    fortran: column by column. strided: every second entry of an array. offset: it begins within another array.
    broadcast: with stride 0 along each axis on which all entries are equal, so that these are one in memory. unaligned:
    at an address that is no multiple of the size of an entry.
    """
    match layout:
        case "contiguous":
            return array.copy()
        case "fortran":
            return array.copy(order="F")
        case "strided":
            between = array.reshape(-1)[::-1].reshape(array.shape)
            return np.stack([array, between], axis=-1).reshape(*array.shape[:-1], -1)[..., ::2]
        case "offset":
            return np.concatenate([array.reshape(-1)[-1:], array.reshape(-1)])[1:].reshape(array.shape)
        case "broadcast":
            axes = range(array.ndim)
            equal = [array.shape[i] > 1 and bool((array == array.take([0], axis=i)).all()) for i in axes]
            one = array[tuple(slice(1) if same else slice(None) for same in equal)].copy()
            strides = [0 if same else stride for same, stride in zip(equal, one.strides, strict=True)]
            return as_strided(one, array.shape, strides)
        case "unaligned":
            memory = np.empty(array.nbytes + 1, np.uint8)
            found: ndarray = np.ndarray(array.shape, array.dtype, memory, offset=1)
            found[...] = array
            return found
    assert_never(layout)
