"""The lookup of a batch of bags, and its gradient back to the rows."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from benchmarks.sizes import SIZES, Size, case_of, ready
from numpy_impl.embedding import embedding
from reference import data
from reference.run import TWINS


def forward(name: str, ids: np.ndarray, weight: np.ndarray):
    """A function that looks the ids up, and what it returned once."""
    if name == "numpy_impl":
        return lambda: embedding(ids, weight, True)
    layer = torch.nn.Embedding.from_pretrained(torch.tensor(weight), freeze=False, sparse=True)
    tensor = torch.tensor(ids)
    return lambda: layer(tensor)


@pytest.mark.parametrize("name", TWINS)
@pytest.mark.parametrize("size", SIZES, ids=lambda size: size.name)
def test_embedding_forward(benchmark, size: Size, name: str) -> None:
    case = case_of("embedding", size)
    ready(case)
    weight, ids = data.weights(case)["embedding.weight"], next(data.batches(case)).ids
    look_up = forward(name, ids, weight)
    output = look_up()[0] if name == "numpy_impl" else look_up().detach().numpy()
    np.testing.assert_array_equal(output, weight[ids])
    benchmark.group = f"embedding forward {size.name}"
    benchmark(look_up)


@pytest.mark.parametrize("name", TWINS)
@pytest.mark.parametrize("size", SIZES, ids=lambda size: size.name)
def test_embedding_backward(benchmark, size: Size, name: str) -> None:
    """To distinct rows, sorted: PyTorch's gradient is coalesced."""
    case = case_of("embedding", size)
    ready(case)  # which compares these very gradients
    weight, batch = data.weights(case)["embedding.weight"], next(data.batches(case))
    output = forward(name, batch.ids, weight)()
    if name == "numpy_impl":
        backward = output[1]

        def run():
            return backward(batch.upstream)
    else:
        upstream = torch.tensor(batch.upstream)
        (parameter,) = [output.grad_fn.next_functions[0][0].variable]

        def run():
            return torch.autograd.grad(output, parameter, upstream, retain_graph=True)[0].coalesce()

    benchmark.group = f"embedding backward {size.name}"
    benchmark(run)
