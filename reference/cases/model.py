"""The base class of all models.

A model is a frozen dataclass, and its fields are its options. A model of your own derives from `Model`, in a file of
your own. It must have `shapes`, `looked_up`, `draw` and `check`, and `exact_loss` too if you want exact values.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import MISSING, fields, replace
from typing import Any

import numpy as np

from reference.cases.batches import Batch
from reference.cases.data import Dialogue, Drawn, Text
from reference.data.stream import Stream
from reference.data.text import Corpus
from reference.errors import BadInput

Shapes = dict[str, tuple[int, ...]]


class Model:
    """The parameters of a model, how its batches are drawn and checked, and which rows they look up."""

    @property
    def shapes(self) -> Shapes:
        """The parameters' shapes, by their names in PyTorch's state_dict."""
        raise NotImplementedError

    @property
    def tables(self) -> tuple[str, ...]:
        """The parameters that can have row gradients."""
        return ()

    @property
    def embeddings(self) -> tuple[str, ...]:
        """The parameters that start uniform in ±1. The others start in ±1/sqrt(fan in), as in PyTorch's layers."""
        return self.tables

    @property
    def padding_idx(self) -> int | None:
        """The row of the table that gets no gradient, if there is one."""
        return None

    @property
    def input_gradients(self) -> tuple[str, ...]:
        """The fields of the batch that get a gradient too."""
        return ()

    @property
    def rows_refused(self) -> str:
        """Why PyTorch has no row gradients for this model, and what to use instead; empty if it has them."""
        return ""

    @property
    def plain(self) -> bool:
        """Whether all options have their defaults. Sizes may be any."""
        return all(getattr(self, part.name) == part.default for part in options(self))

    def looked_up(self, batch: Any) -> Mapping[str, np.ndarray]:
        """The ids (N,) that the batch looks up in each table, with repetitions. Other tables are read whole."""
        return {}

    def draw(self, data: Drawn, stream: Stream, dtype: str, step: int) -> Batch:
        """The batch of one step (1, 2, ...), drawn from the stream as the data says. Its floats have the dtype."""
        raise BadInput(f"{self.family}: has no drawn batches")

    def silenced(self, batch: Any) -> Batch:
        """A drawn batch, changed so that no parameter has a gradient; by itself, with an upstream gradient of zero."""
        if not hasattr(batch, "upstream"):
            raise BadInput(f"{self.family}: has no batches without a gradient")
        return replace(batch, upstream=np.zeros_like(batch.upstream))

    def dialogue(self, data: Dialogue) -> Iterator[Batch]:
        """The batches of the dialogue's small run, repeated forever."""
        raise BadInput(f"{self.family}: the dialogue has no batches for it; use Drawn")

    def examples(self, corpus: Corpus, data: Text, stream: Stream) -> tuple[np.ndarray, ...]:
        """The examples of one pass over a text: inputs and targets, one line per example.

        The length of the second array is the number of examples.
        """
        raise BadInput(f"{self.family}: does not learn from a text; use Drawn")

    def collate(self, *parts: np.ndarray) -> Batch:
        """A batch of some examples, the same lines of each array. The case sets the dtype of its floats."""
        raise NotImplementedError

    def complete(self, batches: Iterator[Any], data: Dialogue | Drawn | Text, stream: Stream) -> Iterator[Batch]:
        """The batches with anything else that must be drawn for them, from a separate stream."""
        return batches

    def check(self, batch: Any, dtype: str) -> None:
        """Raise BadInput if the model cannot be trained on the batch."""
        raise NotImplementedError

    @property
    def family(self) -> str:
        """The model's name in lower case."""
        return type(self).__name__.lower()


def options(part: Any) -> list[Any]:
    """The fields of a dataclass that have a default. These are its options; the other fields are sizes."""
    return [field for field in fields(part) if field.default is not MISSING]
