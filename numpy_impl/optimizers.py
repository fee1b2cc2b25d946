"""The optimizers, each with the names and the order of operations of torch.optim, and the clipping of gradients.

Each update is written once for dense and row gradients. `at` says where the gradient is: everywhere or in some rows.
`parts` yields the parts of the tensors to change, block by block; the loop gives them the names of the whole tensors.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy import ndarray

from numpy_impl.kernels.updates import among, descend, parts, place, union
from reference import cases
from reference.contract import Grads, Params, RowGrad, State


class Optimizer:
    """Changes the parameters in place, one after the other, and keeps the state for this."""

    def __init__(self, options: Any, weights: Params) -> None:
        self.options, self.lr = options, options.lr
        self.state: State = {  # the system only supplies the pages of a large table that are written to
            kind: {name: np.zeros(()) if kind == "step" else np.zeros(w.shape, w.dtype) for name, w in weights.items()}
            for kind in options.state
        }

    def step(self, p: Params, g: Grads) -> None:
        for name, param in p.items():
            at, grad = place(g[name])
            self.update(name, param, at, grad)

    def state_of(self, name: str) -> list[ndarray]:
        """The state of one parameter, in the order of the kinds."""
        return [tensors[name] for tensors in self.state.values()]

    def update(self, name: str, param: ndarray, at: Any, grad: ndarray) -> None:
        raise NotImplementedError


class SGD(Optimizer):
    """param -= lr * grad; with momentum, lr * a decaying sum of the gradients.

    With row gradients, momentum costs O(rows ever touched), not O(rows touched now), since all of these keep moving.
    """

    options: cases.SGD

    def __init__(self, options: cases.SGD, weights: Params) -> None:
        super().__init__(options, weights)
        self.moving: dict[str, Any] = {}  # the rows that ever had a gradient

    def update(self, name: str, param: ndarray, at: Any, grad: ndarray) -> None:
        o = self.options
        grad = with_decay(grad, param, o.weight_decay)
        if o.momentum:
            (momentum_buffer,) = self.state_of(name)
            first = name not in self.moving
            moving = self.moving[name] = at if first else union(self.moving[name], at)
            dampening = 0 if first else o.dampening
            grad = among(moving, at, grad)
            for grad, param, momentum_buffer in parts(moving, grad, param, momentum_buffer):
                momentum_buffer *= o.momentum
                momentum_buffer += (1 - dampening) * grad if dampening else grad
                param -= self.lr * (grad + o.momentum * momentum_buffer if o.nesterov else momentum_buffer)
        else:
            descend(param, at, self.lr, grad)


class Adagrad(Optimizer):
    """Duchi et al. 2011, with diagonal matrices."""

    options: cases.Adagrad

    def __init__(self, options: cases.Adagrad, weights: Params) -> None:
        super().__init__(options, weights)
        if options.initial_accumulator_value:
            for state_sum in self.state["sum"].values():
                state_sum += options.initial_accumulator_value

    def update(self, name: str, param: ndarray, at: Any, grad: ndarray) -> None:
        o = self.options
        step, state_sum = self.state_of(name)
        step += 1
        grad = with_decay(grad, param, o.weight_decay)
        lr = self.lr / (1 + (float(step) - 1) * o.lr_decay)
        for grad, param, state_sum in parts(at, grad, param, state_sum):
            state_sum += grad * grad
            param -= lr * grad / root(state_sum, o.eps)


class RMSprop(Optimizer):
    """Hinton's lectures 2012; centered as in Graves 2013."""

    options: cases.RMSprop

    def update(self, name: str, param: ndarray, at: Any, grad: ndarray) -> None:
        o = self.options
        step, square_avg = self.state_of(name)[:2]
        step += 1
        grad = with_decay(grad, param, o.weight_decay)
        square_avg *= o.alpha
        square_avg += (1 - o.alpha) * grad * grad
        v = square_avg
        if o.centered:
            grad_avg = self.state["grad_avg"][name]
            grad_avg += (1 - o.alpha) * (grad - grad_avg)
            v = v - grad_avg * grad_avg
        if o.momentum:
            momentum_buffer = self.state["momentum_buffer"][name]
            momentum_buffer *= o.momentum
            momentum_buffer += grad / root(v, o.eps)
            param -= self.lr * momentum_buffer
        else:
            param -= self.lr * grad / root(v, o.eps)


class Adam(Optimizer):
    """Kingma and Ba 2015, algorithm 1, with eps added after the bias correction of the root."""

    options: cases.Adam

    def update(self, name: str, param: ndarray, at: Any, grad: ndarray) -> None:
        o, (beta1, beta2) = self.options, self.options.betas
        step, exp_avg, exp_avg_sq = self.state_of(name)[:3]
        step += 1
        grad = self.decayed(grad, param)
        exp_avg += (1 - beta1) * (grad - exp_avg)
        exp_avg_sq *= beta2
        exp_avg_sq += (1 - beta2) * grad * grad
        v = exp_avg_sq
        if o.amsgrad:
            max_exp_avg_sq = self.state["max_exp_avg_sq"][name]
            v = np.maximum(max_exp_avg_sq, exp_avg_sq, out=max_exp_avg_sq)
        correction1, correction2 = bias_correction(beta1, step), bias_correction(beta2, step)
        param -= (self.lr / correction1) * exp_avg / root(v, o.eps, correction2)

    def decayed(self, grad: ndarray, param: ndarray) -> ndarray:
        """Add the weight decay to the gradient."""
        return with_decay(grad, param, self.options.weight_decay)


class AdamW(Adam):
    """Loshchilov and Hutter 2019."""

    def decayed(self, grad: ndarray, param: ndarray) -> ndarray:
        """Apply the weight decay to the parameter; the gradient does not change."""
        param *= 1 - self.lr * self.options.weight_decay
        return grad


class SparseAdam(Optimizer):
    """Adam in the rows that have a gradient, with eps added to the root before the bias correction."""

    options: cases.SparseAdam

    def update(self, name: str, param: ndarray, at: Any, grad: ndarray) -> None:
        o, (beta1, beta2) = self.options, self.options.betas
        step, exp_avg, exp_avg_sq = self.state_of(name)
        step += 1
        correction1, correction2 = bias_correction(beta1, step), bias_correction(beta2, step)
        for grad, param, exp_avg, exp_avg_sq in parts(at, grad, param, exp_avg, exp_avg_sq):
            exp_avg += (1 - beta1) * (grad - exp_avg)
            exp_avg_sq += (1 - beta2) * (grad * grad - exp_avg_sq)
            param -= (self.lr * correction2**0.5 / correction1) * (exp_avg / root(exp_avg_sq, o.eps))


def clip_grad_norm_(grads: list[ndarray | RowGrad], max_norm: float) -> None:
    """Scale all gradients down, in place, if their total norm is above max_norm."""
    values = [place(grad)[1] for grad in grads]
    factor = min(max_norm / (total_norm(values) + 1e-6), 1.0)
    for value in values:
        value *= factor


# --- what they are made of -------------------------------------------------------------------------------------------


def with_decay(grad: ndarray, param: ndarray, weight_decay: float) -> ndarray:
    """The gradient plus that of weight_decay / 2 * param**2."""
    return grad + weight_decay * param if weight_decay else grad


def root(v: ndarray, eps: float, correction: float = 1.0) -> ndarray:
    """The divisor of the update: the root of the bias-corrected second moment, plus eps."""
    divisor = np.sqrt(v)
    if correction != 1:
        divisor /= correction**0.5
    divisor += eps
    return divisor


def bias_correction(beta: float, step: ndarray) -> float:
    """1 - beta**step: the part of a moving average that does not come from its start at zero."""
    return 1 - beta ** float(step)


def total_norm(values: list[ndarray]) -> np.floating:
    """The norm of all gradients together, as one vector."""
    return np.linalg.norm([np.linalg.norm(value) for value in values])
