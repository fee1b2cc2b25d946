"""The embedding lookup."""

from __future__ import annotations

from dataclasses import dataclass

from reference.cases.model import Shapes


@dataclass(frozen=True)
class Embedding:
    """A lookup alone, under a given upstream gradient: loss = sum(embedding.weight[ids] * upstream).

    Batch: `LookupBatch`. padding_idx: the row that gets no gradient. max_norm: rows that are looked up and whose
    norm_type-norm is larger are first rescaled to it, in the table itself. scale_grad_by_freq: the gradient of a row is
    divided by how often its id occurs in the batch.
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
    input_gradients = ()
