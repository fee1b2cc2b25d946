"""One: the mean of an empty bag is 0 / 0 (pytorch/pytorch#11739, #21400, #4169). Full bags are right."""

from typing import ClassVar

import numpy as np

from tests.mistakes.strangers.base.bags import Bags


class Empty(Bags):
    does: ClassVar = {"padding_idx"}

    def mean(self, vectors, kept, upstream):
        with np.errstate(invalid="ignore", divide="ignore"):
            n = kept.sum().astype(vectors.dtype)
            return (vectors * kept).sum(axis=0) / n, kept * (upstream / n)

    def pool(self, ids, vectors, upstream):
        kept = (ids != self.case.model.padding_idx)[:, None]
        return self.mean(vectors, kept, upstream)


build = Empty.build
