"""The embedding lookup: what it is, and its batches."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy import ndarray

from reference.cases import validation
from reference.cases.batches import Batch, LookupBatch
from reference.cases.data import Drawn
from reference.cases.model import Model, Shapes
from reference.data.stream import Stream


@dataclass(frozen=True)
class Embedding(Model):
    """A lookup alone, with a given upstream gradient: loss = sum(embedding.weight[ids] * upstream).

    Batch: `LookupBatch`. padding_idx: the row that gets no gradient. max_norm: looked-up rows with a larger
    norm_type-norm are first rescaled to it, in the table itself. scale_grad_by_freq: the gradient of a row is divided
    by how often its id occurs in the batch.
    https://docs.pytorch.org/docs/stable/generated/torch.nn.Embedding.html
    """

    num_embeddings: int
    embedding_dim: int
    padding_idx: int | None = None
    max_norm: float | None = None
    norm_type: float = 2.0
    scale_grad_by_freq: bool = False

    @property
    def shapes(self) -> Shapes:
        """The parameters' shapes, by name."""
        return {"embedding.weight": (self.num_embeddings, self.embedding_dim)}

    tables = ("embedding.weight",)

    @property
    def rows_refused(self) -> str:
        """PyTorch has no row gradients with scale_grad_by_freq."""
        return FREQ_REFUSED if self.scale_grad_by_freq else ""

    def looked_up(self, batch: LookupBatch) -> dict[str, ndarray]:
        """The ids that the batch looks up."""
        return {"embedding.weight": batch.ids.reshape(-1)}

    def draw(self, data: Drawn, stream: Stream, dtype: str, step: int) -> LookupBatch:
        """Ids of any shape. The first one is the padding_idx, if there is one."""
        ids = stream.ids(data.shape, data.used or self.num_embeddings, data.zipf).astype(data.ids_dtype)
        if self.padding_idx is not None:
            ids[0] = self.padding_idx
        return LookupBatch(ids, stream.signed((*data.shape, self.embedding_dim)).astype(dtype))

    def silenced(self, batch: LookupBatch) -> Batch:
        """All ids are padding, where there is one; else upstream there is no gradient."""
        if self.padding_idx is None:
            return super().silenced(batch)
        return replace(batch, ids=np.full_like(batch.ids, self.padding_idx))

    def check(self, batch: LookupBatch, dtype: str) -> None:
        """Raise BadInput unless the ids are rows of the table, and each has an upstream gradient."""
        validation.kind(batch, LookupBatch)
        validation.ids("ids", batch.ids, self.num_embeddings)
        validation.floats("upstream", batch.upstream, (*batch.ids.shape, self.embedding_dim), dtype)


FREQ_REFUSED = "scale_grad_by_freq has dense gradients only; use sparse=False"
