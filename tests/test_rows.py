"""The fast way back to the rows is the plain one: for all shapes, ids and sources."""

import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from numpy_impl import build, optimizers, rows
from numpy_impl.embedding_bag import embedding_bag
from numpy_impl.functional import log_softmax, plain_cross_entropy
from numpy_impl.optimizers import descend, parts
from numpy_impl.rows import plain_rows_of, rows_of, scaled_rows_of
from reference.catalogue import catalogue
from reference.contract import RowGrad
from reference.data.stream import Stream

DTYPES = [np.int8, np.uint8, np.int16, np.uint16, np.int32, np.uint32, np.int64, np.uint64]
SIZES = [1, 2, 3, 7, 31, 64, 97, 257]


def whole(stream: Stream, shape: tuple[int, ...]) -> np.ndarray:
    """Numbers from -8 to 8 whose sums are exact in whatever order they are taken."""
    return stream.ids(shape, 17) - 8.0


def assert_same(fast: RowGrad, plain: RowGrad) -> None:
    assert fast.rows.dtype == plain.rows.dtype == np.int64
    np.testing.assert_array_equal(fast.rows, plain.rows)
    assert fast.shape == plain.shape
    assert fast.values.dtype == plain.values.dtype
    np.testing.assert_array_equal(fast.values, plain.values)


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
    d = whole(stream, (bags, width)).astype(draw(st.sampled_from([np.float64, np.float32])))
    return ids.astype(dtype), d, num_embeddings, source


@given(lookups())
def test_rows_of_is_the_plain_sum(lookup) -> None:
    ids, d, num_embeddings, source = lookup
    plain = plain_rows_of(ids, d, num_embeddings, source)
    for small in (0, rows.SMALL):  # the way of large batches for small ones too
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(rows, "SMALL", small)
            assert_same(rows_of(ids, d, num_embeddings, source), plain)


@given(lookups(), st.integers(1, 300), st.sampled_from([1, 8, 32, 10**6]))
def test_blocks_and_kinds_do_not_change_the_sum(lookup, block: int, dense: int) -> None:
    """Blocks of one row and of many; rows that are summed one by one, side by side, or by a matrix product."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in (("SMALL", 0), ("BLOCK", block), ("DENSE", dense)):
            patch.setattr(rows, name, value)
        assert_same(rows_of(*lookup), plain_rows_of(*lookup))


@given(lookups(), st.integers(1, 5), st.integers(1, 300), st.sampled_from([1, 32, 10**6]), st.sampled_from([0, 2**14]))
def test_scaled_rows_are_the_rows_of_the_products(lookup, times: int, block: int, dense: int, small: int) -> None:
    ids, d, num_embeddings, _ = lookup
    ids = np.resize(ids, (len(d), times))
    scale = whole(Stream(3), ids.shape).astype(d.dtype)
    products = scale[:, :, None] * d[:, None]
    plain = plain_rows_of(ids.reshape(-1), products.reshape(-1, d.shape[1]), num_embeddings)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in (("SMALL", small), ("BLOCK", block), ("DENSE", dense)):
            patch.setattr(rows, name, value)
        assert_same(scaled_rows_of(ids, scale, d, num_embeddings), plain)


@given(st.integers(1, 40), st.sampled_from([1, 2, 13]), st.integers(1, 300), st.sampled_from([0, 2**14]))
def test_an_update_of_rows_is_the_plain_one(num_rows: int, width: int, block: int, small: int) -> None:
    """Block by block, with rows of any width copied whole, and in tables of either order of memory."""
    stream = Stream(0)
    at = np.unique(stream.ids((num_rows,), 100))
    grad = whole(stream, (len(at), width))
    for table in (whole(stream, (100, width)), np.asfortranarray(whole(stream, (100, width)))):
        other, expected, doubled = table.copy(order="A"), table.copy(), table.copy()
        expected[at] -= 0.5 * grad
        doubled[at] *= 2
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(rows, "BLOCK", block)
            patch.setattr(optimizers, "SMALL", small)
            descend(table, at, 0.5, grad)
            for _, some in parts(at, grad, other):
                some *= 2
        np.testing.assert_array_equal(table, expected)
        np.testing.assert_array_equal(other, doubled)
        whole_table = table.copy()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(rows, "BLOCK", block)
            descend(whole_table, ..., 0.5, table)
        np.testing.assert_array_equal(whole_table, table / 2)


@given(st.integers(1, 40), st.integers(2, 40), st.integers(1, 3000), st.sampled_from(["mean", "sum"]))
def test_cross_entropy_of_a_few_rows_at_a_time(n: int, classes: int, block: int, reduction: str) -> None:
    stream = Stream(n)
    logits, target = 9 * stream.signed((n, classes)), stream.ids((n,), classes)
    before, divisor = logits.copy(), n if reduction == "mean" else 1
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rows, "BLOCK", block)
        loss, backward = plain_cross_entropy(logits, target, reduction)
    log_p = log_softmax(logits)
    np.testing.assert_allclose(loss, -log_p[np.arange(n), target].sum() / divisor, rtol=1e-13)
    np.testing.assert_allclose(backward(), (np.exp(log_p) - np.eye(classes)[target]) / divisor, atol=1e-14)
    np.testing.assert_array_equal(logits, before)
    single, backward = plain_cross_entropy(logits.astype(np.float32), target, reduction)
    assert (single.dtype, backward().dtype) == (np.float32, np.float32)


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


def test_a_bag_of_a_table_with_one_row() -> None:
    pooled, backward = embedding_bag(np.array([[0, 0], [0, 0]]), np.array([[1.0, -2]]), True)
    assert pooled.tolist() == [[1, -2], [1, -2]]
    assert backward(np.array([[1.0, 2], [3, 4]])).values.tolist() == [[4, 6]]


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
        got = rows_of(np.array([], int), np.ones((3, 2)), num_embeddings, np.array([], int))
        assert (got.rows.shape, got.values.shape, got.shape) == ((0,), (0, 2), (num_embeddings, 2))


@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 300), st.sampled_from(DTYPES), st.integers(0, 1000))
def test_a_bag_is_the_mean_of_its_vectors(bags: int, length: int, block: int, dtype: type, seed: int) -> None:
    stream = Stream(seed)
    weight, ids, d = stream.signed((100, 3)), stream.ids((bags, length), 100), length * whole(stream, (bags, 3))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rows, "BLOCK", block)
        pooled, backward = embedding_bag(ids.astype(dtype), weight, True)
    np.testing.assert_allclose(pooled, weight[ids].mean(axis=1), rtol=0, atol=1e-15)
    assert_same(backward(d), plain_rows_of(ids.reshape(-1), np.repeat(d / length, length, axis=0), 100))


@given(lookups(), st.integers(1, 300), st.sampled_from(["mean", "sum"]))
def test_ragged_bags_are_pooled_one_by_one(lookup, block: int, mode: str) -> None:
    """Bags of any length, empty ones too: the forward pass adds up as the backward pass does."""
    ids, weight = lookup[0] % 50, whole(Stream(1), (50, 3))
    offsets = np.sort(Stream(2).ids((9,), len(ids) + 1))
    offsets[0] = 0
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rows, "BLOCK", block)
        pooled, _ = embedding_bag(ids, weight, True, offsets, mode)
    for bag, vectors in zip(pooled, np.split(weight[ids], offsets[1:]), strict=True):
        total = vectors.sum(axis=0)
        np.testing.assert_array_equal(bag, total / max(len(vectors), 1) if mode == "mean" else total)


def test_the_gradient_of_a_bag_never_repeats_it_for_each_of_its_ids() -> None:
    """(B·L, D) would be 16 MB here; the result itself has half a million bytes."""
    stream = Stream(0)
    ids, d, source = stream.ids((64 * 512,), 1000), stream.signed((64, 64)), np.repeat(np.arange(64), 512)
    tracemalloc.start()
    rows_of(ids, d, 1000, source)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 5e6


@pytest.mark.parametrize(
    "case", ["embedding-small-sgd-rows-f32", "classifier-dialogue-sgd-rows-f32", "skipgram-pairs-sgd-rows-f64"]
)
def test_a_gradient_stays_what_it_was_when_the_next_step_runs(case: str) -> None:
    (found,) = [known for known in catalogue() if known.id == case]
    found = replace(found, steps=3)
    trainer, kept = build(found, found.weights()), []
    for batch in found.batches():
        _, grads = trainer.loss_and_grads(batch)
        kept.append((grads, {name: as_array(gradient).copy() for name, gradient in grads.items()}))
        trainer.step()
        for returned, copies in kept:
            for name, copy in copies.items():
                np.testing.assert_array_equal(as_array(returned[name]), copy)
    assert len(kept) == 3


def as_array(gradient: np.ndarray | RowGrad) -> np.ndarray:
    return gradient.values if isinstance(gradient, RowGrad) else gradient
