"""The embedding lookup."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from reference import cases
from reference.exact.arithmetic import Number, Vector, numbers


def embedding(m: Any, ids: np.ndarray, weight: Sequence[Vector], padding_idx: int | None = None) -> list[Any]:
    """weight[ids]. The padding row is a constant and gets no gradient."""
    if ids.ndim > 1:
        return [embedding(m, some, weight, padding_idx) for some in ids]
    return [[m.detach(w) for w in weight[i]] if i == padding_idx else weight[i] for i in ids]


def renorm(m: Any, weight: Any, ids: np.ndarray, max_norm: float, norm_type: float) -> None:
    """Scale looked-up rows that are longer than max_norm down to that norm; 1e-7 as in PyTorch."""
    limit, power = m.number(max_norm), m.number(norm_type)
    for i in np.unique(ids):
        norm = m.sum(abs(m.detach(w)) ** power for w in weight[i]) ** (1 / power)
        if m.greater(norm, limit):
            weight[i] = [m.assign(w, m.detach(w) * (limit / (norm + m.number(1e-7)))) for w in weight[i]]


def loss(m: Any, model: cases.Embedding, p: dict[str, Any], batch: cases.LookupBatch) -> Number:
    """The loss of a lookup alone, for a given upstream gradient."""
    weight = p["embedding.weight"]
    if model.max_norm is not None:
        renorm(m, weight, batch.ids, model.max_norm, model.norm_type)
    output = embedding(m, batch.ids.reshape(-1), weight, model.padding_idx)
    upstream = numbers(m, batch.upstream.reshape(len(output), -1))
    return m.sum(m.dot(*pair) for pair in zip(output, upstream, strict=True))
