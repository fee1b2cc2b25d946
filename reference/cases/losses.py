"""The losses of a classifier."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class CrossEntropy:
    """Softmax cross-entropy.

    weight: one a class; the mean divides by the weights of the targets that count. ignore_index: the label that does
    not count. probabilities: the labels of the batch are distributions (B, C), and the mean divides by B.
    https://docs.pytorch.org/docs/stable/generated/torch.nn.CrossEntropyLoss.html
    """

    weight: tuple[float, ...] | None = None
    ignore_index: int = -100
    reduction: Literal["mean", "sum"] = "mean"
    label_smoothing: float = 0.0
    probabilities: bool = False


@dataclass(frozen=True)
class MSELoss:
    """Squared error, for regression: the labels of the batch are (B, C) numbers.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.MSELoss.html
    """

    reduction: Literal["mean", "sum"] = "mean"
