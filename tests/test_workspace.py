"""Memory is used again from step to step, and what a step returned never changes."""

from __future__ import annotations

import threading

import numpy as np
import pytest
import torch

from numpy_impl import build, workspace
from reference.cases import SGD, Case, Drawn, SkipGram
from reference.contract import RowGrad

SHAPE = (512, 513)  # just over a megabyte of float32


def address(array: np.ndarray) -> int:
    return array.__array_interface__["data"][0]


@pytest.fixture(autouse=True)
def _nothing_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workspace, "_kept", workspace._Kept())


def test_memory_that_nobody_holds_is_handed_out_again() -> None:
    first = address(workspace.empty(SHAPE, np.float32))
    assert address(workspace.empty(SHAPE, np.float32)) == first
    assert address(workspace.empty(SHAPE[::-1], np.float32)) == first
    assert address(workspace.empty((SHAPE[0] // 2, SHAPE[1]), np.float64)) == first


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
    array = workspace.empty(SHAPE, np.float32)
    where, held = address(array), hold(array)
    del array
    others = [workspace.empty(SHAPE, np.float32) for _ in range(3)]
    assert where not in map(address, others)
    assert len(set(map(address, others))) == 3
    del held
    assert where in [address(workspace.empty(SHAPE, np.float32)) for _ in range(2)]


def test_memory_of_up_to_twice_the_size_is() -> None:
    first = address(workspace.empty((2 * SHAPE[0], SHAPE[1]), np.float32))
    assert address(workspace.empty(SHAPE, np.float32)) == first


@pytest.mark.parametrize("times", [2, 5, 0.4, 1 / 3])
def test_memory_of_another_size_is_not(times: float) -> None:
    shape = (int(3 * SHAPE[0] * times), SHAPE[1])
    first = address(workspace.empty((3 * SHAPE[0], SHAPE[1]), np.float32))
    other = workspace.empty(shape, np.float32)
    assert other.shape == shape
    assert address(other) != first


def test_small_arrays_are_plain_ones() -> None:
    assert workspace.empty((3, 5), np.float32).base is None


def test_threads_do_not_share() -> None:
    """What is free in one thread could be taken in another between the look at it and the taking."""
    mine, theirs = address(workspace.empty(SHAPE, np.float32)), []
    thread = threading.Thread(target=lambda: theirs.append(address(workspace.empty(SHAPE, np.float32))))
    thread.start()
    thread.join()
    assert mine != theirs[0]


def test_only_so_many_are_kept() -> None:
    held = [workspace.empty((1024, 1024 + i), np.uint8) for i in range(3 * workspace.KEPT)]
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
            workspace.empty(shape, np.float64).fill(np.nan)
        again, grads = disturbed.loss_and_grads(batch)
        assert again == loss
        for name, gradient in grads.items():
            np.testing.assert_array_equal(gradient, expected[name])
        disturbed.step()
