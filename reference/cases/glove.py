"""GloVe: what it is, and its batches."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import repeat
from typing import Literal

import numpy as np
from numpy import ndarray

from reference.cases import validation
from reference.cases.batches import CooccurrenceBatch
from reference.cases.data import Dialogue, Drawn, Text
from reference.cases.model import Model, Shapes
from reference.data.stream import Stream
from reference.data.text import Corpus
from reference.errors import BadInput


@dataclass(frozen=True)
class GloVe(Model):
    """Word vectors by weighted least squares on the logarithms of co-occurrence counts (Pennington et al. 2014, eq. 8).

    Batch: `CooccurrenceBatch`. loss = the mean or sum over the pairs of f(x) * (w @ c + b + d - log(x))**2, x the count
    of the pair, w and b its rows of `center.weight` (V, D) and `center_bias.weight` (V, 1), c and d those of
    `context.weight` and `context_bias.weight`; f(x) = min((x / x_max)**alpha, 1), equation 9. reduction: over the
    pairs; the paper sums.
    https://aclanthology.org/D14-1162/

    Raises:
        BadInput: x_max is not above 0, or alpha is below 0, or one of them is not finite.
    """

    num_embeddings: int
    embedding_dim: int
    x_max: float = 100.0
    alpha: float = 0.75
    reduction: Literal["mean", "sum"] = "mean"

    def __post_init__(self) -> None:
        if not 0 < self.x_max < np.inf:
            raise BadInput(f"GloVe: x_max is {self.x_max}; a number above 0 is needed")
        if not 0 <= self.alpha < np.inf:
            raise BadInput(f"GloVe: alpha is {self.alpha}; a number from 0 up is needed")

    @property
    def shapes(self) -> Shapes:
        """The parameters' shapes, by name."""
        V, D = self.num_embeddings, self.embedding_dim
        return dict(zip(self.tables, [(V, D), (V, D), (V, 1), (V, 1)], strict=True))

    tables = ("center.weight", "context.weight", "center_bias.weight", "context_bias.weight")

    def looked_up(self, batch: CooccurrenceBatch) -> dict[str, ndarray]:
        """The centres and the contexts, each in its table and in its biases."""
        return dict(zip(self.tables, 2 * (batch.centers, batch.contexts), strict=True))

    def draw(self, data: Drawn, stream: Stream, dtype: str, step: int) -> CooccurrenceBatch:
        """Random pairs with counts from x_max / 1024 to 4 x_max, about a tenth of them x_max itself."""
        used = data.used or self.num_embeddings
        centers, contexts = (stream.ids(data.shape, used, data.zipf).astype(data.ids_dtype) for _ in range(2))
        counts = self.x_max * np.ldexp(1 + stream.uniform(data.shape), stream.ids(data.shape, 12) - 10)
        counts[stream.uniform(data.shape) < 0.1] = self.x_max
        return CooccurrenceBatch(centers, contexts, counts.astype(dtype))

    def dialogue(self, data: Dialogue) -> Iterator[CooccurrenceBatch]:
        """All co-occurrences of the corpus in every step."""
        found = cooccurrences(data.corpus, data.window)
        return (self.collate(*(part.copy() for part in found)) for _ in repeat(None))

    def examples(self, corpus: Corpus, data: Text, stream: Stream) -> tuple[ndarray, ...]:
        """The pairs of words that occur together, and their counts. They are the same in each pass."""
        if data.dynamic_window or data.subsample is not None:
            raise BadInput("GloVe: counts a text once, with one window; use dynamic_window=False and subsample=None")
        return cooccurrences(corpus, data.window)

    def collate(self, *parts: ndarray) -> CooccurrenceBatch:
        """Some pairs with their counts."""
        return CooccurrenceBatch(*parts)

    def check(self, batch: CooccurrenceBatch, dtype: str) -> None:
        """Raise BadInput unless these are pairs of words, each with a finite count above 0."""
        validation.kind(batch, CooccurrenceBatch)
        validation.ids("centers", batch.centers, self.num_embeddings, ndim=1)
        validation.ids("contexts", batch.contexts, self.num_embeddings, ndim=1, dtypes=(str(batch.centers.dtype),))
        validation.same_length("contexts", batch.contexts, "centers", batch.centers)
        validation.floats("counts", batch.counts, batch.centers.shape, dtype)
        validation.where("counts", batch.counts, batch.counts <= 0, "is not above 0; a pair must occur at least once")


@functools.lru_cache(2)
def cooccurrences(corpus: Corpus, window: int) -> tuple[ndarray, ndarray, ndarray]:
    """The pairs of words within a window of one another: centres, contexts, and counts, (N,) each.

    Two words d apart count 1/d (Pennington et al. 2014, section 4.2).
    """
    V, cells, parts = len(corpus.words), [], []
    for ids in corpus.sentences:
        for distance in range(1, window + 1):
            before, after = ids[:-distance], ids[distance:]
            cells += [before * V + after, after * V + before]
            parts += [np.full(2 * len(before), 1 / distance)]
    pairs, which = np.unique(np.concatenate(cells), return_inverse=True)
    return pairs // V, pairs % V, np.bincount(which, np.concatenate(parts))
