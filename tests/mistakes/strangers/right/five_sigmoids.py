"""Negative sampling with five ways to write a sigmoid, one for each pair in turn. With momentum.

The textbook's, its mirror, the tanh, the one in two pieces, and the one through logaddexp: all of them are met in ports
of word2vec, such as RaRe-Technologies/gensim's and the exercises of CS224n.
"""

import numpy as np

from reference import Unsupported
from reference.cases import SGD, NegativeSampling, SkipGram


def pieces(x):
    out = np.empty_like(x)
    out[x >= 0] = 1 / (1 + np.exp(-x[x >= 0]))
    e = np.exp(x[x < 0])
    out[x < 0] = e / (1 + e)
    return out


SIGMOIDS = [
    lambda x: 1 / (1 + np.exp(-x)),
    lambda x: np.exp(x) / (np.exp(x) + 1),
    lambda x: (np.tanh(x / 2) + 1) / 2,
    pieces,
    lambda x: np.exp(-np.logaddexp(0, -x)),
]


class Ports:
    def __init__(self, case, weights):
        self.case, self.syn0, self.syn1neg = case, weights["center.weight"], weights["context.weight"]
        self.buf = {}

    def loss_and_grads(self, batch):
        model, loss = self.case.model, 0.0
        d0, d1 = np.zeros_like(self.syn0), np.zeros_like(self.syn1neg)
        for i, center in enumerate(batch.centers):
            sigmoid, h = SIGMOIDS[i % 5], self.syn0[center]
            words = [(batch.contexts[i], 1), *((word, 0) for word in batch.negatives[i])]
            for k, (word, label) in enumerate(words):
                if k and word == batch.contexts[i] and model.objective.accidental_hits == "mask":
                    continue
                f = np.dot(h, self.syn1neg[word : word + 1].T)
                loss += np.log1p(np.exp(-f if label else f))[0]
                g = sigmoid(f) - label
                d0[center] += g * self.syn1neg[word]
                d1[word] += g * h
        n = len(batch.centers) if model.reduction == "mean" else 1
        self.g = {"center.weight": d0 / n, "context.weight": d1 / n}
        return loss / n, self.g

    def step(self):
        o = self.case.optimizer
        for name, table in (("center.weight", self.syn0), ("context.weight", self.syn1neg)):
            self.buf[name] = o.momentum * self.buf[name] + self.g[name] if name in self.buf else self.g[name] + 0
            table -= o.lr * self.buf[name]

    def params(self):
        return {"center.weight": self.syn0, "context.weight": self.syn1neg}

    def state(self):
        return {"momentum_buffer": dict(self.buf)} if self.case.optimizer.momentum else {}


def build(case, weights):
    o = case.optimizer
    known = isinstance(case.model, SkipGram) and isinstance(case.model.objective, NegativeSampling)
    if not known or case.sparse or o != SGD(o.lr, getattr(o, "momentum", 0)) or case.max_norm or case.lr_decay_to:
        raise Unsupported("skip-gram with negatives, SGD and momentum")
    return Ports(case, weights)
