"""Bags under a given upstream gradient: mean, sum or max, fixed or ragged, with or without padding."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from reference import cases
from tests.mistakes.strangers.base.trainer import Trainer


class Bags(Trainer):
    """One bag after the other. `mean`, `sum` and `max` return a pooled vector and the gradient of each vector of it."""

    model = cases.EmbeddingBag
    does: ClassVar = {"mode", "padding_idx"}

    def loss_and_grads(self, batch: Any) -> tuple:
        table, loss = self.p["embedding.weight"], 0.0
        self.g = {"embedding.weight": np.zeros_like(table)}
        for ids, upstream in zip(self.split(batch), batch.upstream, strict=True):
            pooled, d = self.pool(ids, table[ids], upstream)
            loss += float(pooled @ upstream)
            self.scatter(self.g["embedding.weight"], ids, d)
        return loss, self.g

    def split(self, batch: Any) -> list[np.ndarray]:
        return list(batch.ids) if batch.offsets is None else np.split(batch.ids, batch.offsets[1:])

    def pool(self, ids: np.ndarray, vectors: np.ndarray, upstream: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        kept = (ids != self.case.model.padding_idx)[:, None]
        if not kept.any():
            return np.zeros_like(upstream), np.zeros_like(vectors)
        return getattr(self, self.case.model.mode)(vectors, kept, upstream)

    def sum(self, vectors: np.ndarray, kept: np.ndarray, upstream: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return (vectors * kept).sum(axis=0), kept * upstream

    def mean(self, vectors: np.ndarray, kept: np.ndarray, upstream: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        n = kept.sum()
        return (vectors * kept).sum(axis=0) / n.astype(vectors.dtype), kept * (upstream / n.astype(vectors.dtype))

    def max(self, vectors: np.ndarray, kept: np.ndarray, upstream: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        real = np.where(kept, vectors, -np.inf)
        first = np.arange(len(real))[:, None] == real.argmax(axis=0)
        return real.max(axis=0), first * upstream

    def scatter(self, g: np.ndarray, ids: np.ndarray, d: np.ndarray) -> None:
        np.add.at(g, ids, d)
