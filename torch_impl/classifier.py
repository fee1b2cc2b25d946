"""Pooled embedding, hidden layers with their activations, a last linear layer, and the loss."""

from __future__ import annotations

from typing import assert_never

import torch
from jaxtyping import Float
from torch import Tensor, nn

from reference import cases
from torch_impl import functional
from torch_impl.functional import cross_entropy, dropout, mse_loss


class Classifier(nn.Module):
    """Predicts the class of a bag of ids, or numbers."""

    def __init__(self, model: cases.Classifier, sparse: bool) -> None:
        super().__init__()
        self.model = model
        self.embedding = nn.EmbeddingBag(
            model.num_embeddings, model.embedding_dim, mode=model.mode, sparse=sparse, padding_idx=model.padding_idx
        )
        widths = (model.embedding_dim, *model.hidden_features, model.num_classes)
        for name, features, outputs in zip(model.layers, widths[:-1], widths[1:], strict=True):
            self.add_module(name, nn.Linear(features, outputs))

    def forward(self, batch: cases.LabelledBags[Tensor]) -> Float[Tensor, ""]:
        model, activation = self.model, getattr(functional, self.model.activation)
        active = self.embedding(batch.ids, batch.offsets)
        for name, keep in zip(model.layers[:-1], kept(model, batch), strict=True):
            hidden = self.get_submodule(name)(active)
            active = activation(hidden)
            active = dropout(active, keep, model.dropout)
        logits = self.get_submodule(model.layers[-1])(active)
        return loss_of(model.loss, logits, batch.labels)


def kept(model: cases.Classifier, batch: cases.LabelledBags[Tensor]) -> list[Tensor] | list[None]:
    """The units that dropout keeps, layer by layer; None without dropout."""
    if not model.dropout:
        return [None] * len(model.hidden_features)
    return list(torch.split(batch.keep, model.hidden_features, dim=1))


def loss_of(
    loss: cases.CrossEntropy | cases.MSELoss, logits: Float[Tensor, "B C"], labels: Tensor
) -> Float[Tensor, ""]:
    """The model's loss, with its options."""
    match loss:
        case cases.CrossEntropy():
            return cross_entropy(
                logits,
                labels,
                weight=None if loss.weight is None else torch.tensor(loss.weight, dtype=logits.dtype),
                ignore_index=loss.ignore_index,
                reduction=loss.reduction,
                label_smoothing=loss.label_smoothing,
            )
        case cases.MSELoss():
            return mse_loss(logits, labels, reduction=loss.reduction)
    assert_never(loss)
