"""CBOW."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from reference.cases.objectives import Objective, SharedNegatives, Softmax
from reference.cases.word2vec import _Word2Vec
from reference.errors import BadInput


@dataclass(frozen=True)
class CBOW(_Word2Vec):
    """The words of a context, averaged or summed, predict their centre (Mikolov et al. 2013a, section 3.1).

    Batch: `ContextBatch`. hidden = the mean or sum of context.weight[ids] over each context; of the mean, each word
    carries one part in as many as the context has words, backward as forward (word2vec.c itself leaves the backward
    pass undivided: https://arxiv.org/abs/2012.15332). The objective holds the hidden vector against `center.weight`
    (V, D), or `nodes.weight` (V - 1, D) in hierarchical softmax. reduction: over the contexts.
    """

    num_embeddings: int
    embedding_dim: int
    mode: Literal["mean", "sum"] = "mean"
    objective: Objective = Softmax()
    reduction: Literal["mean", "sum"] = "mean"

    given, predicted = "context.weight", "center.weight"

    def __post_init__(self) -> None:
        if isinstance(self.objective, SharedNegatives):
            raise BadInput("CBOW: has no SharedNegatives, which pair words; use NegativeSampling, or skip-gram")
