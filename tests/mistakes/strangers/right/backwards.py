"""Skip-gram under full softmax where every sum begins at the end. Tensors never change, and are known by `__array__`.

After jax-ml/jax's arrays, and after what a reduction tree of somebody else's compiler may do to the order of a sum.
"""

import numpy as np

from reference import Unsupported
from reference.cases import SGD, SkipGram, Softmax


class Tensor:
    """What cannot be changed: an operation makes a new one."""

    __slots__ = ("_numbers",)

    def __init__(self, numbers):
        self._numbers = np.array(numbers)
        self._numbers.flags.writeable = False

    def __array__(self, dtype=None, copy=None):
        return self._numbers if dtype is None else self._numbers.astype(dtype)

    def __add__(self, other):
        return Tensor(np.asarray(self) + np.asarray(other))

    def __mul__(self, number):
        return Tensor(np.asarray(self) * number)


def from_the_end(terms):
    total = np.zeros_like(terms[0])
    for term in terms[::-1]:
        total = total + term
    return total


def product(a, b):
    """(N, K) by (K, M), added up from the last k to the first."""
    return from_the_end([np.multiply.outer(a[:, k], b[k]) for k in range(len(b))])


class Backwards:
    def __init__(self, case, weights):
        self.case = case
        self.p = {name: Tensor(value) for name, value in weights.items()}

    def loss_and_grads(self, batch):
        n = len(batch.centers) if self.case.model.reduction == "mean" else 1
        inner, outer = np.asarray(self.p["center.weight"]), np.asarray(self.p["context.weight"])
        pairs = list(zip(batch.centers, batch.contexts, strict=True))
        h = np.stack([inner[center] for center, _ in pairs])
        scores = product(h, outer.T)
        top = scores.max(axis=1)
        log_total = top + np.log(from_the_end(np.exp(scores - top[:, None]).T))
        d = np.exp(scores - log_total[:, None])
        terms = [log_total[i] - scores[i, context] for i, (_, context) in enumerate(pairs)]
        for i, (_, context) in enumerate(pairs):
            d[i, context] -= 1
        d /= n
        d_h = product(d, outer)
        d_inner = np.zeros_like(inner)
        for i in reversed(range(len(pairs))):
            d_inner[pairs[i][0]] += d_h[i]
        self.g = {"center.weight": Tensor(d_inner), "context.weight": Tensor(product(d.T, h))}
        return from_the_end(np.array(terms)) / n, self.g

    def step(self):
        self.p = {name: value + self.g[name] * -self.case.optimizer.lr for name, value in self.p.items()}

    def params(self):
        return self.p


def build(case, weights):
    known = isinstance(case.model, SkipGram) and isinstance(case.model.objective, Softmax)
    if not known or case.sparse or case.optimizer != SGD(case.optimizer.lr) or case.max_norm or case.lr_decay_to:
        raise Unsupported("skip-gram with softmax and SGD")
    return Backwards(case, weights)
