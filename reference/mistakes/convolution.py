"""What goes wrong in a convolution over time, and when its windows are pooled."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from numpy_impl.conv1d import margins
from reference.mistakes.planting import in_backward, mistake

# --- the gradient of the input ---------------------------------------------------------------------------------------


def scattered(d, x, weight, stride=1, dilation=1, padding=0, added=True, left=None):
    """The gradient of x: that of each window, at its places. added: or the later window replaces the earlier one.

    left: how many zeros are cut off the left end, if not as many as were added there.
    """
    width, steps = weight.shape[2], x.shape[2]
    before, after = margins(dilation * (width - 1), padding)
    d_padded = np.zeros((*x.shape[:2], before + steps + after), d.dtype)
    for s in range(d.shape[2]):
        for k in range(width):
            at = s * stride + k * dilation
            if added:
                d_padded[:, :, at] += d[:, :, s] @ weight[:, :, k]
            else:
                d_padded[:, :, at] = d[:, :, s] @ weight[:, :, k]
    cut = before if left is None else left
    return d_padded[:, :, cut : cut + steps]


@mistake(
    "conv1d",
    "the input gradient without the stride: the windows' gradients are put one step apart",
    wrong="d_x[:, :, s : s + K] += d[:, :, s] @ weight",
    right="d_x[:, :, s * stride : s * stride + K] += d[:, :, s] @ weight",
    sources=("Kulbear/deep-learning-coursera#34", "enggen/Deep-Learning-Coursera#7"),
)
@in_backward
def stride_forgotten(gradients, d, x, weight, bias, stride=1, dilation=1, padding=0):
    return scattered(d, x, weight, 1, dilation, padding), *gradients[1:]


@mistake(
    "conv1d",
    "the input gradient without the dilation: each window's gradient is put on steps side by side",
    wrong="d_x[:, :, s * stride + k] += d[:, :, s] @ weight[:, :, k]",
    right="d_x[:, :, s * stride + k * dilation] += d[:, :, s] @ weight[:, :, k]",
    sources=("pytorch/pytorch#13008", "mlpack/mlpack#2986"),
)
@in_backward
def dilation_forgotten(gradients, d, x, weight, bias, stride=1, dilation=1, padding=0):
    return scattered(d, x, weight, stride, 1, padding), *gradients[1:]


@mistake(
    "conv1d",
    "the input gradient in which a window overwrites what it shares with the window before it",
    wrong="d_x[:, :, at] = d_window",
    right="d_x[:, :, at] += d_window",
    sources=("oreilly-japan/deep-learning-from-scratch#27", "hguomin/deep-learning-from-scratch#2"),
)
@in_backward
def windows_overwritten(gradients, d, x, weight, bias, stride=1, dilation=1, padding=0):
    return scattered(d, x, weight, stride, dilation, padding, added=False), *gradients[1:]


@mistake(
    "conv1d",
    "the input gradient shifted by the padding, of which all zeros are cut off the right end",
    wrong="d_x = d_padded[:, :, :T]",
    right="d_x = d_padded[:, :, padding : padding + T]",
)
@in_backward
def padding_cut_wrong(gradients, d, x, weight, bias, stride=1, dilation=1, padding=0):
    return scattered(d, x, weight, stride, dilation, padding, left=0), *gradients[1:]


@mistake(
    "conv1d",
    "the input gradient by kernels whose two channel axes are reshaped instead of transposed",
    wrong="d_windows = np.einsum('bos,dok->bdsk', d, weight.reshape(D, O, K))",
    right="d_windows = np.einsum('bos,dok->bdsk', d, weight.transpose(1, 0, 2))",
    sources=("wuziheng/CNN-Numpy#2",),
)
@in_backward
def channels_not_transposed(gradients, d, x, weight, bias, *options):
    outputs, inputs, width = weight.shape
    mixed = weight.reshape(inputs, outputs, width).transpose(1, 0, 2)
    return scattered(d, x, mixed, *options), *gradients[1:]


@mistake(
    "conv1d",
    "the input gradient by kernels that are reversed, although the forward pass does not reverse them",
    wrong="d_x[:, :, s + k] += d[:, :, s] @ weight[:, :, K - 1 - k]",
    right="d_x[:, :, s + k] += d[:, :, s] @ weight[:, :, k]",
)
@in_backward
def kernel_reversed_in_the_backward(gradients, d, x, weight, bias, *options):
    return scattered(d, x, weight[:, :, ::-1], *options), *gradients[1:]


# --- the kernels, the bias and the zeros around ----------------------------------------------------------------------


@mistake(
    "conv1d",
    "the convolution of the mathematician, whose kernel is reversed; networks do not reverse it",
    wrong="output = np.convolve(x, kernel, 'valid')",
    right="output = np.correlate(x, kernel, 'valid')",
    sources=("ddbourgin/numpy-ml#27",),
)
def kernel_reversed(right: Callable) -> Callable:
    def wrong(x, weight, *rest):
        output, backward = right(x, weight[:, :, ::-1], *rest)

        def reversed_back(d):
            d_x, d_weight, d_bias = backward(d)
            return d_x, d_weight[:, :, ::-1], d_bias

        return output, reversed_back

    return wrong


@mistake(
    "conv1d",
    "the kernel gradient averaged over examples and windows a second time, after the loss",
    wrong="dW = np.einsum('bos,bdsk->odk', d, windows) / (B * S)",
    right="dW = np.einsum('bos,bdsk->odk', d, windows)",
    sources=("sebgao/cTensor#3",),
)
@in_backward
def kernel_gradient_averaged(gradients, d, *given):
    d_x, d_weight, d_bias = gradients
    return d_x, d_weight / d.dtype.type(d.shape[0] * d.shape[2]), d_bias


@mistake(
    "conv1d",
    "the bias gradient of the first window instead of the sum over time",
    wrong="db = d[:, :, 0].sum(axis=0)",
    right="db = d.sum(axis=(0, 2))",
    sources=("snuspl/cruise#800",),
)
@in_backward
def bias_of_one_window(gradients, d, *given):
    return *gradients[:2], d[:, :, 0].sum(axis=0)


@mistake(
    "margins",
    "the output with padding 'same' whose odd zero is at the left end instead of the right one",
    wrong="left, right = reach - reach // 2, reach // 2",
    right="left, right = reach // 2, reach - reach // 2",
    sources=("pytorch/pytorch#3867", "HorizonRobotics/alf#457"),
)
def same_padded_on_the_left(right: Callable) -> Callable:
    return lambda *given: right(*given)[::-1]


@mistake(
    "conv1d",
    "the convolution of vectors whose steps are viewed as channels instead of transposed",
    wrong="output = conv(vectors.view(B, D, T))",
    right="output = conv(vectors.transpose(1, 2))",
    sources=("galsang/BiDAF-pytorch#17", "FernandoLpz/Text-Classification-CNN-PyTorch#3"),
)
def vectors_viewed(right: Callable) -> Callable:
    def wrong(x, *rest):
        batch, channels, steps = x.shape
        output, backward = right(x.transpose(0, 2, 1).reshape(x.shape), *rest)

        def viewed_back(d):
            d_x, *others = backward(d)
            return d_x.reshape(batch, steps, channels).transpose(0, 2, 1), *others

        return output, viewed_back

    return wrong


# --- lengths, and pooling over time ----------------------------------------------------------------------------------


@mistake(
    "cut",
    "the loss in which vectors beyond the length of a sequence enter its last windows",
    wrong="output = conv(vectors)",
    right="output = conv(vectors * inside)",
)
def beyond_the_length_read(right: Callable) -> Callable:
    return lambda vectors, lengths: (vectors, lambda d: d)


def pooling(mode: str, change: Callable) -> Callable:
    """A plant: change(right, x, inside) in this mode."""

    def plant(right: Callable) -> Callable:
        def wrong(x, inside, mode_of):
            return change(right, x, inside) if mode_of == mode else right(x, inside, mode_of)

        return wrong

    return plant


@mistake(
    "over_time",
    "the maximum over windows of padding too, which may be larger than that of the sequence",
    wrong="pooled = active.max(axis=2)",
    right="pooled = np.where(own, active, -np.inf).max(axis=2)",
    sources=("allenai/allennlp#4739", "thunlp/HATT-Proto#12", "allenai/deep_qa#323"),
)
def padding_wins_the_maximum(right: Callable) -> Callable:
    return pooling("max", lambda right, x, inside: right(x, np.ones_like(inside), "max"))(right)


@mistake(
    "over_time",
    "the mean over windows of padding too",
    wrong="pooled = active.mean(axis=2)",
    right="pooled = (active * own).sum(axis=2) / own.sum(axis=2)",
    sources=("keras-team/keras#3777", "keras-team/keras#2151", "jsboige/CoursIA#15045"),
)
def padding_averaged(right: Callable) -> Callable:
    return pooling("mean", lambda right, x, inside: right(x, np.ones_like(inside), "mean"))(right)


def divided(divisor: Callable) -> Callable:
    """A plant: means over time divided by divisor(inside), in both passes."""

    def change(right, x, inside):
        pooled, backward = right(x, inside, "mean")
        factor = (inside.sum(axis=1, keepdims=True) / divisor(inside)).astype(x.dtype)
        return pooled * factor, lambda d: backward(d * factor)

    return pooling("mean", change)


@mistake(
    "over_time",
    "the mean over time divided by the number of steps, not by that of the sequence's own",
    wrong="pooled = (active * own).sum(axis=2) / active.shape[2]",
    right="pooled = (active * own).sum(axis=2) / own.sum(axis=2)",
)
def time_mean_over_the_longest(right: Callable) -> Callable:
    return divided(lambda inside: inside.shape[1])(right)


@mistake(
    "over_time",
    "the mean over time divided by the sum of the whole mask, of all sequences together",
    wrong="pooled = (active * own).sum(axis=2) / own.sum()",
    right="pooled = (active * own).sum(axis=2) / own.sum(axis=2)",
    sources=("SeanLee97/AnglE#101",),
)
def mean_by_the_whole_mask(right: Callable) -> Callable:
    return divided(lambda inside: inside.sum())(right)


@mistake(
    "over_time",
    "the gradient of a mean over time that is not divided by the number of windows",
    wrong="d_active = d * own",
    right="d_active = d * own / own.sum(axis=2)",
)
def time_mean_undivided(right: Callable) -> Callable:
    def change(right, x, inside):
        return right(x, inside, "mean")[0], lambda d: d[:, :, None] * inside[:, None]

    return pooling("mean", change)(right)


@mistake(
    "over_time",
    "the gradient of a maximum over time that goes to every window of the sequence",
    wrong="d_active = d[:, :, None] * own",
    right="d_active = d[:, :, None] * (np.arange(S) == first)",
)
def maximum_to_every_window(right: Callable) -> Callable:
    def change(right, x, inside):
        return right(x, inside, "max")[0], lambda d: d[:, :, None] * inside[:, None]

    return pooling("max", change)(right)


@mistake(
    "over_time",
    "the pooled sequences with the lengths of others: lengths were sorted, and states were not",
    wrong="pooled = states.sum(axis=2) / sorted(lengths, reverse=True)",
    right="pooled = states.sum(axis=2) / lengths",
    sources=("facebookresearch/InferSent#51",),
)
def lengths_sorted_alone(right: Callable) -> Callable:
    def wrong(x, inside, mode):
        return right(x, inside[np.argsort(-inside.sum(axis=1), kind="stable")], mode)

    return wrong
