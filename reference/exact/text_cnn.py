"""Looked-up vectors, convolutions of several widths, pooled over time, and a linear classifier."""

from __future__ import annotations

from typing import Any

from reference import cases
from reference.exact import functional
from reference.exact.arithmetic import Number
from reference.exact.classifier import loss_of
from reference.exact.conv1d import conv1d
from reference.exact.embedding import embedding
from reference.exact.functional import dropout, each, over_time
from reference.exact.linear import linear


def loss(m: Any, model: cases.TextCNN, p: dict[str, Any], batch: cases.SequenceBatch) -> Number:
    """The loss of predicting a class, or numbers, from each sequence, each one alone and cut to its length."""
    activation = getattr(functional, model.activation)
    features = []
    for ids, length in zip(batch.ids, batch.lengths, strict=True):
        vectors = embedding(m, ids[:length], p["embedding.weight"], model.padding_idx)
        x = list(zip(*vectors, strict=True))
        pooled = []
        for i in range(len(model.kernel_sizes)):
            kernels, bias = p[f"convs.{i}.weight"], p[f"convs.{i}.bias"]
            hidden = conv1d(m, x, kernels, bias, model.stride, model.dilation, model.padding)
            active = [each(m, activation, channel) for channel in hidden]
            pooled += [over_time(m, channel, model.mode) for channel in active]
        features.append(pooled)
    dropped = dropout(m, features, batch.keep if model.dropout else None, model.dropout)
    logits = linear(m, dropped, p["fc.weight"], p["fc.bias"])
    return loss_of(m, model.loss, logits, batch.labels)
