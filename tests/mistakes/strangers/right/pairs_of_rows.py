"""Negative sampling whose gradients are pairs (rows, values) in the order in which they came up, not added together.

As PyTorch hands over what is not coalesced, and TensorFlow its IndexedSlices.
"""

import numpy as np

from reference import Unsupported
from reference.cases import SGD, NegativeSampling, SkipGram


class Slices:
    def __init__(self, case, weights):
        self.case, self.tables = case, weights

    def loss_and_grads(self, batch):
        inner, outer = self.tables["center.weight"], self.tables["context.weight"]
        words = np.hstack([batch.negatives, batch.contexts[:, None]])
        counted = np.ones(words.shape, inner.dtype)
        if self.case.model.objective.accidental_hits == "mask":
            counted[:, :-1] -= batch.negatives == batch.contexts[:, None]
        h, rows = inner[batch.centers], outer[words]
        scores = (rows * h[:, None]).sum(axis=2)
        scores[:, -1] *= -1  # softplus of it is the loss, for a yes and for a no
        over = np.maximum(scores, 0)
        loss = counted * (over + np.log(np.exp(-over) + np.exp(scores - over)))
        d = counted / (1 + np.exp(-scores))
        d[:, -1] *= -1
        if self.case.model.reduction == "mean":
            loss, d = loss / len(h), d / len(h)
        values = (d[:, :, None] * h[:, None]).reshape(-1, h.shape[1])
        self.g = {
            "center.weight": (batch.centers, (d[:, :, None] * rows).sum(axis=1)),
            "context.weight": (words.reshape(-1), values),
        }
        return loss.sum(), self.g

    def step(self):
        for name, (rows, values) in self.g.items():
            np.subtract.at(self.tables[name], rows, self.case.optimizer.lr * values)

    def params(self):
        return self.tables


def build(case, weights):
    known = isinstance(case.model, SkipGram) and isinstance(case.model.objective, NegativeSampling)
    if not known or not case.sparse or case.optimizer != SGD(case.optimizer.lr) or case.max_norm or case.lr_decay_to:
        raise Unsupported("skip-gram with negatives, row gradients and SGD")
    return Slices(case, weights)
