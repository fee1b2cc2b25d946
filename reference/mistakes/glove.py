"""What goes wrong in GloVe: its weights, its logarithm, its biases, and the order of its updates."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from numpy_impl.embedding import embedding
from numpy_impl.glove import least_squares, weighting
from reference.contract import RowGrad
from reference.mistakes.planting import in_backward, mistake

BIASES = "center_bias.weight", "context_bias.weight"

# --- the weight of a pair --------------------------------------------------------------------------------------------


@mistake(
    "weighting",
    "the loss with equal weights for all pairs, regardless of their counts",
    wrong="loss = difference ** 2",
    right="loss = np.minimum((counts / x_max) ** alpha, 1) * difference ** 2",
)
def cooccurrences_unweighted(right: Callable) -> Callable:
    return lambda counts, x_max, alpha: np.ones_like(counts)


@mistake(
    "weighting",
    "the loss with weights capped on the wrong side: rare pairs count as much as pairs at x_max",
    wrong="weight = np.maximum((counts / x_max) ** alpha, 1)",
    right="weight = np.minimum((counts / x_max) ** alpha, 1)",
)
def cap_from_below(right: Callable) -> Callable:
    return lambda counts, x_max, alpha: np.maximum((counts / x_max) ** alpha, 1)


@mistake(
    "weighting",
    "the loss with uncapped weights: pairs above x_max count more than pairs at x_max",
    wrong="weight = (counts / x_max) ** alpha",
    right="weight = np.minimum((counts / x_max) ** alpha, 1)",
)
def cap_forgotten(right: Callable) -> Callable:
    return lambda counts, x_max, alpha: (counts / x_max) ** alpha


@mistake(
    "weighting",
    "the loss with weights proportional to the counts, without the power alpha",
    wrong="weight = np.minimum(counts / x_max, 1)",
    right="weight = np.minimum((counts / x_max) ** alpha, 1)",
)
def alpha_forgotten(right: Callable) -> Callable:
    return lambda counts, x_max, alpha: right(counts, x_max, 1.0)


@mistake(
    "least_squares",
    "the loss with the weights inside the square",
    wrong="loss = ((weight * difference) ** 2).sum()",
    right="loss = (weight * difference ** 2).sum()",
)
def weights_squared(right: Callable) -> Callable:
    return lambda scores, counts, x_max, alpha, reduction: right(scores, counts, x_max, 2 * alpha, reduction)


# --- the difference and its square -----------------------------------------------------------------------------------


def shifted(right, shift, scores, counts, *options):
    """The loss with something added to the scores."""
    return right((scores + shift(counts)).astype(scores.dtype), counts, *options)


@mistake(
    "least_squares",
    "the loss of scores minus counts, instead of minus the logarithms of counts",
    wrong="difference = scores - counts",
    right="difference = scores - np.log(counts)",
)
def log_of_counts_forgotten(right: Callable) -> Callable:
    return lambda *given: shifted(right, lambda counts: np.log(counts) - counts, *given)


@mistake(
    "least_squares",
    "the loss with log(1 + count), which avoids log(0), instead of log(count)",
    wrong="difference = scores - np.log(1 + counts)",
    right="difference = scores - np.log(counts)",
)
def log_of_1_and_counts(right: Callable) -> Callable:
    return lambda *given: shifted(right, lambda counts: np.log(counts) - np.log1p(counts), *given)


@mistake(
    "least_squares",
    "the loss with the logarithm of the count added to the score instead of subtracted",
    wrong="difference = scores + np.log(counts)",
    right="difference = scores - np.log(counts)",
    sources=("noaRricky/pytorch-glove#1",),
)
def log_of_counts_added(right: Callable) -> Callable:
    return lambda *given: shifted(right, lambda counts: 2 * np.log(counts), *given)


@mistake(
    "least_squares",
    "the loss with the difference not squared",
    wrong="loss = (weight * difference).sum()",
    right="loss = (weight * difference ** 2).sum()",
    sources=("mryab/efficient-dl-systems#2",),
)
def square_forgotten(right: Callable) -> Callable:
    def wrong(scores, counts, x_max, alpha, reduction):
        weight = weighting(counts, x_max, alpha)
        weight /= len(scores) if reduction == "mean" else 1
        return (weight * (scores - np.log(counts))).sum(), lambda: weight

    return wrong


@mistake(
    "least_squares",
    "half the gradient: the square's derivative lacks its 2, although the loss is not halved",
    wrong="d = weight * difference",
    right="d = 2 * weight * difference",
    sources=("hans/glove.py#7",),
)
@in_backward
def square_slope_without_2(gradient, *given):
    return gradient / 2


@mistake(
    "least_squares",
    "the gradient of the summed squares, although the loss is a mean over the pairs",
    wrong="d = 2 * weight * difference",
    right="d = 2 * weight * difference / N",
)
def squares_mean_forgotten(right: Callable) -> Callable:
    def wrong(*given):
        return right(*given)[0], right(*given[:-1], "sum")[1]

    return wrong


@mistake(
    "least_squares",
    "the gradient without the weights of the pairs, which the loss has",
    wrong="d = 2 * difference",
    right="d = 2 * weight * difference",
)
def weights_in_the_loss_alone(right: Callable) -> Callable:
    def wrong(scores, counts, x_max, alpha, reduction):
        loss, _ = right(scores, counts, x_max, alpha, reduction)
        return loss, right(scores, counts, x_max, 0.0, reduction)[1]

    return wrong


# --- the biases ------------------------------------------------------------------------------------------------------


def zero(gradient):
    """The same form, with all values zero."""
    if isinstance(gradient, RowGrad):
        return RowGrad(gradient.rows, np.zeros_like(gradient.values), gradient.shape)
    return np.zeros_like(gradient)


def without_biases(gradients):
    return gradients | {name: zero(gradients[name]) for name in BIASES}


@mistake(
    "GloVe.forward",
    "the loss of scores without their biases",
    wrong="scores = (center * context).sum(axis=1)",
    right="scores = (center * context).sum(axis=1) + center_bias + context_bias",
)
def biases_left_out(right: Callable) -> Callable:
    def wrong(self, p, batch):
        loss, backward = right(self, p | {name: np.zeros_like(p[name]) for name in BIASES}, batch)
        return loss, lambda: without_biases(backward())

    return wrong


@mistake(
    "GloVe.forward",
    "the gradients of the vectors only; the biases have none",
    wrong="center -= lr * d * context; context -= lr * d * center",
    right="center -= lr * d * context; context -= lr * d * center; center_bias -= lr * d; context_bias -= lr * d",
)
@in_backward
def biases_not_trained(gradients, *given):
    return without_biases(gradients)


@mistake(
    "GloVe.forward",
    "the wrong biases: the centre's are looked up by the context's id, and the other way round",
    wrong="scores = products + center_bias[contexts] + context_bias[centers]",
    right="scores = products + center_bias[centers] + context_bias[contexts]",
)
def biases_swapped(right: Callable) -> Callable:
    first, second = BIASES

    def wrong(self, p, batch):
        loss, backward = right(self, p | {first: p[second], second: p[first]}, batch)

        def swapped():
            g = backward()
            return g | {first: g[second], second: g[first]}

        return loss, swapped

    return wrong


# --- the two tables --------------------------------------------------------------------------------------------------


class InTurn(dict):
    """Gradients; that of the context table is computed only when it is read, with the centres of that moment."""

    def __init__(self, gradients, of_contexts):
        super().__init__(gradients)
        self.of_contexts = of_contexts

    def __getitem__(self, name):
        return self.of_contexts() if name == "context.weight" else super().__getitem__(name)


@mistake(
    "GloVe.forward",
    "the update of the contexts with centres that have already been updated",
    wrong="center -= lr * d * context; context -= lr * d * center",
    right="center, context = center - lr * d * context, context - lr * d * center",
    sources=("hans/glove.py#6",),
)
def tables_updated_in_turn(right: Callable) -> Callable:
    def wrong(self, p, batch):
        loss, backward = right(self, p, batch)
        before = {name: array.copy() for name, array in p.items()}

        def of_contexts():
            scores = (before["center.weight"][batch.centers] * before["context.weight"][batch.contexts]).sum(axis=1)
            scores += (before[BIASES[0]][batch.centers] + before[BIASES[1]][batch.contexts])[:, 0]
            model = self.model
            _, d_scores = least_squares(scores, batch.counts, model.x_max, model.alpha, model.reduction)
            _, d_context = embedding(batch.contexts, p["context.weight"], self.sparse)
            return d_context(d_scores()[:, None] * p["center.weight"][batch.centers])

        return loss, lambda: InTurn(backward(), of_contexts)

    return wrong
