"""Memory is used again from step to step, and what a step returned never changes."""

from __future__ import annotations

import threading
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from numpy_impl import build
from numpy_impl.kernels import workspace
from numpy_impl.kernels.workspace import empty, plain_empty, plain_product, product
from reference.cases import SGD, Case, Drawn, SkipGram
from reference.catalogue import catalogue
from reference.contract import RowGrad
from reference.data.stream import Stream
from tests.twins.kernels.lookups import FLOATS, assert_equal, whole

SHAPE = (512, 513)  # just over a megabyte of float32


def address(array: np.ndarray) -> int:
    return array.__array_interface__["data"][0]


@pytest.fixture(autouse=True)
def _nothing_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workspace, "_kept", workspace._Kept())


@given(
    st.sampled_from([(0,), (1,), (5, 0), (3, 5), (7, 2, 3)]), st.sampled_from([*FLOATS, np.int64, bool]), st.booleans()
)
def test_an_empty_array_is_like_the_plain_one(shape: tuple[int, ...], dtype: type, large: bool) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(workspace, "LARGE", 1 if large else 2**20)
        fast, plain = empty(shape, dtype), plain_empty(shape, dtype)
    assert (fast.shape, fast.dtype, fast.flags.c_contiguous) == (plain.shape, plain.dtype, True)
    assert fast.flags.writeable


@given(st.integers(1, 9), st.integers(1, 9), st.integers(1, 9), st.sampled_from(FLOATS), st.sampled_from([1, 2**20]))
def test_a_product_is_the_plain_one(n: int, k: int, m: int, dtype: type, large: int) -> None:
    a, b = (whole(Stream(n), shape).astype(dtype) for shape in ((n, k), (m, k)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(workspace, "LARGE", large)
        assert_equal(product(a, b.T), plain_product(a, b.T))


def test_memory_that_nobody_holds_is_handed_out_again() -> None:
    first = address(empty(SHAPE, np.float32))
    assert address(empty(SHAPE, np.float32)) == first
    assert address(empty(SHAPE[::-1], np.float32)) == first
    assert address(empty((SHAPE[0] // 2, SHAPE[1]), np.float64)) == first


@pytest.mark.parametrize(
    "hold",
    [
        lambda array: array,
        lambda array: array[3:5],
        lambda array: array.T,
        lambda array: array.reshape(-1).view(np.uint8)[:1],
        memoryview,
        torch.from_numpy,
        torch.from_dlpack,
        lambda array: [{"kept": RowGrad(np.arange(1), array[:1], SHAPE)}],
    ],
    ids=["itself", "rows", "transposed", "bytes", "memoryview", "tensor", "dlpack", "in a gradient"],
)
def test_memory_that_somebody_holds_is_not(hold) -> None:
    array = empty(SHAPE, np.float32)
    where, held = address(array), hold(array)
    del array
    others = [empty(SHAPE, np.float32) for _ in range(3)]
    assert where not in map(address, others)
    assert len(set(map(address, others))) == 3
    del held
    assert where in [address(empty(SHAPE, np.float32)) for _ in range(2)]


def test_memory_of_up_to_twice_the_size_is() -> None:
    first = address(empty((2 * SHAPE[0], SHAPE[1]), np.float32))
    assert address(empty(SHAPE, np.float32)) == first


@pytest.mark.parametrize("times", [2, 5, 0.4, 1 / 3])
def test_memory_of_another_size_is_not(times: float) -> None:
    shape = (int(3 * SHAPE[0] * times), SHAPE[1])
    first = address(empty((3 * SHAPE[0], SHAPE[1]), np.float32))
    other = empty(shape, np.float32)
    assert other.shape == shape
    assert address(other) != first


def test_small_arrays_are_plain_ones() -> None:
    assert empty((3, 5), np.float32).base is None


def test_threads_do_not_share() -> None:
    """What is free in one thread could be taken in another between the look at it and the taking."""
    mine, theirs = address(empty(SHAPE, np.float32)), []
    thread = threading.Thread(target=lambda: theirs.append(address(empty(SHAPE, np.float32))))
    thread.start()
    thread.join()
    assert mine != theirs[0]


def test_only_so_many_are_kept() -> None:
    held = [empty((1024, 1024 + i), np.uint8) for i in range(3 * workspace.KEPT)]
    assert len(workspace._kept.owners) == workspace.KEPT
    assert len(set(map(address, held))) == len(held)


@pytest.mark.parametrize("sparse", [False, True])
def test_the_gradients_of_two_steps_are_two(sparse: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a workspace for everything: what the first steps returned is the same, bit for bit, after the others."""
    monkeypatch.setattr(workspace, "LARGE", 1)
    case = Case("kept", SkipGram(23, 5), SGD(lr=0.1), Drawn((11,)), steps=6, sparse=sparse)
    trainer, kept, seen = build(case, case.weights()), [], set()
    for step, batch in enumerate(case.batches()):
        _, grads = trainer.loss_and_grads(batch)
        seen.add(address(grads["context.weight"]))
        if step < 3:
            kept.append((grads, np.copy(grads["context.weight"])))
        trainer.step()
    for grads, copy in kept:
        np.testing.assert_array_equal(grads["context.weight"], copy)
    assert len({address(grads["context.weight"]) for grads, _ in kept}) == 3
    assert len(seen) < case.steps  # the others had memory again


def test_what_was_in_the_memory_does_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    """A step of another case in between leaves its numbers, and NaN, in the memory."""
    monkeypatch.setattr(workspace, "LARGE", 1)
    case = Case("again", SkipGram(23, 5), SGD(lr=0.1), Drawn((11,)), steps=3)
    alone, disturbed = (build(case, case.weights()) for _ in range(2))
    for batch in case.batches():
        loss, grads = alone.loss_and_grads(batch)
        expected = {name: np.copy(gradient) for name, gradient in grads.items()}
        del grads
        alone.step()
        for shape in ((11, 23), (23, 5)):
            empty(shape, np.float64).fill(np.nan)
        again, grads = disturbed.loss_and_grads(batch)
        assert again == loss
        for name, gradient in grads.items():
            np.testing.assert_array_equal(gradient, expected[name])
        disturbed.step()


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
