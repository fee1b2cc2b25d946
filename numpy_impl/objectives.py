"""The objectives of word2vec: a loss from hidden vectors, the output table, and a batch.

Each also returns its backward pass, which gives the gradients of the hidden vectors and of the table.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Literal, assert_never

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from numpy_impl.embedding import embedding
from numpy_impl.functional import cross_entropy, log_sigmoid
from numpy_impl.kernels.rows import scaled_rows_of
from numpy_impl.kernels.workspace import product
from reference import cases

Objective = Callable[[ndarray, ndarray, Any], tuple[np.floating, Callable]]


def objective_of(model: cases.SkipGram | cases.CBOW, sparse: bool) -> Objective:
    """The model's objective as a function of (hidden, table, batch)."""
    match model.objective:
        case cases.Softmax():
            return partial(softmax, reduction=model.reduction)
        case cases.NegativeSampling(accidental_hits=hits):
            return partial(negative_sampling, accidental_hits=hits, reduction=model.reduction, sparse=sparse)
        case cases.SharedNegatives(num_negatives=negatives, accidental_hits=shared_hits):
            return partial(
                shared_negatives,
                num_negatives=negatives,
                accidental_hits=shared_hits,
                reduction=model.reduction,
                sparse=sparse,
            )
        case cases.HierarchicalSoftmax():
            return partial(hierarchical_softmax, reduction=model.reduction, sparse=sparse)
    assert_never(model.objective)


def softmax(
    hidden: Float[ndarray, "N D"],
    table: Float[ndarray, "V D"],
    batch: cases.PairBatch | cases.ContextBatch,
    reduction: Literal["mean", "sum"],
) -> tuple[np.floating, Callable]:
    """The cross-entropy of the targets among all words. Every pair uses every row of the table."""
    logits = product(hidden, table.T)
    loss, d_loss = cross_entropy(logits, batch.targets, reduction=reduction)

    def backward() -> tuple[Float[ndarray, "N D"], Float[ndarray, "V D"]]:
        d = d_loss()
        return d @ table, product(d.T, hidden)

    return loss, backward


def negative_sampling(
    hidden: Float[ndarray, "N D"],
    table: Float[ndarray, "V D"],
    batch: cases.PairNegativesBatch | cases.ContextNegativesBatch,
    accidental_hits: Literal["keep", "mask", "redraw"],
    reduction: Literal["mean", "sum"],
    sparse: bool,
) -> tuple[np.floating, Callable]:
    """A yes for the target, a no for each of K negatives (Mikolov et al. 2013b, equation 4; Goldberg and Levy 2014)."""
    targets = batch.targets[:, None]
    ids = np.concatenate([targets, batch.negatives], axis=1)
    signs = np.full(ids.shape, -1, hidden.dtype)
    signs[:, 0] = 1
    if accidental_hits == "mask":
        signs[:, 1:][batch.negatives == targets] = 0
    return decisions(hidden, table, ids, signs, reduction, sparse)


def shared_negatives(
    hidden: Float[ndarray, "N T D"],
    table: Float[ndarray, "V D"],
    batch: cases.BlockBatch,
    num_negatives: int,
    accidental_hits: Literal["keep", "mask"],
    reduction: Literal["mean", "sum"],
    sparse: bool,
) -> tuple[np.floating, Callable]:
    """A yes for each word of a centre's context, and for each such pair a weighted no for the block's negatives.

    The scores of all centres with all words and negatives of the block are computed. Words outside a centre's context
    get weight 0. Ji et al. 2016.
    """
    rows, d_rows = embedding(np.concatenate([batch.contexts, batch.negatives], axis=1), table, sparse)
    inside = batch.inside.astype(hidden.dtype)
    pairs = inside.sum(axis=2, keepdims=True) + np.zeros(batch.negatives.shape, hidden.dtype)[:, None]
    if accidental_hits == "mask":
        pairs -= inside @ (batch.contexts[:, :, None] == batch.negatives[:, None]).astype(hidden.dtype)
    counted = np.concatenate([inside, pairs * (num_negatives / batch.negatives.shape[1])], axis=2)
    signs = np.where(np.arange(rows.shape[1]) < batch.contexts.shape[1], 1, -1).astype(hidden.dtype)
    scores = hidden @ rows.transpose(0, 2, 1)
    log_p, d_log_p = log_sigmoid(signs * scores)
    counted /= inside.sum() if reduction == "mean" else 1

    def backward() -> tuple:
        d = signs * d_log_p(-counted)
        return d @ rows, d_rows(d.transpose(0, 2, 1) @ hidden)

    return -(counted * log_p).sum(), backward


def hierarchical_softmax(
    hidden: Float[ndarray, "N D"],
    table: Float[ndarray, "M D"],
    batch: cases.PairPathsBatch | cases.ContextPathsBatch,
    reduction: Literal["mean", "sum"],
    sparse: bool,
) -> tuple[np.floating, Callable]:
    """A yes or no at each inner node on the path to the target (Morin and Bengio 2005; Mikolov et al. 2013b, eq. 3)."""
    return decisions(hidden, table, batch.nodes, batch.signs.astype(hidden.dtype), reduction, sparse)


def decisions(
    hidden: Float[ndarray, "N D"],
    table: Float[ndarray, "R D"],
    ids: Int[ndarray, "N K"],
    signs: Float[ndarray, "N K"],
    reduction: Literal["mean", "sum"],
    sparse: bool,
) -> tuple[np.floating, Callable]:
    """-log sigmoid(sign * hidden @ table[id]), summed over K. The sign is 1 for yes, -1 for no, 0 for not counted.

    Backward: sigmoid(score) - 1 for a yes, sigmoid(score) for a no, times the other factor of the product.
    """
    rows, _ = embedding(ids, table, sparse)
    scores = (rows @ hidden[:, :, None])[:, :, 0]
    log_p, d_log_p = log_sigmoid(signs * scores)
    divisor = hidden.dtype.type(len(hidden) if reduction == "mean" else 1)
    counted = np.abs(signs) / divisor

    def backward() -> tuple:
        d = signs * d_log_p(-counted)
        d_table = scaled_rows_of(ids, d, hidden, len(table))
        return (d[:, None] @ rows)[:, 0], d_table if sparse else d_table.dense()

    return -(counted * log_p).sum(), backward
