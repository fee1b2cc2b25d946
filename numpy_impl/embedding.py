"""The embedding lookup, and the bag that averages it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from numpy_impl.rows import blocks, rows_of
from reference import cases
from reference.contract import Grads, Params, RowGrad


def embedding(
    ids: Int[ndarray, "..."], weight: Float[ndarray, "V D"], sparse: bool
) -> tuple[Float[ndarray, "... D"], Callable]:
    """Look up weight[ids]. Backward: the gradient (..., D) of the vectors → that of the table, rows or (V, D)."""

    def backward(d: Float[ndarray, "... D"]) -> RowGrad | Float[ndarray, "V D"]:
        rows = rows_of(ids.reshape(-1), d.reshape(-1, d.shape[-1]), len(weight))
        return rows if sparse else rows.dense()

    return weight.take(ids, axis=0), backward


def embedding_bag(
    ids: Int[ndarray, "B L"], weight: Float[ndarray, "V D"], sparse: bool
) -> tuple[Float[ndarray, "B D"], Callable]:
    """The mean of the L vectors of each bag. Backward: each occurrence of an id carries 1/L of its bag's gradient."""
    length, row = ids.shape[1], weight[0]
    ones = np.ones(length, weight.dtype)
    sums = [ones @ embedding(some, weight, sparse)[0] for some in blocks(ids, length * row.nbytes)]

    def backward(d: Float[ndarray, "B D"]) -> RowGrad | Float[ndarray, "V D"]:
        bag = np.repeat(np.arange(len(ids)), length)
        rows = rows_of(ids.reshape(-1), d / length, len(weight), bag)
        return rows if sparse else rows.dense()

    return np.concatenate(sums) / length, backward


class Embedding:
    """A lookup alone, under a given upstream gradient."""

    def __init__(self, model: cases.Embedding, sparse: bool) -> None:
        self.sparse = sparse

    def forward(self, p: Params, batch: cases.LookupBatch) -> tuple[np.floating, Callable[[], Grads]]:
        output, d_output = embedding(batch.ids, p["embedding.weight"], self.sparse)
        loss = (output * batch.upstream).sum()

        def backward() -> Grads:
            return {"embedding.weight": d_output(batch.upstream)}

        return loss, backward
