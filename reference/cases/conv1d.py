"""The convolution over time: what it is, and its batches."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from reference.cases import validation
from reference.cases.batches import ConvBatch
from reference.cases.data import Drawn
from reference.cases.model import Model, Shapes
from reference.data.stream import Stream
from reference.errors import BadInput

Padding = int | Literal["same"]


@dataclass(frozen=True)
class Conv1d(Model):
    """A convolution alone, with a given upstream gradient: loss = sum(conv(input) * upstream).

    conv(x)[b, o, s] = bias[o] + sum over c and k of weight[o, c, k] * x[b, c, s * stride + k * dilation]. The kernel is
    not reversed. padding: the number of zeros that are first added at both ends. With "same", there are as many windows
    as steps; of an odd number of zeros, the right end gets one more. A tail that fills no window has no gradient.

    Batch: `ConvBatch`. The batch's input has a gradient too, under the name `input`.
    https://docs.pytorch.org/docs/stable/generated/torch.nn.Conv1d.html

    Raises:
        BadInput: the kernel_size, stride or dilation is below 1, the padding is below 0, or it is "same" with a stride.
    """

    in_channels: int
    out_channels: int
    kernel_size: int
    stride: int = 1
    dilation: int = 1
    padding: Padding = 0

    def __post_init__(self) -> None:
        check_options(self, self.kernel_size)

    @property
    def shapes(self) -> Shapes:
        """The parameters' shapes, by name."""
        return {
            "conv.weight": (self.out_channels, self.in_channels, self.kernel_size),
            "conv.bias": (self.out_channels,),
        }

    input_gradients = ("input",)

    def draw(self, data: Drawn, stream: Stream, dtype: str, step: int) -> ConvBatch:
        """Random channels, and a random upstream gradient. The data's shape is (B, T)."""
        bags, steps = data.shape
        at_least(steps, shortest(self, self.kernel_size))
        inputs = stream.signed((bags, self.in_channels, steps))
        upstream = stream.signed((bags, self.out_channels, windows(self, steps, self.kernel_size)))
        return ConvBatch(inputs.astype(dtype), upstream.astype(dtype))

    def check(self, batch: ConvBatch, dtype: str) -> None:
        """Raise BadInput unless the input has enough steps for the kernel, and the upstream one entry per window."""
        validation.kind(batch, ConvBatch)
        bags, _, steps = np.shape(batch.input) if np.ndim(batch.input) == 3 else (1, 0, 1)
        validation.floats("input", batch.input, (bags, self.in_channels, steps), dtype)
        validation.nonempty("input", batch.input)
        at_least(steps, shortest(self, self.kernel_size))
        shape = bags, self.out_channels, windows(self, steps, self.kernel_size)
        validation.floats("upstream", batch.upstream, shape, dtype)


def windows(model: Any, steps: Any, kernel_size: int) -> Any:
    """How many windows a convolution has over this many steps: a number, or an array or tensor of numbers.

    model: any model with a stride, a dilation and a padding.
    """
    reach = model.dilation * (kernel_size - 1)
    added = reach if model.padding == "same" else 2 * model.padding
    return (steps + added - reach - 1) // model.stride + 1


def shortest(model: Any, kernel_size: int) -> int:
    """The smallest number of steps that has a window."""
    return 1 if model.padding == "same" else max(1, model.dilation * (kernel_size - 1) + 1 - 2 * model.padding)


def at_least(steps: int, needed: int) -> None:
    """Check that the (dilated) kernel fits."""
    if steps < needed:
        raise BadInput(f"steps: there are {steps}; the kernel needs at least {needed}, with its dilation and padding")


def check_options(model: Any, *kernel_sizes: int) -> None:
    """Check the options of a convolution."""
    name = type(model).__name__
    sizes = {"kernel_size": min(kernel_sizes, default=0), "stride": model.stride, "dilation": model.dilation}
    for option, value in sizes.items():
        if value < 1:
            raise BadInput(f"{name}: {option} is {value}; 1 or more is needed")
    if model.padding == "same" and model.stride > 1:
        raise BadInput(f"{name}: padding is 'same' with stride {model.stride}; 'same' needs stride 1, as in PyTorch")
    if model.padding != "same" and (not isinstance(model.padding, int) or model.padding < 0):
        raise BadInput(f"{name}: padding is {model.padding!r}; a number from 0 up, or 'same', is needed")
