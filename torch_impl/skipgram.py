"""Skip-gram: a centre word predicts the words around it."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor, nn

from reference import cases
from torch_impl.objectives import objective_of


class SkipGram(nn.Module):
    """The vector of a centre word predicts the words of its context, or the nodes on the paths to them."""

    def __init__(self, model: cases.SkipGram, sparse: bool) -> None:
        super().__init__()
        self.objective, self.output = objective_of(model, sparse), model.output
        self.center = nn.Embedding(model.num_embeddings, model.embedding_dim, sparse=sparse)
        if isinstance(model.objective, cases.HierarchicalSoftmax):
            self.nodes = nn.Embedding(model.num_embeddings - 1, model.embedding_dim)
        else:
            self.context = nn.Embedding(model.num_embeddings, model.embedding_dim)

    def forward(self, batch: cases.PairBatch[Tensor] | cases.BlockBatch[Tensor]) -> Float[Tensor, ""]:
        hidden = self.center(batch.centers)
        return self.objective(hidden, self.get_parameter(self.output), batch)
