"""The convolution over time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from reference import cases
from reference.exact.arithmetic import Number, Vector, numbers


def conv1d(
    m: Any,
    x: Sequence[Vector],
    weight: Sequence[Sequence[Vector]],
    bias: Vector,
    stride: int = 1,
    dilation: int = 1,
    padding: cases.Padding = 0,
) -> Sequence[Vector]:
    """y_os = b_o + Σ_c Σ_k w_ock x_c(s·stride + k·dilation), of one example: channels of steps, with zeros around them.

    Where the same numbers stand in two windows, as with a repeated word, the outputs are the same numbers too. So their
    maximum needs no comparison, which no number of bits could decide.
    """
    width = len(weight[0][0])
    reach = dilation * (width - 1)
    left, right = (reach // 2, reach - reach // 2) if padding == "same" else (padding, padding)
    zero = m.number(0)
    padded = [[zero] * left + list(channel) + [zero] * right for channel in x]
    starts = range(0, len(padded[0]) - reach, stride)
    windows = [[channel[start + k * dilation] for channel in padded for k in range(width)] for start in starts]
    keys = [tuple(map(id, window)) for window in windows]
    distinct = dict(zip(keys, windows, strict=True))
    kernels = [[w for channel in kernel for w in channel] for kernel in weight]
    output = []
    for line, b in zip(m.products(kernels, list(distinct.values())), bias, strict=True):
        found = {key: y + b for key, y in zip(distinct, line, strict=True)}
        output.append([found[key] for key in keys])
    return output


def loss(m: Any, model: cases.Conv1d, p: dict[str, Any], batch: cases.ConvBatch) -> Number:
    """The loss of a convolution alone, for a given upstream gradient."""
    dots = []
    for x, upstream in zip(p["input"], numbers(m, batch.upstream), strict=True):
        output = conv1d(m, x, p["conv.weight"], p["conv.bias"], model.stride, model.dilation, model.padding)
        dots += [m.dot(*pair) for pair in zip(output, upstream, strict=True)]
    return m.sum(dots)
