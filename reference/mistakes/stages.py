"""A candidate in two stages that are looked at apart: what it returns of a batch, and its update.

So what is wrong in one is named whatever is wrong in the other.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from reference.cases import Batch, Case
from reference.contract import Grads, Implementation, Params, State
from reference.judge.runner import start
from reference.mistakes.planting import Mistake, together


class Gradients:
    """The candidate without its update: the loss and the gradients of the first batch."""

    def __init__(self, candidate: Implementation) -> None:
        self.candidate = candidate

    def build(self, case: Case, weights: Params) -> Any:
        """A trainer that has no step()."""
        trainer = self.candidate.build(case, weights)
        return type("Gradients", (), {"loss_and_grads": staticmethod(trainer.loss_and_grads)})()


class Updates:
    """The NumPy twin's update, with mistakes or none, of the candidate's own gradients."""

    def __init__(self, candidate: Implementation, mistakes: Sequence[Mistake] = ()) -> None:
        self.candidate, self.mistakes = candidate, mistakes

    def build(self, case: Case, weights: Params) -> _Trainer:
        """A trainer whose gradients are the candidate's."""
        return _Trainer(self.candidate, together(*self.mistakes).build(case, weights), case, weights)


class _Trainer:
    """A trainer of the twin that takes its gradients from the candidate at work."""

    def __init__(self, candidate: Implementation, twin: Any, case: Case, weights: Params) -> None:
        self.runner, self.twin = start(case, "", candidate, weights), twin

    def loss_and_grads(self, batch: Batch) -> tuple[float, Grads]:
        self.runner.advance(batch, self.runner.steps + 1)
        self.twin.trainer.grads = dict(self.runner.out["grads"])
        return self.runner.out["loss"], self.runner.out["grads"]

    def step(self) -> None:
        self.twin.step()

    def params(self) -> Params:
        return self.twin.params()

    def state(self) -> State:
        return self.twin.state()
