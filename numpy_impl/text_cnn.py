"""Looked-up vectors, convolutions of several widths, pooled over time, and a linear classifier."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy import ndarray

from numpy_impl import functional
from numpy_impl.classifier import loss_of
from numpy_impl.conv1d import conv1d
from numpy_impl.embedding import embedding, without_row
from numpy_impl.functional import cut, dropout, over_time, within
from numpy_impl.linear import linear
from reference import cases
from reference.contract import Grads, Params


class TextCNN:
    """Predicts the class of a sequence of ids, or numbers."""

    def __init__(self, model: cases.TextCNN, sparse: bool) -> None:
        self.model, self.sparse = model, sparse

    def forward(self, p: Params, batch: cases.SequenceBatch) -> tuple[np.floating, Callable[[], Grads]]:
        model, activation = self.model, getattr(functional, self.model.activation)
        vectors, d_vectors = embedding(batch.ids, p["embedding.weight"], self.sparse)
        kept, d_kept = cut(vectors, batch.lengths)
        x = kept.transpose(0, 2, 1)
        pooled: list[ndarray] = []
        d_widths = []
        for i, width in enumerate(model.kernel_sizes):
            hidden, d_hidden = conv1d(
                x, p[f"convs.{i}.weight"], p[f"convs.{i}.bias"], model.stride, model.dilation, model.padding
            )
            active, d_active = activation(hidden)
            own = within(cases.windows(model, batch.lengths, width), active.shape[2])
            most, d_most = over_time(active, own, model.mode)
            pooled.append(most)
            d_widths.append((d_hidden, d_active, d_most))
        features, d_features = dropout(
            np.concatenate(pooled, axis=1), batch.keep if model.dropout else None, model.dropout
        )
        logits, d_logits = linear(features, p["fc.weight"], p["fc.bias"])
        loss, d_loss = loss_of(model.loss, logits, batch.labels)

        def backward() -> Grads:
            g: Grads = {}
            d = d_loss()
            d, g["fc.weight"], g["fc.bias"] = d_logits(d)
            parts = np.split(d_features(d), len(pooled), axis=1)
            d_x = np.zeros_like(x)
            for i, (d_hidden, d_active, d_most) in enumerate(d_widths):
                d = d_most(parts[i])
                d = d_active(d)
                d, g[f"convs.{i}.weight"], g[f"convs.{i}.bias"] = d_hidden(d)
                d_x += d
            d = d_kept(d_x.transpose(0, 2, 1))
            g["embedding.weight"] = without_row(d_vectors(d), model.padding_idx)
            return g

        return loss, backward
