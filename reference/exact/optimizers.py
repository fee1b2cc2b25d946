"""The optimizers, as `reference.cases` and the papers that it names have them.

Each is made for one step: of its options, the learning rate and the number t = 1, 2, ... of the step. It is a function
of one entry x of a parameter, its gradient g and its state s by kind, which it changes, and returns what x becomes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from reference import cases
from reference.exact.arithmetic import Number

State = dict[str, Number]
Update = Callable[[Number, Number, State], Number]


def sgd(m: Any, o: cases.SGD, lr: Number, t: int) -> Update:
    """With momentum."""
    decay, momentum, undampened = m.number(o.weight_decay), m.number(o.momentum), 1 - m.number(o.dampening)

    def update(x: Number, g: Number, s: State) -> Number:
        if o.weight_decay:
            g = g + decay * x
        if not o.momentum:
            return x - lr * g
        buf = s["momentum_buffer"] = g if t == 1 else momentum * s["momentum_buffer"] + undampened * g
        return x - lr * (g + momentum * buf if o.nesterov else buf)

    return update


def adagrad(m: Any, o: cases.Adagrad, lr: Number, t: int) -> Update:
    """Duchi et al. 2011."""
    decay, eps, rate = m.number(o.weight_decay), m.number(o.eps), lr / (1 + (t - 1) * m.number(o.lr_decay))

    def update(x: Number, g: Number, s: State) -> Number:
        g = g + decay * x
        s["sum"] += g * g
        return x - rate * g / (m.sqrt(s["sum"]) + eps)

    return update


def rmsprop(m: Any, o: cases.RMSprop, lr: Number, t: int) -> Update:
    """Hinton's lectures 2012; centered as in Graves 2013."""
    decay, eps, alpha, momentum = (m.number(x) for x in (o.weight_decay, o.eps, o.alpha, o.momentum))

    def update(x: Number, g: Number, s: State) -> Number:
        g = g + decay * x
        variance = s["square_avg"] = alpha * s["square_avg"] + (1 - alpha) * g * g
        if o.centered:
            mean = s["grad_avg"] = alpha * s["grad_avg"] + (1 - alpha) * g
            variance = variance - mean * mean
        change = g / (m.sqrt(variance) + eps)
        if o.momentum:
            change = s["momentum_buffer"] = momentum * s["momentum_buffer"] + change
        return x - lr * change

    return update


def adam(m: Any, o: cases.Adam, lr: Number, t: int) -> Update:
    """Kingma and Ba 2015; amsgrad: Reddi et al. 2018; AdamW: Loshchilov and Hutter 2019."""
    decay, eps, beta2 = m.number(o.weight_decay), m.number(o.eps), m.number(o.betas[1])
    moments, decoupled = moments_of(m, o.betas, t), isinstance(o, cases.AdamW)

    def update(x: Number, g: Number, s: State) -> Number:
        if decoupled:
            x = x * (1 - lr * decay)
        else:
            g = g + decay * x
        first, second = moments(g, s)
        if o.amsgrad:
            largest = s["max_exp_avg_sq"] = m.max(s["max_exp_avg_sq"], s["exp_avg_sq"])
            second = largest / (1 - beta2**t)
        return x - lr * first / (m.sqrt(second) + eps)

    return update


def sparse_adam(m: Any, o: cases.SparseAdam, lr: Number, t: int) -> Update:
    """As Adam, with eps beside the root of the uncorrected moment; only for rows that have a gradient."""
    moments, eps = moments_of(m, o.betas, t), m.number(o.eps) / m.sqrt(1 - m.number(o.betas[1]) ** t)

    def update(x: Number, g: Number, s: State) -> Number:
        first, second = moments(g, s)
        return x - lr * first / (m.sqrt(second) + eps)

    return update


def moments_of(m: Any, betas: tuple[float, float], t: int) -> Callable[[Number, State], tuple[Number, Number]]:
    """The moving averages of g and g², without the zero that they began with: over 1 - beta^t."""
    beta1, beta2 = (m.number(beta) for beta in betas)
    new1, new2, correction1, correction2 = 1 - beta1, 1 - beta2, 1 - beta1**t, 1 - beta2**t

    def moments(g: Number, s: State) -> tuple[Number, Number]:
        first = s["exp_avg"] = beta1 * s["exp_avg"] + new1 * g
        second = s["exp_avg_sq"] = beta2 * s["exp_avg_sq"] + new2 * g * g
        return first / correction1, second / correction2

    return moments


def clip_grad_norm_(m: Any, grads: list[Number], max_norm: float) -> Number:
    """What all gradients are multiplied by: above 1 never, 1e-6 as PyTorch has it."""
    return m.min(m.number(max_norm) / (m.sqrt(m.dot(grads, grads)) + m.number(1e-6)), m.number(1))
