"""Skip-gram: a centre word predicts the words around it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from numpy_impl.embedding import embedding
from numpy_impl.functional import cross_entropy
from reference import cases
from reference.contract import Grads, Params


class SkipGram:
    """A softmax over the whole vocabulary: every context row takes part in every pair."""

    def __init__(self, model: cases.SkipGram, sparse: bool) -> None:
        self.reduction, self.sparse = model.reduction, sparse

    def forward(self, p: Params, batch: cases.PairBatch) -> tuple[np.floating, Callable[[], Grads]]:
        hidden, d_hidden = embedding(batch.centers, p["center.weight"], self.sparse)
        logits = hidden @ p["context.weight"].T
        loss, d_loss = cross_entropy(logits, batch.contexts, reduction=self.reduction)

        def backward() -> Grads:
            g: Grads = {}
            d = d_loss()
            g["context.weight"] = d.T @ hidden
            g["center.weight"] = d_hidden(d @ p["context.weight"])
            return g

        return loss, backward
