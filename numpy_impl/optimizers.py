"""SGD and Adam, each with the names and the order of operations of torch.optim."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from numpy_impl.rows import blocks
from reference import cases
from reference.contract import Grads, Params, RowGrad, State, Unsupported


class Optimizer(Protocol):
    """Changes the parameters in place, and keeps the state that it needs to do so."""

    state: State

    def step(self, p: Params, g: Grads) -> None: ...


class SGD:
    """param -= lr * grad. With a row gradient, only the rows that it names."""

    def __init__(self, optimizer: cases.SGD, weights: Params) -> None:
        self.lr = optimizer.lr
        self.state: State = {}

    def step(self, p: Params, g: Grads) -> None:
        for name, param in p.items():
            grad = g[name]
            if isinstance(grad, RowGrad):
                row = param[0].nbytes
                for rows, values in zip(blocks(grad.rows, row), blocks(grad.values, row), strict=True):
                    param[rows] = param.take(rows, axis=0) - self.lr * values
            else:
                param -= self.lr * grad


class Adam:
    """Kingma and Ba 2015, algorithm 1, with eps added after the bias correction of the root."""

    def __init__(self, optimizer: cases.Adam, weights: Params) -> None:
        self.lr, self.betas, self.eps = optimizer.lr, optimizer.betas, optimizer.eps
        self.state: State = {
            "step": {name: np.zeros(()) for name in weights},
            "exp_avg": {name: np.zeros_like(weight) for name, weight in weights.items()},
            "exp_avg_sq": {name: np.zeros_like(weight) for name, weight in weights.items()},
        }

    def step(self, p: Params, g: Grads) -> None:
        beta1, beta2 = self.betas
        for name, param in p.items():
            grad = g[name]
            if isinstance(grad, RowGrad):
                raise Unsupported("Adam takes dense gradients only; use SGD for row gradients")
            step, m, v = (self.state[kind][name] for kind in ("step", "exp_avg", "exp_avg_sq"))
            step += 1
            m += (1 - beta1) * (grad - m)
            v *= beta2
            v += (1 - beta2) * grad * grad
            correction1, correction2 = 1 - beta1 ** float(step), 1 - beta2 ** float(step)
            param -= (self.lr / correction1) * m / (np.sqrt(v) / correction2**0.5 + self.eps)
