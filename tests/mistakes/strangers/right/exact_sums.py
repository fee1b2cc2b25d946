"""Bags whose every sum is math.fsum's, which rounds once: column by column, bag by bag, row by row.

After the recipe in Python's manual of math.fsum, and Shewchuk 1997, which it is taken from.
"""

from collections import defaultdict
from itertools import pairwise
from math import fsum

import numpy as np

from reference import Unsupported
from reference.cases import SGD, EmbeddingBag


class Exact:
    def __init__(self, case, weights):
        self.case, self.table = case, weights["embedding.weight"]

    def bags(self, batch):
        if batch.offsets is None:
            return [list(map(int, bag)) for bag in batch.ids]
        ends = [*batch.offsets.tolist(), len(batch.ids)]
        return [batch.ids[a:b].tolist() for a, b in pairwise(ends)]

    def loss_and_grads(self, batch):
        model, table = self.case.model, self.table.astype(float)
        terms, shares = [], defaultdict(list)
        for bag, upstream in zip(self.bags(batch), batch.upstream.astype(float), strict=True):
            words = [word for word in bag if word != model.padding_idx]
            size = len(words) if model.mode == "mean" else 1
            for d, weight in enumerate(upstream):
                terms += [fsum(table[word, d] for word in words) / size * weight] if words else []
                for word in words:
                    shares[word, d].append(weight / size)
        self.g = np.zeros_like(self.table)
        for place, parts in shares.items():
            self.g[place] = fsum(parts)
        return fsum(terms), {"embedding.weight": self.g}

    def step(self):
        self.table = self.table - self.case.optimizer.lr * self.g

    def params(self):
        return {"embedding.weight": self.table}


def build(case, weights):
    model = case.model
    fits = isinstance(model, EmbeddingBag) and model.mode != "max" and case.optimizer == SGD(case.optimizer.lr)
    more = fits and (model.weighted or model.max_norm or model.scale_grad_by_freq or model.include_last_offset)
    if not fits or more or case.sparse or case.max_norm:
        raise Unsupported("bags by mean or sum, with SGD")
    return Exact(case, weights)
