"""A lookup under a given upstream gradient."""

from __future__ import annotations

from typing import Any

import numpy as np

from reference import cases
from tests.mistakes.strangers.base.trainer import Trainer


class Lookup(Trainer):
    model = cases.Embedding

    def loss_and_grads(self, batch: Any) -> tuple:
        table = self.p["embedding.weight"]
        self.g = {"embedding.weight": np.zeros_like(table)}
        np.add.at(self.g["embedding.weight"], batch.ids, batch.upstream)
        return float((table[batch.ids] * batch.upstream).sum()), self.g
