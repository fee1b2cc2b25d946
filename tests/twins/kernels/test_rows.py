"""The fast way back to the rows is the plain one: for all shapes, ids and sources."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from numpy_impl.kernels import rows
from numpy_impl.kernels.rows import plain_rows_of, plain_scaled_rows_of, plain_sums, rows_of, scaled_rows_of, sums
from reference.data.stream import Stream
from tests.twins.kernels.lookups import FLOATS, assert_equal, assert_same, lookups, thresholds, whole


@given(lookups())
def test_rows_of_is_the_plain_sum(lookup) -> None:
    plain = plain_rows_of(*lookup)
    for small in (0, rows.SMALL):  # the way of large batches for small ones too
        with thresholds(small=small):
            assert_same(rows_of(*lookup), plain)


@given(lookups(), st.integers(1, 300), st.sampled_from([1, 8, 32, 10**6]))
def test_blocks_and_kinds_do_not_change_the_sum(lookup, block: int, dense: int) -> None:
    """Blocks of one row and of many; rows that are summed one by one, side by side, or by a matrix product."""
    with thresholds(block, 0, dense):
        assert_same(rows_of(*lookup), plain_rows_of(*lookup))


@given(lookups(), st.integers(-1, 1))
def test_one_less_than_small_and_one_more(lookup, off: int) -> None:
    _, d, num_embeddings, _ = lookup
    with thresholds(small=min(num_embeddings * len(d), 2**20) + off):
        assert_same(rows_of(*lookup), plain_rows_of(*lookup))


@given(lookups(), st.integers(1, 5), st.integers(1, 300), st.sampled_from([1, 32, 10**6]), st.sampled_from([0, 2**14]))
def test_scaled_rows_are_the_rows_of_the_products(lookup, times: int, block: int, dense: int, small: int) -> None:
    ids, d, num_embeddings, _ = lookup
    ids = np.resize(ids, (len(d), times))
    scale = whole(Stream(3), ids.shape).astype(d.dtype)
    plain = plain_scaled_rows_of(ids, scale, d, num_embeddings)
    with thresholds(block, small, dense):
        assert_same(scaled_rows_of(ids, scale, d, num_embeddings), plain)


@given(
    st.lists(st.sampled_from([1, 1, 1, 2, 3, 40]), max_size=60),
    st.sampled_from([1, 5, 200]),
    st.sampled_from(FLOATS),
    st.booleans(),
    st.tuples(st.integers(1, 300), st.sampled_from([0, 50, 2**14]), st.sampled_from([1, 32, 10**6])),
)
def test_sums_are_those_of_each_by_itself(
    count: list[int], vectors: int, dtype: type, scaled: bool, limits: tuple[int, int, int]
) -> None:
    stream, n = Stream(len(count)), sum(count)
    given_vectors, source = whole(stream, (vectors, 3)).astype(dtype), stream.ids((n,), vectors)
    scale = whole(stream, (n,)).astype(dtype) if scaled else None
    counted = np.array(count, np.int64)
    start = np.cumsum(counted) - counted
    plain = plain_sums(given_vectors, source, start, counted, scale)
    with thresholds(*limits):
        assert_equal(sums(given_vectors, source, start, counted, scale), plain)


@pytest.mark.parametrize("ids", [[5], [5] * 4000, [0, 2**31 - 1] * 2000, [*range(4000)]], ids=lambda ids: str(ids[:3]))
@pytest.mark.parametrize("bags", [4000, 8])
def test_the_extremes(ids: list[int], bags: int) -> None:
    d = whole(Stream(0), (min(bags, len(ids)), 3))
    source = np.arange(len(ids)) % len(d)
    given_ids = np.array(ids)
    assert_same(rows_of(given_ids, d, 2**31, source), plain_rows_of(given_ids, d, 2**31, source))


def test_the_widest_keys_fit() -> None:
    """V of 2^31 with 2^27 positions: 58 bits, and no bit of an id meets one of its source."""
    ids, source = np.array([2**31 - 1, 0, 2**31 - 1]), np.array([2**27 - 1, 2**27 - 1, 0])
    found, start, count, sources = rows._sort(ids, source, 2**31, 2**27)
    assert found.tolist() == [0, 2**31 - 1]
    assert (start.tolist(), count.tolist(), sources.tolist()) == ([0, 1], [1, 2], [2**27 - 1, 0, 2**27 - 1])


def test_keys_that_fit_32_bits_by_one_bit_too_few() -> None:
    """V of 2^16 + 1 with 2^16 positions: the last id has a bit of its own, the 33rd."""
    found, *_, sources = rows._sort(np.array([2**16, 0, 1]), np.array([1, 2, 3]), 2**16 + 1, 2**16)
    assert (found.tolist(), sources.tolist()) == ([0, 1, 2**16], [2, 3, 1])


@pytest.mark.parametrize("bags", [60, 4000])
def test_no_digits_are_lost(bags: int) -> None:
    """In float32 the fast sums of thousands are on average as near to the true ones as the plain sums are."""
    off = {rows_of: 0.0, plain_rows_of: 0.0}
    for seed in range(20):
        stream = Stream(seed)
        ids, source, d = stream.ids((4000,), 500, zipf=True), stream.ids((4000,), bags), stream.signed((bags, 7))
        true = plain_rows_of(ids, d.astype(np.float32).astype(np.float64), 500, source)
        for way in off:
            off[way] += np.abs(way(ids, d.astype(np.float32), 500, source).values - true.values).sum()
    print(off)
    assert off[rows_of] <= 1.05 * off[plain_rows_of]


def test_nothing_looked_up_gives_no_rows() -> None:
    for num_embeddings in (10, 2**31):
        nothing = np.array([], int), np.ones((3, 2)), num_embeddings, np.array([], int)
        got = rows_of(*nothing)
        assert (got.rows.shape, got.values.shape, got.shape) == ((0,), (0, 2), (num_embeddings, 2))
        assert_same(got, plain_rows_of(*nothing))


def test_the_gradient_of_a_bag_never_repeats_it_for_each_of_its_ids() -> None:
    """(B·L, D) would be 16 MB here; the result itself has half a million bytes."""
    stream = Stream(0)
    ids, d, source = stream.ids((64 * 512,), 1000), stream.signed((64, 64)), np.repeat(np.arange(64), 512)
    tracemalloc.start()
    rows_of(ids, d, 1000, source)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 5e6
