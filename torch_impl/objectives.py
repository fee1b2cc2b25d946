"""The objectives of word2vec: a loss from hidden vectors, the output table, and a batch."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Literal, assert_never

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import embedding

from reference import cases
from torch_impl.functional import cross_entropy, log_sigmoid

Objective = Callable[[Tensor, Tensor, Any], Tensor]


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
    hidden: Float[Tensor, "N D"],
    table: Float[Tensor, "V D"],
    batch: cases.PairBatch[Tensor] | cases.ContextBatch[Tensor],
    reduction: Literal["mean", "sum"],
) -> Float[Tensor, ""]:
    """The cross-entropy of the targets among all words. Every pair uses every row of the table."""
    logits = hidden @ table.T
    return cross_entropy(logits, batch.targets, reduction=reduction)


def negative_sampling(
    hidden: Float[Tensor, "N D"],
    table: Float[Tensor, "V D"],
    batch: cases.PairNegativesBatch[Tensor] | cases.ContextNegativesBatch[Tensor],
    accidental_hits: Literal["keep", "mask", "redraw"],
    reduction: Literal["mean", "sum"],
    sparse: bool,
) -> Float[Tensor, ""]:
    """A yes for the target, a no for each of K negatives (Mikolov et al. 2013b, equation 4; Goldberg and Levy 2014)."""
    targets = batch.targets[:, None]
    ids = torch.cat([targets, batch.negatives], dim=1)
    signs = hidden.new_full(ids.shape, -1)
    signs[:, 0] = 1
    if accidental_hits == "mask":
        signs[:, 1:][batch.negatives == targets] = 0
    return decisions(hidden, table, ids, signs, reduction, sparse)


def shared_negatives(
    hidden: Float[Tensor, "N T D"],
    table: Float[Tensor, "V D"],
    batch: cases.BlockBatch[Tensor],
    num_negatives: int,
    accidental_hits: Literal["keep", "mask"],
    reduction: Literal["mean", "sum"],
    sparse: bool,
) -> Float[Tensor, ""]:
    """A yes for each word of a centre's context, and for each such pair a weighted no for the block's negatives.

    The scores of all centres with all words and negatives of the block are computed. Words outside a centre's context
    get weight 0. Ji et al. 2016.
    """
    rows = embedding(torch.cat([batch.contexts, batch.negatives], dim=1), table, sparse=sparse)
    inside = batch.inside.to(hidden.dtype)
    pairs = inside.sum(dim=2, keepdim=True).expand(-1, -1, batch.negatives.shape[1])
    if accidental_hits == "mask":
        pairs = pairs - inside @ (batch.contexts[:, :, None] == batch.negatives[:, None]).to(hidden.dtype)
    counted = torch.cat([inside, pairs * (num_negatives / batch.negatives.shape[1])], dim=2)
    signs = torch.where(torch.arange(rows.shape[1]) < batch.contexts.shape[1], 1, -1)
    scores = hidden @ rows.transpose(1, 2)
    log_p = log_sigmoid(signs * scores)
    counted = counted / (inside.sum() if reduction == "mean" else 1)
    return -(counted * log_p).sum()


def hierarchical_softmax(
    hidden: Float[Tensor, "N D"],
    table: Float[Tensor, "M D"],
    batch: cases.PairPathsBatch[Tensor] | cases.ContextPathsBatch[Tensor],
    reduction: Literal["mean", "sum"],
    sparse: bool,
) -> Float[Tensor, ""]:
    """A yes or no at each inner node on the path to the target (Morin and Bengio 2005; Mikolov et al. 2013b, eq. 3)."""
    return decisions(hidden, table, batch.nodes, batch.signs.to(hidden.dtype), reduction, sparse)


def decisions(
    hidden: Float[Tensor, "N D"],
    table: Float[Tensor, "R D"],
    ids: Int[Tensor, "N K"],
    signs: Float[Tensor, "N K"],
    reduction: Literal["mean", "sum"],
    sparse: bool,
) -> Float[Tensor, ""]:
    """-log sigmoid(sign * hidden @ table[id]), summed. The sign is 1 for yes, -1 for no, 0 for not counted."""
    rows = embedding(ids, table, sparse=sparse)
    scores = (rows @ hidden[:, :, None])[:, :, 0]
    log_p = log_sigmoid(signs * scores)
    divisor = len(hidden) if reduction == "mean" else 1
    counted = signs.abs() / divisor
    return -(counted * log_p).sum()
