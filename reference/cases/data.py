"""Where the batches of a case come from."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Literal

import numpy as np
from numpy import ndarray

from reference.cases.batches import Batch, RaggedBagBatch, RaggedLabelledBatch, RaggedWeightedBagBatch, SequenceBatch
from reference.data import text
from reference.data.dialogue import DIALOGUE_CORPUS
from reference.data.text import Corpus


@dataclass(frozen=True)
class Dialogue:
    """The small run of a written dialogue on backpropagation: four bags, or the seven-word corpus.

    The model's `dialogue` makes batches of it. window: the number of context words on each side.
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
    """Random batches from the case's seed, new ones in every step.

    shape: the shape of the ids; or (B,) for rows, (N,) for pairs, (N, C) for N contexts of 1 to C words, (N, T) for N
    blocks of T words; (B, T) for sequences. zipf: ids with the density 1/rank, like words, instead of uniform. used:
    how many of the vocabulary's rows may occur (default: all); the others are never looked up. ragged: bags of 0 to L
    ids, with offsets; in every other step the last bag is empty; or sequences of different length. ids_dtype: the dtype
    of the ids. If the model has a padding_idx, the first bag has nothing but padding. silent: the steps, counted from
    1, in which no parameter gets a gradient: all ids are padding, all labels are ignored, or the upstream gradient is
    zero.
    """

    shape: tuple[int, ...]
    zipf: bool = False
    used: int | None = None
    ragged: bool = False
    ids_dtype: Literal["int64", "int32"] = "int64"
    silent: tuple[int, ...] = ()

    def counts(self, num_embeddings: int) -> ndarray:
        """How often each word (V,) occurs: 1000 times, or 1000/rank times; unused words never."""
        rank = np.arange(1, num_embeddings + 1)
        often = 1000 // rank if self.zipf else np.full_like(rank, 1000)
        return np.where(rank <= (self.used or len(rank)), np.maximum(often, 1), 0)


@dataclass(frozen=True)
class Text:
    """Mini-batches of a real text, in an order drawn once for each pass.

    source: `pydoc_data.topics` or the path of a UTF-8 file. A classifier gets paragraphs, cut or repeated to `length`
    ids, and their chapters. Skip-gram gets the pairs within `window`; with shared negatives, it gets blocks of `length`
    words and the window around them. CBOW gets the contexts. GloVe gets the pairs with their counts. min_count: how
    often a word must occur to be in the vocabulary (default: 5 times, in a short text once).

    Two options of word2vec are for skip-gram and CBOW. Both are drawn again in each pass. dynamic_window: each centre
    has its own window, drawn from 1 to `window`. subsample: the threshold t above which frequent words are dropped,
    before the windows are made (`reference.data.text.kept`).
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
        """The text as ids. Raises BadInput if it cannot be read or has fewer than two words."""
        return text.read(self.source, self.min_count)

    def counts(self, num_embeddings: int) -> ndarray:
        """How often each word (V,) occurs in the text."""
        return self.corpus.counts


@dataclass(frozen=True, eq=False)
class Recorded:
    """Weights by name, and batches, read from a test vector (`reference.vectors`)."""

    weights: dict[str, ndarray]
    batches: tuple[Batch, ...]

    @property
    def ragged(self) -> bool:
        """Whether the bags have offsets, or sequences have different lengths."""
        kinds = RaggedBagBatch, RaggedWeightedBagBatch, RaggedLabelledBatch
        return any(
            (batch.lengths < batch.ids.shape[1]).any() if isinstance(batch, SequenceBatch) else isinstance(batch, kinds)
            for batch in self.batches
        )

    @property
    def ids_dtype(self) -> str:
        """The dtype of the ids: int32 if any array is int32."""
        parts = [getattr(batch, part.name) for batch in self.batches for part in fields(batch)]
        return "int32" if any(part.dtype == np.int32 for part in parts) else "int64"


Data = Dialogue | Drawn | Text | Recorded
