"""A whole training step: forward, loss, backward, and the update by SGD; no validation on either side."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

import numpy_impl
from benchmarks.interleave import FLOOR
from benchmarks.sizes import SIZES, Size, assert_near, drawn
from reference.cases import Case
from reference.contract import Params, RowGrad

Step = Callable[[], None]


def numpy_step(case: Case, weights: Params, batch) -> tuple[Step, dict[str, np.ndarray | RowGrad]]:
    """A step of the NumPy twin, and the gradients of the first one."""
    trainer = numpy_impl.build(case, weights)
    model, optimizer, params = trainer.model, trainer.optimizer, trainer.weights

    def step() -> None:
        _, backward = model.forward(params, batch)
        trainer.grads = backward()
        optimizer.step(params, trainer.grads)

    step()
    return step, trainer.grads


def torch_step(module: nn.Module, weights: Params, lr: float, inputs: Tensor, target: Tensor) -> tuple[Step, dict]:
    """A step of a PyTorch model that gives logits, and its parameters after the first one."""
    module.load_state_dict({name: torch.from_numpy(weight) for name, weight in weights.items()})
    optimizer = torch.optim.SGD(module.parameters(), lr)

    def step() -> None:
        optimizer.zero_grad()
        cross_entropy(module(inputs), target).backward()
        optimizer.step()

    step()
    return step, {name: parameter.grad for name, parameter in module.named_parameters()}


def assert_same(grads: dict[str, np.ndarray | RowGrad], others: dict[str, Tensor]) -> None:
    """The gradients of the first step are those of PyTorch, be they rows or dense."""
    for name, grad in grads.items():
        other = others[name]
        if not isinstance(grad, RowGrad):
            assert_near(grad, other.to_dense().numpy())
        elif other.is_sparse:
            other = other.coalesce()
            np.testing.assert_array_equal(grad.rows, other.indices()[0])
            assert_near(grad.values, other.values().numpy())
        else:
            assert set(other.any(dim=1).nonzero()[:, 0].tolist()) <= set(grad.rows.tolist())
            assert_near(grad.values, other[torch.from_numpy(grad.rows)].numpy())


class MeanOfEmbedding(nn.Embedding):
    def forward(self, ids: Tensor) -> Tensor:
        return super().forward(ids).mean(1)


class SkipGram(nn.Module):
    def __init__(self, size: Size) -> None:
        super().__init__()
        self.center, self.context = nn.Embedding(size.V, size.D, sparse=True), nn.Embedding(size.V, size.D)

    def forward(self, centers: Tensor) -> Tensor:
        return self.center(centers) @ self.context.weight.T


def classifier(table: nn.Module, size: Size) -> nn.Module:
    layers = {"embedding": table, "fc1": nn.Linear(size.D, size.H), "relu": nn.ReLU(), "fc2": nn.Linear(size.H, 2)}
    return nn.Sequential(OrderedDict(layers))


@pytest.mark.parametrize("size", SIZES, ids=lambda size: size.name)
def test_classifier_step(race, size: Size) -> None:
    case, weights, batch = drawn("classifier", size)
    step, grads = numpy_step(case, weights, batch)
    tables = {
        "Embedding, dense": MeanOfEmbedding(size.V, size.D),
        "Embedding, sparse": MeanOfEmbedding(size.V, size.D, sparse=True),
        "EmbeddingBag, sparse": nn.EmbeddingBag(size.V, size.D, mode="mean", sparse=True),
    }
    tensors, rivals = (torch.from_numpy(batch.ids), torch.from_numpy(batch.labels)), {}
    for name, table in tables.items():
        rivals[name], others = torch_step(classifier(table, size), weights, case.optimizer.lr, *tensors)
        assert_same(grads, others)
    race("classifier step", size.name, step, rivals)


@pytest.mark.parametrize("size", SIZES[:3], ids=lambda size: size.name)
def test_skipgram_step(race, size: Size) -> None:
    """The softmax over the whole vocabulary, where every pair meets every word: B·V logits, too many at L.

    Beside PyTorch, the three matrix products that it cannot do without.
    """
    case, weights, batch = drawn("skipgram", size)
    step, grads = numpy_step(case, weights, batch)
    tensors = torch.from_numpy(batch.centers), torch.from_numpy(batch.contexts)
    torchs, others = torch_step(SkipGram(size), weights, case.optimizer.lr, *tensors)
    assert_same(grads, others)
    hidden, table = weights["center.weight"][batch.centers], weights["context.weight"]

    def products() -> None:
        logits = hidden @ table.T
        logits @ table, logits.T @ hidden

    race("skipgram step", size.name, step, {"PyTorch": torchs, FLOOR: products})
