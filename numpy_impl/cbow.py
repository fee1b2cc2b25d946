"""CBOW: the words around it predict a centre word."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from numpy_impl.objectives import objective_of
from numpy_impl.rows import rows_of
from reference import cases
from reference.contract import Grads, Params, RowGrad


class CBOW:
    """A context's mean or sum, held by the objective against the centre or the nodes on the way to it."""

    def __init__(self, model: cases.CBOW, sparse: bool) -> None:
        self.objective, self.output, self.sparse = objective_of(model, sparse), model.output, sparse
        self.mode = model.mode

    def forward(self, p: Params, batch: cases.ContextBatch) -> tuple[np.floating, Callable[[], Grads]]:
        hidden, d_hidden = context_bag(batch.ids, batch.offsets, p["context.weight"], self.mode, self.sparse)
        loss, d_loss = self.objective(hidden, p[self.output], batch)

        def backward() -> Grads:
            g: Grads = {}
            d, g[self.output] = d_loss()
            g["context.weight"] = d_hidden(d)
            return g

        return loss, backward


def context_bag(
    ids: Int[ndarray, " I"],
    offsets: Int[ndarray, " N"],
    weight: Float[ndarray, "V D"],
    mode: Literal["mean", "sum"],
    sparse: bool,
) -> tuple[Float[ndarray, "N D"], Callable]:
    """The mean or sum of the vectors of each context, none of which is empty.

    Backward: every word of a context carries the context's gradient, divided as the forward pass divides. word2vec.c
    does not divide it (fastText#910, gensim#697, gensim#1873, https://arxiv.org/abs/2012.15332).
    """
    lengths = np.diff(offsets, append=len(ids))
    divisor = (lengths if mode == "mean" else np.ones_like(lengths)).astype(weight.dtype)[:, None]

    def backward(d: Float[ndarray, "N D"]) -> RowGrad | Float[ndarray, "V D"]:
        rows = rows_of(ids, np.repeat(d / divisor, lengths, axis=0), len(weight))
        return rows if sparse else rows.dense()

    return np.add.reduceat(weight[ids], offsets, axis=0) / divisor, backward
