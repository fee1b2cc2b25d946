"""Mean of a bag, one hidden layer, softmax cross-entropy."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from reference import cases
from tests.mistakes.strangers.base.trainer import Trainer


class Classifier(Trainer):
    """Each method below `loss_and_grads` is a line or two that somebody gets wrong."""

    model = cases.Classifier
    does: ClassVar = {"activation"}

    @classmethod
    def covers(cls, case: cases.Case) -> bool:
        if not super().covers(case) or getattr(case.data, "ragged", False):
            return False
        return len(case.model.hidden_features) == 1 and case.model.activation in ("relu", "tanh")

    def loss_and_grads(self, batch: Any) -> tuple:
        ids, labels, p = batch.ids, batch.labels, self.p
        x = p["embedding.weight"][ids].mean(axis=1)
        z = x @ p["fc1.weight"].T + p["fc1.bias"]
        a = np.maximum(z, 0) if self.case.model.activation == "relu" else np.tanh(z)
        q = self.softmax(a @ p["fc2.weight"].T + p["fc2.bias"])
        loss = -self.log(q[np.arange(len(q)), labels]).mean()
        d = self.d_logits(q, np.eye(q.shape[1], dtype=q.dtype)[labels])
        self.g = {"fc2.weight": self.d_weight(d, a), "fc2.bias": self.d_bias(d)}
        d = (d @ p["fc2.weight"]) * self.slope(z, a)
        self.g |= {"fc1.weight": self.d_weight(d, x), "fc1.bias": self.d_bias(d)}
        d = d @ p["fc1.weight"]
        self.g["embedding.weight"] = self.d_table(ids, self.d_each(d, ids), p["embedding.weight"])
        return float(loss), self.g

    def softmax(self, logits: np.ndarray) -> np.ndarray:
        e = np.exp(logits - logits.max(axis=1, keepdims=True))
        return e / e.sum(axis=1, keepdims=True)

    def log(self, q: np.ndarray) -> np.ndarray:
        return np.log(q)

    def d_logits(self, q: np.ndarray, onehot: np.ndarray) -> np.ndarray:
        return (q - onehot) / len(q)

    def d_weight(self, d: np.ndarray, x: np.ndarray) -> np.ndarray:
        return d.T @ x

    def d_bias(self, d: np.ndarray) -> np.ndarray:
        return d.sum(axis=0)

    def slope(self, z: np.ndarray, a: np.ndarray) -> np.ndarray:
        return z > 0 if self.case.model.activation == "relu" else 1 - a * a

    def d_each(self, d: np.ndarray, ids: np.ndarray) -> np.ndarray:
        """(B, D), of each bag → (B, L, D), of each of its vectors."""
        return np.repeat(d[:, None] / ids.shape[1], ids.shape[1], axis=1)

    def d_table(self, ids: np.ndarray, d: np.ndarray, table: np.ndarray) -> np.ndarray:
        g = np.zeros_like(table)
        np.add.at(g, ids, d)
        return g
