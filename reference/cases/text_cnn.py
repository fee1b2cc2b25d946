"""The convolution over embedded ids: what it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from reference.cases import conv1d
from reference.cases.classifier import Activation
from reference.cases.conv1d import Padding
from reference.cases.losses import CrossEntropy, MSELoss
from reference.cases.model import Shapes
from reference.cases.sequence import SequenceClassifier


@dataclass(frozen=True)
class TextCNN(SequenceClassifier):
    """Looked-up vectors, convolutions of several widths with an activation, pooled over time, and a linear classifier.

    Batch: `SequenceBatch`. kernel_sizes: the width of each convolution, `convs.0`, `convs.1`, ...; each has
    out_channels kernels, with the stride, dilation and padding of `Conv1d`. mode: how the windows of a sequence are
    pooled; the gradient of a maximum goes to the first of equal windows. The windows are those that the sequence has
    alone; beyond its length there are zeros. padding_idx: as in `Embedding`; its vector is read, but has no gradient.
    dropout: the probability that a pooled feature is dropped; the batch says which ones are kept.
    Kim 2014, https://aclanthology.org/D14-1181/

    Raises:
        BadInput: as in `Conv1d`.
    """

    num_embeddings: int
    embedding_dim: int
    out_channels: int
    kernel_sizes: tuple[int, ...]
    num_classes: int
    stride: int = 1
    dilation: int = 1
    padding: Padding = 0
    mode: Literal["max", "mean"] = "max"
    padding_idx: int | None = None
    activation: Activation = "relu"
    dropout: float = 0.0
    loss: CrossEntropy | MSELoss = CrossEntropy()

    def __post_init__(self) -> None:
        conv1d.check_options(self, *self.kernel_sizes)

    @property
    def shapes(self) -> Shapes:
        """The parameters' shapes, by name."""
        shapes: Shapes = {"embedding.weight": (self.num_embeddings, self.embedding_dim)}
        for i, width in enumerate(self.kernel_sizes):
            shapes |= {
                f"convs.{i}.weight": (self.out_channels, self.embedding_dim, width),
                f"convs.{i}.bias": (self.out_channels,),
            }
        return shapes | {"fc.weight": (self.num_classes, self.features), "fc.bias": (self.num_classes,)}

    @property
    def features(self) -> int:
        """One feature for each kernel of each width."""
        return self.out_channels * len(self.kernel_sizes)

    @property
    def shortest(self) -> int:
        """The smallest length that has a window of each width."""
        return max(conv1d.shortest(self, width) for width in self.kernel_sizes)
