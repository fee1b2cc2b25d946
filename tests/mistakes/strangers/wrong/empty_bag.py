"""One: the mean of an empty bag is 0 / 0 (pytorch/pytorch#11739, #21400, #4169). Full bags are right."""

import numpy as np

from tests.mistakes.strangers.base.bags import Bags


class Empty(Bags):
    def mean(self, vectors, kept, upstream):
        with np.errstate(invalid="ignore", divide="ignore"):
            n = kept.sum().astype(vectors.dtype)
            return (vectors * kept).sum(axis=0) / n, kept * (upstream / n)

    def pool(self, ids, vectors, upstream):
        kept = (ids != self.case.model.padding_idx)[:, None]
        return getattr(self, self.case.model.mode)(vectors, kept, upstream)


build = Empty.build
