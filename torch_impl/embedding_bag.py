"""Bags of embeddings, pooled: fixed or ragged, by mean, sum or maximum, with padding and weights."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor, nn

from reference import cases


class EmbeddingBag(nn.Module):
    """Pooled bags alone, with a given upstream gradient."""

    def __init__(self, model: cases.EmbeddingBag, sparse: bool) -> None:
        super().__init__()
        self.embedding = nn.EmbeddingBag(
            model.num_embeddings,
            model.embedding_dim,
            max_norm=model.max_norm,
            norm_type=model.norm_type,
            scale_grad_by_freq=model.scale_grad_by_freq,
            mode=model.mode,
            sparse=sparse,
            include_last_offset=model.include_last_offset,
            padding_idx=model.padding_idx,
        )

    def forward(self, batch: cases.Bags[Tensor]) -> Float[Tensor, ""]:
        pooled = self.embedding(batch.ids, batch.offsets, batch.per_sample_weights)
        return (pooled * batch.upstream).sum()
