"""Pooled embedding, hidden layers with their activations, a last linear layer, and the loss."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from typing import Any, assert_never

import numpy as np

from reference import cases
from reference.exact import functional
from reference.exact.arithmetic import Number, Vector
from reference.exact.embedding_bag import embedding_bag
from reference.exact.functional import cross_entropy, dropout, mse_loss
from reference.exact.linear import linear


def loss(m: Any, model: cases.Classifier, p: dict[str, Any], batch: cases.LabelledBags) -> Number:
    """The loss of predicting a class, or numbers, from each bag of ids."""
    activation = getattr(functional, model.activation)
    active = embedding_bag(m, batch.ids, p["embedding.weight"], batch.offsets, model.mode, model.padding_idx)
    for name, keep in zip(model.layers[:-1], kept(model, batch), strict=True):
        hidden = linear(m, active, p[f"{name}.weight"], p[f"{name}.bias"])
        active = [[activation(m, x) for x in line] for line in hidden]
        active = dropout(m, active, keep, model.dropout)
    last = model.layers[-1]
    logits = linear(m, active, p[f"{last}.weight"], p[f"{last}.bias"])
    return loss_of(m, model.loss, logits, batch.labels)


def kept(model: cases.Classifier, batch: cases.LabelledBags) -> list[np.ndarray] | list[None]:
    """The units that dropout keeps, layer by layer. None without dropout."""
    if not model.dropout:
        return [None] * len(model.hidden_features)
    ends = list(accumulate(model.hidden_features))
    return [batch.keep[:, end - width : end] for end, width in zip(ends, model.hidden_features, strict=True)]


def loss_of(m: Any, loss: cases.CrossEntropy | cases.MSELoss, logits: Sequence[Vector], labels: np.ndarray) -> Number:
    """The model's loss function, with its options."""
    match loss:
        case cases.CrossEntropy():
            return cross_entropy(
                m,
                logits,
                labels,
                weight=loss.weight,
                ignore_index=loss.ignore_index,
                reduction=loss.reduction,
                label_smoothing=loss.label_smoothing,
            )
        case cases.MSELoss():
            return mse_loss(m, logits, labels, reduction=loss.reduction)
    assert_never(loss)
