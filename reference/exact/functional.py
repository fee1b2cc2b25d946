"""Functions between and after the layers: activations of one number, dropout and losses."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal

import numpy as np

from reference.exact.arithmetic import Number, Vector, numbers

Reduction = Literal["mean", "sum"]


def relu(m: Any, x: Number) -> Number:
    """max(x, 0); at exactly 0 the slope is 0, as in PyTorch."""
    return x if m.greater(x, 0) else m.number(0)


def tanh(m: Any, x: Number) -> Number:
    """The hyperbolic tangent."""
    return m.tanh(x)


def sigmoid(m: Any, x: Number) -> Number:
    """1 / (1 + exp(-x))."""
    return 1 / (1 + m.exp(-x))


def gelu(m: Any, x: Number) -> Number:
    """The product x Φ(x), Φ being the normal distribution function. Hendrycks and Gimpel 2016, https://arxiv.org/abs/1606.08415."""
    cdf = (1 + m.erf(x / m.sqrt(m.number(2)))) / 2
    return x * cdf


def gelu_tanh(m: Any, x: Number) -> Number:
    """The approximation x (1 + tanh(u)) / 2 of gelu, where u = sqrt(2/π) (x + 0.044715 x³)."""
    k = m.sqrt(2 / m.pi)
    t = m.tanh(k * (x + m.number(44715) / 10**6 * x * x * x))
    return x * (1 + t) / 2


def dropout(m: Any, x: Sequence[Vector], keep: np.ndarray | None, p: float) -> Sequence[Vector]:
    """0 where `keep` is false, x / (1 - p) elsewhere. Srivastava et al. 2014, in PyTorch's inverted form."""
    if keep is None:
        return x
    zero, rest = m.number(0), 1 - m.number(p)
    return [[u / rest if k else zero for u, k in zip(*line, strict=True)] for line in zip(x, keep, strict=True)]


def each(m: Any, activation: Callable[[Any, Number], Number], x: Vector) -> Vector:
    """The activation of each number; where the same number stands twice, the activation is the same number too."""
    found = {key: activation(m, u) for key, u in {id(u): u for u in x}.items()}
    return [found[id(u)] for u in x]


def over_time(m: Any, x: Vector, mode: Literal["max", "mean"]) -> Number:
    """The maximum over the steps of one channel, the first one of equal numbers, or the mean."""
    return largest(m, x) if mode == "max" else m.sum(x) / len(x)


def largest(m: Any, column: Vector) -> Number:
    """The maximum; the first one of equal numbers."""
    best = column[0]
    for x in column[1:]:
        if m.greater(x, best):
            best = x
    return best


def log_softmax(m: Any, logits: Vector, classes: Sequence[int]) -> Vector:
    """log(exp(x_c) / Σ_k exp(x_k)) of one row, for the classes c."""
    log_total = m.log(m.sum(m.exp(x) for x in logits))
    return [logits[c] - log_total for c in classes]


def log_sigmoid(m: Any, x: Number) -> Number:
    """log(1 / (1 + exp(-x)))."""
    return -m.log(1 + m.exp(-x))


def cross_entropy(
    m: Any,
    logits: Sequence[Vector],
    target: np.ndarray,
    weight: Sequence[float] | None = None,
    ignore_index: int = -100,
    reduction: Reduction = "mean",
    label_smoothing: float = 0.0,
) -> Number:
    """-Σ_n Σ_c weight_c q_nc log softmax(logits_n)_c, with q the target distribution smoothed to (1 - s) q + s / C.

    The mean divides by the weights of the targets that are not ignored; of probabilities, by their number.
    """
    classes, smoothing = range(len(logits[0])), m.number(label_smoothing)
    w = [m.number(factor) for factor in weight or [1] * len(classes)]
    losses, divisor = [], m.number(0)
    for line, label in zip(logits, target, strict=True):
        if target.ndim == 1 and label == ignore_index:
            continue
        q = dict(enumerate(numbers(m, label))) if target.ndim == 2 else {int(label): m.number(1)}
        aimed = classes if label_smoothing else [c for c in q if q[c] != 0]
        smoothed = [w[c] * ((1 - smoothing) * q.get(c, 0) + smoothing / len(classes)) for c in aimed]
        losses.append(-m.dot(smoothed, log_softmax(m, line, aimed)))
        divisor += 1 if target.ndim == 2 else w[label]
    return m.sum(losses) / (divisor if reduction == "mean" else 1)


def mse_loss(m: Any, output: Sequence[Vector], target: np.ndarray, reduction: Reduction = "mean") -> Number:
    """The mean or the sum of (output - target)² over all entries."""
    off = [y - c for pair in zip(output, numbers(m, target), strict=True) for y, c in zip(*pair, strict=True)]
    return m.dot(off, off) / (len(off) if reduction == "mean" else 1)
