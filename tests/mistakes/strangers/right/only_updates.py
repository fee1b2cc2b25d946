"""CBOW with negatives that only updates: no gradient is ever kept, and there is none to hand over.

Pair by pair in the manner of word2vec.c and of ZacBi/CS224n-2019-solutions, but from the weights before the batch.
"""

import numpy as np

from reference import Unsupported
from reference.cases import CBOW, SGD, NegativeSampling


class Updater:
    def __init__(self, case, weights):
        self.case, self.syn0, self.syn1 = case, weights["context.weight"], weights["center.weight"]

    def loss_and_grads(self, batch):
        model, cost = self.case.model, 0.0
        alpha = self.case.optimizer.lr / (len(batch.centers) if model.reduction == "mean" else 1)
        new0, new1 = self.syn0.copy(), self.syn1.copy()
        ends = np.append(batch.offsets[1:], len(batch.ids))
        for start, end, word, negatives in zip(batch.offsets, ends, batch.centers, batch.negatives, strict=True):
            context = batch.ids[start:end]
            count = len(context) if model.mode == "mean" else 1
            neu1 = self.syn0[context].sum(axis=0) / count
            neu1e = np.zeros_like(neu1)
            for target, sign in [(word, 1), *((negative, -1) for negative in negatives)]:
                if sign < 0 and target == word and model.objective.accidental_hits == "mask":
                    continue
                x = sign * float(neu1 @ self.syn1[target])
                cost += np.logaddexp(0.0, -x)
                g = sign * alpha / (1 + np.exp(x))
                neu1e += g * self.syn1[target]
                new1[target] += g * neu1
            for one in context:
                new0[one] += neu1e / count
        self.new = new0, new1
        return cost / (len(batch.centers) if model.reduction == "mean" else 1), None

    def step(self):
        self.syn0, self.syn1 = self.new

    def params(self):
        return {"context.weight": self.syn0, "center.weight": self.syn1}


def build(case, weights):
    known = isinstance(case.model, CBOW) and isinstance(case.model.objective, NegativeSampling)
    if not known or case.sparse or case.optimizer != SGD(case.optimizer.lr) or case.max_norm or case.lr_decay_to:
        raise Unsupported("CBOW with negatives and SGD")
    return Updater(case, weights)
