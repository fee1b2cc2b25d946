"""What goes wrong with memory that is not one's own: numbers that are right when they are returned."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from reference.mistakes.planting import mistake


@mistake(
    "embedding",
    "the right gradient, after whose computation the ids of the batch lie sorted",
    wrong="ids = ids.reshape(-1); ids.sort()",
    right="ids = np.sort(ids.reshape(-1))",
)
def ids_sorted_in_place(right: Callable) -> Callable:
    def wrong(ids, weight, sparse):
        output, backward = right(ids, weight, sparse)

        def sorting(d):
            gradient = backward(d)
            ids.reshape(-1).sort()
            return gradient

        return output, sorting

    return wrong


@mistake(
    "linear",
    "the right gradient, in a buffer that the next step overwrites",
    wrong="d_weight = np.matmul(d.T, x, out=self.d_weight)",
    right="d_weight = d.T @ x",
)
def gradient_buffer_reused(right: Callable) -> Callable:
    buffers: dict[tuple, np.ndarray] = {}

    def wrong(x, weight, bias):
        output, backward = right(x, weight, bias)

        def into_buffer(d):
            d_x, d_weight, d_bias = backward(d)
            buffer = buffers.setdefault((id(weight), weight.shape, weight.dtype.name), np.empty_like(weight))
            buffer[...] = d_weight
            return d_x, buffer, d_bias

        return output, into_buffer

    return wrong


def by_pointer(array: np.ndarray) -> np.ndarray:
    """The entries as they lie in memory one after the other from the first on, whatever the strides are."""
    if array.flags.c_contiguous or not array.strides[-1]:
        return array
    memory = array if array.base is None else array.base
    return memory.ravel(order="K")[: array.size].reshape(array.shape)


def linear_by_pointer(right: Callable) -> Callable:
    return lambda x, weight, bias: right(by_pointer(x), weight, bias)


@mistake(
    ("embedding", "mean_bag"),
    "that of an input which is read by its pointer, as if it were contiguous",
    wrong="kernel(ids.ctypes.data, ids.size)",
    right="ids = np.ascontiguousarray(ids); kernel(ids.ctypes.data, ids.size)",
    sources=("NVIDIA/TransformerEngine#623", "pytorch/FBGEMM#1553", "pytorch/FBGEMM#3006"),
    also={"linear": linear_by_pointer},
)
def strides_ignored(right: Callable) -> Callable:
    return lambda ids, weight, sparse: right(by_pointer(ids), weight, sparse)
