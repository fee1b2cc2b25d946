"""A lookup that keeps its table as a file of another machine has it, big-endian, in a mapping of its own. With Adagrad.

As read by NumPy from word2vec's and HDF5's binary formats on machines whose bytes run the other way.
"""

from collections.abc import Mapping

import numpy as np

from reference import Unsupported
from reference.cases import Adagrad, Embedding


class Store(Mapping):
    def __init__(self, array):
        self.file = np.asarray(array).astype(np.asarray(array).dtype.newbyteorder(">"))

    def __getitem__(self, name):
        if name != "embedding.weight":
            raise KeyError(name)
        return self.file

    def __iter__(self):
        return iter(["embedding.weight"])

    def __len__(self):
        return 1


class Lookup:
    def __init__(self, case, weights):
        self.o, self.t = case.optimizer, 0
        self.table = Store(weights["embedding.weight"])
        self.sum = Store(np.zeros_like(weights["embedding.weight"]))

    def loss_and_grads(self, batch):
        ids, d = batch.ids.reshape(-1), batch.upstream.reshape(-1, batch.upstream.shape[-1])
        order = np.argsort(ids, kind="stable")
        rows, begin = np.unique(ids[order], return_index=True)
        g = np.zeros(self.table.file.shape, d.dtype)
        g[rows] = np.add.reduceat(d[order], begin, axis=0)
        self.g = Store(g)
        return np.vdot(self.table.file[ids], d), self.g

    def step(self):
        self.t += 1
        g = self.g.file
        self.sum = Store(self.sum.file + g**2)
        self.table = Store(self.table.file - self.o.lr * g / (self.sum.file**0.5 + self.o.eps))

    def params(self):
        return self.table

    def state(self):
        return {"step": {"embedding.weight": self.t}, "sum": self.sum}


def build(case, weights):
    o = case.optimizer
    known = case.plain and isinstance(case.model, Embedding) and isinstance(o, Adagrad)
    if not known:
        raise Unsupported("a lookup with Adagrad")
    return Lookup(case, weights)
