"""Pooled embedding, hidden layers with their activations, a last linear layer, and the loss."""

from __future__ import annotations

from collections.abc import Callable
from typing import assert_never

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from numpy_impl import functional
from numpy_impl.embedding_bag import embedding_bag
from numpy_impl.functional import cross_entropy, dropout, mse_loss
from numpy_impl.linear import linear
from reference import cases
from reference.contract import Grads, Params


class Classifier:
    """Predicts the class of a bag of ids, or numbers."""

    def __init__(self, model: cases.Classifier, sparse: bool) -> None:
        self.model, self.sparse = model, sparse

    def forward(self, p: Params, batch: cases.LabelledBags) -> tuple[np.floating, Callable[[], Grads]]:
        model, activation = self.model, getattr(functional, self.model.activation)
        active, d_pooled = embedding_bag(
            batch.ids, p["embedding.weight"], self.sparse, batch.offsets, model.mode, model.padding_idx
        )
        d_layers = []
        for name, keep in zip(model.layers[:-1], kept(model, batch), strict=True):
            hidden, d_hidden = linear(active, p[f"{name}.weight"], p[f"{name}.bias"])
            active, d_active = activation(hidden)
            active, d_active_kept = dropout(active, keep, model.dropout)
            d_layers.append((name, d_hidden, d_active, d_active_kept))
        last = model.layers[-1]
        logits, d_logits = linear(active, p[f"{last}.weight"], p[f"{last}.bias"])
        loss, d_loss = loss_of(model.loss, logits, batch.labels)

        def backward() -> Grads:
            g: Grads = {}
            d = d_loss()
            d, g[f"{last}.weight"], g[f"{last}.bias"] = d_logits(d)
            for name, d_hidden, d_active, d_active_kept in reversed(d_layers):
                d = d_active_kept(d)
                d = d_active(d)
                d, g[f"{name}.weight"], g[f"{name}.bias"] = d_hidden(d)
            g["embedding.weight"] = d_pooled(d)
            return g

        return loss, backward


def kept(model: cases.Classifier, batch: cases.LabelledBags) -> list[ndarray] | list[None]:
    """The units that dropout keeps, layer by layer; None without dropout."""
    if not model.dropout:
        return [None] * len(model.hidden_features)
    return np.split(batch.keep, np.cumsum(model.hidden_features)[:-1], axis=1)


def loss_of(
    loss: cases.CrossEntropy | cases.MSELoss, logits: Float[ndarray, "B C"], labels: ndarray
) -> tuple[np.floating, Callable]:
    """The model's loss, with its options."""
    match loss:
        case cases.CrossEntropy():
            return cross_entropy(
                logits,
                labels,
                weight=None if loss.weight is None else np.array(loss.weight, logits.dtype),
                ignore_index=loss.ignore_index,
                reduction=loss.reduction,
                label_smoothing=loss.label_smoothing,
            )
        case cases.MSELoss():
            return mse_loss(logits, labels, reduction=loss.reduction)
    assert_never(loss)
