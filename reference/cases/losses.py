"""The losses of a classifier, and the labels that each takes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy import ndarray

from reference.cases import validation
from reference.data.stream import Stream
from reference.errors import BadInput


@dataclass(frozen=True)
class CrossEntropy:
    """Softmax cross-entropy.

    weight: one per class; the mean divides by the weights of the targets that are not ignored. ignore_index: the label
    that is ignored. probabilities: the labels of the batch are distributions (B, C), and the mean divides by B.
    https://docs.pytorch.org/docs/stable/generated/torch.nn.CrossEntropyLoss.html
    """

    weight: tuple[float, ...] | None = None
    ignore_index: int = -100
    reduction: Literal["mean", "sum"] = "mean"
    label_smoothing: float = 0.0
    probabilities: bool = False

    def draw(self, stream: Stream, bags: int, classes: int, dtype: str) -> ndarray:
        """Random classes (B,), or random distributions (B, C)."""
        if not self.probabilities:
            return stream.ids((bags,), classes)
        labels = stream.uniform((bags, classes))
        return (labels / labels.sum(axis=1, keepdims=True)).astype(dtype)

    def check(self, labels: ndarray, bags: int, classes: int, dtype: str) -> None:
        """Raise BadInput unless each bag has a class, the ignored label, or a distribution."""
        if self.probabilities:
            validation.floats("labels", labels, (bags, classes), dtype)
            return
        if isinstance(labels, ndarray) and labels.dtype.kind in "iu":
            labels = np.where(labels == self.ignore_index, 0, labels)
        validation.ids("labels", labels, classes, ndim=1, noun="classes", dtypes=("int64",))
        if len(labels) != bags:
            raise BadInput(f"labels: there are {len(labels)}, but {bags} bags; the numbers must be equal")


@dataclass(frozen=True)
class MSELoss:
    """Squared error, for regression: the labels of the batch are (B, C) numbers.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.MSELoss.html
    """

    reduction: Literal["mean", "sum"] = "mean"

    def draw(self, stream: Stream, bags: int, classes: int, dtype: str) -> ndarray:
        """Random numbers (B, C) in [-1, 1)."""
        return stream.signed((bags, classes)).astype(dtype)

    def check(self, labels: ndarray, bags: int, classes: int, dtype: str) -> None:
        """Raise BadInput unless each bag has one number per output."""
        validation.floats("labels", labels, (bags, classes), dtype)
