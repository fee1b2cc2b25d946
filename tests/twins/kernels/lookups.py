"""Lookups to hold the kernels to, drawn so that sums are exact in whatever order they are taken."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest
from hypothesis import strategies as st

from numpy_impl.kernels import blocks, rows
from reference.contract import RowGrad
from reference.data.stream import Stream

DTYPES = [np.int8, np.uint8, np.int16, np.uint16, np.int32, np.uint32, np.int64, np.uint64]
FLOATS = [np.float64, np.float32]
SIZES = [1, 2, 3, 7, 31, 64, 97, 257]


def whole(stream: Stream, shape: tuple[int, ...]) -> np.ndarray:
    """Numbers from -8 to 8 whose sums are exact in whatever order they are taken."""
    return stream.ids(shape, 17) - 8.0


@st.composite
def lookups(draw):
    """Ids, gradients, the number of rows of the table, and whose gradient each id receives."""
    dtype = np.dtype(draw(st.sampled_from(DTYPES)))
    largest = min(int(np.iinfo(dtype).max) + 1, 2**31)
    some_or_any = st.sampled_from([*SIZES, 10_000, 2**31 - 1, 2**31]) | st.integers(1, 2**31)
    num_embeddings = min(draw(some_or_any), largest)
    used = min(draw(st.sampled_from([1, 2, 5, 50, 2**31])), num_embeddings)
    bags, length, width = (draw(st.sampled_from(of)) for of in (SIZES, [0, 1, 2, 5, 37], [1, 2, 5, 13]))
    stream = Stream(draw(st.integers(0, 2**31)))
    n = bags * max(length, 1)
    ids = num_embeddings - 1 - stream.ids((n,), used, zipf=draw(st.booleans()))
    source = stream.ids((n,), bags) if length else None  # any at all: ragged bags, and some that are empty
    d = whole(stream, (bags, width)).astype(draw(st.sampled_from(FLOATS)))
    return ids.astype(dtype), d, num_embeddings, source


def assert_same(fast: RowGrad, plain: RowGrad) -> None:
    assert fast.rows.dtype == plain.rows.dtype == np.int64
    np.testing.assert_array_equal(fast.rows, plain.rows)
    assert fast.shape == plain.shape
    assert_equal(fast.values, plain.values)


def assert_equal(fast: np.ndarray, plain: np.ndarray) -> None:
    assert fast.dtype == plain.dtype
    np.testing.assert_array_equal(fast, plain, strict=True)


@contextmanager
def thresholds(block: int | None = None, small: int | None = None, dense: int | None = None) -> Iterator[None]:
    """What decides on the way that a sum goes."""
    with pytest.MonkeyPatch.context() as patch:
        for module, name, value in ((blocks, "BLOCK", block), (rows, "SMALL", small), (rows, "DENSE", dense)):
            if value is not None:
                patch.setattr(module, name, value)
        yield
