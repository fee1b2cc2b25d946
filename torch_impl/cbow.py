"""CBOW: the words around it predict a centre word."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor, nn

from reference import cases
from torch_impl.objectives import objective_of


class CBOW(nn.Module):
    """The mean or sum of a context predicts its centre word, or the nodes on the path to it."""

    def __init__(self, model: cases.CBOW, sparse: bool) -> None:
        super().__init__()
        self.objective, self.output = objective_of(model, sparse), model.output
        self.context = nn.EmbeddingBag(model.num_embeddings, model.embedding_dim, mode=model.mode, sparse=sparse)
        if isinstance(model.objective, cases.HierarchicalSoftmax):
            self.nodes = nn.Embedding(model.num_embeddings - 1, model.embedding_dim)
        else:
            self.center = nn.Embedding(model.num_embeddings, model.embedding_dim)

    def forward(self, batch: cases.ContextBatch[Tensor]) -> Float[Tensor, ""]:
        hidden = self.context(batch.ids, batch.offsets)
        return self.objective(hidden, self.get_parameter(self.output), batch)
