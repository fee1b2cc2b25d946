"""The optimizers, as described in `reference.cases` and the papers that it names.

Each function here takes the optimizer's options, the learning rate and the step number t = 1, 2, ... It returns the
update of that step: a function of one entry of a parameter, its gradient and its state by kind. The update changes the
state and returns the new entry.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from reference import cases
from reference.exact.arithmetic import Number

State = dict[str, Number]
Update = Callable[[Number, Number, State], Number]


def sgd(m: Any, o: cases.SGD, lr: Number, t: int) -> Update:
    """SGD, with or without momentum."""
    weight_decay, momentum, dampening = (m.number(x) for x in (o.weight_decay, o.momentum, o.dampening))

    def update(param: Number, grad: Number, state: State) -> Number:
        if o.weight_decay:
            grad = grad + weight_decay * param
        if o.momentum:
            momentum_buffer = grad if t == 1 else momentum * state["momentum_buffer"] + (1 - dampening) * grad
            state["momentum_buffer"] = momentum_buffer
            return param - lr * (grad + momentum * momentum_buffer if o.nesterov else momentum_buffer)
        return param - lr * grad

    return update


def adagrad(m: Any, o: cases.Adagrad, lr: Number, t: int) -> Update:
    """Duchi et al. 2011."""
    weight_decay, eps, lr_decay = (m.number(x) for x in (o.weight_decay, o.eps, o.lr_decay))
    lr = lr / (1 + (t - 1) * lr_decay)

    def update(param: Number, grad: Number, state: State) -> Number:
        grad = grad + weight_decay * param
        state_sum = state["sum"] = state["sum"] + grad * grad
        return param - lr * grad / (m.sqrt(state_sum) + eps)

    return update


def rmsprop(m: Any, o: cases.RMSprop, lr: Number, t: int) -> Update:
    """Hinton's lectures 2012; centered as in Graves 2013."""
    weight_decay, eps, alpha, momentum = (m.number(x) for x in (o.weight_decay, o.eps, o.alpha, o.momentum))

    def update(param: Number, grad: Number, state: State) -> Number:
        grad = grad + weight_decay * param
        square_avg = state["square_avg"] = alpha * state["square_avg"] + (1 - alpha) * grad * grad
        v = square_avg
        if o.centered:
            grad_avg = state["grad_avg"] = alpha * state["grad_avg"] + (1 - alpha) * grad
            v = v - grad_avg * grad_avg
        if o.momentum:
            momentum_buffer = momentum * state["momentum_buffer"] + grad / (m.sqrt(v) + eps)
            state["momentum_buffer"] = momentum_buffer
            return param - lr * momentum_buffer
        return param - lr * grad / (m.sqrt(v) + eps)

    return update


def adam(m: Any, o: cases.Adam, lr: Number, t: int) -> Update:
    """Kingma and Ba 2015; amsgrad: Reddi et al. 2018; AdamW: Loshchilov and Hutter 2019."""
    weight_decay, eps, beta1, beta2 = (m.number(x) for x in (o.weight_decay, o.eps, *o.betas))
    correction1, correction2 = 1 - beta1**t, 1 - beta2**t

    def update(param: Number, grad: Number, state: State) -> Number:
        if isinstance(o, cases.AdamW):
            param = param * (1 - lr * weight_decay)
        else:
            grad = grad + weight_decay * param
        exp_avg = state["exp_avg"] = beta1 * state["exp_avg"] + (1 - beta1) * grad
        exp_avg_sq = state["exp_avg_sq"] = beta2 * state["exp_avg_sq"] + (1 - beta2) * grad * grad
        v = exp_avg_sq
        if o.amsgrad:
            v = state["max_exp_avg_sq"] = m.max(state["max_exp_avg_sq"], exp_avg_sq)
        return param - (lr / correction1) * exp_avg / (m.sqrt(v / correction2) + eps)

    return update


def sparse_adam(m: Any, o: cases.SparseAdam, lr: Number, t: int) -> Update:
    """Adam for rows that have a gradient, with eps added to the root of the uncorrected moment."""
    eps, beta1, beta2 = (m.number(x) for x in (o.eps, *o.betas))
    correction1, correction2 = 1 - beta1**t, 1 - beta2**t

    def update(param: Number, grad: Number, state: State) -> Number:
        exp_avg = state["exp_avg"] = beta1 * state["exp_avg"] + (1 - beta1) * grad
        exp_avg_sq = state["exp_avg_sq"] = beta2 * state["exp_avg_sq"] + (1 - beta2) * grad * grad
        return param - (lr * m.sqrt(correction2) / correction1) * exp_avg / (m.sqrt(exp_avg_sq) + eps)

    return update


def clip_grad_norm_(m: Any, grads: list[Number], max_norm: float) -> Number:
    """The factor for all gradients, at most 1; 1e-6 as in PyTorch."""
    return m.min(m.number(max_norm) / (m.sqrt(m.dot(grads, grads)) + m.number(1e-6)), m.number(1))
