"""A loss that is written in scalars, and so has exact derivatives: those of the reference implementation's tape."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from flint import arb

from reference.checks.derivatives import At, Slope
from reference.contract import Params
from reference.exact.arithmetic import LEAST_BITS, Balls, Number, Undecided, Variable
from reference.exact.trainer import MOST_TERMS


@dataclass(frozen=True)
class Exact:
    """What `exact` returns."""

    loss: Callable[..., Number]


def exact(loss: Callable[..., Number]) -> Exact:
    """Mark a loss as one in scalars: `check_gradients(exact(loss), grads, params, *args)`.

    loss: `loss(m, params, *args)`, where the entries of params are numbers in nested lists, and m has the functions of
    `exact_loss` (see `reference/cases/README.md`): m.sum, m.dot, m.exp, m.log, m.tanh, m.sqrt, m.number, m.greater.
    """
    return Exact(loss)


def derivatives(loss: Exact, params: Params, args: Sequence[Any]) -> tuple[float, Params]:
    """The loss and its derivatives, each the float64 that is proved to be nearest.

    Raises:
        TooLarge: it has too many terms.
    """
    bits = LEAST_BITS
    while True:
        try:
            with Balls(bits, MOST_TERMS) as m:
                variables = {name: [Variable(m.tape, x, {}) for x in p.ravel().tolist()] for name, p in params.items()}
                tensors = {name: _nested(iter(of), params[name].shape) for name, of in variables.items()}
                found = loss.loss(m, tensors, *args)
                m.backward(found)
                (value,) = m.rounded([arb(getattr(found, "value", found))], "float64")
                grads = {name: m.rounded([x.d for x in of], "float64") for name, of in variables.items()}
        except Undecided:
            bits *= 2
        else:
            return float(value), {name: grad.reshape(params[name].shape) for name, grad in grads.items()}


def _nested(numbers: Iterator[Any], shape: tuple[int, ...]) -> Any:
    """The next numbers, in nested lists of this shape."""
    return [_nested(numbers, shape[1:]) for _ in range(shape[0])] if shape else next(numbers)


class Values:
    """A gradient of which the values are known. nearby: the same where the parameters have other last digits."""

    zero = False

    def __init__(self, values: np.ndarray, nearby: Callable[[], list[np.ndarray]]) -> None:
        self.values, self.nearby = values.reshape(-1), nearby
        self.way = f"exact values, {values.size:,} proved"

    def at(self, at: At, direction: Any = 1.0, closely: bool = False) -> Slope:
        """The slope along a direction in some of its entries."""
        return Slope(float(np.sum(self.values[at] * direction)), 0.0)

    def noise(self, at: At, direction: Any = 1.0) -> float:
        """How much that moves with the last digits of the parameters."""
        changes = (other.reshape(-1) - self.values for other in self.nearby())
        return max(abs(float(np.sum(change[at] * direction))) for change in changes)
