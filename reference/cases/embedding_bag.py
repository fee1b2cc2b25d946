"""Bags of embeddings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from reference.cases.model import Shapes


@dataclass(frozen=True)
class EmbeddingBag:
    """Bags of vectors pooled into one each, under a given upstream gradient: loss = sum(pooled * upstream).

    Batch: `BagBatch` with `upstream`, of fixed bags (B, L) or of ragged ones, ids (N,) with offsets. mode: what a bag
    becomes; the maximum goes to the first of equals. An empty bag is zero, has no gradient, and so has a bag of padding
    alone: padding_idx is left out of the pooling and of the mean's divisor. include_last_offset: the offsets end with
    the number of ids. weighted: the batch has per_sample_weights, each vector is multiplied by its own first, and their
    gradient is asked for under that name (mode sum only). max_norm, norm_type, scale_grad_by_freq: as in `Embedding`.
    https://docs.pytorch.org/docs/stable/generated/torch.nn.EmbeddingBag.html
    """

    num_embeddings: int
    embedding_dim: int
    mode: Literal["mean", "sum", "max"] = "mean"
    padding_idx: int | None = None
    include_last_offset: bool = False
    weighted: bool = False
    max_norm: float | None = None
    norm_type: float = 2.0
    scale_grad_by_freq: bool = False

    @property
    def shapes(self) -> Shapes:
        """The parameters' shapes, by name."""
        return {"embedding.weight": (self.num_embeddings, self.embedding_dim)}

    tables = ("embedding.weight",)

    @property
    def input_gradients(self) -> tuple[str, ...]:
        """The fields of the batch whose gradient is asked for."""
        return ("per_sample_weights",) if self.weighted else ()
