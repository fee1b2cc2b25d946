"""Bags of embeddings, pooled: fixed or ragged, by mean, sum or maximum, with padding and weights."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from numpy_impl.embedding import by_frequency, embedding, renorm
from numpy_impl.kernels.bags import TableGrad, bag_max, bag_sum, mean_bag
from numpy_impl.kernels.rows import rows_of
from reference import cases
from reference.contract import Grads, Params


def embedding_bag(
    ids: Int[ndarray, "B L"] | Int[ndarray, " N"],
    weight: Float[ndarray, "V D"],
    sparse: bool,
    offsets: Int[ndarray, " offsets"] | None = None,
    mode: Literal["mean", "sum", "max"] = "mean",
    padding_idx: int | None = None,
    include_last_offset: bool = False,
) -> tuple[Float[ndarray, "B D"], Callable]:
    """Pool the vectors of each bag. Backward: the gradient of the pooled vectors → that of the table.

    With the mean, each occurrence of an id gets 1/L of its bag's gradient; with the sum, all of it. With the maximum,
    each column's gradient goes to the first vector with the maximum. Padding is left out. An empty bag is zero.
    """
    if ids.ndim == 2 and padding_idx is None and mode == "mean":
        return mean_bag(ids, weight, sparse)
    all_ids, bag, bags = flat(ids, offsets, include_last_offset)
    if padding_idx is not None:
        counted = all_ids != padding_idx
        all_ids, bag = all_ids[counted], bag[counted]
    sizes = np.bincount(bag, minlength=bags)
    if mode == "max":
        vectors, d_vectors = embedding(all_ids, weight, sparse)
        pooled, first = bag_max(vectors, bag, sizes)

        def backward(d: Float[ndarray, "B D"]) -> TableGrad:
            d_winners = np.zeros_like(vectors)
            d_winners[first, np.arange(d.shape[1])] = d[sizes > 0]
            return d_vectors(d_winners)
    else:
        divisor = (np.maximum(sizes, 1) if mode == "mean" else np.ones_like(sizes)).astype(weight.dtype)[:, None]
        pooled = bag_sum(weight, all_ids, sizes) / divisor

        def backward(d: Float[ndarray, "B D"]) -> TableGrad:
            rows = rows_of(all_ids, d / divisor, len(weight), bag)
            return rows if sparse else rows.dense()

    return pooled, backward


def weighted_bag(
    ids: Int[ndarray, "B L"] | Int[ndarray, " N"],
    weight: Float[ndarray, "V D"],
    per_sample_weights: Float[ndarray, "*ids"],
    sparse: bool,
    offsets: Int[ndarray, " offsets"] | None = None,
    padding_idx: int | None = None,
    include_last_offset: bool = False,
) -> tuple[Float[ndarray, "B D"], Callable]:
    """The sum of each bag's vectors times their weights. Backward: the gradients of the table and of the weights.

    A weight's gradient is the dot product of its vector and its bag's gradient. For padding it is zero.
    """
    all_ids, bag, bags = flat(ids, offsets, include_last_offset)
    counted = np.ones(len(all_ids), bool) if padding_idx is None else all_ids != padding_idx
    bag, scale = bag[counted], per_sample_weights.reshape(-1)[counted][:, None]
    vectors, d_vectors = embedding(all_ids[counted], weight, sparse)

    def backward(d: Float[ndarray, "B D"]) -> tuple[TableGrad, Float[ndarray, "*ids"]]:
        d_weights = np.zeros(len(all_ids), d.dtype)
        d_weights[counted] = (vectors * d[bag]).sum(axis=1)
        return d_vectors(scale * d[bag]), d_weights.reshape(per_sample_weights.shape)

    return bag_sum(scale * vectors, np.arange(len(bag)), np.bincount(bag, minlength=bags)), backward


def flat(
    ids: Int[ndarray, "B L"] | Int[ndarray, " N"], offsets: Int[ndarray, " offsets"] | None, include_last_offset: bool
) -> tuple[Int[ndarray, " N"], Int[ndarray, " N"], int]:
    """The ids one after the other, the bag of each id, and the number of bags."""
    if offsets is None:
        return ids.reshape(-1), np.repeat(np.arange(len(ids)), ids.shape[1]), len(ids)
    ends = offsets[1:] if include_last_offset else np.append(offsets[1:], len(ids))
    sizes = ends - offsets[: len(ends)]
    return ids, np.repeat(np.arange(len(ends)), sizes), len(ends)


class EmbeddingBag:
    """Pooled bags alone, with a given upstream gradient."""

    def __init__(self, model: cases.EmbeddingBag, sparse: bool) -> None:
        self.model, self.sparse = model, sparse

    def forward(self, p: Params, batch: cases.Bags) -> tuple[np.floating, Callable[[], Grads]]:
        model, weight = self.model, p["embedding.weight"]
        if model.max_norm is not None:
            renorm(weight, batch.ids, model.max_norm, model.norm_type)
        if batch.per_sample_weights is not None:
            pooled, d_pooled = weighted_bag(
                batch.ids,
                weight,
                batch.per_sample_weights,
                self.sparse,
                batch.offsets,
                model.padding_idx,
                model.include_last_offset,
            )
        else:
            pooled, d_pooled = embedding_bag(
                batch.ids, weight, self.sparse, batch.offsets, model.mode, model.padding_idx, model.include_last_offset
            )
        loss = (pooled * batch.upstream).sum()

        def backward() -> Grads:
            if batch.per_sample_weights is None:
                gradient = d_pooled(batch.upstream)
                return {"embedding.weight": by_frequency(gradient, batch.ids) if model.scale_grad_by_freq else gradient}
            d_weight, d_per_sample_weights = d_pooled(batch.upstream)
            return {"embedding.weight": d_weight, "per_sample_weights": d_per_sample_weights}

        return loss, backward
