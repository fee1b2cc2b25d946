"""A small trainer of one's own, with the optimizers. Nothing here is wrong; the wrong modules change lines of it."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from reference import Unsupported
from reference.cases import Case
from reference.contract import Params, State


class Trainer:
    """Keeps parameters and state. A model below adds `loss_and_grads`, which leaves its gradients in `self.g`.

    What a method is named after one of the optimizers is its update: what is subtracted from the parameter.
    """

    model: ClassVar[type]

    def __init__(self, case: Case, weights: Params) -> None:
        self.case, self.o, self.p, self.t = case, case.optimizer, weights, 0
        self.g: dict[str, Any] = {}
        self.kept = {kind: {name: np.zeros_like(w) for name, w in weights.items()} for kind in self.o.state}

    @classmethod
    def build(cls, case: Case, weights: Params) -> Trainer:
        here = isinstance(case.model, cls.model) and hasattr(cls, type(case.optimizer).__name__.lower())
        if not here or case.sparse or case.max_norm is not None or case.lr_decay_to is not None:
            raise Unsupported(f"only the plain {cls.model.__name__}, with dense gradients")
        return cls(case, weights)

    def step(self) -> None:
        self.t += 1
        update = getattr(self, type(self.o).__name__.lower())
        for name, g in self.g.items():
            self.p[name] = self.p[name] - update(name, g)

    def params(self) -> Params:
        return self.p

    def state(self) -> State:
        steps = {"step": dict.fromkeys(self.p, np.array(float(self.t)))} if "step" in self.o.state else {}
        return self.kept | steps

    def sgd(self, name: str, g: np.ndarray) -> np.ndarray:
        if not self.o.momentum:
            return self.rate() * g
        v = self.kept["momentum_buffer"][name] = self.o.momentum * self.kept["momentum_buffer"][name] + g
        return self.rate() * (self.nesterov(g, v) if self.o.nesterov else v)

    def nesterov(self, g: np.ndarray, v: np.ndarray) -> np.ndarray:
        return g + self.o.momentum * v

    def adagrad(self, name: str, g: np.ndarray) -> np.ndarray:
        total = self.kept["sum"][name] = self.kept["sum"][name] + g * g
        return self.rate() * g / (np.sqrt(total) + self.eps())

    def rmsprop(self, name: str, g: np.ndarray) -> np.ndarray:
        v = self.average("square_avg", name, self.o.alpha, g * g)
        return self.rate() * g / (np.sqrt(v) + self.eps())

    def adam(self, name: str, g: np.ndarray) -> np.ndarray:
        b1, b2 = self.o.betas
        m, v = self.average("exp_avg", name, b1, g), self.average("exp_avg_sq", name, b2, g * g)
        return self.rate() * m / (1 - b1**self.t) / (np.sqrt(v / (1 - b2**self.t)) + self.eps())

    def average(self, kind: str, name: str, beta: float, now: np.ndarray) -> np.ndarray:
        self.kept[kind][name] = beta * self.kept[kind][name] + (1 - beta) * now
        return self.kept[kind][name]

    def rate(self) -> float:
        return self.o.lr

    def eps(self) -> float:
        return self.o.eps
