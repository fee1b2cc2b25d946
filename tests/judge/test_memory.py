"""Memory that is not an implementation's own: what it was given stays as it is, and so does what it returned."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from numpy_impl.trainer import Trainer
from reference.cases import SGD, Case, Classifier, Drawn, Embedding, EmbeddingBag
from reference.checks.twins import twins
from reference.contract import RowGrad
from reference.judge.result import Result
from reference.judge.run import judge
from reference.judge.runner import same
from reference.mistakes.diagnosis import diagnose

DENSE = Case("", Classifier(7, 3, (4,), 3), SGD(lr=0.1), Drawn((4, 2)))
LOOKUP = Case("", Embedding(7, 3), SGD(lr=0.1), Drawn((4,)), sparse=True)


class Mine(Trainer):
    """The NumPy twin, to be made wrong."""


class Built:
    """An implementation of a kind of trainer."""

    def __init__(self, kind: type[Mine]) -> None:
        self.build = kind


def judged(case: Case, kind: type[Mine]) -> Result:
    result = judge(case, {"mine": Built(kind)}, twins())["mine"]
    assert result.divergences == ()
    assert diagnose(Built(kind), [result]) == {}
    return result


def said(case: Case, kind: type[Mine]) -> str:
    result = judged(case, kind)
    assert result.verdict == "disagree"
    return result.reason


def test_ids_that_are_changed() -> None:
    class Sorting(Mine):
        def loss_and_grads(self, batch: Any) -> Any:
            found = super().loss_and_grads(batch)
            batch.ids[0, 0] += 1
            return found

    assert said(DENSE, Sorting) == "changed its input ids in step 1"


@pytest.mark.parametrize(
    ("case", "name"),
    [
        (LOOKUP, "upstream"),
        (DENSE, "labels"),
        (DENSE, "keep"),
        (Case("", EmbeddingBag(7, 3, "sum", weighted=True), SGD(), Drawn((4, 3), ragged=True)), "per_sample_weights"),
        (Case("", EmbeddingBag(7, 3), SGD(), Drawn((4, 3), ragged=True)), "offsets"),
    ],
    ids=lambda value: value if isinstance(value, str) else value.family,
)
def test_every_array_of_a_batch_is_looked_at_after_the_update(case: Case, name: str) -> None:
    class Keeping(Mine):
        def loss_and_grads(self, batch: Any) -> Any:
            self.batch = batch
            return super().loss_and_grads(batch)

        def step(self) -> None:
            super().step()
            if self.steps == 1:
                getattr(self.batch, name)[...] = 0
            self.steps += 1

    assert said(case, Keeping) == f"changed its input {name} in step 2"


def test_weights_that_are_changed_before_there_is_a_batch() -> None:
    class Building(Mine):
        def __init__(self, case: Case, weights: dict) -> None:
            super().__init__(case, weights)
            weights["fc1.weight"][:] = 0

    assert said(DENSE, Building) == "changed its input fc1.weight in build"


def test_gradients_in_a_buffer_that_is_used_again() -> None:
    class Buffered(Mine):
        buffer = None

        def loss_and_grads(self, batch: Any) -> Any:
            loss, grads = super().loss_and_grads(batch)
            self.buffer = np.zeros_like(grads["fc1.weight"]) if self.buffer is None else self.buffer
            self.buffer[...] = grads["fc1.weight"]
            return loss, grads | {"fc1.weight": self.buffer}

    assert said(DENSE, Buffered) == "the gradient returned in step 1 for fc1.weight changed in step 2"


def test_rows_in_a_buffer_that_is_used_again() -> None:
    class Buffered(Mine):
        buffer = np.zeros((7, 3))

        def loss_and_grads(self, batch: Any) -> Any:
            loss, grads = super().loss_and_grads(batch)
            rows = grads["embedding.weight"]
            self.buffer[: len(rows.rows)] = rows.values
            return loss, {"embedding.weight": RowGrad(rows.rows, self.buffer[: len(rows.rows)], rows.shape)}

    assert said(LOOKUP, Buffered) == "the gradient returned in step 1 for embedding.weight changed in step 2"


def test_a_gradient_that_is_a_parameter_from_then_on() -> None:
    class Aliased(Mine):
        def step(self) -> None:
            super().step()
            gradient, bias = self.grads["fc1.bias"], self.weights["fc1.bias"]
            gradient[...] = bias
            self.weights["fc1.bias"] = gradient

    assert said(DENSE, Aliased) == "the gradient returned in step 1 for fc1.bias changed in step 2"


ALLOWED: dict[str, Callable[[Mine], None]] = {
    "clips its own gradients": lambda mine: [g.__imul__(0.5) for g in mine.grads.values()],
    "zeroes them": lambda mine: [g.fill(0) for g in mine.grads.values()],
}


@pytest.mark.parametrize("change", ALLOWED.values(), ids=ALLOWED)
def test_an_update_may_work_in_its_own_gradients(change: Callable[[Mine], None]) -> None:
    class InPlace(Mine):
        def step(self) -> None:
            super().step()
            change(self)

    assert judged(DENSE, InPlace).verdict == "agree"


def test_the_weights_may_be_kept_and_trained() -> None:
    class InPlace(Mine):
        def __init__(self, case: Case, weights: dict) -> None:
            super().__init__(case, weights)
            self.weights = weights

    assert judged(DENSE, InPlace).verdict == "agree"


def test_parameters_may_be_views_and_inputs_may_be_returned() -> None:
    """The rows of a lookup's gradient are its ids, and their values what came from upstream."""

    class Views(Mine):
        def loss_and_grads(self, batch: Any) -> Any:
            loss, _ = super().loss_and_grads(batch)
            return loss, {"embedding.weight": (batch.ids, batch.upstream)}

        def params(self) -> Any:
            return {name: weight[:] for name, weight in self.weights.items()}

    assert judged(LOOKUP, Views).verdict == "agree"


def test_what_is_wrong_with_the_numbers_too_is_diagnosed() -> None:
    class Both(Mine):
        def loss_and_grads(self, batch: Any) -> Any:
            loss, grads = super().loss_and_grads(batch)
            batch.labels[:] = 0
            return loss + 1, grads

    result = judge(DENSE, {"mine": Built(Both)}, twins())["mine"]
    assert (result.verdict, result.reason) == ("disagree", "changed its input labels in step 1")
    assert [d.tensor for d in result.divergences] == ["loss"]
    assert diagnose(Built(Both), [result])[result].observed


def test_the_twins_leave_alone_what_is_not_theirs() -> None:
    for case in (DENSE, LOOKUP):
        assert {result.verdict for result in judge(case, twins(), twins()).values()} == {"agree"}


def test_a_nan_that_stays_has_not_changed() -> None:
    values = np.array([[1, np.nan], [np.inf, 0]])
    assert same(values, values.copy())
    assert same(RowGrad(np.array([0, 2]), values, (3, 2)), RowGrad(np.array([0, 2]), values.copy(), (3, 2)))
    assert not same(values, np.array([[1, 2], [np.inf, 0]]))
    assert not same(values, values[:, :1])
    assert same(np.array([1, 2]), np.array([1, 2]))
