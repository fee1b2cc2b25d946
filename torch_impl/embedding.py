"""The embedding lookup."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor, nn

from reference import cases


class Embedding(nn.Module):
    """A lookup alone, with a given upstream gradient."""

    def __init__(self, model: cases.Embedding, sparse: bool) -> None:
        super().__init__()
        self.embedding = nn.Embedding(
            model.num_embeddings,
            model.embedding_dim,
            padding_idx=model.padding_idx,
            max_norm=model.max_norm,
            norm_type=model.norm_type,
            scale_grad_by_freq=model.scale_grad_by_freq,
            sparse=sparse,
        )

    def forward(self, batch: cases.LookupBatch[Tensor]) -> Float[Tensor, ""]:
        output = self.embedding(batch.ids)
        return (output * batch.upstream).sum()
