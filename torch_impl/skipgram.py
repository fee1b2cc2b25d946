"""Skip-gram: a centre word predicts the words around it."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor, nn

from reference import cases
from torch_impl.functional import cross_entropy


class SkipGram(nn.Module):
    """A softmax over the whole vocabulary: every context row takes part in every pair."""

    def __init__(self, model: cases.SkipGram, sparse: bool) -> None:
        super().__init__()
        self.reduction = model.reduction
        self.center = nn.Embedding(model.num_embeddings, model.embedding_dim, sparse=sparse)
        self.context = nn.Linear(model.embedding_dim, model.num_embeddings, bias=False)

    def forward(self, batch: cases.PairBatch) -> Float[Tensor, ""]:
        hidden = self.center(batch.centers)
        logits = self.context(hidden)
        return cross_entropy(logits, batch.contexts, reduction=self.reduction)
