"""What stands between the layers and after them: activations and losses."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray


def relu(x: Float[ndarray, "*shape"]) -> tuple[Float[ndarray, "*shape"], Callable]:
    """max(x, 0). Backward: the gradient passes where x > 0; at exactly 0 the slope is 0, as in PyTorch."""

    def backward(d: Float[ndarray, "*shape"]) -> Float[ndarray, "*shape"]:
        return d * (x > 0)

    return np.maximum(x, 0), backward


def log_softmax(logits: Float[ndarray, "N C"]) -> Float[ndarray, "N C"]:
    """log(exp(x) / sum(exp(x))) of each row, finite for every finite x since the largest is taken out first."""
    shifted = logits - logits.max(axis=1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))


def log_sigmoid(x: Float[ndarray, "*shape"]) -> tuple[Float[ndarray, "*shape"], Callable]:
    """log(1 / (1 + exp(-x))), finite and exact to the last digits for every x. Backward: d * (1 - sigmoid(x)).

    Only exp(-|x|) is ever taken, so nothing overflows; and 1 - sigmoid(x) is computed as sigmoid(-x), since a saturated
    sigmoid would lose its digits in the difference.
    """
    exp = np.exp(-np.abs(x))

    def backward(d: Float[ndarray, "*shape"]) -> Float[ndarray, "*shape"]:
        return d * np.where(x < 0, 1, exp) / (1 + exp)

    return np.minimum(x, 0) - np.log1p(exp), backward


def cross_entropy(
    logits: Float[ndarray, "N C"], target: Int[ndarray, " N"], reduction: Literal["mean", "sum"] = "mean"
) -> tuple[np.floating, Callable]:
    """-log softmax(logits)[target], reduced over N. Backward: (probabilities - onehot(target)), over N for the mean.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.cross_entropy.html
    """
    log_probabilities = log_softmax(logits)
    n = np.arange(len(target))
    divisor = logits.dtype.type(len(target) if reduction == "mean" else 1)

    def backward() -> Float[ndarray, "N C"]:
        d = np.exp(log_probabilities)
        d[n, target] -= 1
        return d / divisor

    return -log_probabilities[n, target].sum() / divisor, backward
