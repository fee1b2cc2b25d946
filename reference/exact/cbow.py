"""CBOW: the words around it predict a centre word."""

from __future__ import annotations

from typing import Any

from reference import cases
from reference.exact.arithmetic import Number
from reference.exact.embedding_bag import embedding_bag
from reference.exact.objectives import objective_of


def loss(m: Any, model: cases.CBOW, p: dict[str, Any], batch: cases.ContextBatch) -> Number:
    """The objective scores the mean or sum of a context against the centre, or the nodes on the path to it."""
    hidden = embedding_bag(m, batch.ids, p["context.weight"], batch.offsets, model.mode)
    return objective_of(model)(m, hidden, p[model.output], batch)
