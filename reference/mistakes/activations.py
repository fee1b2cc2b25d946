"""What goes wrong in activations and dropout."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from numpy_impl import functional
from reference.mistakes.planting import in_backward, mistake

gelu_tanh = functional.gelu_tanh  # the right one


@mistake(
    "relu",
    "the gradient that passes relu everywhere",
    wrong="dx = d",
    right="dx = d * (x > 0)",
)
@in_backward
def relu_passes_all(gradient, d, x):
    return d


@mistake(
    "relu",
    "the gradient that relu cuts by its own sign instead of the input's",
    wrong="dx = d * (d > 0)",
    right="dx = d * (x > 0)",
    sources=("exacity/deeplearningbook-chinese#127",),
)
@in_backward
def relu_of_the_gradient(gradient, d, x):
    return d * (d > 0)


@mistake(
    "relu",
    "the slope of relu alone, without the gradient that came from above",
    wrong="dx = (x > 0) * 1.0",
    right="dx = d * (x > 0)",
    sources=("haifengl/smile#528",),
)
@in_backward
def relu_slope_alone(gradient, d, x):
    return (x > 0).astype(d.dtype)


@mistake(
    "tanh",
    "the gradient through tanh with the slope at the output: tanh is taken twice",
    wrong="dx = d * (1 - np.tanh(y) ** 2)",
    right="dx = d * (1 - y ** 2)",
)
@in_backward
def tanh_taken_twice(gradient, d, x):
    return d * (1 - np.tanh(np.tanh(x)) ** 2)


@mistake(
    "tanh",
    "the gradient through tanh with 1 - x² for 1 - tanh(x)²",
    wrong="dx = d * (1 - x ** 2)",
    right="dx = d * (1 - np.tanh(x) ** 2)",
)
@in_backward
def tanh_slope_of_the_input(gradient, d, x):
    return d * (1 - x * x)


@mistake(
    "sigmoid",
    "the gradient through the sigmoid with the slope at the output: the sigmoid is taken twice",
    wrong="dx = d * sigmoid(y) * (1 - sigmoid(y))",
    right="dx = d * y * (1 - y)",
    sources=("benoitfragit/libBrain#78",),
)
def sigmoid_taken_twice(right: Callable) -> Callable:
    def wrong(x):
        y, _ = right(x)
        return y, right(y)[1]

    return wrong


@mistake(
    "sigmoid",
    "the gradient through the sigmoid with x (1 - x) for sigmoid(x) (1 - sigmoid(x))",
    wrong="dx = d * x * (1 - x)",
    right="dx = d * y * (1 - y)",
    sources=("BoltzmannEntropy/interviews.ai#4",),
)
@in_backward
def sigmoid_slope_of_the_input(gradient, d, x):
    return d * x * (1 - x)


@mistake(
    "gelu",
    "the gradient of gelu's tanh form behind a forward pass with erf",
    wrong="y = x * cdf(x); dx = d * slope_of_tanh_form(x)",
    right="y = x * cdf(x); dx = d * (cdf(x) + x * density(x))",
)
@in_backward
def gelu_forms_mixed(gradient, d, x):
    return gelu_tanh(x)[1](d)


@mistake(
    "gelu",
    "the gradient of gelu without its second term, x times the density",
    wrong="dx = d * cdf(x)",
    right="dx = d * (cdf(x) + x * density(x))",
)
def gelu_density_forgotten(right: Callable) -> Callable:
    def wrong(x):
        y, _ = right(x)
        return y, lambda d: d * np.divide(y, x, out=np.full_like(x, 0.5), where=x != 0)

    return wrong


@mistake(
    "gelu",
    "the gradient in which gelu's output is divided by its input, which is NaN at exactly 0",
    wrong="y = x * cdf(x); dx = d * (y / x + x * density(x))",
    right="dx = d * (cdf(x) + x * density(x))",
)
@in_backward
def gelu_over_its_input(gradient, d, x):
    return np.where(x == 0, np.nan, gradient)


@mistake(
    "dropout",
    "the units that dropout keeps, not divided by 1 - p",
    wrong="y = x * keep",
    right="y = x * keep / (1 - p)",
)
def dropout_unscaled(right: Callable) -> Callable:
    return lambda x, keep, p: right(x, keep, 0.0)


@mistake(
    "dropout",
    "the units that dropout keeps, divided by p instead of 1 - p",
    wrong="y = x * keep / p",
    right="y = x * keep / (1 - p)",
    sources=("kaldi-asr/kaldi#2814", "lmjohns3/theanets#123"),
)
def dropout_by_p(right: Callable) -> Callable:
    return lambda x, keep, p: right(x, keep, 1 - p)


@mistake(
    "dropout",
    "the gradient that reaches the units which were dropped",
    wrong="dx = d / (1 - p)",
    right="dx = d * keep / (1 - p)",
    sources=("ddbourgin/numpy-ml#94",),
)
@in_backward
def dropout_not_in_the_backward(gradient, d, x, keep, p):
    return d if keep is None else d / (1 - p)


@mistake(
    "dropout",
    "the gradient that dropout masks but does not divide by 1 - p",
    wrong="dx = d * keep",
    right="dx = d * keep / (1 - p)",
)
@in_backward
def dropout_unscaled_in_the_backward(gradient, d, x, keep, p):
    return d if keep is None else d * keep
