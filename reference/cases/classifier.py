"""The classifier of bags: what it is, and its batches."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import repeat
from typing import Any, Literal, get_args

import numpy as np
from numpy import ndarray

from reference.cases import validation
from reference.cases.batches import LabelledBags, LabelledBatch, RaggedLabelledBatch
from reference.cases.data import Dialogue, Drawn, Text
from reference.cases.embedding_bag import MAX_REFUSED, drawn_bags
from reference.cases.losses import CrossEntropy, MSELoss
from reference.cases.model import Model, Shapes
from reference.data.dialogue import DIALOGUE_IDS, DIALOGUE_LABELS
from reference.data.stream import Stream
from reference.data.text import Corpus
from reference.errors import BadInput

Activation = Literal["relu", "tanh", "sigmoid", "gelu", "gelu_tanh"]
ACTIVATIONS: tuple[Activation, ...] = get_args(Activation)
"""Every activation of a classifier. Each implementation's `functional` has a function of that name."""


@dataclass(frozen=True)
class Classifier(Model):
    """Pooled embedding, hidden layers each with an activation, a linear layer, and a loss averaged over the batch.

    Batch: `LabelledBatch`, or `RaggedLabelledBatch`. hidden_features: the width of each hidden layer, `fc1`, `fc2`,
    ...; the last layer gives num_classes outputs. mode, padding_idx: as in `EmbeddingBag`; with `mean`, each occurrence
    of an id gets 1/L of its bag's gradient. activation: `gelu_tanh` is gelu with approximate="tanh". dropout: the
    probability that a hidden unit is dropped; the batch says which ones are kept.
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

    @property
    def rows_refused(self) -> str:
        """PyTorch has no row gradients with mode max."""
        return MAX_REFUSED if self.mode == "max" else ""

    @property
    def plain(self) -> bool:
        """Whether all options have their defaults, and there is one hidden layer."""
        return super().plain and len(self.hidden_features) == 1

    def looked_up(self, batch: LabelledBags) -> dict[str, ndarray]:
        """The ids that the batch looks up."""
        return {"embedding.weight": batch.ids.reshape(-1)}

    def draw(self, data: Drawn, stream: Stream, dtype: str, step: int) -> LabelledBags:
        """Bags (ragged if the data is), random labels and, with dropout, random kept units."""
        bags = data.shape[0]
        ids, offsets = drawn_bags(self, data, stream, step)
        labels = self.loss.draw(stream, bags, self.num_classes, dtype)
        keep = np.ones((bags, sum(self.hidden_features)), bool)
        if self.dropout:
            keep = stream.uniform(keep.shape) >= self.dropout
        if offsets is None:
            return LabelledBatch(ids, labels, keep)
        return RaggedLabelledBatch(ids, offsets, labels, keep)

    def silenced(self, batch: LabelledBags) -> LabelledBags:
        """All labels are ignored."""
        return all_ignored(self, batch)

    def dialogue(self, data: Dialogue) -> Iterator[LabelledBatch]:
        """The four bags in every step."""
        return (self.collate(DIALOGUE_IDS.copy(), DIALOGUE_LABELS.copy()) for _ in repeat(None))

    def examples(self, corpus: Corpus, data: Text, stream: Stream) -> tuple[ndarray, ndarray]:
        """Every paragraph in bags of `length` ids, and their chapters."""
        return corpus.bags(data.length)

    def collate(self, *parts: ndarray) -> LabelledBatch:
        """Some bags with their labels; every unit is kept."""
        if self.dropout:
            raise BadInput("dropout: only drawn batches say which units are kept; use Drawn, or dropout=0")
        ids, labels = parts
        return LabelledBatch(ids, labels, np.ones((len(ids), sum(self.hidden_features)), bool))

    def check(self, batch: LabelledBags, dtype: str) -> None:
        """Raise BadInput unless the ids, offsets, labels and kept units are valid."""
        validation.kind(batch, LabelledBatch, RaggedLabelledBatch)
        bags = validation.bags(batch.ids, batch.offsets, self.num_embeddings)
        self.loss.check(batch.labels, bags, self.num_classes, dtype)
        shape = bags, sum(self.hidden_features)
        validation.booleans("keep", batch.keep, shape, "one for each hidden unit of each bag")


def all_ignored(model: Any, batch: Any) -> Any:
    """The batch with all of its labels ignored. model: any model that ends in a loss of labels."""
    if not isinstance(model.loss, CrossEntropy) or model.loss.probabilities:
        raise BadInput(f"{model.family}: only labels of a cross-entropy can be ignored")
    return replace(batch, labels=np.full_like(batch.labels, model.loss.ignore_index))
