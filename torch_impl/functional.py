"""Activations, dropout and losses, all of them PyTorch's own."""

from __future__ import annotations

from typing import Literal

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, sigmoid, tanh
from torch.nn.functional import cross_entropy, gelu, log_softmax, mse_loss, relu
from torch.nn.functional import logsigmoid as log_sigmoid

__all__ = [
    "cross_entropy",
    "cut",
    "dropout",
    "gelu",
    "gelu_tanh",
    "log_sigmoid",
    "log_softmax",
    "mse_loss",
    "over_time",
    "relu",
    "sigmoid",
    "tanh",
    "within",
]


def gelu_tanh(x: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """The approximation of gelu by tanh."""
    return gelu(x, approximate="tanh")


def dropout(x: Float[Tensor, "B H"], keep: Bool[Tensor, "B H"] | None, p: float) -> Float[Tensor, "B H"]:
    """Zero where `keep` is false, x / (1 - p) elsewhere: `nn.Dropout`, with the mask from the batch."""
    return x if keep is None else x * keep / (1 - p)


def within(lengths: Int[Tensor, " B"], steps: int) -> Bool[Tensor, "B T"]:
    """Which of the steps are within the length of each sequence."""
    return torch.arange(steps) < lengths[:, None]


def cut(x: Float[Tensor, "B T D"], lengths: Int[Tensor, " B"]) -> Float[Tensor, "B T D"]:
    """Zeros beyond the length of each sequence."""
    return x * within(lengths, x.shape[1])[:, :, None]


def over_time(
    x: Float[Tensor, "B H T"], inside: Bool[Tensor, "B T"], mode: Literal["max", "mean"]
) -> Float[Tensor, "B H"]:
    """The maximum or the mean over the steps that are inside."""
    inside = inside[:, None]
    if mode == "max":
        return x.masked_fill(~inside, -torch.inf).max(dim=2).values
    return (x * inside).sum(dim=2) / inside.sum(dim=2)
