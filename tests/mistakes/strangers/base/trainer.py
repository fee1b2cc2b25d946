"""A small trainer of one's own, with the optimizers. Nothing here is wrong; the wrong modules change lines of it."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from reference import Unsupported
from reference.cases import Case
from reference.cases.model import options
from reference.contract import Params, State


class Trainer:
    """Keeps parameters and state. A model below adds `loss_and_grads`, which leaves its gradients in `self.g`.

    A method named after an optimizer is its update: what is subtracted from the parameter. does: the options that may
    have other values than their defaults, of the model and of each optimizer.
    """

    model: ClassVar[type]
    does: ClassVar[set[str]] = set()
    optimizers: ClassVar[dict[str, set[str]]] = {
        "SGD": {"lr", "momentum", "nesterov"},
        "Adagrad": {"lr", "eps"},
        "RMSprop": {"lr", "alpha", "eps"},
        "Adam": {"lr", "betas", "eps"},
    }

    def __init__(self, case: Case, weights: Params) -> None:
        self.case, self.o, self.p, self.t = case, case.optimizer, weights, 0
        self.g: dict[str, Any] = {}
        self.kept = {kind: {name: np.zeros_like(w) for name, w in weights.items()} for kind in self.o.state}

    @classmethod
    def build(cls, case: Case, weights: Params) -> Trainer:
        if not cls.covers(case):
            raise Unsupported(f"only some of {cls.model.__name__}, with dense gradients")
        return cls(case, weights)

    @classmethod
    def covers(cls, case: Case) -> bool:
        optimizer = cls.optimizers.get(type(case.optimizer).__name__)
        if not isinstance(case.model, cls.model) or optimizer is None:
            return False
        plain = not case.sparse and case.max_norm is None and case.lr_decay_to is None
        return plain and changed(case.model) <= cls.does and changed(case.optimizer) <= optimizer

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


def changed(part: Any) -> set[str]:
    """The options that do not have their defaults."""
    return {option.name for option in options(part) if getattr(part, option.name) != option.default}
