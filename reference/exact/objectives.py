"""The objectives of word2vec: a loss from hidden vectors, an output table and a batch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Literal, assert_never

import numpy as np

from reference import cases
from reference.exact.arithmetic import Number, Vector
from reference.exact.functional import Reduction, cross_entropy, log_sigmoid

Objective = Callable[[Any, Sequence[Any], Sequence[Vector], Any], Number]


def objective_of(model: cases.SkipGram | cases.CBOW) -> Objective:
    """The model's objective as a function of (m, hidden, table, batch)."""
    match model.objective:
        case cases.Softmax():
            return partial(softmax, reduction=model.reduction)
        case cases.NegativeSampling(accidental_hits=hits):
            return partial(negative_sampling, accidental_hits=hits, reduction=model.reduction)
        case cases.SharedNegatives(num_negatives=negatives, accidental_hits=shared_hits):
            return partial(
                shared_negatives, num_negatives=negatives, accidental_hits=shared_hits, reduction=model.reduction
            )
        case cases.HierarchicalSoftmax():
            return partial(hierarchical_softmax, reduction=model.reduction)
    assert_never(model.objective)


def softmax(
    m: Any,
    hidden: Sequence[Vector],
    table: Sequence[Vector],
    batch: cases.PairBatch | cases.ContextBatch,
    reduction: Reduction,
) -> Number:
    """Every word competes: the cross-entropy of the targets."""
    logits = m.products(hidden, table)
    return cross_entropy(m, logits, batch.targets, reduction=reduction)


def negative_sampling(
    m: Any,
    hidden: Sequence[Vector],
    table: Sequence[Vector],
    batch: cases.PairNegativesBatch | cases.ContextNegativesBatch,
    accidental_hits: Literal["keep", "mask", "redraw"],
    reduction: Reduction,
) -> Number:
    """-log σ(h · target) - Σ_k log σ(-h · negative_k); with "mask", negatives that equal the target do not count."""
    losses = []
    for h, target, negatives in zip(hidden, batch.targets, batch.negatives, strict=True):
        kept = [k for k in negatives if not (accidental_hits == "mask" and k == target)]
        noes = m.sum(log_sigmoid(m, -m.dot(h, table[k])) for k in kept)
        losses.append(-log_sigmoid(m, m.dot(h, table[target])) - noes)
    return reduced(m, losses, reduction)


def shared_negatives(
    m: Any,
    hidden: Sequence[Sequence[Vector]],
    table: Sequence[Vector],
    batch: cases.BlockBatch,
    num_negatives: int,
    accidental_hits: Literal["keep", "mask"],
    reduction: Reduction,
) -> Number:
    """-log σ(h · target) - K/S Σ_s log σ(-h · negative_s) of every pair in a block; the pairs share S negatives."""
    losses = []
    for n, i, j in np.argwhere(batch.inside):
        h, target, negatives = hidden[n][i], batch.contexts[n, j], batch.negatives[n]
        kept = [k for k in negatives if not (accidental_hits == "mask" and k == target)]
        noes = m.sum(log_sigmoid(m, -m.dot(h, table[k])) for k in kept)
        losses.append(-log_sigmoid(m, m.dot(h, table[target])) - m.number(num_negatives) / len(negatives) * noes)
    return reduced(m, losses, reduction)


def hierarchical_softmax(
    m: Any,
    hidden: Sequence[Vector],
    table: Sequence[Vector],
    batch: cases.PairPathsBatch | cases.ContextPathsBatch,
    reduction: Reduction,
) -> Number:
    """-Σ_j log σ(sign_j h · node_j) along the path to the target; the sign is 0 after its end."""
    losses = []
    for h, nodes, signs in zip(hidden, batch.nodes, batch.signs, strict=True):
        path = [(k, int(sign)) for k, sign in zip(nodes, signs, strict=True) if sign]
        losses.append(-m.sum(log_sigmoid(m, sign * m.dot(h, table[k])) for k, sign in path))
    return reduced(m, losses, reduction)


def reduced(m: Any, losses: list[Number], reduction: Reduction) -> Number:
    """The mean or sum of the losses."""
    return m.sum(losses) / (len(losses) if reduction == "mean" else 1)
