"""CBOW: the words around it predict a centre word."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from numpy_impl.embedding_bag import embedding_bag
from numpy_impl.objectives import objective_of
from reference import cases
from reference.contract import Grads, Params


class CBOW:
    """The mean or sum of a context predicts its centre word, or the nodes on the path to it."""

    def __init__(self, model: cases.CBOW, sparse: bool) -> None:
        self.objective, self.output, self.sparse = objective_of(model, sparse), model.output, sparse
        self.mode = model.mode

    def forward(self, p: Params, batch: cases.ContextBatch) -> tuple[np.floating, Callable[[], Grads]]:
        hidden, d_hidden = embedding_bag(batch.ids, p["context.weight"], self.sparse, batch.offsets, self.mode)
        loss, d_loss = self.objective(hidden, p[self.output], batch)

        def backward() -> Grads:
            g: Grads = {}
            d, g[self.output] = d_loss()
            g["context.weight"] = d_hidden(d)
            return g

        return loss, backward
