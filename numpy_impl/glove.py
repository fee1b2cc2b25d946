"""GloVe: weighted least squares on the logarithms of co-occurrence counts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from numpy_impl.embedding import embedding
from reference import cases
from reference.contract import Grads, Params


def weighting(counts: Float[ndarray, " N"], x_max: float, alpha: float) -> Float[ndarray, " N"]:
    """min((x / x_max)**alpha, 1): rare pairs count less, and no pair counts more than 1."""
    return np.minimum((counts / x_max) ** alpha, 1)


def least_squares(
    scores: Float[ndarray, " N"],
    counts: Float[ndarray, " N"],
    x_max: float,
    alpha: float,
    reduction: Literal["mean", "sum"],
) -> tuple[np.floating, Callable[[], Float[ndarray, " N"]]]:
    """The weighted squares of scores - log(counts). Backward: the gradient of the scores."""
    difference = scores - np.log(counts)
    weighted = weighting(counts, x_max, alpha) * difference
    divisor = scores.dtype.type(len(scores) if reduction == "mean" else 1)

    def backward() -> Float[ndarray, " N"]:
        return 2 * weighted / divisor

    return (weighted * difference).sum() / divisor, backward


class GloVe:
    """The vectors and biases of a pair give its score, which should equal the logarithm of its count."""

    def __init__(self, model: cases.GloVe, sparse: bool) -> None:
        self.model, self.sparse = model, sparse

    def forward(self, p: Params, batch: cases.CooccurrenceBatch) -> tuple[np.floating, Callable[[], Grads]]:
        model, sparse = self.model, self.sparse
        center, d_center = embedding(batch.centers, p["center.weight"], sparse)
        context, d_context = embedding(batch.contexts, p["context.weight"], sparse)
        center_bias, d_center_bias = embedding(batch.centers, p["center_bias.weight"], sparse)
        context_bias, d_context_bias = embedding(batch.contexts, p["context_bias.weight"], sparse)
        scores = ((center * context).sum(axis=1, keepdims=True) + center_bias + context_bias)[:, 0]
        loss, d_loss = least_squares(scores, batch.counts, model.x_max, model.alpha, model.reduction)

        def backward() -> Grads:
            g: Grads = {}
            d = d_loss()[:, None]
            g["context_bias.weight"] = d_context_bias(d)
            g["center_bias.weight"] = d_center_bias(d)
            g["context.weight"] = d_context(d * center)
            g["center.weight"] = d_center(d * context)
            return g

        return loss, backward
