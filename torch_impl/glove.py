"""GloVe: weighted least squares on the logarithms of co-occurrence counts."""

from __future__ import annotations

from typing import Literal

from jaxtyping import Float
from torch import Tensor, nn

from reference import cases


def weighting(counts: Float[Tensor, " N"], x_max: float, alpha: float) -> Float[Tensor, " N"]:
    """min((x / x_max)**alpha, 1): rare pairs count less, and no pair counts more than 1."""
    return ((counts / x_max) ** alpha).clamp(max=1)


def least_squares(
    scores: Float[Tensor, " N"],
    counts: Float[Tensor, " N"],
    x_max: float,
    alpha: float,
    reduction: Literal["mean", "sum"],
) -> Float[Tensor, ""]:
    """The weighted squares of scores - log(counts)."""
    difference = scores - counts.log()
    weighted = weighting(counts, x_max, alpha) * difference
    divisor = len(scores) if reduction == "mean" else 1
    return (weighted * difference).sum() / divisor


class GloVe(nn.Module):
    """The vectors and biases of a pair give its score, which should equal the logarithm of its count."""

    def __init__(self, model: cases.GloVe, sparse: bool) -> None:
        super().__init__()
        self.model = model
        self.center = nn.Embedding(model.num_embeddings, model.embedding_dim, sparse=sparse)
        self.context = nn.Embedding(model.num_embeddings, model.embedding_dim, sparse=sparse)
        self.center_bias = nn.Embedding(model.num_embeddings, 1, sparse=sparse)
        self.context_bias = nn.Embedding(model.num_embeddings, 1, sparse=sparse)

    def forward(self, batch: cases.CooccurrenceBatch[Tensor]) -> Float[Tensor, ""]:
        model = self.model
        center = self.center(batch.centers)
        context = self.context(batch.contexts)
        center_bias = self.center_bias(batch.centers)
        context_bias = self.context_bias(batch.contexts)
        scores = ((center * context).sum(dim=1, keepdim=True) + center_bias + context_bias)[:, 0]
        return least_squares(scores, batch.counts, model.x_max, model.alpha, model.reduction)
