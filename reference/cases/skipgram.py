"""Skip-gram."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from reference.cases.objectives import Objective, Softmax
from reference.cases.word2vec import _Word2Vec


@dataclass(frozen=True)
class SkipGram(_Word2Vec):
    """A centre word predicts a word of its context (Mikolov et al. 2013a, section 3.2).

    Batch: `PairBatch`, or `BlockBatch` for shared negatives. hidden = center.weight[centers], and the objective holds
    it against `context.weight` (V, D), or `nodes.weight` (V - 1, D) in hierarchical softmax. reduction: over the pairs.
    """

    num_embeddings: int
    embedding_dim: int
    objective: Objective = Softmax()
    reduction: Literal["mean", "sum"] = "mean"

    given, predicted = "center.weight", "context.weight"
