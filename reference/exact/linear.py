"""The dense layer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from reference import cases
from reference.exact.arithmetic import Number, Vector, numbers


def linear(m: Any, x: Sequence[Vector], weight: Sequence[Vector], bias: Vector) -> Sequence[Vector]:
    """Compute x @ weight.T + bias."""
    return [[y + b for y, b in zip(line, bias, strict=True)] for line in m.products(x, weight)]


def loss(m: Any, model: cases.Linear, p: dict[str, Any], batch: cases.DenseBatch) -> Number:
    """The loss of a dense layer alone, for a given upstream gradient."""
    output = linear(m, p["input"], p["linear.weight"], p["linear.bias"])
    return m.sum(m.dot(*pair) for pair in zip(output, numbers(m, batch.upstream), strict=True))
