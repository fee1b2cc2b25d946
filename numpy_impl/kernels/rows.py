"""The gradient of a table that is looked up by row.

A lookup is the product of one-hot rows and the table: out = onehot(ids) @ table. So the gradient of the table is
onehot(ids).T @ d_out: row r gets the sum of d_out over all places where r was looked up. A row that was not looked up
has no gradient, so no array of V rows, mostly zeros, is needed.

`plain_rows_of` does this in three lines. `rows_of` returns the same, and is fast:

1. Each pair (id, source) is packed into one integer. Sorting these puts the places of a row next to each other. Only
   this step reads all N places. After it, each row's first place and number of places are known.
2. Every row takes the gradient of its first place. Most rows have no other, because word frequencies are uneven (Zipf).
   If the rest have few places, one small product with zeros and ones adds them up. Otherwise the rows are taken in the
   order of their frequency:
   - Rows that occur in a large part of all sources are summed by one matrix product, of their counts and d. Matrix
     products are the fastest operation of a processor.
   - A row that occurs often, but less often than these, is one sum, which is a product with ones.
   - The many other rows are summed side by side: first their first places, then their second ones, and so on. They
     begin at the k-th most frequent row that occurs at most k times. So neither of these two kinds takes more than √N
     calls of NumPy.
3. All this is done block by block, so that the values are still in the cache when they are summed.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from numpy_impl.kernels.blocks import blocks, entries
from reference.contract import RowGrad

DENSE = 32
"""An entry of a matrix product is this many times cheaper than a vector that is fetched from memory and added."""

SMALL = 2**14
"""Up to this many entries, one matrix holds all counts. That takes few calls of NumPy, which cost most at this size."""


def plain_rows_of(
    ids: Int[ndarray, " N"], d: Float[ndarray, "B D"], num_embeddings: int, source: Int[ndarray, " N"] | None = None
) -> RowGrad:
    """Sum the gradients d (B, D) of looked-up vectors into the distinct rows that they came from.

    source: the row of d that each id gets. Without it, each id has its own row, and N is B. d is finite.
    """
    rows, which = np.unique(ids, return_inverse=True)
    values = np.zeros((len(rows), d.shape[1]), d.dtype)
    np.add.at(values, which, d if source is None else d[source])
    return RowGrad(rows.astype(np.int64), values, (num_embeddings, d.shape[1]))


def rows_of(
    ids: Int[ndarray, " N"], d: Float[ndarray, "B D"], num_embeddings: int, source: Int[ndarray, " N"] | None = None
) -> RowGrad:
    """The same, by a sort or by counts."""
    if source is None:
        source = np.arange(len(ids))
    add = _add_small if num_embeddings * len(d) <= SMALL else _add
    rows, values = add(ids, d, num_embeddings, source)
    return RowGrad(rows, values, (num_embeddings, d.shape[1]))


def _add_small(ids: ndarray, d: ndarray, num_embeddings: int, source: ndarray) -> tuple[ndarray, ndarray]:
    ids = ids.astype(np.int64, copy=False)  # uint64 would make it float64
    cells = ids * len(d)
    cells += source.astype(np.int64, copy=False)
    counts = np.bincount(cells, minlength=num_embeddings * len(d)).reshape(num_embeddings, len(d))
    (rows,) = np.bincount(ids).nonzero()
    return rows, counts.take(rows, axis=0).astype(d.dtype) @ d


def _add(ids: ndarray, d: ndarray, num_embeddings: int, source: ndarray) -> tuple[ndarray, ndarray]:
    rows, start, count, source = _sort(ids, source, num_embeddings, len(d))
    return rows, sums(d, source, start, count)


def plain_scaled_rows_of(
    ids: Int[ndarray, "N K"], scale: Float[ndarray, "N K"], d: Float[ndarray, "N D"], num_embeddings: int
) -> RowGrad:
    """Sum scale[n, k] * d[n] into the distinct rows ids[n, k]."""
    products = scale[:, :, None] * d[:, None]
    return plain_rows_of(ids.reshape(-1), products.reshape(-1, d.shape[1]), num_embeddings)


def scaled_rows_of(
    ids: Int[ndarray, "N K"], scale: Float[ndarray, "N K"], d: Float[ndarray, "N D"], num_embeddings: int
) -> RowGrad:
    """The same; the products (N, K, D) are computed only if they are few."""
    if scale.size * d.shape[1] <= SMALL:
        products = scale[:, :, None] * d[:, None]
        return rows_of(ids.reshape(-1), products.reshape(-1, d.shape[1]), num_embeddings)
    ids, scale, places = ids.reshape(-1), scale.reshape(-1), np.arange(ids.size)
    rows, start, count, places = _sort(ids, places, num_embeddings, len(ids))
    values = sums(d, places // (len(ids) // len(d)), start, count, scale[places])
    return RowGrad(rows, values, (num_embeddings, d.shape[1]))


def plain_sums(
    vectors: Float[ndarray, "M D"],
    source: Int[ndarray, " N"],
    start: Int[ndarray, " U"],
    count: Int[ndarray, " U"],
    scale: Float[ndarray, " N"] | None = None,
) -> Float[ndarray, "U D"]:
    """For each u, the sum of vectors[source[start[u] : start[u] + count[u]]], where count[u] is at least 1.

    This sums the gradients of a row's places, or the vectors of a bag's ids. scale: a factor for each of them.
    """
    taken = vectors[source] if scale is None else scale[:, None] * vectors[source]
    total = [taken[first : first + n].sum(axis=0) for first, n in zip(start, count, strict=True)]
    return np.array(total, vectors.dtype).reshape(-1, vectors.shape[1])


def sums(
    vectors: Float[ndarray, "M D"],
    source: Int[ndarray, " N"],
    start: Int[ndarray, " U"],
    count: Int[ndarray, " U"],
    scale: Float[ndarray, " N"] | None = None,
) -> Float[ndarray, "U D"]:
    """The same, as described at the top of this file."""

    def taken(places: ndarray | slice) -> ndarray:
        found = vectors.take(source[places], axis=0)
        if scale is not None:
            found *= scale[places][:, None]
        return found

    total = taken(start)
    row = vectors.shape[1] * vectors.itemsize
    several = (count > 1).nonzero()[0]
    times = count[several]
    n = times.sum()
    if len(several) * n <= SMALL:
        which = np.zeros((len(several), n), vectors.dtype)
        which[np.arange(len(several)).repeat(times), np.arange(n)] = 1
        total[several] = which @ taken(_places(start[several], times))
        return total
    order = several[_falling(times)]
    falling = count[order]
    shared = np.count_nonzero(falling * DENSE > len(vectors)) if len(vectors) < len(source) else 0
    often = shared + np.count_nonzero(falling[shared:] > np.arange(len(order) - shared))

    for some in blocks(order[:shared], len(vectors) * vectors.itemsize):
        total[some] = _counts(vectors, source, start[some], count[some], scale) @ vectors

    step = entries(row)
    ones = np.ones(step, vectors.dtype)
    for u in order[shared:often].tolist():
        total[u], end = 0, start[u] + count[u]
        for first in range(start[u], end, step):
            found = taken(slice(first, min(first + step, end)))
            total[u] += ones[: len(found)] @ found

    for some in blocks(order[often:], row):
        first, times = start[some], count[some]
        side_by_side = taken(first)
        for j in range(1, times[0]):
            m = np.count_nonzero(times > j)
            side_by_side[:m] += taken(first[:m] + j)
        total[some] = side_by_side
    return total


def _places(start: ndarray, count: ndarray) -> ndarray:
    """The places start, start + 1, ... of each row, count of them."""
    return np.arange(count.sum()) + (start - count.cumsum() + count).repeat(count)


def _falling(count: ndarray) -> ndarray:
    """The order from the largest count to the smallest, like argsort, but faster, by sorting integers."""
    shift = len(count).bit_length()
    keys = -count << shift
    keys |= np.arange(len(count))
    keys.sort()
    keys &= (1 << shift) - 1
    return keys


def _counts(vectors: ndarray, source: ndarray, start: ndarray, count: ndarray, scale: ndarray | None) -> ndarray:
    """A matrix of how often each row takes each vector; with scale, of the sum of its factors."""
    places = _places(start, count)
    cells = np.arange(0, len(start) * len(vectors), len(vectors)).repeat(count)
    cells += source[places].astype(np.int64, copy=False)
    counts = np.zeros((len(start), len(vectors)), vectors.dtype)
    np.add.at(counts.reshape(-1), cells, np.ones(len(cells), vectors.dtype) if scale is None else scale[places])
    return counts


def _sort(
    ids: ndarray, source: ndarray, num_embeddings: int, num_sources: int
) -> tuple[ndarray, ndarray, ndarray, ndarray]:
    """The distinct rows; where the sources of each start in the last array, and how many there are; the sources."""
    shift = (num_sources - 1).bit_length()
    bits = (num_embeddings - 1).bit_length() + shift  # at most 63, even for 2^31 rows and 2^27 places
    keys: np.ndarray[Any, Any] = ids.astype(np.uint32 if bits <= 32 else np.int64)
    keys <<= shift
    keys |= source.astype(keys.dtype)
    keys.sort()
    ids = keys >> shift
    new = np.ones(len(ids), bool)
    np.not_equal(ids[1:], ids[:-1], out=new[1:])
    start = new.nonzero()[0]
    count = np.append(start[1:], len(ids))[: len(start)] - start
    return ids[start].astype(np.int64), start, count, (keys & ((1 << shift) - 1)).astype(np.int64)
