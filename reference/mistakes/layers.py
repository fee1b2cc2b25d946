"""What goes wrong in the dense layer, and from one batch to the next."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from numpy_impl.kernels.rows import rows_of
from reference.contract import RowGrad
from reference.mistakes.planting import in_backward, mistake


@mistake(
    "linear",
    "the bias gradient of the first example instead of the sum over the batch",
    wrong="db = d[0]",
    right="db = d.sum(axis=0)",
    sources=("mlpack/mlpack#3679",),
)
@in_backward
def bias_not_summed(gradients, d, x, weight, bias):
    return *gradients[:2], d[0]


@mistake(
    "linear",
    "the bias gradient averaged over the batch a second time, after the loss",
    wrong="db = d.mean(axis=0)",
    right="db = d.sum(axis=0)",
    sources=("deeplearning4j/deeplearning4j#366", "kvfrans/notes#5"),
)
@in_backward
def bias_averaged(gradients, d, x, weight, bias):
    return *gradients[:2], d.mean(axis=0)


@mistake(
    "linear",
    "the weight gradient averaged over the batch a second time, after the loss",
    wrong="dW = d.T @ x / len(x)",
    right="dW = d.T @ x",
)
@in_backward
def weight_gradient_averaged(gradients, d, x, weight, bias):
    d_x, d_weight, d_bias = gradients
    return d_x, d_weight / d.dtype.type(len(x)), d_bias


@mistake(
    "linear",
    "the bias gradient that is never computed",
    wrong="db = np.zeros_like(bias)",
    right="db = d.sum(axis=0)",
)
@in_backward
def bias_gradient_forgotten(gradients, d, x, weight, bias):
    return *gradients[:2], np.zeros_like(bias)


@mistake(
    "linear",
    "the transposed weight gradient, which goes unnoticed in a square layer",
    wrong="dW = x.T @ d",
    right="dW = d.T @ x",
)
@in_backward
def weight_gradient_transposed(gradients, d, x, weight, bias):
    d_x, d_weight, d_bias = gradients
    return d_x, d_weight.T.copy() if square(weight) else d_weight, d_bias


@mistake(
    "linear",
    "the input gradient through the transposed weight, which goes unnoticed in a square layer",
    wrong="dx = d @ weight.T",
    right="dx = d @ weight",
)
@in_backward
def input_gradient_transposed(gradients, d, x, weight, bias):
    d_x, d_weight, d_bias = gradients
    return d @ weight.T if square(weight) else d_x, d_weight, d_bias


@mistake(
    "linear",
    "the layer that does not transpose its weight, which goes unnoticed in a square layer",
    wrong="y = x @ weight + bias",
    right="y = x @ weight.T + bias",
)
def weight_transposed(right: Callable) -> Callable:
    def wrong(x, weight, bias):
        output, backward = right(x, weight.T if square(weight) else weight, bias)

        def transposed(d):
            d_x, d_weight, d_bias = backward(d)
            return d_x, d_weight.T.copy() if square(weight) else d_weight, d_bias

        return output, transposed

    return wrong


@mistake(
    "Trainer.loss_and_grads",
    "the gradient added to those of earlier steps, because it is not set to zero",
    wrong="loss.backward(); optimizer.step()",
    right="optimizer.zero_grad(); loss.backward(); optimizer.step()",
    sources=("karpathy/llm.c#548", "facebookresearch/nwm#16"),
)
def gradients_not_zeroed(right: Callable) -> Callable:
    def wrong(self, batch):
        before = {name: copied(gradient) for name, gradient in self.grads.items()}
        loss, grads = right(self, batch)
        for name in before.keys() & self.weights.keys():
            grads[name] = added(before[name], grads[name])
        return loss, grads

    return wrong


def square(weight):
    return weight.shape[0] == weight.shape[1]


def copied(gradient):
    return (
        RowGrad(gradient.rows, gradient.values.copy(), gradient.shape) if isinstance(gradient, RowGrad) else +gradient
    )


def added(first, second):
    if not isinstance(first, RowGrad):
        return first + second
    rows, values = (np.concatenate([getattr(part, name) for part in (first, second)]) for name in ("rows", "values"))
    return rows_of(rows, values, first.shape[0])
