"""Skip-gram: what it is, and its batches."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy import ndarray

from reference.cases import validation
from reference.cases.batches import Block, BlockBatch, PairBatch
from reference.cases.data import Drawn, Text
from reference.cases.objectives import Objective, SharedNegatives, Softmax
from reference.cases.word2vec import Word2Vec, blocks, pairs
from reference.data.stream import Stream
from reference.data.text import Corpus


@dataclass(frozen=True)
class SkipGram(Word2Vec):
    """A centre word predicts a word of its context (Mikolov et al. 2013a, section 3.2).

    Batch: `PairBatch`, `PairNegativesBatch`, `PairPathsBatch`, or `BlockBatch`, by the objective. hidden =
    center.weight[centers]. The objective compares it with `context.weight` (V, D), or with `nodes.weight` (V - 1, D) in
    hierarchical softmax. reduction: over the pairs.
    """

    num_embeddings: int
    embedding_dim: int
    objective: Objective = Softmax()
    reduction: Literal["mean", "sum"] = "mean"

    given, predicted = "center.weight", "context.weight"

    @property
    def in_blocks(self) -> bool:
        """Whether it learns from blocks of running text instead of pairs."""
        return isinstance(self.objective, SharedNegatives)

    def given_ids(self, batch: PairBatch | BlockBatch) -> ndarray:
        """The centres."""
        return batch.centers

    def draw(self, data: Drawn, stream: Stream, dtype: str, step: int) -> PairBatch | Block:
        """Random pairs; or blocks, where each word is context of a neighbour with probability 0.9."""
        shape, used = data.shape, data.used or self.num_embeddings
        ids = stream.ids(shape, used, data.zipf).astype(data.ids_dtype)
        if not self.in_blocks:
            return PairBatch(ids, stream.ids(shape, used, data.zipf))
        before, after = (stream.ids((shape[0], 1), used).astype(ids.dtype) for _ in range(2))
        apart = np.arange(shape[1] + 2) - np.arange(1, shape[1] + 1)[:, None]
        inside = (abs(apart) == 1) & (stream.uniform((*shape, shape[1] + 2)) < 0.9)
        inside[:, 0, 0] = True
        return Block(ids, np.concatenate([before, ids, after], axis=1), inside)

    def around(self, centers: ndarray, contexts: ndarray) -> PairBatch:
        """The pairs."""
        return PairBatch(centers, contexts)

    def examples(self, corpus: Corpus, data: Text, stream: Stream) -> tuple[ndarray, ...]:
        """The centres and contexts of one pass; or its blocks."""
        return blocks(corpus, data, stream) if self.in_blocks else pairs(corpus, data, stream)[:2]

    def collate(self, *parts: ndarray) -> PairBatch | Block:
        """Some pairs, or some blocks."""
        return Block(*parts) if self.in_blocks else PairBatch(*parts)

    def check(self, batch: Any, dtype: str) -> None:
        """Raise BadInput unless the pairs or blocks are valid, and the objective has what it needs."""
        validation.kind(batch, self.objective.pairs)
        if isinstance(batch, BlockBatch):
            validation.ids("centers", batch.centers, self.num_embeddings, ndim=2)
            validation.ids("contexts", batch.contexts, self.num_embeddings, ndim=2)
            validation.same_length("contexts", batch.contexts, "blocks of centers", batch.centers)
            shape = *batch.centers.shape, batch.contexts.shape[1]
            validation.booleans("inside", batch.inside, shape, "one for each centre and context")
            validation.some("inside", batch.inside, "a batch of at least one pair is needed")
        else:
            validation.ids("centers", batch.centers, self.num_embeddings, ndim=1)
            validation.ids("contexts", batch.contexts, self.num_embeddings, ndim=1, dtypes=("int64",))
            validation.same_length("contexts", batch.contexts, "centers", batch.centers)
        self.objective.check(batch, self.num_embeddings)
