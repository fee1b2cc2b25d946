"""Looked-up vectors, convolutions of several widths, pooled over time, and a linear classifier."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from reference import cases
from torch_impl import functional
from torch_impl.classifier import loss_of
from torch_impl.conv1d import conv1d
from torch_impl.functional import cut, dropout, over_time, within


class TextCNN(nn.Module):
    """Predicts the class of a sequence of ids, or numbers."""

    def __init__(self, model: cases.TextCNN, sparse: bool) -> None:
        super().__init__()
        self.model = model
        self.embedding = nn.Embedding(
            model.num_embeddings, model.embedding_dim, padding_idx=model.padding_idx, sparse=sparse
        )
        self.convs = nn.ModuleList(
            nn.Conv1d(
                model.embedding_dim,
                model.out_channels,
                width,
                stride=model.stride,
                padding=model.padding,
                dilation=model.dilation,
            )
            for width in model.kernel_sizes
        )
        self.fc = nn.Linear(model.features, model.num_classes)

    def forward(self, batch: cases.SequenceBatch[Tensor]) -> Float[Tensor, ""]:
        model, activation = self.model, getattr(functional, self.model.activation)
        vectors = self.embedding(batch.ids)
        x = cut(vectors, batch.lengths).transpose(1, 2)
        pooled = []
        for conv, width in zip(self.convs, model.kernel_sizes, strict=True):
            hidden = conv1d(conv, x)
            active = activation(hidden)
            own = within(cases.windows(model, batch.lengths, width), active.shape[2])
            pooled.append(over_time(active, own, model.mode))
        features = dropout(torch.cat(pooled, dim=1), batch.keep if model.dropout else None, model.dropout)
        logits = self.fc(features)
        return loss_of(model.loss, logits, batch.labels)
