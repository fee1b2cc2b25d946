"""The convolution over time."""

from __future__ import annotations

import warnings

from jaxtyping import Float
from torch import Tensor, nn

from reference import cases


def conv1d(layer: nn.Conv1d, x: Float[Tensor, "B D T"]) -> Float[Tensor, "B O S"]:
    """Compute layer(x). PyTorch warns that an even kernel with padding "same" needs a copy of x, which is no news."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Using padding='same' with even kernel")
        return layer(x)


class Conv1d(nn.Module):
    """A convolution alone, with a given upstream gradient."""

    def __init__(self, model: cases.Conv1d, sparse: bool) -> None:
        super().__init__()
        self.conv = nn.Conv1d(
            model.in_channels,
            model.out_channels,
            model.kernel_size,
            stride=model.stride,
            padding=model.padding,
            dilation=model.dilation,
        )

    def forward(self, batch: cases.ConvBatch[Tensor]) -> Float[Tensor, ""]:
        output = conv1d(self.conv, batch.input)
        return (output * batch.upstream).sum()
