"""What goes wrong in the losses and their gradients."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from numpy_impl.functional import log_softmax
from reference.mistakes.planting import in_backward, mistake


def distribution(logits, target, weight=None, ignore_index=-100, reduction="mean", label_smoothing=0.0):
    """The target distribution of `cross_entropy`, (N, C) with class weights in it, and its divisor."""
    n, classes = logits.shape
    weight = np.ones(classes, logits.dtype) if weight is None else weight
    q, divisor, counted = target, n, np.ones(n, bool)
    if target.ndim == 1:
        counted = target != ignore_index
        q = np.zeros_like(logits)
        q[counted, target[counted]] = 1
        divisor = weight[target[counted]].sum()
    q = ((1 - label_smoothing) * q + label_smoothing / classes) * counted[:, None] * weight
    return q, logits.dtype.type(divisor or 1 if reduction == "mean" else 1)


# --- probabilities ---------------------------------------------------------------------------------------------------


@mistake(
    "cross_entropy",
    "the gradient logits - onehot instead of softmax(logits) - onehot",
    wrong="d = logits - onehot",
    right="d = softmax(logits) - onehot",
)
@in_backward
def logits_for_probabilities(gradient, logits, target, **options):
    q, divisor = distribution(logits, target, **options)
    return gradient + (logits - np.exp(log_softmax(logits))) * q.sum(axis=1, keepdims=True) / divisor


@mistake(
    "cross_entropy",
    "the gradient onehot - softmax(logits), which climbs instead of descending",
    wrong="d = onehot - softmax(logits)",
    right="d = softmax(logits) - onehot",
)
@in_backward
def sign_turned(gradient, logits, target, **options):
    return -gradient


@mistake(
    "cross_entropy",
    "the softmax probabilities for the gradient, without subtracting the target",
    wrong="d = softmax(logits)",
    right="d = softmax(logits) - onehot",
)
@in_backward
def target_not_subtracted(gradient, logits, target, **options):
    q, divisor = distribution(logits, target, **options)
    return gradient + q / divisor


@mistake(
    "cross_entropy",
    "the gradient through the diagonal of softmax's Jacobian alone, p (1 - p)",
    wrong="d = -onehot / p * p * (1 - p)",
    right="d = softmax(logits) - onehot",
    sources=("Apiquet/DeepLearningFrameworkFromScratchCpp#1",),
)
@in_backward
def softmax_diagonal_alone(gradient, logits, target, **options):
    q, divisor = distribution(logits, target, **options)
    return q * (np.exp(log_softmax(logits)) - 1) / divisor


@mistake(
    "cross_entropy",
    "the loss of probabilities after a second softmax",
    wrong="loss = cross_entropy(softmax(logits), target)",
    right="loss = cross_entropy(logits, target)",
    sources=("Lightning-Universe/lightning-bolts#654", "tflearn/tflearn#562"),
)
def softmax_taken_twice(right: Callable) -> Callable:
    def wrong(logits, target, **options):
        p = np.exp(log_softmax(logits))
        loss, backward = right(p, target, **options)

        def through_softmax():
            d = backward()
            return p * (d - (p * d).sum(axis=1, keepdims=True))

        return loss, through_softmax

    return wrong


@mistake(
    "cross_entropy",
    "the loss of a softmax over the batch instead of over the classes",
    wrong="p = exp(logits) / exp(logits).sum(axis=0)",
    right="p = exp(logits) / exp(logits).sum(axis=1, keepdims=True)",
    sources=("perone/euclidesdb#2", "MicrosoftDocs/pytorchfundamentals#21"),
)
def softmax_over_the_batch(right: Callable) -> Callable:
    def wrong(logits, target, **options):
        q, divisor = distribution(logits, target, **options)
        log_p = log_softmax(logits.T).T
        return -(q * log_p).sum() / divisor, lambda: (np.exp(log_p) * q.sum(axis=0) - q) / divisor

    return wrong


@mistake(
    "cross_entropy",
    "the loss -log(p + {}), although the gradient is of -log(p)",
    wrong="loss = -np.log(p[range(N), target] + {}).mean()",
    right="loss = -log_softmax(logits)[range(N), target].mean()",
    number=1e-9,
)
def log_of_shifted_probability(right: Callable, shift: float) -> Callable:
    def wrong(logits, target, **options):
        q, divisor = distribution(logits, target, **options)
        log_p = np.log(np.exp(log_softmax(logits)) + logits.dtype.type(shift))
        return -(q * log_p).sum() / divisor, right(logits, target, **options)[1]

    return wrong


@mistake(
    "cross_entropy",
    "the loss -log(p + {}), with its own gradient",
    wrong="loss = -torch.log(p[range(N), target] + {}).mean()",
    right="loss = F.nll_loss(F.log_softmax(logits, 1), target)",
    number=1e-9,
)
def loss_of_shifted_probability(right: Callable, shift: float) -> Callable:
    def wrong(logits, target, **options):
        q, divisor = distribution(logits, target, **options)
        p = np.exp(log_softmax(logits))
        shifted = p + logits.dtype.type(shift)

        def backward():
            share = q * p / shifted
            return (p * share.sum(axis=1, keepdims=True) - share) / divisor

        return -(q * np.log(shifted)).sum() / divisor, backward

    return wrong


@mistake(
    "cross_entropy",
    "the loss of exp(logits), which overflows: the largest logit was not subtracted first",
    wrong="p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)",
    right="e = np.exp(logits - logits.max(axis=1, keepdims=True)); p = e / e.sum(axis=1, keepdims=True)",
    sources=("dwavesystems/dwave-optimization#555", "deeplearning4j/deeplearning4j#6039"),
)
def softmax_overflows(right: Callable) -> Callable:
    def wrong(logits, target, **options):
        q, divisor = distribution(logits, target, **options)
        p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        if np.isfinite(p).all():
            return right(logits, target, **options)
        return -(q * np.log(p)).sum() / divisor, lambda: (p * q.sum(axis=1, keepdims=True) - q) / divisor

    return wrong


@mistake(
    "cross_entropy",
    "the loss -log(softmax(logits)), which is infinite where the softmax is too small for the dtype",
    wrong="loss = -np.log(softmax(logits)[range(N), target]).mean()",
    right="loss = -log_softmax(logits)[range(N), target].mean()",
    sources=("deeplearning4j/deeplearning4j#785", "allenai/allennlp#2797"),
)
def softmax_underflows(right: Callable) -> Callable:
    def wrong(logits, target, **options):
        loss, backward = right(logits, target, **options)
        q, _ = distribution(logits, target, **options)
        lost = (q > 0) & (np.exp(log_softmax(logits)) == 0)
        return (logits.dtype.type(np.inf) if lost.any() else loss), backward

    return wrong


# --- what is divided by ----------------------------------------------------------------------------------------------


def undivided(right: Callable) -> Callable:
    """The loss is a mean, but its gradient is that of the sum."""

    def wrong(*given, reduction, **options):
        return right(*given, reduction=reduction, **options)[0], right(*given, reduction="sum", **options)[1]

    return wrong


@mistake(
    "cross_entropy",
    "the gradient of the summed loss, although the loss is a mean",
    wrong="d = softmax(logits) - onehot",
    right="d = (softmax(logits) - onehot) / N",
)
def batch_mean_forgotten(right: Callable) -> Callable:
    return undivided(right)


@mistake(
    "cross_entropy",
    "the loss averaged over all N C entries instead of the N examples",
    wrong="loss = -(onehot * log_p).mean()",
    right="loss = -(onehot * log_p).sum(axis=1).mean()",
)
def mean_over_classes(right: Callable) -> Callable:
    def wrong(logits, target, **options):
        loss, backward = right(logits, target, **options)
        classes = logits.dtype.type(logits.shape[1] if options["reduction"] == "mean" else 1)
        return loss / classes, lambda: backward() / classes

    return wrong


@mistake(
    "cross_entropy",
    "the mean that counts ignored targets in its divisor",
    wrong="loss = losses[target != ignore_index].sum() / len(target)",
    right="loss = losses[target != ignore_index].mean()",
    sources=("linkedin/Liger-Kernel#974",),
)
def ignored_in_the_divisor(right: Callable) -> Callable:
    def wrong(logits, target, **options):
        loss, backward = right(logits, target, **options)
        if target.ndim == 2 or options["reduction"] == "sum":
            return loss, backward
        ignored = np.count_nonzero(target == options.get("ignore_index", -100))
        divisor = distribution(logits, target, **options)[1]
        factor = divisor / logits.dtype.type(divisor + ignored)
        return loss * factor, lambda: backward() * factor

    return wrong


@mistake(
    "cross_entropy",
    "the loss that includes the targets equal to ignore_index",
    wrong="loss = cross_entropy(logits, target)",
    right="loss = cross_entropy(logits, target, ignore_index=ignore_index)",
    sources=("lucidrains/DALLE-pytorch#57",),
)
def ignore_index_forgotten(right: Callable) -> Callable:
    def wrong(logits, target, **options):
        in_range = target.ndim == 2 or (target >= 0).all()
        return right(logits, target, **options | ({"ignore_index": -100} if in_range else {}))

    return wrong


# --- class weights, label smoothing ----------------------------------------------------------------------------------


@mistake(
    "cross_entropy",
    "the gradient without the class weights of the loss",
    wrong="d = softmax(logits) - onehot",
    right="d = class_weight[target][:, None] * (softmax(logits) - onehot)",
)
@in_backward
def class_weights_in_the_loss_alone(gradient, logits, target, weight=None, **options):
    if weight is None:
        return gradient
    divisor = distribution(logits, target, weight=weight, **options)[1]
    q, _ = distribution(logits, target, **options)
    return (np.exp(log_softmax(logits)) * q.sum(axis=1, keepdims=True) - q) / divisor


@mistake(
    "cross_entropy",
    "the gradient towards the hard target, although the loss is of the smoothed target",
    wrong="d = (softmax(logits) - onehot) / N",
    right="d = (softmax(logits) - ((1 - s) * onehot + s / C)) / N",
)
def smoothing_in_the_loss_alone(right: Callable) -> Callable:
    def wrong(logits, target, label_smoothing=0.0, **options):
        loss, _ = right(logits, target, label_smoothing=label_smoothing, **options)
        return loss, right(logits, target, **options)[1]

    return wrong


@mistake(
    "cross_entropy",
    "the loss that includes the label smoothing of ignored targets",
    wrong="q = (1 - s) * onehot * counted + s / C",
    right="q = ((1 - s) * onehot + s / C) * counted",
    sources=("pytorch/pytorch#73205",),
)
def ignored_targets_smoothed(right: Callable) -> Callable:
    def wrong(logits, target, weight=None, ignore_index=-100, reduction="mean", label_smoothing=0.0):
        given = {"weight": weight, "ignore_index": ignore_index, "reduction": reduction}
        loss, backward = right(logits, target, label_smoothing=label_smoothing, **given)
        divisor = distribution(logits, target, **given)[1]
        kept = label_smoothing / logits.shape[1] * np.ones_like(logits) if weight is None else 0
        if weight is not None:
            kept = label_smoothing / logits.shape[1] * np.tile(weight, (len(logits), 1))
        if target.ndim == 2:
            return loss, backward
        q = kept * (target == ignore_index)[:, None]
        log_p = log_softmax(logits)
        more = (np.exp(log_p) * q.sum(axis=1, keepdims=True) - q) / divisor
        return loss - (q * log_p).sum() / divisor, lambda: backward() + more

    return wrong


# --- squared error ---------------------------------------------------------------------------------------------------


@mistake(
    "mse_loss",
    "the gradient of the squared error without its factor 2",
    wrong="d = (output - target) / output.size",
    right="d = 2 * (output - target) / output.size",
    sources=("davisking/dlib#1169",),
)
@in_backward
def mse_without_2(gradient, output, target, reduction):
    return gradient / 2


@mistake(
    "mse_loss",
    "the squared error averaged over the batch instead of all entries",
    wrong="loss = ((output - target) ** 2).sum() / len(output)",
    right="loss = ((output - target) ** 2).mean()",
)
def mse_over_the_batch(right: Callable) -> Callable:
    def wrong(output, target, reduction):
        loss, backward = right(output, target, reduction=reduction)
        factor = output.shape[1] if reduction == "mean" else 1
        return loss * factor, lambda: backward() * factor

    return wrong


@mistake(
    "mse_loss",
    "the gradient of the squared error averaged over the batch, although the loss is the mean of all entries",
    wrong="d = 2 * (output - target) / len(output)",
    right="d = 2 * (output - target) / output.size",
    sources=("scikit-learn/scikit-learn#8349",),
)
@in_backward
def mse_gradient_over_the_batch(gradient, output, target, reduction):
    return gradient * output.shape[1] if reduction == "mean" else gradient


@mistake(
    "mse_loss",
    "the gradient of the summed squared error, although the loss is a mean",
    wrong="d = 2 * (output - target)",
    right="d = 2 * (output - target) / output.size",
)
def mse_mean_forgotten(right: Callable) -> Callable:
    return undivided(right)


@mistake(
    "mse_loss",
    "the gradient target - output, which climbs instead of descending",
    wrong="d = 2 * (target - output) / output.size",
    right="d = 2 * (output - target) / output.size",
)
@in_backward
def mse_sign_turned(gradient, output, target, reduction):
    return -gradient
