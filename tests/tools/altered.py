"""The NumPy twin with one change, for tests of what the comparison makes of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import numpy_impl
from reference.cases import Case

Change = Callable[[Any], Any]


class Altered:
    """The NumPy twin, with one change to what one of its stages returns. A change must not work in place."""

    def __init__(self, stage: str, change: Change) -> None:
        self.changes = {stage: change}

    def build(self, case: Case, weights: dict) -> Altered:
        fresh = type(self)(*next(iter(self.changes.items())))
        fresh.twin = numpy_impl.build(case, weights)
        return fresh

    def _altered(self, stage: str, value: Any) -> Any:
        return self.changes.get(stage, lambda same: same)(value)

    def loss_and_grads(self, batch: Any) -> Any:
        loss, grads = self.twin.loss_and_grads(batch)
        return self._altered("loss", loss), self._altered("grads", grads)

    def step(self) -> None:
        self.twin.step()

    def params(self) -> Any:
        return self._altered("params", self.twin.params())

    def state(self) -> Any:
        return self._altered("state", self.twin.state())


def one(name: str, change: Change) -> Change:
    """A change to one tensor of several."""
    return lambda tensors: tensors | {name: change(tensors[name])}


def entry(value: float, index: tuple[int, ...] = (3, 2)) -> Change:
    def change(tensor: np.ndarray) -> np.ndarray:
        tensor = tensor.copy()
        tensor[index] = value
        return tensor

    return change
