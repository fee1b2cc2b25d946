"""Bags are pooled as the plain forms pool them, whatever their sizes, and so are their gradients."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from numpy_impl.embedding_bag import embedding_bag
from numpy_impl.kernels.bags import bag_max, bag_sum, mean_bag, plain_bag_max, plain_bag_sum, plain_mean_bag
from reference.data.stream import Stream
from tests.twins.kernels.lookups import DTYPES, FLOATS, assert_equal, assert_same, lookups, thresholds, whole

sizes_of_bags = st.lists(st.sampled_from([0, 0, 1, 1, 2, 3, 37]), min_size=1, max_size=40)
blocks_of = st.integers(1, 300) | st.sampled_from([2**10, 2**18])


@given(st.integers(1, 40), st.integers(1, 40), blocks_of, st.sampled_from(DTYPES), st.sampled_from(FLOATS))
def test_a_mean_bag_is_the_plain_one(bags: int, length: int, block: int, ids_are: type, dtype: type) -> None:
    stream = Stream(bags)
    weight, ids = whole(stream, (100, 3)).astype(dtype), stream.ids((bags, length), 100).astype(ids_are)
    d = (length * whole(stream, (bags, 3))).astype(dtype)
    pooled, backward = plain_mean_bag(ids, weight, True)
    with thresholds(block):
        fast, fast_backward = mean_bag(ids, weight, True)
    assert_equal(fast, pooled)
    assert_same(fast_backward(d), backward(d))
    assert_equal(mean_bag(ids, weight, False)[1](d), plain_mean_bag(ids, weight, False)[1](d))


@given(st.integers(1, 40), st.integers(1, 40), blocks_of, st.integers(0, 1000))
def test_a_bag_is_the_mean_of_its_vectors(bags: int, length: int, block: int, seed: int) -> None:
    """Of any vectors, whose sums are not exact."""
    stream = Stream(seed)
    weight, ids = stream.signed((100, 3)), stream.ids((bags, length), 100)
    with thresholds(block):
        pooled, _ = embedding_bag(ids, weight, True)
    np.testing.assert_allclose(pooled, weight[ids].mean(axis=1), rtol=0, atol=1e-15)


def test_a_bag_of_a_table_with_one_row() -> None:
    pooled, backward = embedding_bag(np.array([[0, 0], [0, 0]]), np.array([[1.0, -2]]), True)
    assert pooled.tolist() == [[1, -2], [1, -2]]
    assert backward(np.array([[1.0, 2], [3, 4]])).values.tolist() == [[4, 6]]


@given(sizes_of_bags, st.sampled_from(FLOATS), blocks_of, st.sampled_from([0, 50, 2**14]))
def test_the_sum_of_bags_is_the_plain_one(sizes: list[int], dtype: type, block: int, small: int) -> None:
    stream = Stream(len(sizes))
    vectors, source = whole(stream, (50, 3)).astype(dtype), stream.ids((sum(sizes),), 50)
    with thresholds(block, small):
        fast = bag_sum(vectors, source, np.array(sizes))
    assert_equal(fast, plain_bag_sum(vectors, source, np.array(sizes)))


@given(sizes_of_bags, st.sampled_from(FLOATS), st.sampled_from([2, 17]))
def test_the_maximum_of_bags_is_the_plain_one(sizes: list[int], dtype: type, numbers: int) -> None:
    """Among few different numbers, so that most maxima stand in several places."""
    vectors = (Stream(len(sizes)).ids((sum(sizes), 3), numbers) - 8.0).astype(dtype)
    given_bags = vectors, np.arange(len(sizes)).repeat(sizes), np.array(sizes)
    (pooled, first), (plain, plain_first) = bag_max(*given_bags), plain_bag_max(*given_bags)
    assert_equal(pooled, plain)
    np.testing.assert_array_equal(first, plain_first, strict=True)


@pytest.mark.parametrize("sizes", [[0], [0, 0, 0]])
def test_empty_bags_alone(sizes: list[int]) -> None:
    nothing, none, empty = np.zeros((0, 3), np.float32), np.zeros(0, np.int64), np.array(sizes)
    assert_equal(bag_sum(np.ones((5, 3), np.float32), none, empty), np.zeros((len(sizes), 3), np.float32))
    pooled, first = bag_max(nothing, none, empty)
    assert_equal(pooled, np.zeros((len(sizes), 3), np.float32))
    assert first.shape == (0, 3)


@given(lookups(), st.integers(1, 300), st.sampled_from(["mean", "sum"]))
def test_ragged_bags_are_pooled_one_by_one(lookup, block: int, mode: str) -> None:
    """Bags of any length, empty ones too: the forward pass adds up as the backward pass does."""
    ids, weight = lookup[0] % 50, whole(Stream(1), (50, 3))
    offsets = np.sort(Stream(2).ids((9,), len(ids) + 1))
    offsets[0] = 0
    with thresholds(block):
        pooled, _ = embedding_bag(ids, weight, True, offsets, mode)
    for bag, vectors in zip(pooled, np.split(weight[ids], offsets[1:]), strict=True):
        total = vectors.sum(axis=0)
        np.testing.assert_array_equal(bag, total / max(len(vectors), 1) if mode == "mean" else total)
