"""The optimizers, each with the names and the order of operations of torch.optim, and the clipping of gradients.

An update is written once for dense and for row gradients: `at` says where the gradient is, everywhere or in some rows,
and `parts` hands out what is to be changed there. Only those rows are read or written.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy import ndarray

from numpy_impl.rows import blocks
from reference import cases
from reference.contract import Grads, Params, RowGrad, State

SMALL = 2**16
"""Bytes up to which nothing is gained by treating a row as one thing."""


class Optimizer:
    """Changes the parameters in place, one after the other, and keeps the state that it needs to do so."""

    def __init__(self, options: Any, weights: Params) -> None:
        self.options, self.lr = options, options.lr
        self.state: State = {kind: {name: zeros(kind, w) for name, w in weights.items()} for kind in options.state}

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
    """param -= lr * grad, with momentum lr * the decaying sum of the gradients.

    On row gradients momentum costs O(rows ever touched), not O(rows touched now): each of them moves in every step.
    """

    options: cases.SGD

    def __init__(self, options: cases.SGD, weights: Params) -> None:
        super().__init__(options, weights)
        self.moving: dict[str, Any] = {}  # where there ever was a gradient

    def update(self, name: str, param: ndarray, at: Any, grad: ndarray) -> None:
        o = self.options
        grad = with_decay(grad, param, o.weight_decay)
        if o.momentum:
            (buf,) = self.state_of(name)
            first = name not in self.moving
            moving = self.moving[name] = at if first else union(self.moving[name], at)
            kept = 1 if first else 1 - o.dampening
            for g, p, b in parts(moving, among(moving, at, grad), param, buf):
                b *= o.momentum
                b += g if kept == 1 else kept * g
                p -= self.lr * (g + o.momentum * b if o.nesterov else b)
        else:
            descend(param, at, self.lr, grad)


class Adagrad(Optimizer):
    """Duchi et al. 2011, with diagonal matrices."""

    options: cases.Adagrad

    def __init__(self, options: cases.Adagrad, weights: Params) -> None:
        super().__init__(options, weights)
        if options.initial_accumulator_value:
            for total in self.state["sum"].values():
                total += options.initial_accumulator_value

    def update(self, name: str, param: ndarray, at: Any, grad: ndarray) -> None:
        o = self.options
        step, total = self.state_of(name)
        step += 1
        grad = with_decay(grad, param, o.weight_decay)
        lr = self.lr / (1 + (float(step) - 1) * o.lr_decay)
        for g, p, s in parts(at, grad, param, total):
            s += g * g
            p -= lr * g / root(s, o.eps)


class RMSprop(Optimizer):
    """Hinton's lectures 2012; centered as in Graves 2013."""

    options: cases.RMSprop

    def update(self, name: str, param: ndarray, at: Any, grad: ndarray) -> None:
        o, state = self.options, dict(zip(self.state, self.state_of(name), strict=True))
        state["step"] += 1
        grad = with_decay(grad, param, o.weight_decay)
        v = state["square_avg"]
        v *= o.alpha
        v += (1 - o.alpha) * grad * grad
        if o.centered:
            mean = state["grad_avg"]
            mean += (1 - o.alpha) * (grad - mean)
            v = v - mean * mean
        if o.momentum:
            buf = state["momentum_buffer"]
            buf *= o.momentum
            buf += grad / root(v, o.eps)
            param -= self.lr * buf
        else:
            param -= self.lr * grad / root(v, o.eps)


class Adam(Optimizer):
    """Kingma and Ba 2015, algorithm 1, with eps added after the bias correction of the root."""

    options: cases.Adam

    def update(self, name: str, param: ndarray, at: Any, grad: ndarray) -> None:
        o, (beta1, beta2) = self.options, self.options.betas
        step, m, v, *largest = self.state_of(name)
        step += 1
        grad = self.decayed(grad, param)
        m += (1 - beta1) * (grad - m)
        v *= beta2
        v += (1 - beta2) * grad * grad
        if o.amsgrad:
            v = np.maximum(largest[0], v, out=largest[0])
        correction1, correction2 = bias_correction(beta1, step), bias_correction(beta2, step)
        param -= (self.lr / correction1) * m / root(v, o.eps, correction2)

    def decayed(self, grad: ndarray, param: ndarray) -> ndarray:
        """The decay of the weights is part of the gradient."""
        return with_decay(grad, param, self.options.weight_decay)


class AdamW(Adam):
    """Loshchilov and Hutter 2019."""

    def decayed(self, grad: ndarray, param: ndarray) -> ndarray:
        """The decay of the weights is none of the gradient's business."""
        param *= 1 - self.lr * self.options.weight_decay
        return grad


class SparseAdam(Optimizer):
    """Adam in the rows that have a gradient, with eps added to the root before its bias correction."""

    options: cases.SparseAdam

    def update(self, name: str, param: ndarray, at: Any, grad: ndarray) -> None:
        o, (beta1, beta2) = self.options, self.options.betas
        step, exp_avg, exp_avg_sq = self.state_of(name)
        step += 1
        correction1, correction2 = bias_correction(beta1, step), bias_correction(beta2, step)
        for g, p, m, v in parts(at, grad, param, exp_avg, exp_avg_sq):
            m += (1 - beta1) * (g - m)
            v += (1 - beta2) * (g * g - v)
            p -= (self.lr * correction2**0.5 / correction1) * (m / root(v, o.eps))


def clip_grad_norm_(grads: list[ndarray | RowGrad], max_norm: float) -> None:
    """Scale all gradients down, in place, where the norm of them together is above max_norm."""
    values = [place(grad)[1] for grad in grads]
    factor = min(max_norm / (total_norm(values) + 1e-6), 1.0)
    for value in values:
        value *= factor


# --- what they are made of -------------------------------------------------------------------------------------------


def place(grad: ndarray | RowGrad) -> tuple[Any, ndarray]:
    """Where a gradient is, everywhere or in the rows that it names, and what it is there."""
    return (grad.rows, grad.values) if isinstance(grad, RowGrad) else (..., grad)


def parts(at: Any, grad: ndarray, *tensors: ndarray) -> Iterator[tuple[ndarray, ...]]:
    """The gradient and the tensors that it changes, to be changed in place: the tensors themselves; or, of those rows
    that the gradient names, copies, block by block, which are put back while they are still in the cache.
    """
    if at is ...:
        yield from zip(*(blocks(tensor, 4 * tensor[0].nbytes) for tensor in (grad, *tensors)), strict=True)
        return
    size = (1 + len(tensors)) * grad.shape[1] * grad.itemsize
    for rows, values in zip(blocks(at, size), blocks(grad, size), strict=True):
        copies = [tensor.take(rows, axis=0) for tensor in tensors]
        yield values, *copies
        for tensor, copy in zip(tensors, copies, strict=True):
            put(tensor, rows, copy)


def put(tensor: ndarray, rows: ndarray, new: ndarray) -> None:
    """tensor[rows] = new. NumPy copies a long row faster where it is told that it is one thing."""
    if new.nbytes > SMALL and tensor.flags.c_contiguous:
        row = np.dtype((np.void, new.shape[1] * new.itemsize))
        tensor, new = tensor.view(row)[:, 0], new.view(row)[:, 0]
    tensor[rows] = new


def descend(param: ndarray, at: Any, lr: float, grad: ndarray) -> None:
    """param[at] -= lr * grad."""
    if at is ... and grad.nbytes <= SMALL:
        param -= lr * grad
    elif grad.nbytes <= SMALL:
        param[at] -= lr * grad
    else:
        for g, p in parts(at, grad, param):
            p -= lr * g


def among(rows: Any, at: Any, grad: ndarray) -> ndarray:
    """The gradient in all the rows, of which some have none: there it is 0."""
    if at is ... or len(rows) == len(at):
        return grad
    values = np.zeros((len(rows), grad.shape[1]), grad.dtype)
    values[np.searchsorted(rows, at)] = grad
    return values


def union(before: Any, now: Any) -> Any:
    """The places that are in either."""
    if now is ... or np.array_equal(before, now):
        return now
    return np.union1d(before, now)


def zeros(kind: str, weight: ndarray) -> ndarray:
    """A state to begin with. Of a large table the operating system supplies it where it is first written to."""
    return np.zeros(()) if kind == "step" else np.zeros(weight.shape, weight.dtype)


def with_decay(grad: ndarray, param: ndarray, weight_decay: float) -> ndarray:
    """The gradient with that of weight_decay / 2 * param**2."""
    return grad + weight_decay * param if weight_decay else grad


def root(v: ndarray, eps: float, correction: float = 1.0) -> ndarray:
    """What is divided by: the root of the second moment after its bias correction, with eps outside of it."""
    divisor = np.sqrt(v)
    if correction != 1:
        divisor /= correction**0.5
    divisor += eps
    return divisor


def bias_correction(beta: float, step: ndarray) -> float:
    """How much of a moving average of so many steps is not yet its beginning at zero."""
    return 1 - beta ** float(step)


def total_norm(values: list[ndarray]) -> np.floating:
    """The norm of all the gradients as one vector."""
    return np.linalg.norm([np.linalg.norm(value) for value in values])
