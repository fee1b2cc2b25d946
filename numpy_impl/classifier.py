"""Mean-pooled embedding, linear, ReLU, linear, cross-entropy."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from numpy_impl.embedding import embedding_bag
from numpy_impl.functional import cross_entropy, relu
from numpy_impl.linear import linear
from reference import cases
from reference.contract import Grads, Params


class Classifier:
    """Which class a bag of ids belongs to."""

    def __init__(self, model: cases.Classifier, sparse: bool) -> None:
        self.sparse = sparse

    def forward(self, p: Params, batch: cases.BagBatch) -> tuple[np.floating, Callable[[], Grads]]:
        pooled, d_pooled = embedding_bag(batch.ids, p["embedding.weight"], self.sparse)
        hidden, d_hidden = linear(pooled, p["fc1.weight"], p["fc1.bias"])
        active, d_active = relu(hidden)
        logits, d_logits = linear(active, p["fc2.weight"], p["fc2.bias"])
        loss, d_loss = cross_entropy(logits, batch.labels)

        def backward() -> Grads:
            g: Grads = {}
            d = d_loss()
            d, g["fc2.weight"], g["fc2.bias"] = d_logits(d)
            d = d_active(d)
            d, g["fc1.weight"], g["fc1.bias"] = d_hidden(d)
            g["embedding.weight"] = d_pooled(d)
            return g

        return loss, backward
