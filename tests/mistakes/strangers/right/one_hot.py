"""CBOW as matrices alone: words are one-hot rows, a context is a row of counts, and scatter is a product. With RMSprop.

After Rong 2014, "word2vec Parameter Learning Explained" (arXiv 1411.2738), whose figures have no lookup either.
"""

import numpy as np

from reference import Unsupported
from reference.cases import CBOW, RMSprop, Softmax


class Matrices:
    def __init__(self, case, weights):
        self.case, self.W, self.W2 = case, weights["context.weight"], weights["center.weight"]
        self.squares = [np.zeros_like(self.W), np.zeros_like(self.W2)]
        self.t = 0

    def loss_and_grads(self, batch):
        model, eye = self.case.model, np.eye(len(self.W), dtype=self.W.dtype)
        begin = np.zeros((len(batch.ids), len(batch.offsets)), self.W.dtype)
        number = np.searchsorted(batch.offsets, np.arange(len(batch.ids)), side="right") - 1
        begin[np.arange(len(batch.ids)), number] = 1
        X = begin.T @ eye[batch.ids]
        if model.mode == "mean":
            X /= X.sum(axis=1, keepdims=True)
        Y = eye[batch.centers]
        H = X @ self.W
        U = H @ self.W2.T
        Z = U - np.max(U, axis=1, keepdims=True)
        logP = Z - np.log(np.exp(Z) @ np.ones((len(self.W2), 1), U.dtype))
        scale = 1 / len(Y) if model.reduction == "mean" else 1
        EI = scale * (np.exp(logP) - Y)
        self.g = [X.T @ (EI @ self.W2), EI.T @ H]
        return -scale * np.vdot(Y, logP), self.named(self.g)

    def named(self, pair):
        return {"context.weight": pair[0], "center.weight": pair[1]}

    def step(self):
        o = self.case.optimizer
        self.t += 1
        for W, g, s in zip((self.W, self.W2), self.g, self.squares, strict=True):
            s[...] = s * o.alpha + g * g * (1 - o.alpha)
            W[...] = W - o.lr / (s**0.5 + o.eps) * g

    def params(self):
        return self.named((self.W, self.W2))

    def state(self):
        return {"step": dict.fromkeys(self.params(), float(self.t)), "square_avg": self.named(self.squares)}


def build(case, weights):
    o = case.optimizer
    known = isinstance(case.model, CBOW) and isinstance(case.model.objective, Softmax)
    if not known or case.sparse or not isinstance(o, RMSprop) or o != RMSprop(o.lr, o.alpha, o.eps) or case.max_norm:
        raise Unsupported("CBOW with softmax and RMSprop")
    return Matrices(case, weights)
