"""Skip-gram: a centre word predicts the words around it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from numpy_impl.embedding import embedding
from numpy_impl.objectives import objective_of
from reference import cases
from reference.contract import Grads, Params


class SkipGram:
    """The vector of a centre word predicts the words of its context, or the nodes on the paths to them."""

    def __init__(self, model: cases.SkipGram, sparse: bool) -> None:
        self.objective, self.output, self.sparse = objective_of(model, sparse), model.output, sparse

    def forward(self, p: Params, batch: cases.PairBatch | cases.BlockBatch) -> tuple[np.floating, Callable[[], Grads]]:
        hidden, d_hidden = embedding(batch.centers, p["center.weight"], self.sparse)
        loss, d_loss = self.objective(hidden, p[self.output], batch)

        def backward() -> Grads:
            g: Grads = {}
            d, g[self.output] = d_loss()
            g["center.weight"] = d_hidden(d)
            return g

        return loss, backward
