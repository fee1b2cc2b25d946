"""Activations, dropout and losses, all of them PyTorch's own."""

from __future__ import annotations

from jaxtyping import Bool, Float
from torch import Tensor, sigmoid, tanh
from torch.nn.functional import cross_entropy, gelu, log_softmax, mse_loss, relu
from torch.nn.functional import logsigmoid as log_sigmoid

__all__ = [
    "cross_entropy",
    "dropout",
    "gelu",
    "gelu_tanh",
    "log_sigmoid",
    "log_softmax",
    "mse_loss",
    "relu",
    "sigmoid",
    "tanh",
]


def gelu_tanh(x: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """The approximation of gelu by tanh."""
    return gelu(x, approximate="tanh")


def dropout(x: Float[Tensor, "B H"], keep: Bool[Tensor, "B H"] | None, p: float) -> Float[Tensor, "B H"]:
    """Zero where `keep` is false, x / (1 - p) elsewhere: `nn.Dropout`, with the mask from the batch."""
    return x if keep is None else x * keep / (1 - p)
