"""GloVe: weighted least squares on the logarithms of co-occurrence counts."""

from __future__ import annotations

from typing import Any

from reference import cases
from reference.exact.arithmetic import Number, numbers
from reference.exact.embedding import embedding
from reference.exact.objectives import reduced


def weighting(m: Any, count: Number, x_max: float, alpha: float) -> Number:
    """min((x / x_max)^alpha, 1). Pennington et al. 2014, equation 9."""
    if m.greater(count, m.number(x_max)):
        return m.number(1)
    return (count / m.number(x_max)) ** m.number(alpha)


def loss(m: Any, model: cases.GloVe, p: dict[str, Any], batch: cases.CooccurrenceBatch) -> Number:
    """The mean or sum over pairs of f(x) (w · c + b_w + b_c - log x)². Pennington et al. 2014, equation 8."""
    center = embedding(m, batch.centers, p["center.weight"])
    context = embedding(m, batch.contexts, p["context.weight"])
    center_bias = embedding(m, batch.centers, p["center_bias.weight"])
    context_bias = embedding(m, batch.contexts, p["context_bias.weight"])
    losses = []
    counts = numbers(m, batch.counts)
    for w, c, (b_w,), (b_c,), x in zip(center, context, center_bias, context_bias, counts, strict=True):
        score = m.dot(w, c) + b_w + b_c
        difference = score - m.log(x)
        weighted = weighting(m, x, model.x_max, model.alpha) * difference
        losses.append(weighted * difference)
    return reduced(m, losses, model.reduction)
