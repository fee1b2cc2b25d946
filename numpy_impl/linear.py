"""The dense layer."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from reference import cases
from reference.contract import Grads, Params


def linear(
    x: Float[ndarray, "B D"], weight: Float[ndarray, "H D"], bias: Float[ndarray, " H"]
) -> tuple[Float[ndarray, "B H"], Callable]:
    """Compute x @ weight.T + bias. Backward: the gradients of x, weight and bias; the bias sums over the batch."""

    def backward(d: Float[ndarray, "B H"]) -> tuple[ndarray, ndarray, ndarray]:
        return d @ weight, d.T @ x, d.sum(axis=0)

    return x @ weight.T + bias, backward


class Linear:
    """A dense layer alone, with a given upstream gradient."""

    def __init__(self, model: cases.Linear, sparse: bool) -> None:
        pass

    def forward(self, p: Params, batch: cases.DenseBatch) -> tuple[np.floating, Callable[[], Grads]]:
        output, d_output = linear(batch.input, p["linear.weight"], p["linear.bias"])
        loss = (output * batch.upstream).sum()

        def backward() -> Grads:
            d, weight, bias = d_output(batch.upstream)
            return {"linear.weight": weight, "linear.bias": bias, "input": d}

        return loss, backward
