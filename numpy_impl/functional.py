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


def cross_entropy(
    logits: Float[ndarray, "N C"], target: Int[ndarray, " N"], reduction: Literal["mean", "sum"] = "mean"
) -> tuple[np.floating, Callable]:
    """-log softmax(logits)[target], reduced over N. Backward: (probabilities - onehot(target)), over N for the mean.

    Finite for every finite logit, since the largest of a row is taken out first; each is exponentiated once.
    https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.cross_entropy.html
    """
    n = np.arange(len(target))
    divisor = logits.dtype.type(len(target) if reduction == "mean" else 1)
    shifted = logits - logits.max(axis=1, keepdims=True)
    at_target = shifted[n, target]
    probabilities = np.exp(shifted, out=shifted)
    total = probabilities.sum(axis=1, keepdims=True)
    probabilities /= total

    def backward() -> Float[ndarray, "N C"]:
        d = probabilities / divisor
        d[n, target] = (probabilities[n, target] - 1) / divisor
        return d

    return (np.log(total[:, 0]) - at_target).sum() / divisor, backward
