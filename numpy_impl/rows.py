"""The gradient of a table that is looked up by row.

Looking up ids in a table is the product of one-hot rows with it: out = onehot(ids) @ table. So the gradient of the
table is onehot(ids).T @ d_out: row r receives the sum of d_out over all places where r was looked up. A row that was
not looked up has no gradient, and the array of zeros that says so for V rows is never needed.

`plain_rows_of` says just that in three lines. `rows_of` returns the same, and is the fast one:

1. A sort of the pairs (id, source), each packed into one integer, puts the places of a row beside one another. This
   is the only look at all N places; what follows knows for every row where its places start and how many they are.
2. The rows are taken in the order of how often they occur, because words are unevenly frequent (Zipf): a few rows have
   most of the places, most rows have one or two.
   - A row that occurs in a good part of all sources is a row of counts times d; for all such rows together that is
     one matrix product, the fastest thing that a processor can do.
   - A row that occurs often, but not so often, is one `sum`.
   - The many others are summed side by side: first their first places, then their second ones, and so on. The k-th
     most frequent row ends the rows of the kind before where it occurs no more than k times; so neither kind takes more
     than √N calls of NumPy.
3. All of it goes block by block, so that what was fetched is still in the cache when it is summed.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from reference.contract import RowGrad

BLOCK = 2**19
"""Bytes that are worked on at once, and that the cache should hold."""

DENSE = 32
"""How many times cheaper an entry of a matrix product is than a vector fetched from memory and added."""

SMALL = 2**14
"""Up to so many entries, all counts are one matrix: a few calls of NumPy, where the calls are what costs time."""


def blocks(array: ndarray, size: int) -> Iterator[ndarray]:
    """Cut an array into parts for which `BLOCK` bytes are worked on, `size` of them for each of its entries."""
    step = max(1, BLOCK // max(1, size))
    return (array[k : k + step] for k in range(0, len(array), step))


def plain_rows_of(
    ids: Int[ndarray, " N"], d: Float[ndarray, "B D"], num_embeddings: int, source: Int[ndarray, " N"] | None = None
) -> RowGrad:
    """What `rows_of` must return, said plainly."""
    rows, which = np.unique(ids, return_inverse=True)
    values = np.zeros((len(rows), d.shape[1]), d.dtype)
    np.add.at(values, which, d if source is None else d[source])
    return RowGrad(rows.astype(np.int64), values, (num_embeddings, d.shape[1]))


def rows_of(
    ids: Int[ndarray, " N"], d: Float[ndarray, "B D"], num_embeddings: int, source: Int[ndarray, " N"] | None = None
) -> RowGrad:
    """Sum the gradients (B, D) of looked-up vectors into the distinct rows that they came from.

    source: whose gradient each id receives, the row of d; without it each id has its own, and N is B. d is finite.
    """
    if source is None:
        source = np.arange(len(ids))
    add = _add_small if num_embeddings * len(d) <= SMALL else _add
    rows, values = add(ids, d, num_embeddings, source)
    return RowGrad(rows, values, (num_embeddings, d.shape[1]))


def _add_small(ids: ndarray, d: ndarray, num_embeddings: int, source: ndarray) -> tuple[ndarray, ndarray]:
    ids = ids.astype(np.int64, copy=False)
    counts, rows = _counts(ids, source, num_embeddings, len(d)), np.bincount(ids).nonzero()[0]
    return rows, counts[rows].astype(d.dtype) @ d


def _counts(which: ndarray, source: ndarray, num_rows: int, num_sources: int) -> ndarray:
    """How often each of the rows takes the gradient of each of the sources."""
    pairs = which * num_sources + source.astype(np.int64, copy=False)  # uint64 would make it float64
    return np.bincount(pairs, minlength=num_rows * num_sources).reshape(num_rows, num_sources)


def _add(ids: ndarray, d: ndarray, num_embeddings: int, source: ndarray) -> tuple[ndarray, ndarray]:
    rows, start, count, source = _sort(ids, source, num_embeddings, len(d))
    return rows, sums(d, source, start, count)


def sums(
    vectors: Float[ndarray, "M D"], source: Int[ndarray, " N"], start: Int[ndarray, " U"], count: Int[ndarray, " U"]
) -> Float[ndarray, "U D"]:
    """For each u the sum of vectors[source[start[u] : start[u] + count[u]]], of which there is at least one.

    So are the gradients of a row's places added up, and so are the vectors of a bag's ids.
    """
    total = np.empty((len(start), vectors.shape[1]), vectors.dtype)
    order = np.argsort(-count, kind="stable")
    falling = count[order]
    shared = np.count_nonzero(falling * DENSE > len(vectors)) if len(vectors) < len(source) else 0
    often = shared + np.count_nonzero(falling[shared:] > np.arange(len(order) - shared))

    for some in blocks(order[:shared], len(vectors)):
        times = count[some]
        places = np.arange(times.sum()) + np.repeat(start[some] - times.cumsum() + times, times)
        counts = _counts(np.repeat(np.arange(len(some)), times), source[places], len(some), len(vectors))
        total[some] = counts.astype(vectors.dtype) @ vectors

    for u in order[shared:often]:
        total[u] = vectors.take(source[start[u] : start[u] + count[u]], axis=0).sum(axis=0)

    for some in blocks(order[often:], vectors.shape[1] * vectors.itemsize):
        first, times = start[some], count[some]
        side_by_side = vectors.take(source[first], axis=0)
        for j in range(1, times[0]):
            m = np.count_nonzero(times > j)
            side_by_side[:m] += vectors.take(source[first[:m] + j], axis=0)
        total[some] = side_by_side
    return total


def _sort(
    ids: ndarray, source: ndarray, num_embeddings: int, num_sources: int
) -> tuple[ndarray, ndarray, ndarray, ndarray]:
    """The distinct rows, and for each where its sources start in the last array, and how many there are."""
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
