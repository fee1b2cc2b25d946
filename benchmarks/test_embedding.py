"""The lookup of a batch of ids, the mean of its bags, and the gradient of each back to the rows."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional

from benchmarks.sizes import SIZES, Size, assert_near, drawn
from numpy_impl.embedding import embedding
from numpy_impl.embedding_bag import embedding_bag

by_size = pytest.mark.parametrize("size", SIZES, ids=lambda size: size.name)


def table_and_ids(size: Size) -> tuple[np.ndarray, np.ndarray, torch.Tensor, torch.Tensor]:
    _, weights, batch = drawn("embedding", size)
    weight = weights["embedding.weight"]
    return weight, batch.ids, torch.from_numpy(weight).requires_grad_(), torch.from_numpy(batch.ids)


@by_size
def test_lookup_forward(race, size: Size) -> None:
    weight, ids, table, tensor = table_and_ids(size)
    rivals = {"Embedding": lambda: functional.embedding(tensor, table, sparse=True)}
    np.testing.assert_array_equal(embedding(ids, weight, True)[0], rivals["Embedding"]().detach())
    race("lookup forward", size.name, lambda: embedding(ids, weight, True), rivals)


@by_size
def test_bag_forward(race, size: Size) -> None:
    weight, ids, table, tensor = table_and_ids(size)
    rivals = {
        "EmbeddingBag": lambda: functional.embedding_bag(tensor, table, mode="mean", sparse=True),
        "Embedding, mean": lambda: functional.embedding(tensor, table, sparse=True).mean(1),
    }
    for rival in rivals.values():
        assert_near(embedding_bag(ids, weight, True)[0], rival().detach().numpy())
    race("bag forward", size.name, lambda: embedding_bag(ids, weight, True), rivals)


def to_rows(output: torch.Tensor, table: torch.Tensor, upstream: np.ndarray):
    """PyTorch's gradient of the table, coalesced: distinct rows in order."""
    d = torch.from_numpy(upstream)

    def run() -> torch.Tensor:
        return torch.autograd.grad(output, table, d, retain_graph=True)[0].coalesce()

    return run


def race_to_rows(race, loop: str, size: Size, backward, upstream: np.ndarray, rivals: dict) -> None:
    got = backward(upstream)
    for rival in rivals.values():
        expected = rival()
        np.testing.assert_array_equal(got.rows, expected.indices()[0])
        assert_near(got.values, expected.values().numpy())
    race(loop, size.name, lambda: backward(upstream), rivals)


@by_size
def test_lookup_backward(race, size: Size) -> None:
    weight, ids, table, tensor = table_and_ids(size)
    upstream = np.random.default_rng(1).standard_normal((*ids.shape, size.D), np.float32)
    rivals = {"Embedding": to_rows(functional.embedding(tensor, table, sparse=True), table, upstream)}
    race_to_rows(race, "lookup backward", size, embedding(ids, weight, True)[1], upstream, rivals)


@by_size
def test_bag_backward(race, size: Size) -> None:
    weight, ids, table, tensor = table_and_ids(size)
    upstream = np.random.default_rng(1).standard_normal((size.B, size.D), np.float32)
    outputs = {
        "EmbeddingBag": functional.embedding_bag(tensor, table, mode="mean", sparse=True),
        "Embedding, mean": functional.embedding(tensor, table, sparse=True).mean(1),
    }
    rivals = {name: to_rows(output, table, upstream) for name, output in outputs.items()}
    race_to_rows(race, "bag backward", size, embedding_bag(ids, weight, True)[1], upstream, rivals)
