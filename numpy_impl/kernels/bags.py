"""Bags of vectors, pooled.

The fast forms never hold the vectors of all bags at once, and never copy a bag's gradient for each of its ids.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from numpy_impl.kernels.blocks import blocks
from numpy_impl.kernels.rows import plain_rows_of, rows_of, sums
from reference.contract import RowGrad

TableGrad = RowGrad | Float[ndarray, "V D"]


# --- the mean of bags of L ids each, none of them padding ------------------------------------------------------------


def plain_mean_bag(
    ids: Int[ndarray, "B L"], weight: Float[ndarray, "V D"], sparse: bool
) -> tuple[Float[ndarray, "B D"], Callable]:
    """The mean of each bag's vectors. Backward: each occurrence of an id gets 1/L of its bag's gradient."""
    length = ids.shape[1]

    def backward(d: Float[ndarray, "B D"]) -> TableGrad:
        d_vectors = np.repeat(d / length, length, axis=0)
        rows = plain_rows_of(ids.reshape(-1), d_vectors, len(weight))
        return rows if sparse else rows.dense()

    return weight[ids].mean(axis=1), backward


def mean_bag(
    ids: Int[ndarray, "B L"], weight: Float[ndarray, "V D"], sparse: bool
) -> tuple[Float[ndarray, "B D"], Callable]:
    """The same, some bags at a time. A bag's sum is the product of ones and its vectors."""
    bags, length = ids.shape
    ones = np.ones(length, weight.dtype)
    sums = [ones @ weight.take(some, axis=0) for some in blocks(ids, length * weight[0].nbytes)]
    pooled = sums[0] if len(sums) == 1 else np.concatenate(sums)
    pooled /= length

    def backward(d: Float[ndarray, "B D"]) -> TableGrad:
        rows = rows_of(ids.reshape(-1), d / length, len(weight), np.arange(bags).repeat(length))
        return rows if sparse else rows.dense()

    return pooled, backward


# --- bags of any sizes -----------------------------------------------------------------------------------------------


def plain_bag_sum(
    vectors: Float[ndarray, "M D"], source: Int[ndarray, " N"], sizes: Int[ndarray, " B"]
) -> Float[ndarray, "B D"]:
    """The sum of each bag's vectors[source]; zero for an empty bag. The sources of the bags follow one another."""
    pooled = np.zeros((len(sizes), vectors.shape[1]), vectors.dtype)
    np.add.at(pooled, np.arange(len(sizes)).repeat(sizes), vectors[source])
    return pooled


def bag_sum(
    vectors: Float[ndarray, "M D"], source: Int[ndarray, " N"], sizes: Int[ndarray, " B"]
) -> Float[ndarray, "B D"]:
    """The same, summed like the gradients of rows."""
    pooled = np.zeros((len(sizes), vectors.shape[1]), vectors.dtype)
    pooled[sizes > 0] = sums(vectors, source, _starts(sizes), sizes[sizes > 0])
    return pooled


def plain_bag_max(
    vectors: Float[ndarray, "N D"], bag: Int[ndarray, " N"], sizes: Int[ndarray, " B"]
) -> tuple[Float[ndarray, "B D"], Int[ndarray, "nonempty D"]]:
    """The maximum of each column in each bag; and the first place where it is, for bags that are not empty.

    bag: the bag of each vector, in rising order. The maximum of an empty bag is zero.
    """
    pooled, first = np.zeros((len(sizes), vectors.shape[1]), vectors.dtype), []
    for b in np.unique(bag):
        pooled[b] = vectors[bag == b].max(axis=0)
        first.append(np.argmax(bag == b) + vectors[bag == b].argmax(axis=0))
    return pooled, np.array(first, np.int64).reshape(-1, vectors.shape[1])


def bag_max(
    vectors: Float[ndarray, "N D"], bag: Int[ndarray, " N"], sizes: Int[ndarray, " B"]
) -> tuple[Float[ndarray, "B D"], Int[ndarray, "nonempty D"]]:
    """The same, for all bags at once."""
    pooled = np.zeros((len(sizes), vectors.shape[1]), vectors.dtype)
    if not len(vectors):
        return pooled, np.zeros((0, vectors.shape[1]), np.int64)
    pooled[sizes > 0] = np.maximum.reduceat(vectors, _starts(sizes))
    places = np.where(vectors == pooled[bag], np.arange(len(vectors))[:, None], len(vectors))
    return pooled, np.minimum.reduceat(places, _starts(sizes))


def _starts(sizes: Int[ndarray, " B"]) -> Int[ndarray, " nonempty"]:
    """Where each bag that is not empty begins."""
    return (np.cumsum(sizes) - sizes)[sizes > 0]
