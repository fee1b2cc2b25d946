"""The convolution over time."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from reference import cases
from reference.contract import Grads, Params


def conv1d(
    x: Float[ndarray, "B D T"],
    weight: Float[ndarray, "O D K"],
    bias: Float[ndarray, " O"],
    stride: int = 1,
    dilation: int = 1,
    padding: cases.Padding = 0,
) -> tuple[Float[ndarray, "B O S"], Callable]:
    """Each kernel times each window of K steps, `dilation` apart; windows begin `stride` apart. No kernel is reversed.

    Backward: the gradients of x, weight and bias. Where windows overlap, their gradients are added.
    """
    width, steps = weight.shape[2], x.shape[2]
    reach = dilation * (width - 1)
    left, right = margins(reach, padding)
    padded = np.pad(x, ((0, 0), (0, 0), (left, right)))
    starts = np.arange(0, padded.shape[2] - reach, stride)
    at = starts[:, None] + dilation * np.arange(width)
    windows = padded[:, :, at]
    output = np.einsum("bdsk,odk->bos", windows, weight, order="C") + bias[:, None]

    def backward(d: Float[ndarray, "B O S"]) -> tuple[ndarray, ndarray, ndarray]:
        d_weight = np.einsum("bos,bdsk->odk", d, windows)
        d_bias = d.sum(axis=(0, 2))
        d_windows = np.einsum("bos,odk->bdsk", d, weight)
        d_padded = np.zeros_like(padded)
        for k in range(width):
            d_padded[:, :, at[:, k]] += d_windows[..., k]
        return d_padded[:, :, left : left + steps], d_weight, d_bias

    return output, backward


def margins(reach: int, padding: cases.Padding) -> tuple[int, int]:
    """The zeros at the left and right end. With "same", as many as the kernel reaches, an odd one at the right."""
    return (reach // 2, reach - reach // 2) if padding == "same" else (padding, padding)


class Conv1d:
    """A convolution alone, with a given upstream gradient."""

    def __init__(self, model: cases.Conv1d, sparse: bool) -> None:
        self.model, self.sparse = model, sparse

    def forward(self, p: Params, batch: cases.ConvBatch) -> tuple[np.floating, Callable[[], Grads]]:
        model = self.model
        output, d_output = conv1d(
            batch.input, p["conv.weight"], p["conv.bias"], model.stride, model.dilation, model.padding
        )
        loss = (output * batch.upstream).sum()

        def backward() -> Grads:
            d, weight, bias = d_output(batch.upstream)
            return {"conv.weight": weight, "conv.bias": bias, "input": d}

        return loss, backward
