"""The classifier."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal, get_args

from reference.cases.losses import CrossEntropy, MSELoss
from reference.cases.model import Shapes

Activation = Literal["relu", "tanh", "sigmoid", "gelu", "gelu_tanh"]
ACTIVATIONS: tuple[Activation, ...] = get_args(Activation)


@dataclass(frozen=True)
class Classifier:
    """Pooled embedding, hidden layers each with an activation, a linear layer, and a loss averaged over the batch.

    Batch: `BagBatch` with `labels`. hidden_features: the width of each hidden layer, `fc1`, `fc2`, ...; the last layer
    gives num_classes outputs. mode, padding_idx: as in `EmbeddingBag`; under `mean` each occurrence of an id carries
    1/L of its bag's gradient. activation: `gelu_tanh` is gelu with approximate="tanh". dropout: the probability of a
    hidden unit to be dropped; the batch says which are kept.
    """

    num_embeddings: int
    embedding_dim: int
    hidden_features: tuple[int, ...]
    num_classes: int
    mode: Literal["mean", "sum", "max"] = "mean"
    padding_idx: int | None = None
    activation: Activation = "relu"
    dropout: float = 0.0
    loss: CrossEntropy | MSELoss = CrossEntropy()

    @cached_property
    def layers(self) -> tuple[str, ...]:
        """The names of the dense layers, the hidden ones first."""
        return tuple(f"fc{i}" for i in range(1, len(self.hidden_features) + 2))

    @property
    def shapes(self) -> Shapes:
        """The parameters' shapes, by name."""
        widths = (self.embedding_dim, *self.hidden_features, self.num_classes)
        shapes: Shapes = {"embedding.weight": (self.num_embeddings, self.embedding_dim)}
        for name, features, outputs in zip(self.layers, widths[:-1], widths[1:], strict=True):
            shapes |= {f"{name}.weight": (outputs, features), f"{name}.bias": (outputs,)}
        return shapes

    tables = ("embedding.weight",)
    input_gradients = ()
