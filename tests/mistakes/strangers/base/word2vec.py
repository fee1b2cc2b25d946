"""Skip-gram and CBOW, under full softmax, negative sampling and hierarchical softmax."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from reference import cases
from tests.mistakes.strangers.base.trainer import Trainer


class Word2Vec(Trainer):
    """`hidden` and `d_given` are the way in and back; an objective gives the loss and both gradients."""

    does: ClassVar = {"objective", "reduction", "mode"}
    objectives: ClassVar[tuple] = (cases.Softmax, cases.NegativeSampling, cases.HierarchicalSoftmax)

    @classmethod
    def covers(cls, case: cases.Case) -> bool:
        return super().covers(case) and isinstance(case.model.objective, cls.objectives)

    def loss_and_grads(self, batch: Any) -> tuple:
        model = self.case.model
        objective = {cases.Softmax: self.softmax, cases.NegativeSampling: self.negatives}
        way = objective.get(type(model.objective), self.tree)
        loss, d, d_out = way(self.hidden(batch), self.p[model.output], batch)
        self.g = {model.output: d_out, model.given: self.d_given(batch, d, self.p[model.given])}
        return float(loss), self.g

    def softmax(self, h: np.ndarray, out: np.ndarray, batch: Any) -> tuple:
        scores = h @ out.T
        e = np.exp(scores - scores.max(axis=1, keepdims=True))
        q = e / e.sum(axis=1, keepdims=True)
        right = np.arange(len(q)), batch.targets
        loss = -self.log(q[right]).sum() / self.divisor(len(q))
        q[right] -= 1
        d = q / self.divisor(len(q))
        return loss, d @ out, self.d_output(d, h)

    def d_output(self, d: np.ndarray, h: np.ndarray) -> np.ndarray:
        return d.T @ h

    def negatives(self, h: np.ndarray, out: np.ndarray, batch: Any) -> tuple:
        ids = np.column_stack([batch.targets, batch.negatives])
        signs = np.where(np.arange(ids.shape[1]) == 0, 1, -1) * np.ones_like(ids)
        if self.case.model.objective.accidental_hits == "mask":
            signs[:, 1:][batch.negatives == batch.targets[:, None]] = 0
        return self.yes_or_no(h, out, ids, signs)

    def tree(self, h: np.ndarray, out: np.ndarray, batch: Any) -> tuple:
        return self.yes_or_no(h, out, batch.nodes, batch.signs)

    def yes_or_no(self, h: np.ndarray, out: np.ndarray, ids: np.ndarray, signs: np.ndarray) -> tuple:
        """A sign is 1 for a yes, -1 for a no, 0 for what does not count."""
        signs = signs.astype(h.dtype)
        rows = out[ids]
        x = signs * np.einsum("nd,nkd->nk", h, rows)
        loss = self.binary_loss(x, signs) / self.divisor(len(h))
        d = -signs * self.sigmoid(-x) / self.divisor(len(h))
        return loss, self.d_hidden(d, rows, ids), self.d_rows(d, h, ids, out)

    def binary_loss(self, x: np.ndarray, signs: np.ndarray) -> np.ndarray:
        return (np.logaddexp(0, -x) * abs(signs)).sum()

    def sigmoid(self, x: np.ndarray) -> np.ndarray:
        e = np.exp(-abs(x))
        return np.where(x >= 0, 1, e) / (1 + e)

    def d_hidden(self, d: np.ndarray, rows: np.ndarray, ids: np.ndarray) -> np.ndarray:
        return np.einsum("nk,nkd->nd", d, rows)

    def d_rows(self, d: np.ndarray, h: np.ndarray, ids: np.ndarray, out: np.ndarray) -> np.ndarray:
        g = np.zeros_like(out)
        np.add.at(g, ids, d[:, :, None] * h[:, None])
        return g

    def log(self, q: np.ndarray) -> np.ndarray:
        return np.log(q)

    def divisor(self, n: int) -> int:
        return n if self.case.model.reduction == "mean" else 1


class SkipGram(Word2Vec):
    model = cases.SkipGram

    def hidden(self, batch: Any) -> np.ndarray:
        return self.p["center.weight"][batch.centers]

    def d_given(self, batch: Any, d: np.ndarray, table: np.ndarray) -> np.ndarray:
        g = np.zeros_like(table)
        np.add.at(g, batch.centers, d)
        return g


class CBOW(Word2Vec):
    model = cases.CBOW

    def hidden(self, batch: Any) -> np.ndarray:
        return np.array([self.pooled(self.p["context.weight"][ids]) for ids in self.contexts(batch)])

    def contexts(self, batch: Any) -> list[np.ndarray]:
        return np.split(batch.ids, batch.offsets[1:])

    def pooled(self, vectors: np.ndarray) -> np.ndarray:
        return vectors.mean(axis=0) if self.case.model.mode == "mean" else vectors.sum(axis=0)

    def d_given(self, batch: Any, d: np.ndarray, table: np.ndarray) -> np.ndarray:
        g = np.zeros_like(table)
        for ids, each in zip(self.contexts(batch), d, strict=True):
            self.add(g, ids, each / self.share(ids))
        return g

    def share(self, ids: np.ndarray) -> int:
        return len(ids) if self.case.model.mode == "mean" else 1

    def add(self, g: np.ndarray, ids: np.ndarray, d: np.ndarray) -> None:
        np.add.at(g, ids, d)
