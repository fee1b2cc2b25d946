"""Bags of embeddings, pooled: fixed or ragged, by mean, sum or maximum, with padding and weights."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Literal

import numpy as np

from reference import cases
from reference.exact.arithmetic import Number, Vector, numbers
from reference.exact.embedding import renorm
from reference.exact.functional import largest


def embedding_bag(
    m: Any,
    ids: np.ndarray,
    weight: Sequence[Vector],
    offsets: np.ndarray | None = None,
    mode: Literal["mean", "sum", "max"] = "mean",
    padding_idx: int | None = None,
    include_last_offset: bool = False,
    per_sample_weights: Sequence[Any] | None = None,
) -> Sequence[Vector]:
    """Pool the vectors of each bag, without its padding. With weights, first multiply each vector by its weight."""
    if per_sample_weights is not None and ids.ndim == 2:
        per_sample_weights = [w for some in per_sample_weights for w in some]
    all_ids, pooled = ids.reshape(-1), list[Vector]()
    for places in bags(ids, offsets, include_last_offset):
        counted = [n for n in places if all_ids[n] != padding_idx]
        vectors = [weight[all_ids[n]] for n in counted]
        if not vectors:
            pooled.append([m.number(0)] * len(weight[0]))
        elif mode == "max":
            pooled.append([largest(m, column) for column in zip(*vectors, strict=True)])
        else:
            scale = [1 if per_sample_weights is None else per_sample_weights[n] for n in counted]
            divisor = len(vectors) if mode == "mean" else 1
            pooled.append([m.dot(scale, column) / divisor for column in zip(*vectors, strict=True)])
    return pooled


def bags(ids: np.ndarray, offsets: np.ndarray | None, include_last_offset: bool = False) -> list[range]:
    """Yield the positions of each bag among all ids."""
    if offsets is None:
        length = ids.shape[1]
        return [range(b * length, (b + 1) * length) for b in range(len(ids))]
    ends = [int(offset) for offset in offsets] + ([] if include_last_offset else [len(ids)])
    return [range(*pair) for pair in pairwise(ends)]


def loss(m: Any, model: cases.EmbeddingBag, p: dict[str, Any], batch: cases.Bags) -> Number:
    """The loss of pooled bags alone, for a given upstream gradient."""
    weight = p["embedding.weight"]
    if model.max_norm is not None:
        renorm(m, weight, batch.ids, model.max_norm, model.norm_type)
    pooled = embedding_bag(
        m,
        batch.ids,
        weight,
        batch.offsets,
        model.mode,
        model.padding_idx,
        model.include_last_offset,
        p.get("per_sample_weights"),
    )
    return m.sum(m.dot(*pair) for pair in zip(pooled, numbers(m, batch.upstream), strict=True))
