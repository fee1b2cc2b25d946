"""What goes wrong in the optimizers: in their formulas, in their state, in clipping, in the learning rate."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from numpy_impl.optimizers import AdamW, place, total_norm
from reference.contract import RowGrad
from reference.mistakes.planting import Plant, mistake

EVERY = ("SGD.update", "Adagrad.update", "RMSprop.update", "Adam.update", "SparseAdam.update")


def optioned(change: Callable[[Any], dict[str, Any]]) -> Callable[[Callable], Callable]:
    """A plant: an update with changed options. change(options) returns the ones that differ."""

    def plant(right: Callable) -> Callable:
        def wrong(self, *given):
            options = self.options
            self.options = replace(options, **change(options))
            try:
                right(self, *given)
            finally:
                self.options = options

        return wrong

    return plant


# --- all of them -----------------------------------------------------------------------------------------------------


@mistake(
    EVERY,
    "the update that goes up the gradient",
    wrong="param += lr * update",
    right="param -= lr * update",
)
def update_added(right: Callable) -> Callable:
    def wrong(self, *given):
        self.lr = -self.lr
        try:
            right(self, *given)
        finally:
            self.lr = -self.lr

    return wrong


@mistake(
    "Optimizer.step",
    "the update of an optimizer that is created again in every step, and so loses its state",
    wrong="for batch in batches: optimizer = Adam(model.parameters())",
    right="optimizer = Adam(model.parameters()); for batch in batches: ...",
    sources=("raskr/rust-autograd#16",),
)
def state_forgotten(right: Callable) -> Callable:
    def wrong(self, p, g):
        lr, state = self.lr, self.state
        self.__init__(self.options, p)
        for kind, tensors in self.state.items():
            for name, start in tensors.items():
                state[kind][name][...] = start
        self.lr, self.state = lr, state
        right(self, p, g)

    return wrong


@mistake(
    "with_decay",
    "the update without the weight decay",
    wrong="grad = grad",
    right="grad = grad + weight_decay * param",
    sources=("PaddlePaddle/Paddle#5836",),
    also={"AdamW.decayed": lambda right: lambda self, grad, param: grad},
)
def decay_forgotten(right: Callable) -> Callable:
    return lambda grad, param, weight_decay: grad


@mistake(
    "with_decay",
    "the update with weight decay of the wrong sign",
    wrong="grad = grad - weight_decay * param",
    right="grad = grad + weight_decay * param",
)
def decay_turned(right: Callable) -> Callable:
    return lambda grad, param, weight_decay: right(grad, param, -weight_decay)


def only_where_there_is_a_gradient(right: Callable) -> Callable:
    def wrong(self, grad, param):
        before = param.copy()
        grad = right(self, grad, param)
        resting = np.broadcast_to(~grad.any(axis=-1, keepdims=True), grad.shape)
        param[resting] = before[resting]
        return grad

    return wrong


@mistake(
    "with_decay",
    "the update that decays only the rows with a gradient",
    wrong="grad[rows] += weight_decay * param[rows]",
    right="grad += weight_decay * param",
    sources=("tensorflow/addons#767", "pytorch/pytorch#25560"),
    also={"AdamW.decayed": only_where_there_is_a_gradient},
)
def decay_of_touched_rows(right: Callable) -> Callable:
    return lambda grad, param, weight_decay: np.where(
        grad.any(axis=-1, keepdims=True), right(grad, param, weight_decay), grad
    )


@mistake(
    "root",
    "the update that divides by the root without eps",
    wrong="param -= lr * m / np.sqrt(v)",
    right="param -= lr * m / (np.sqrt(v) + eps)",
)
def eps_forgotten(right: Callable) -> Callable:
    return lambda v, eps, *correction: right(v, 0.0, *correction)


@mistake(
    "root",
    "the update with an eps of {}, instead of the given one",
    wrong="param -= lr * m / (np.sqrt(v) + {})",
    right="param -= lr * m / (np.sqrt(v) + eps)",
    number=1e-8,
)
def eps_of_its_own(right: Callable, own: float) -> Callable:
    return lambda v, eps, *correction: right(v, own, *correction)


@mistake(
    "root",
    "the update that divides by the second moment instead of its root",
    wrong="param -= lr * m / (v + eps)",
    right="param -= lr * m / (np.sqrt(v) + eps)",
)
def root_forgotten(right: Callable) -> Callable:
    return lambda v, *given: right(v * v, *given)


# --- SGD -------------------------------------------------------------------------------------------------------------


@mistake(
    "SGD.update",
    "the update with a dampened first momentum",
    wrong="buf = momentum * buf + (1 - dampening) * grad",
    right="buf = grad if first else momentum * buf + (1 - dampening) * grad",
)
def dampened_at_first(right: Callable) -> Callable:
    def wrong(self, name, param, at, grad):
        o = self.options
        if not o.momentum or not o.dampening or name in self.moving:
            return right(self, name, param, at, grad)
        grad = (1 - o.dampening) * grad
        decay = (1 - o.dampening) * o.weight_decay
        return optioned(lambda o: {"weight_decay": decay})(right)(self, name, param, at, grad)

    return wrong


@mistake(
    "SGD.update",
    "the update that does not dampen each row's first gradient, as if each row had its own first step",
    wrong="buf[row] = grad if not buf[row].any() else momentum * buf[row] + (1 - dampening) * grad",
    right="buf = grad if step == 1 else momentum * buf + (1 - dampening) * grad",
)
def dampened_from_each_rows_second(right: Callable) -> Callable:
    def wrong(self, name, param, at, grad):
        o = self.options
        if o.momentum and o.dampening and name in self.moving:
            (buf,) = self.state_of(name)
            fresh = ~buf[at].any(axis=-1, keepdims=True)
            decay = o.weight_decay * param[at]
            grad = np.where(fresh, (grad + o.dampening * decay) / (1 - o.dampening), grad)
        return right(self, name, param, at, grad)

    return wrong


@mistake(
    "SGD.update",
    "the update without dampening",
    wrong="buf = momentum * buf + grad",
    right="buf = momentum * buf + (1 - dampening) * grad",
)
def dampening_forgotten(right: Callable) -> Callable:
    return optioned(lambda o: {"dampening": 0.0})(right)


@mistake(
    "SGD.update",
    "the update with plain momentum instead of Nesterov's",
    wrong="param -= lr * buf",
    right="param -= lr * (grad + momentum * buf)",
)
def nesterov_forgotten(right: Callable) -> Callable:
    return optioned(lambda o: {"nesterov": False})(right)


@mistake(
    "SGD.update",
    "the update of Nesterov's momentum with the new velocity in the place of the old one",
    wrong="v = momentum * v - lr * grad; param += momentum ** 2 * v - (1 + momentum) * lr * grad",
    right="param += momentum ** 2 * v - (1 + momentum) * lr * grad; v = momentum * v - lr * grad",
    sources=(
        "PaddlePaddle/Paddle#12231",
        "https://github.com/oreilly-japan/deep-learning-from-scratch-2/blob/master/common/optimizer.py",
    ),
)
def nesterov_of_the_new_velocity(right: Callable) -> Callable:
    def wrong(self, name, param, at, grad):
        if not self.options.nesterov:
            return right(self, name, param, at, grad)
        (buf,) = self.state_of(name)
        before = buf.copy()
        right(self, name, param, at, grad)
        param -= self.lr * self.options.momentum**2 * (buf - before)

    return wrong


# --- Adagrad, RMSprop ------------------------------------------------------------------------------------------------


@mistake(
    "Adagrad.update",
    "the update with a learning rate that has already decayed in the first step",
    wrong="lr = lr / (1 + step * lr_decay)",
    right="lr = lr / (1 + (step - 1) * lr_decay)",
)
def lr_decayed_at_first(right: Callable) -> Callable:
    def wrong(self, name, *given):
        o, lr, step = self.options, self.lr, float(self.state["step"][name])
        self.lr = lr * (1 + step * o.lr_decay) / (1 + (step + 1) * o.lr_decay)
        try:
            right(self, name, *given)
        finally:
            self.lr = lr

    return wrong


@mistake(
    "Adagrad.update",
    "the update with a learning rate that does not decay, despite lr_decay",
    wrong="param -= lr * grad / (np.sqrt(total) + eps)",
    right="param -= lr / (1 + (step - 1) * lr_decay) * grad / (np.sqrt(total) + eps)",
)
def lr_decay_forgotten(right: Callable) -> Callable:
    return optioned(lambda o: {"lr_decay": 0.0})(right)


@mistake(
    "Adagrad.__init__",
    "the update with an accumulator that starts at 0, despite initial_accumulator_value",
    wrong="total = np.zeros_like(param)",
    right="total = np.full_like(param, initial_accumulator_value)",
)
def accumulator_begins_at_0(right: Callable) -> Callable:
    def wrong(self, options, weights):
        right(self, replace(options, initial_accumulator_value=0.0), weights)
        self.options = options

    return wrong


@mistake(
    "Adagrad.update",
    "the update with only the last gradient's square, instead of the sum of all",
    wrong="total = grad ** 2",
    right="total += grad ** 2",
)
def squares_not_accumulated(right: Callable) -> Callable:
    def wrong(self, name, param, at, grad):
        self.state["sum"][name][at] = self.options.initial_accumulator_value
        right(self, name, param, at, grad)

    return wrong


@mistake(
    "RMSprop.update",
    "the update without centring, despite centered",
    wrong="param -= lr * grad / (np.sqrt(square_avg) + eps)",
    right="param -= lr * grad / (np.sqrt(square_avg - grad_avg ** 2) + eps)",
)
def centering_forgotten(right: Callable) -> Callable:
    return optioned(lambda o: {"centered": False})(right)


@mistake(
    "RMSprop.update",
    "the update with alpha as the weight of the new square, instead of the old ones",
    wrong="square_avg = (1 - alpha) * square_avg + alpha * grad ** 2",
    right="square_avg = alpha * square_avg + (1 - alpha) * grad ** 2",
)
def alpha_for_the_new(right: Callable) -> Callable:
    return optioned(lambda o: {"alpha": 1 - o.alpha})(right)


# --- duplicates ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Squared(RowGrad):
    """Rows that also have the sum of the squares of their terms."""

    squares: np.ndarray


def with_squares(right: Callable) -> Callable:
    def wrong(self, p, g):
        self.squares = {name: grad.squares for name, grad in g.items() if isinstance(grad, Squared)}
        right(self, p, g)

    return wrong


def clipped_squares(right: Callable) -> Callable:
    def wrong(grads, max_norm):
        squared = [grad for grad in grads if isinstance(grad, Squared)]
        before = [np.linalg.norm(grad.values) for grad in squared]
        right(grads, max_norm)
        for grad, norm in zip(squared, before, strict=True):
            grad.squares[...] *= (np.linalg.norm(grad.values) / norm) ** 2

    return wrong


def beginning_with(kind: str, more: Callable) -> Plant:
    """A plant: before the update, the rows of a second moment get more(options) times the missing squares."""

    def plant(right: Callable) -> Callable:
        def wrong(self, name, param, at, grad):
            if name in self.squares and at is not ...:
                self.state[kind][name][at] += more(self.options) * (self.squares[name] - grad * grad)
            right(self, name, param, at, grad)

        return wrong

    return plant


@mistake(
    "rows_of",
    "the update that squares the gradients of duplicate ids before it sums them",
    wrong="np.add.at(total, ids, d ** 2)",
    right="grad = np.zeros_like(param); np.add.at(grad, ids, d); total += grad ** 2",
    also={
        "Optimizer.step": with_squares,
        "clip_grad_norm_": clipped_squares,
        "Adagrad.update": beginning_with("sum", lambda o: 1),
        "SparseAdam.update": beginning_with("exp_avg_sq", lambda o: (1 - o.betas[1]) / o.betas[1]),
    },
)
def duplicates_squared_first(right: Callable) -> Callable:
    def wrong(ids, d, num_embeddings, source=None):
        grad = right(ids, d, num_embeddings, source)
        return Squared(grad.rows, grad.values, grad.shape, right(ids, d * d, num_embeddings, source).values)

    return wrong


# --- Adam and its kin ------------------------------------------------------------------------------------------------


@mistake(
    "bias_correction",
    "the update without bias correction",
    wrong="param -= lr * m / (np.sqrt(v) + eps)",
    right="param -= lr * m_hat / (np.sqrt(v_hat) + eps)",
    sources=("ml-explore/mlx#1640", "nerfstudio-project/gsplat#770"),
)
def bias_correction_forgotten(right: Callable) -> Callable:
    return lambda beta, step: 1.0


@mistake(
    "bias_correction",
    "the update with the bias correction of the next step",
    wrong="m_hat = m / (1 - beta ** (step + 1))",
    right="m_hat = m / (1 - beta ** step)",
)
def bias_correction_a_step_ahead(right: Callable) -> Callable:
    return lambda beta, step: right(beta, step + 1)


@mistake(
    "bias_correction",
    "the update with the bias correction of the previous step, which is 0 in the first step",
    wrong="for step in range(steps): m_hat = m / (1 - beta ** step)",
    right="for step in range(1, steps + 1): m_hat = m / (1 - beta ** step)",
    sources=("tracel-ai/burn#834", "deeplearning4j/nd4j#1227"),
)
def bias_correction_a_step_behind(right: Callable) -> Callable:
    return lambda beta, step: np.float64(right(beta, step - 1))


@mistake(
    "bias_correction",
    "the update with the bias correction of the first step in every step",
    wrong="m_hat = m / (1 - beta)",
    right="m_hat = m / (1 - beta ** step)",
    sources=("eriklindernoren/ML-From-Scratch#35",),
)
def bias_correction_of_the_first_step(right: Callable) -> Callable:
    return lambda beta, step: right(beta, np.ones(()))


@mistake(
    ("Adam.update", "SparseAdam.update"),
    "the update that counts one step for each parameter, instead of one for all",
    wrong="for param in params: step += 1; update(param, step)",
    right="step += 1; for param in params: update(param, step)",
    sources=("DiffSharp/DiffSharp#292",),
)
def step_of_each_parameter(right: Callable) -> Callable:
    def wrong(self, name, *given):
        steps = self.state["step"]
        step, before = steps[name], float(steps[name])
        step[...] = before * len(steps) + list(steps).index(name)
        right(self, name, *given)
        step[...] = before + 1

    return wrong


@mistake(
    ("Adam.update", "SparseAdam.update"),
    "the update with the two betas swapped",
    wrong="beta2, beta1 = betas",
    right="beta1, beta2 = betas",
)
def betas_swapped(right: Callable) -> Callable:
    return optioned(lambda o: {"betas": o.betas[::-1]})(right)


@mistake(
    "Adam.update",
    "the update with the current second moment, despite amsgrad, which takes the largest so far",
    wrong="param -= lr * m_hat / (np.sqrt(v_hat) + eps)",
    right="param -= lr * m_hat / (np.sqrt(np.maximum(largest, v) / c2) + eps)",
)
def amsgrad_forgotten(right: Callable) -> Callable:
    return optioned(lambda o: {"amsgrad": False})(right)


@mistake(
    "Adam.update",
    "the update whose weight decay is multiplied by the bias-corrected learning rate",
    wrong="lr *= np.sqrt(c2) / c1; param *= 1 - lr * weight_decay",
    right="param *= 1 - lr * weight_decay; lr *= np.sqrt(c2) / c1",
    sources=("Oneflow-Inc/oneflow#5960",),
)
def decay_by_the_corrected_lr(right: Callable) -> Callable:
    def wrong(self, name, *given):
        if not isinstance(self, AdamW):
            return right(self, name, *given)
        c1, c2 = (1 - beta ** (float(self.state["step"][name]) + 1) for beta in self.options.betas)
        optioned(lambda o: {"weight_decay": o.weight_decay * c2**0.5 / c1})(right)(self, name, *given)

    return wrong


# --- clipping --------------------------------------------------------------------------------------------------------


@mistake(
    "clip_grad_norm_",
    "the update with gradients that are not clipped, despite max_norm",
    wrong="optimizer.step()",
    right="clip_grad_norm_(parameters, max_norm); optimizer.step()",
    sources=("NVIDIA/OpenSeq2Seq#192",),
)
def clipping_forgotten(right: Callable) -> Callable:
    return lambda grads, max_norm: None


@mistake(
    "clip_grad_norm_",
    "the update with gradients that are only clipped above max_norm; PyTorch's 1e-6 clips at max_norm too",
    wrong="if total_norm > max_norm: grad *= max_norm / (total_norm + 1e-6)",
    right="grad *= min(max_norm / (total_norm + 1e-6), 1)",
)
def clipped_above_the_limit_alone(right: Callable) -> Callable:
    def wrong(grads, max_norm):
        if total_norm([place(grad)[1] for grad in grads]) > max_norm:
            right(grads, max_norm)

    return wrong


@mistake(
    "clip_grad_norm_",
    "the update with each gradient entry clipped to max_norm, instead of the norm",
    wrong="clip_grad_value_(parameters, max_norm)",
    right="clip_grad_norm_(parameters, max_norm)",
)
def clipped_by_value(right: Callable) -> Callable:
    def wrong(grads, max_norm):
        for grad in grads:
            value = place(grad)[1]
            np.clip(value, -max_norm, max_norm, out=value)

    return wrong


@mistake(
    "clip_grad_norm_",
    "the update with gradients that are divided by their norm, which is NaN where there is no gradient at all",
    wrong="grad = grad / total_norm * min(total_norm, max_norm)",
    right="grad = grad * min(max_norm / (total_norm + 1e-6), 1)",
    sources=("jax-ml/jax#2426", "keras-team/keras#18985"),
)
def clipping_divides_by_0(right: Callable) -> Callable:
    def wrong(grads, max_norm):
        right(grads, max_norm)
        values = [place(grad)[1] for grad in grads]
        for value in values if not any(value.any() for value in values) else []:
            value *= np.nan

    return wrong


@mistake(
    "clip_grad_norm_",
    "the update with gradients scaled to max_norm even if their norm is smaller",
    wrong="grad *= max_norm / total_norm",
    right="grad *= min(max_norm / total_norm, 1)",
)
def clipping_scales_up(right: Callable) -> Callable:
    def wrong(grads, max_norm):
        norm = np.linalg.norm([np.linalg.norm(place(grad)[1]) for grad in grads])
        for grad in grads if norm < max_norm else []:
            place(grad)[1][...] *= max_norm / (norm + 1e-6)
        right(grads, max_norm)

    return wrong


@mistake(
    "total_norm",
    "the update with gradients clipped by the largest of their norms, instead of the total norm",
    wrong="total_norm = max(norm(grad) for grad in grads)",
    right="total_norm = np.sqrt(sum(norm(grad) ** 2 for grad in grads))",
)
def clipped_by_the_largest(right: Callable) -> Callable:
    return lambda values: max(map(np.linalg.norm, values))


@mistake(
    "total_norm",
    "the update with gradients clipped by the sum of their norms, instead of the total norm",
    wrong="total_norm = sum(norm(grad) for grad in grads)",
    right="total_norm = np.sqrt(sum(norm(grad) ** 2 for grad in grads))",
)
def clipped_by_the_sum(right: Callable) -> Callable:
    return lambda values: sum(map(np.linalg.norm, values))


# --- the learning rate -----------------------------------------------------------------------------------------------


def with_lr(right: Callable, of: Callable[[float], float]) -> Callable:
    """The step with another learning rate, which is a function of the given one."""

    def wrong(self):
        given = self.optimizer.lr
        self.optimizer.lr = of(given)
        right(self)
        if self.case.lr_decay_to is None:
            self.optimizer.lr = given

    return wrong


@mistake(
    "Trainer.step",
    "the update with a learning rate of {}, instead of the given one",
    wrong="optimizer = SGD(parameters, lr={})",
    right="optimizer = SGD(parameters, lr=lr)",
    number=0.003,
)
def lr_of_its_own(right: Callable, own: float) -> Callable:
    return with_lr(right, lambda given: own)


@mistake(
    "Trainer.step",
    "the update with {} times the learning rate",
    wrong="param -= {} * lr * grad",
    right="param -= lr * grad",
    number=0.1,
)
def lr_scaled(right: Callable, times: float) -> Callable:
    return with_lr(right, lambda given: times * given)


@mistake(
    "Trainer.step",
    "the update with a learning rate that does not fall",
    wrong="optimizer.step()",
    right="optimizer.step(); scheduler.step()",
)
def schedule_forgotten(right: Callable) -> Callable:
    def wrong(self):
        lr = self.optimizer.lr
        right(self)
        self.optimizer.lr = lr

    return wrong


@mistake(
    "Trainer.step",
    "the update with the learning rate of the next step",
    wrong="scheduler.step(); optimizer.step()",
    right="optimizer.step(); scheduler.step()",
    sources=("mlcommons/GaNDLF#107", "facebookresearch/ParlAI#2042"),
)
def schedule_a_step_ahead(right: Callable) -> Callable:
    def wrong(self):
        if self.case.lr_decay_to is not None:
            first, last = self.case.optimizer.lr, self.case.lr_decay_to
            self.optimizer.lr = first + (last - first) * min((self.steps + 1) / self.case.steps, 1)
        right(self)

    return wrong
