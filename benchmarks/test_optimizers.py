"""One update of a table by an optimizer, in the rows that a batch looks up."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from benchmarks.sizes import SIZES, Size, assert_near, drawn
from numpy_impl.kernels.rows import rows_of
from numpy_impl.trainer import OPTIMIZERS
from reference.cases import SGD, Adagrad, SparseAdam

KINDS = [SGD(lr=0.01), SGD(lr=0.01, momentum=0.9), Adagrad(lr=0.01), SparseAdam(lr=0.001)]


@pytest.mark.parametrize("size", SIZES[1:3], ids=lambda size: size.name)
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.label)
def test_optimizer_of_rows(race, kind, size: Size) -> None:
    """PyTorch gets a coalesced gradient, its best case: otherwise its momentum would grow with every step."""
    _, weights, batch = drawn("embedding", size)
    ids, upstream = batch.ids.reshape(-1), np.random.default_rng(1).standard_normal((size.B, size.D), np.float32)
    grad = rows_of(ids, upstream, size.V, np.arange(size.B).repeat(size.L))
    params = {"embedding.weight": weights["embedding.weight"].copy()}
    optimizer = OPTIMIZERS[type(kind)](kind, params)

    table = torch.nn.Parameter(torch.from_numpy(weights["embedding.weight"]).clone())
    with torch.sparse.check_sparse_tensor_invariants(enable=False):
        rows = torch.from_numpy(grad.rows)[None], torch.from_numpy(grad.values)
        table.grad = torch.sparse_coo_tensor(*rows, grad.shape, is_coalesced=True)
    options = {part: getattr(kind, part) for part in ("lr", "momentum", "eps", "betas") if hasattr(kind, part)}
    rival = getattr(torch.optim, type(kind).__name__)([table], **options)

    def step() -> None:
        with torch.sparse.check_sparse_tensor_invariants(enable=False):
            rival.step()

    for _ in range(3):
        optimizer.step(params, {"embedding.weight": grad})
        step()
    assert_near(params["embedding.weight"], table.detach().numpy())
    race(
        f"optimizer {kind.label}",
        size.name,
        lambda: optimizer.step(params, {"embedding.weight": grad}),
        {f"torch.optim.{type(kind).__name__}": step},
    )
