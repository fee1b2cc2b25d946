"""One, in code that only updates: the output rows are changed before the hidden vector's gradient is taken from them.

piskvorky/gensim#287 looked for it: a reference to the rows is not their copy. Gradients are never returned.
"""

from typing import ClassVar

import numpy as np

from reference.cases import NegativeSampling
from tests.mistakes.strangers.base.word2vec import SkipGram


class Stale(SkipGram):
    objectives = (NegativeSampling,)

    optimizers: ClassVar = {"SGD": {"lr"}}

    @classmethod
    def covers(cls, case):
        return super().covers(case) and case.model.objective.accidental_hits != "mask"

    def loss_and_grads(self, batch):
        h, out = self.p["center.weight"][batch.centers], self.p["context.weight"]
        ids = np.column_stack([batch.targets, batch.negatives])
        label = np.zeros(ids.shape, h.dtype)
        label[:, 0] = 1
        score = np.einsum("nd,nkd->nk", h, out[ids])
        loss = np.logaddexp(0, np.where(label, -score, score)).sum() / self.divisor(len(h))
        g = self.o.lr * (label - self.sigmoid(score)) / self.divisor(len(h))
        np.add.at(out, ids, g[:, :, None] * h[:, None])
        np.add.at(self.p["center.weight"], batch.centers, np.einsum("nk,nkd->nd", g, out[ids]))
        return float(loss), None

    def step(self):
        """Done already."""


build = Stale.build
