"""What every model says of itself.

A model is a frozen dataclass, its options are its fields. A model of your own derives from `Model` in a file of your
own; `shapes`, `looked_up`, `draw` and `check` are what it must have, and `exact_loss` if there are to be exact values.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import MISSING, fields
from typing import Any

import numpy as np

from reference.cases.batches import Batch
from reference.cases.data import Dialogue, Drawn, Text
from reference.data.stream import Stream
from reference.data.text import Corpus
from reference.errors import BadInput

Shapes = dict[str, tuple[int, ...]]


class Model:
    """What a model has for parameters, and everything about its batches: how one is drawn, valid, and looked up."""

    @property
    def shapes(self) -> Shapes:
        """The parameters' shapes, by the names that PyTorch's state_dict would give them."""
        raise NotImplementedError

    @property
    def tables(self) -> tuple[str, ...]:
        """The parameters that can have row gradients."""
        return ()

    @property
    def embeddings(self) -> tuple[str, ...]:
        """The parameters that begin uniform in ±1; the others begin in ±1/sqrt(fan in), as PyTorch's layers do."""
        return self.tables

    @property
    def padding_idx(self) -> int | None:
        """The row of a table that has no gradient, if there is one."""
        return None

    @property
    def input_gradients(self) -> tuple[str, ...]:
        """The fields of the batch whose gradient is asked for."""
        return ()

    @property
    def rows_refused(self) -> str:
        """Why PyTorch has no row gradients of it, and what to use instead; empty where it has."""
        return ""

    @property
    def plain(self) -> bool:
        """Whether no option is other than its default, but for sizes."""
        return all(getattr(self, part.name) == part.default for part in options(self))

    def looked_up(self, batch: Any) -> Mapping[str, np.ndarray]:
        """The ids (N,) that the batch looks up, each as often as it does, by table. What is not there is read whole."""
        return {}

    def draw(self, data: Drawn, stream: Stream, dtype: str, step: int) -> Batch:
        """A batch of step 1, 2, ... from the stream, as the data says; floats are of the dtype."""
        raise BadInput(f"{self.family}: has no drawn batches")

    def dialogue(self, data: Dialogue) -> Iterator[Batch]:
        """The batches of the small run that the dialogue has, without end."""
        raise BadInput(f"{self.family}: the dialogue has none; use Drawn")

    def examples(self, corpus: Corpus, data: Text, stream: Stream) -> tuple[np.ndarray, ...]:
        """The examples of one pass over a text: what is given and what is to be told, one line an example.

        The second array says how many examples there are.
        """
        raise BadInput(f"{self.family}: does not learn from a text; use Drawn")

    def collate(self, *parts: np.ndarray) -> Batch:
        """A batch of some examples, the same lines of each array. The case sees to the dtype of its floats."""
        raise NotImplementedError

    def complete(self, batches: Iterator[Any], data: Dialogue | Drawn | Text, stream: Stream) -> Iterator[Batch]:
        """The batches with what is drawn besides, from a stream of its own."""
        return batches

    def check(self, batch: Any, dtype: str) -> None:
        """Raise BadInput unless the batch is one that the model can be trained on."""
        raise NotImplementedError

    @property
    def family(self) -> str:
        """The model's name in lower case."""
        return type(self).__name__.lower()


def options(part: Any) -> list[Any]:
    """The fields of a dataclass that have a default: its options, where the others are sizes."""
    return [field for field in fields(part) if field.default is not MISSING]
