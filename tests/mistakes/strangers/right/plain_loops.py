"""A classifier in Python alone: loops over lists, one number at a time, in the manner of a first lesson. Gives lists.

After karpathy/micrograd and the exercises of Data Science from Scratch, without their classes.
"""

import math

from reference import Unsupported
from reference.cases import SGD, Classifier


class Network:
    def __init__(self, case, weights):
        self.lr = case.optimizer.lr
        self.w = {name: value.tolist() for name, value in weights.items()}

    def loss_and_grads(self, batch):
        w, total = self.w, 0.0
        self.g = {name: self.zeros(value) for name, value in w.items()}
        bags, labels = batch.ids.tolist(), batch.labels.tolist()
        for bag, label in zip(bags, labels, strict=True):
            total += self.one(bag, label, 1 / len(bags))
        return total / len(bags), self.g

    def one(self, bag, label, share):
        w, g = self.w, self.g
        x = [0.0] * len(w["embedding.weight"][0])
        for word in bag:
            for k in range(len(x)):
                x[k] += w["embedding.weight"][word][k] / len(bag)
        z = []
        for row, bias in zip(w["fc1.weight"], w["fc1.bias"], strict=True):
            z.append(bias + sum(a * b for a, b in zip(row, x, strict=True)))
        hidden = [v if v > 0 else 0.0 for v in z]
        scores = []
        for row, bias in zip(w["fc2.weight"], w["fc2.bias"], strict=True):
            scores.append(bias + sum(a * b for a, b in zip(row, hidden, strict=True)))
        top = max(scores)
        log_total = top + math.log(sum(math.exp(s - top) for s in scores))

        d_hidden = [0.0] * len(hidden)
        for c, score in enumerate(scores):
            d = (math.exp(score - log_total) - (c == label)) * share
            g["fc2.bias"][c] += d
            for j in range(len(hidden)):
                g["fc2.weight"][c][j] += d * hidden[j]
                d_hidden[j] += d * w["fc2.weight"][c][j]
        d_x = [0.0] * len(x)
        for j in range(len(hidden)):
            if z[j] <= 0:
                continue
            g["fc1.bias"][j] += d_hidden[j]
            for k in range(len(x)):
                g["fc1.weight"][j][k] += d_hidden[j] * x[k]
                d_x[k] += d_hidden[j] * w["fc1.weight"][j][k]
        for word in bag:
            for k in range(len(x)):
                g["embedding.weight"][word][k] += d_x[k] / len(bag)
        return log_total - scores[label]

    def zeros(self, value):
        return [self.zeros(part) for part in value] if isinstance(value, list) else 0.0

    def moved(self, value, g):
        if isinstance(value, list):
            return [self.moved(*parts) for parts in zip(value, g, strict=True)]
        return value - self.lr * g

    def step(self):
        self.w = {name: self.moved(value, self.g[name]) for name, value in self.w.items()}

    def params(self):
        return self.w


def build(case, weights):
    if not (case.plain and isinstance(case.model, Classifier) and isinstance(case.optimizer, SGD)):
        raise Unsupported("the first lesson: one hidden layer of relu, and gradient descent")
    return Network(case, weights)
