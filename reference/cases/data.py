"""Where the batches of a case come from."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Literal

import numpy as np
from numpy import ndarray

from reference.cases.batches import Batch, RaggedBagBatch, RaggedLabelledBatch, RaggedWeightedBagBatch
from reference.data import text
from reference.data.dialogue import DIALOGUE_CORPUS
from reference.data.text import Corpus


@dataclass(frozen=True)
class Dialogue:
    """The small run of a written dialogue on backpropagation: four bags, or the seven-word corpus.

    What a model sees of it in a step, its `dialogue` says. window: how many words to each side are context.
    """

    window: int = 1

    @property
    def corpus(self) -> Corpus:
        """The corpus as ids."""
        return text.read_string(DIALOGUE_CORPUS, min_count=1)

    def counts(self, num_embeddings: int) -> ndarray:
        """How often each word (V,) occurs in the corpus."""
        return self.corpus.counts


@dataclass(frozen=True)
class Drawn:
    """Seeded batches, new in every step.

    shape: that of the ids, or (B,) rows, or (N,) pairs, or (N, C) for N contexts of 1 to C words, or (N, T) for N
    blocks of T words. zipf: ids as skewed as words are (density 1/rank) instead of uniform. used: how many of the
    vocabulary's rows may occur (default: all), so that some are sure never to be looked up. ragged: bags of 0 to L ids,
    the last one empty in every other step, handed over with offsets. ids_dtype: that of the ids. Where the model has a
    padding_idx, the first bag is of padding alone.
    """

    shape: tuple[int, ...]
    zipf: bool = False
    used: int | None = None
    ragged: bool = False
    ids_dtype: Literal["int64", "int32"] = "int64"

    def counts(self, num_embeddings: int) -> ndarray:
        """How often each word (V,) occurs: 1000 times, or 1000/rank, and those that are not used never."""
        rank = np.arange(1, num_embeddings + 1)
        often = 1000 // rank if self.zipf else np.full_like(rank, 1000)
        return np.where(rank <= (self.used or len(rank)), np.maximum(often, 1), 0)


@dataclass(frozen=True)
class Text:
    """Mini-batches of a real text, in an order drawn once for each pass.

    source: `pydoc_data.topics` or the path of a UTF-8 file. A classifier gets paragraphs, cut or repeated to `length`
    ids, and their chapter; a skip-gram the pairs within `window`, or with shared negatives the text in blocks of
    `length` words with the window around them; CBOW the contexts; GloVe the pairs with their counts. For skip-gram and
    CBOW, as word2vec has it, dynamic_window: each centre has a window of its own, drawn from 1 to `window`. subsample:
    the threshold t, above which frequent words are dropped before there are windows (`reference.data.text.kept`). Both
    are drawn anew in each pass. min_count: how often a word must occur to be one (default: 5 times, in a short text
    once).
    """

    source: str
    batch_size: int
    length: int = 16
    window: int = 2
    dynamic_window: bool = False
    subsample: float | None = None
    min_count: int | None = None

    @property
    def corpus(self) -> Corpus:
        """The text as ids. Raises BadInput where it cannot be read or has no two words."""
        return text.read(self.source, self.min_count)

    def counts(self, num_embeddings: int) -> ndarray:
        """How often each word (V,) occurs in the text."""
        return self.corpus.counts


@dataclass(frozen=True, eq=False)
class Recorded:
    """Weights by name and batches as they stand in a test vector (`reference.vectors`)."""

    weights: dict[str, ndarray]
    batches: tuple[Batch, ...]

    @property
    def ragged(self) -> bool:
        """Whether bags are handed over with offsets."""
        return any(
            type(batch) in (RaggedBagBatch, RaggedWeightedBagBatch, RaggedLabelledBatch) for batch in self.batches
        )

    @property
    def ids_dtype(self) -> str:
        """The dtype of the ids: int32 where anything is."""
        parts = [getattr(batch, part.name) for batch in self.batches for part in fields(batch)]
        return "int32" if any(part.dtype == np.int32 for part in parts) else "int64"


Data = Dialogue | Drawn | Text | Recorded
