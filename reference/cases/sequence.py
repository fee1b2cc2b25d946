"""What classifiers of sequences share: their batches, with the length of each sequence, and how they are drawn."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import repeat

import numpy as np
from numpy import ndarray

from reference.cases import validation
from reference.cases.batches import SequenceBatch
from reference.cases.classifier import all_ignored
from reference.cases.data import Dialogue, Drawn
from reference.cases.losses import CrossEntropy, MSELoss
from reference.cases.model import Model
from reference.data.dialogue import DIALOGUE_IDS, DIALOGUE_LABELS
from reference.data.stream import Stream
from reference.errors import BadInput


class SequenceClassifier(Model):
    """The base class of models that look ids up, encode the sequence, pool it over time, and end in a classifier.

    Whatever the encoder, a sequence gives what it gives alone in its batch: what stands beyond its length has no effect
    and no gradient.
    """

    num_embeddings: int
    embedding_dim: int
    num_classes: int
    dropout: float
    loss: CrossEntropy | MSELoss

    @property
    def features(self) -> int:
        """The width of a pooled sequence."""
        raise NotImplementedError

    @property
    def shortest(self) -> int:
        """The smallest length that a sequence may have."""
        return 1

    tables = ("embedding.weight",)

    def looked_up(self, batch: SequenceBatch) -> dict[str, ndarray]:
        """The ids that the batch looks up, those beyond the lengths included."""
        return {"embedding.weight": batch.ids.reshape(-1)}

    def draw(self, data: Drawn, stream: Stream, dtype: str, step: int) -> SequenceBatch:
        """Sequences, random labels and, with dropout, random kept features. The data's shape is (B, T).

        If the data is ragged, the lengths are random, the first one whole and the last one the shortest. The
        padding_idx stands beyond the lengths, and is the first id of all; without one, any ids stand there.
        """
        ids = stream.ids(data.shape, data.used or self.num_embeddings, data.zipf).astype(data.ids_dtype)
        sequences, steps = ids.shape
        self.check_steps(steps)
        lengths = np.full(sequences, steps)
        if data.ragged:
            lengths = self.shortest + stream.ids((sequences,), steps - self.shortest + 1)
            lengths[-1], lengths[0] = self.shortest, steps  # the first is whole, even if it is the last too
        if self.padding_idx is not None:
            ids[0, 0] = self.padding_idx
            ids[np.arange(steps) >= lengths[:, None]] = self.padding_idx
        labels = self.loss.draw(stream, sequences, self.num_classes, dtype)
        keep = np.ones((sequences, self.features), bool)
        if self.dropout:
            keep = stream.uniform(keep.shape) >= self.dropout
        return SequenceBatch(ids, lengths, labels, keep)

    def silenced(self, batch: SequenceBatch) -> SequenceBatch:
        """All labels are ignored."""
        return all_ignored(self, batch)

    def dialogue(self, data: Dialogue) -> Iterator[SequenceBatch]:
        """The four bags, as sequences of three ids, in every step."""
        return (self.collate(DIALOGUE_IDS.copy(), DIALOGUE_LABELS.copy()) for _ in repeat(None))

    def collate(self, *parts: ndarray) -> SequenceBatch:
        """Some whole sequences with their labels; every feature is kept."""
        if self.dropout:
            raise BadInput("dropout: only drawn batches say which features are kept; use Drawn, or dropout=0")
        ids, labels = parts
        lengths = np.full(len(ids), ids.shape[1])
        return SequenceBatch(ids, lengths, labels, np.ones((len(ids), self.features), bool))

    def check(self, batch: SequenceBatch, dtype: str) -> None:
        """Raise BadInput unless the ids, lengths, labels and kept features are valid."""
        validation.kind(batch, SequenceBatch)
        validation.ids("ids", batch.ids, self.num_embeddings, ndim=2)
        sequences, steps = batch.ids.shape
        self.check_steps(steps)
        lengths = batch.lengths
        validation.integers("lengths", lengths, ndim=1, dtypes=("int64",))
        validation.same_length("lengths", lengths, "sequences", batch.ids)
        wrong = (lengths < self.shortest) | (lengths > steps)
        validation.where("lengths", lengths, wrong, f"is out of range; {self.shortest} to {steps} are allowed")
        self.loss.check(batch.labels, sequences, self.num_classes, dtype)
        validation.booleans("keep", batch.keep, (sequences, self.features), "one for each feature of each sequence")

    def check_steps(self, steps: int) -> None:
        """Raise BadInput if no sequence of so few steps can be encoded."""
        if steps < self.shortest:
            raise BadInput(f"ids: there are {steps} in a sequence; the encoder needs at least {self.shortest}")
