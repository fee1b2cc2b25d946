"""Two ways to check about 2,000 derivatives: exact values, and PyTorch's finite differences, one by one."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.func import functional_call
from torch.nn.functional import cross_entropy

from benchmarks.sizes import Size
from benchmarks.test_steps import MeanOfEmbedding, classifier
from reference.cases import SGD, Case, Classifier, Drawn
from reference.exact.trainer import Trainer

SIZE = Size("", 4, 3, 66, 20, 30)


@pytest.mark.slow
def test_derivatives_one_by_one(measure) -> None:
    model = Classifier(SIZE.V, SIZE.D, (SIZE.H,), 2)
    case = Case("", model, SGD(), Drawn((SIZE.B, SIZE.L)), steps=1)
    weights, (batch,) = case.weights(), case.batches()
    exact = Trainer(case, weights)

    module = classifier(MeanOfEmbedding(SIZE.V, SIZE.D), SIZE).double()
    ids, labels = torch.from_numpy(batch.ids), torch.from_numpy(batch.labels)
    names = list(weights)
    tensors = [torch.from_numpy(weight).requires_grad_() for weight in weights.values()]

    def loss(*parameters: torch.Tensor) -> torch.Tensor:
        return cross_entropy(functional_call(module, dict(zip(names, parameters, strict=True)), ids), labels)

    _, grads = exact.loss_and_grads(batch)
    for grad, expected in zip(grads.values(), torch.autograd.grad(loss(*tensors), tensors), strict=True):
        np.testing.assert_allclose(grad, expected, atol=1e-15)
    contenders = {
        "exact values": lambda: exact.loss_and_grads(batch),
        "gradcheck, slow mode": lambda: torch.autograd.gradcheck(loss, tensors),
    }
    measure("derivatives one by one", f"{sum(weight.size for weight in weights.values())}", contenders)
