"""The most common form of cross-entropy: class indices, none ignored, without weights or smoothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from numpy_impl.kernels.blocks import blocks
from numpy_impl.kernels.workspace import empty


def plain_cross_entropy_of_indices(
    logits: Float[ndarray, "N C"], target: Int[ndarray, " N"], reduction: Literal["mean", "sum"]
) -> tuple[np.floating, Callable]:
    """-log softmax(logits)[target], reduced over N. Backward: (probabilities - onehot(target)), over N for the mean.

    It is finite for all finite logits, since the largest of each row is subtracted first.
    """
    n, classes = logits.shape
    divisor = logits.dtype.type(n if reduction == "mean" else 1)
    shifted = logits - logits.max(axis=1, keepdims=True)
    log_probabilities = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    onehot = np.eye(classes, dtype=logits.dtype)[target]

    def backward() -> Float[ndarray, "N C"]:
        return (np.exp(log_probabilities) - onehot) / divisor

    return -(onehot * log_probabilities).sum() / divisor, backward


def cross_entropy_of_indices(
    logits: Float[ndarray, "N C"], target: Int[ndarray, " N"], reduction: Literal["mean", "sum"]
) -> tuple[np.floating, Callable]:
    """The same, with one exponential for each logit.

    Both the loss and its gradient are computed for a few rows at a time, while these are in the cache.
    """
    n, classes = logits.shape
    divisor, ones = logits.dtype.type(n if reduction == "mean" else 1), np.ones(classes, logits.dtype)
    d, loss, size = empty(logits.shape, logits.dtype), logits.dtype.type(0), classes * logits.itemsize
    for x, t, exp in zip(blocks(logits, size), blocks(target, size), blocks(d, size), strict=True):
        at_target = np.arange(0, x.size, classes) + t
        np.subtract(x, x.max(axis=1, keepdims=True), out=exp)
        score = exp.reshape(-1)[at_target]
        np.exp(exp, out=exp)
        total = exp @ ones
        loss += (np.log(total) - score).sum()
        exp.reshape(-1)[at_target] -= total
        exp *= (1 / (total * divisor))[:, None]
    return loss / divisor, lambda: d
