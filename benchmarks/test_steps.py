"""A whole training step: forward, loss, backward, and the update by SGD. Neither side validates its input."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, logsigmoid

import numpy_impl
from benchmarks import floor
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
    """Check that the gradients of the first step equal those of PyTorch, dense or as rows."""
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


by_size = pytest.mark.parametrize("size", SIZES, ids=lambda size: size.name)


@by_size
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
    known = {"floor": floor.classifier(size, len(grads["embedding.weight"].rows))}
    race("classifier step", size.name, step, rivals, known)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of the compiler
@by_size
def test_classifier_step_compiled(measure, size: Size) -> None:
    """PyTorch compiled and warmed up: the whole model for dense gradients, only the layers for row gradients."""
    case, weights, batch = drawn("classifier", size)
    step, _ = numpy_step(case, weights, batch)
    ids, labels = torch.from_numpy(batch.ids), torch.from_numpy(batch.labels)
    bag = classifier(nn.EmbeddingBag(size.V, size.D, mode="mean", sparse=True), size)
    forms = {"compiled layers, rows": (bag, torch.compile(lambda pooled: cross_entropy(bag[1:](pooled), labels)))}
    if size.V <= 10_000:
        whole = classifier(MeanOfEmbedding(size.V, size.D), size)
        forms["compiled, dense"] = (whole, torch.compile(lambda ids: cross_entropy(whole(ids), labels)))
    contenders = {"numpy": step}
    for name, (module, loss) in forms.items():
        module.load_state_dict({name: torch.from_numpy(weight) for name, weight in weights.items()})
        optimizer = torch.optim.SGD(module.parameters(), case.optimizer.lr)

        def compiled(module=module, loss=loss, optimizer=optimizer) -> None:
            optimizer.zero_grad()
            loss(module[0](ids) if module is bag else ids).backward()
            optimizer.step()

        compiled()
        contenders[name] = compiled
    measure("classifier step, compiled", size.name, contenders)


@pytest.mark.parametrize("size", SIZES[:3], ids=lambda size: size.name)
def test_skipgram_step(race, size: Size) -> None:
    """The softmax over the whole vocabulary. It has B·V logits, which are too many at size L.

    The rivals are PyTorch, and the three matrix products that both sides need.
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

    rivals, known = {"PyTorch": torchs, "products": products}, {"floor": floor.softmax(size)}
    race("skip-gram softmax", size.name, step, rivals, known)


class Negatives(nn.Module):
    def __init__(self, size: Size, sparse: bool, product: Callable[[Tensor, Tensor], Tensor]) -> None:
        super().__init__()
        self.center, self.context = (nn.Embedding(size.V, size.D, sparse=sparse) for _ in range(2))
        self.product = product

    def forward(self, centers: Tensor, words: Tensor, signs: Tensor) -> Tensor:
        scores = self.product(self.center(centers), self.context(words))
        return -logsigmoid(signs * scores).sum() / len(centers)


PRODUCTS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "matmul": lambda hidden, rows: (rows @ hidden[:, :, None])[:, :, 0],
    "einsum": lambda hidden, rows: torch.einsum("nd,nkd->nk", hidden, rows),
}


@by_size
def test_negative_sampling_step(race, size: Size) -> None:
    """Five separate negatives for each of B pairs."""
    case, weights, batch = drawn("negatives", size)
    step, grads = numpy_step(case, weights, batch)
    words = np.concatenate([batch.contexts[:, None], batch.negatives], axis=1)
    inputs = [torch.from_numpy(array) for array in (batch.centers, words)]
    signs = torch.full(words.shape, -1.0)
    signs[:, 0] = 1
    rivals = {}
    for name, product in PRODUCTS.items():
        module = Negatives(size, True, product)
        module.load_state_dict({name: torch.from_numpy(weight) for name, weight in weights.items()})
        optimizer = torch.optim.SGD(module.parameters(), case.optimizer.lr)

        def rival(module=module, optimizer=optimizer) -> None:
            optimizer.zero_grad()
            module(*inputs, signs).backward()
            optimizer.step()

        rival()
        assert_same(grads, {name: parameter.grad for name, parameter in module.named_parameters()})
        rivals[f"Embedding, sparse, {name}"] = rival
    rows = sum(len(grad.rows) for grad in grads.values())
    race("negative sampling", size.name, step, rivals, {"floor": floor.negatives(size, 7 * size.B, rows)})
