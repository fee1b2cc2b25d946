"""Skip-gram: a centre word predicts the words around it."""

from __future__ import annotations

from typing import Any

from reference import cases
from reference.exact.arithmetic import Number
from reference.exact.embedding import embedding
from reference.exact.objectives import objective_of


def loss(m: Any, model: cases.SkipGram, p: dict[str, Any], batch: cases.PairBatch | cases.BlockBatch) -> Number:
    """The objective scores the centre's vector against the words of its context, or the nodes on the paths to them."""
    hidden = embedding(m, batch.centers, p["center.weight"])
    return objective_of(model)(m, hidden, p[model.output], batch)
