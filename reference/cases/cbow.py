"""CBOW: what it is, and its batches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy import ndarray

from reference.cases import validation
from reference.cases.batches import ContextBatch
from reference.cases.data import Drawn, Text
from reference.cases.objectives import Objective, SharedNegatives, Softmax
from reference.cases.word2vec import Word2Vec, pairs
from reference.data.stream import Stream
from reference.data.text import Corpus
from reference.errors import BadInput


@dataclass(frozen=True)
class CBOW(Word2Vec):
    """The words of a context, averaged or summed, predict their centre (Mikolov et al. 2013a, section 3.1).

    Batch: `ContextBatch`, `ContextNegativesBatch` or `ContextPathsBatch`, by the objective. hidden = the mean or sum of
    context.weight[ids] over each context. With the mean, each word of a context of n words counts 1/n, in the forward
    and in the backward pass (word2vec.c does not divide in the backward pass: https://arxiv.org/abs/2012.15332). The
    objective compares hidden with `center.weight` (V, D), or with `nodes.weight` (V - 1, D) in hierarchical softmax.
    reduction: over the contexts.
    """

    num_embeddings: int
    embedding_dim: int
    mode: Literal["mean", "sum"] = "mean"
    objective: Objective = Softmax()
    reduction: Literal["mean", "sum"] = "mean"

    given, predicted = "context.weight", "center.weight"

    def __post_init__(self) -> None:
        if isinstance(self.objective, SharedNegatives):
            raise BadInput("CBOW: has no SharedNegatives, which need word pairs; use NegativeSampling, or skip-gram")

    def given_ids(self, batch: ContextBatch) -> ndarray:
        """The words of the contexts."""
        return batch.ids

    def draw(self, data: Drawn, stream: Stream, dtype: str, step: int) -> ContextBatch:
        """Random contexts of 1 to C words, for data of the shape (N, C), and random centres."""
        shape, used = data.shape, data.used or self.num_embeddings
        ids = stream.ids(shape, used, data.zipf).astype(data.ids_dtype)
        lengths = 1 + stream.ids(shape[:1], shape[1])
        rows = [row[:length] for row, length in zip(ids, lengths, strict=True)]
        return self.collate(rows, stream.ids(shape[:1], used, data.zipf))

    def around(self, centers: ndarray, contexts: ndarray) -> ContextBatch:
        """The context and its one centre."""
        return self.collate([contexts], centers[:1])

    def examples(self, corpus: Corpus, data: Text, stream: Stream) -> tuple[ndarray, ndarray]:
        """The contexts of one pass, as an array of arrays, and their centres."""
        centers, contexts, positions = pairs(corpus, data, stream)
        _, begin = np.unique(positions, return_index=True)
        return np.fromiter(np.split(contexts, begin[1:]), object, len(begin)), centers[begin]

    def collate(self, *parts: Sequence[ndarray] | ndarray) -> ContextBatch:
        """Some contexts, an array of ids each, and their centres."""
        contexts, centers = parts
        ids, lengths = np.concatenate(contexts), [len(ids) for ids in contexts]
        return ContextBatch(ids, np.cumsum([0, *lengths[:-1]], dtype=ids.dtype), np.array(centers))

    def check(self, batch: Any, dtype: str) -> None:
        """Raise BadInput unless every context has at least one word, and the objective has what it needs."""
        validation.kind(batch, self.objective.contexts)
        ids, offsets = batch.ids, batch.offsets
        validation.ids("ids", ids, self.num_embeddings, ndim=1)
        validation.ids("offsets", offsets, len(ids), ndim=1, noun="places", dtypes=(str(ids.dtype),))
        late = (np.arange(len(offsets)) == 0) & (offsets != 0)
        validation.where("offsets", offsets, late, "is not 0; the first context begins at the first id")
        empty = np.diff(offsets, prepend=-1) <= 0  # word2vec leaves out a centre without context
        validation.where("offsets", offsets, empty, "is not after the one before; each context needs a word")
        validation.ids("centers", batch.centers, self.num_embeddings, ndim=1, dtypes=("int64",))
        validation.same_length("centers", batch.centers, "offsets", offsets)
        self.objective.check(batch, self.num_embeddings)
