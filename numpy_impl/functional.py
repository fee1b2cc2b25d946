"""Activations, dropout and losses, each with its backward pass."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray

from numpy_impl.kernels.losses import cross_entropy_of_indices

Reduction = Literal["mean", "sum"]


def relu(x: Float[ndarray, "*shape"]) -> tuple[Float[ndarray, "*shape"], Callable]:
    """max(x, 0). Backward: the gradient passes where x > 0; at exactly 0 the slope is 0, as in PyTorch."""

    def backward(d: Float[ndarray, "*shape"]) -> Float[ndarray, "*shape"]:
        return d * (x > 0)

    return np.maximum(x, 0), backward


def tanh(x: Float[ndarray, "*shape"]) -> tuple[Float[ndarray, "*shape"], Callable]:
    """The hyperbolic tangent. Backward: times 1 - y², where y is the output."""
    y = np.tanh(x)

    def backward(d: Float[ndarray, "*shape"]) -> Float[ndarray, "*shape"]:
        return d * (1 - y * y)

    return y, backward


def sigmoid(x: Float[ndarray, "*shape"]) -> tuple[Float[ndarray, "*shape"], Callable]:
    """1 / (1 + exp(-x)), without overflow on either side. Backward: times y (1 - y), where y is the output."""
    small = np.exp(-np.abs(x))
    y = np.where(x >= 0, 1, small) / (1 + small)

    def backward(d: Float[ndarray, "*shape"]) -> Float[ndarray, "*shape"]:
        return d * y * (1 - y)

    return y, backward


def gelu(x: Float[ndarray, "*shape"]) -> tuple[Float[ndarray, "*shape"], Callable]:
    """The product x Φ(x), Φ the normal distribution function. Backward: times Φ(x) + x φ(x), φ the density.

    Hendrycks and Gimpel 2016, https://arxiv.org/abs/1606.08415.
    """
    cdf = (1 + np.asarray(_erf(x * math.sqrt(0.5)), x.dtype)) / 2

    def backward(d: Float[ndarray, "*shape"]) -> Float[ndarray, "*shape"]:
        density = np.exp(-x * x / 2) * (1 / math.sqrt(2 * math.pi))
        return d * (cdf + x * density)

    return x * cdf, backward


_erf = np.frompyfunc(math.erf, 1, 1)  # NumPy has no erf


def gelu_tanh(x: Float[ndarray, "*shape"]) -> tuple[Float[ndarray, "*shape"], Callable]:
    """The approximation x (1 + tanh(u)) / 2 of gelu, u = sqrt(2/π) (x + 0.044715 x³): `gelu(approximate="tanh")`."""
    k = math.sqrt(2 / math.pi)
    t = np.tanh(k * (x + 0.044715 * x**3))

    def backward(d: Float[ndarray, "*shape"]) -> Float[ndarray, "*shape"]:
        return d * ((1 + t) / 2 + x * (1 - t * t) / 2 * k * (1 + 3 * 0.044715 * x * x))

    return x * (1 + t) / 2, backward


def dropout(
    x: Float[ndarray, "B H"], keep: Bool[ndarray, "B H"] | None, p: float
) -> tuple[Float[ndarray, "B H"], Callable]:
    """Zero where `keep` is false, x / (1 - p) elsewhere, which keeps the mean. Backward: the same for the gradient.
    Without a mask it changes nothing.

    Srivastava et al. 2014, in PyTorch's inverted form; the mask is part of the batch.
    """
    if keep is None:
        return x, lambda d: d

    def backward(d: Float[ndarray, "B H"]) -> Float[ndarray, "B H"]:
        return d * keep / (1 - p)

    return x * keep / (1 - p), backward


def within(lengths: Int[ndarray, " B"], steps: int) -> Bool[ndarray, "B T"]:
    """Which of the steps are within the length of each sequence."""
    return np.arange(steps) < lengths[:, None]


def cut(x: Float[ndarray, "B T D"], lengths: Int[ndarray, " B"]) -> tuple[Float[ndarray, "B T D"], Callable]:
    """Zeros beyond the length of each sequence. Backward: the same for the gradient."""
    inside = within(lengths, x.shape[1])[:, :, None]

    def backward(d: Float[ndarray, "B T D"]) -> Float[ndarray, "B T D"]:
        return d * inside

    return x * inside, backward


def over_time(
    x: Float[ndarray, "B H T"], inside: Bool[ndarray, "B T"], mode: Literal["max", "mean"]
) -> tuple[Float[ndarray, "B H"], Callable]:
    """The maximum or the mean over the steps that are inside; each sequence has at least one.

    Backward: to the first step that has the maximum, or 1/n to each of n steps. Steps outside get nothing.
    """
    inside = inside[:, None]
    if mode == "max":
        first = np.where(inside, x, -np.inf).argmax(axis=2)[:, :, None]
        share = np.arange(x.shape[2]) == first
        pooled = np.take_along_axis(x, first, axis=2)[:, :, 0]
    else:
        share = inside / inside.sum(axis=2, keepdims=True).astype(x.dtype)
        pooled = (x * share).sum(axis=2)

    def backward(d: Float[ndarray, "B H"]) -> Float[ndarray, "B H T"]:
        return d[:, :, None] * share

    return pooled, backward


def log_softmax(logits: Float[ndarray, "N C"]) -> Float[ndarray, "N C"]:
    """log(exp(x) / sum(exp(x))) of each row. It is finite for every finite x, since the largest is subtracted first."""
    shifted = logits - logits.max(axis=1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))


def log_sigmoid(x: Float[ndarray, "*shape"]) -> tuple[Float[ndarray, "*shape"], Callable]:
    """log(1 / (1 + exp(-x))), finite and exact to the last digits for every x. Backward: d * (1 - sigmoid(x)).

    Only exp(-|x|) is computed, so nothing overflows. 1 - sigmoid(x) is computed as sigmoid(-x), because the difference
    would lose its digits where the sigmoid is saturated.
    """
    exp = np.exp(-np.abs(x))

    def backward(d: Float[ndarray, "*shape"]) -> Float[ndarray, "*shape"]:
        return d * np.where(x < 0, 1, exp) / (1 + exp)

    return np.minimum(x, 0) - np.log1p(exp), backward


def cross_entropy(
    logits: Float[ndarray, "N C"],
    target: Int[ndarray, " N"] | Float[ndarray, "N C"],
    weight: Float[ndarray, " C"] | None = None,
    ignore_index: int = -100,
    reduction: Reduction = "mean",
    label_smoothing: float = 0.0,
) -> tuple[np.floating, Callable]:
    """-Σ_c weight_c q_c log softmax(logits)_c, reduced over N, where q is the target distribution.

    q is onehot(target), or the target itself if it holds probabilities; with smoothing it is (1 - s) q + s / C. The
    mean divides by the weights of the targets that are not ignored; for probabilities, by N. Backward: Σ_c weight_c q_c
    times the probabilities, minus weight q. For a class index without options, that is probabilities - onehot. If all
    targets are ignored, the mean is NaN and its gradient 0.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.CrossEntropyLoss.html
    """
    n, classes = logits.shape
    if target.ndim == 1 and weight is None and not label_smoothing and not np.count_nonzero(target == ignore_index):
        return cross_entropy_of_indices(logits, target, reduction)
    weight = np.ones(classes, logits.dtype) if weight is None else weight
    log_probabilities = log_softmax(logits)
    if target.ndim == 2:
        q, divisor = target, n
    else:
        counted = target != ignore_index
        q = np.zeros_like(logits)
        q[counted, target[counted]] = 1
        divisor = weight[target[counted]].sum()
    if label_smoothing:
        q = (1 - label_smoothing) * q + label_smoothing / classes
        if target.ndim == 1:
            q *= counted[:, None]
    q = weight * q
    if reduction == "sum":
        divisor = 1

    def backward() -> Float[ndarray, "N C"]:
        d = np.exp(log_probabilities) * q.sum(axis=1, keepdims=True) - q
        return d / logits.dtype.type(divisor) if divisor else d

    loss = -(q * log_probabilities).sum()
    return (loss / logits.dtype.type(divisor) if divisor else logits.dtype.type(np.nan)), backward


def mse_loss(
    output: Float[ndarray, "N C"], target: Float[ndarray, "N C"], reduction: Reduction = "mean"
) -> tuple[np.floating, Callable]:
    """(output - target)², the mean or sum over all N·C entries. Backward: twice the difference, over N·C for the mean.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.MSELoss.html
    """
    off = output - target
    divisor = off.dtype.type(off.size if reduction == "mean" else 1)

    def backward() -> Float[ndarray, "N C"]:
        return 2 * off / divisor

    return (off * off).sum() / divisor, backward
