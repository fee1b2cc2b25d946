"""Mean-pooled embedding, linear, ReLU, linear, cross-entropy."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor, nn

from reference import cases
from torch_impl.functional import cross_entropy, relu


class Classifier(nn.Module):
    """Which class a bag of ids belongs to."""

    def __init__(self, model: cases.Classifier, sparse: bool) -> None:
        super().__init__()
        self.embedding = nn.EmbeddingBag(model.num_embeddings, model.embedding_dim, mode="mean", sparse=sparse)
        self.fc1 = nn.Linear(model.embedding_dim, model.hidden_features)
        self.fc2 = nn.Linear(model.hidden_features, model.num_classes)

    def forward(self, batch: cases.BagBatch) -> Float[Tensor, ""]:
        pooled = self.embedding(batch.ids)
        hidden = self.fc1(pooled)
        active = relu(hidden)
        logits = self.fc2(active)
        return cross_entropy(logits, batch.labels)
