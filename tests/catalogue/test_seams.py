"""The cases in which what is right elsewhere gives way: each alone catches the mistake that it is for."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from reference.cases import SGD, Case, Classifier, Drawn, MSELoss, SkipGram
from reference.catalogue import catalogue
from reference.catalogue.seams import kinks, limits, seams, silent, small_rows, subnormal
from reference.commands import mistakes
from reference.contract import RowGrad
from reference.errors import BadInput
from reference.judge.run import hold
from reference.mistakes import MISTAKES
from reference.mistakes.known import RIGHT

FOR = {
    "kink-at-0": kinks,
    "gelu-over-its-input": kinks,
    "sigmoid-minus-one": small_rows,
    "clipping-divides-by-0": silent,
    "max-norm-at-the-limit": limits,
    "clipped-above-the-limit-alone": limits,
    "max-above-minus-zero": subnormal,
    "subnormals-flushed": subnormal,
}
"""Each mistake, and the cases that are for it."""

OWN = {case.id for case in seams()}
OTHERS = [
    replace(case, steps=1) for case in mistakes.small(catalogue()) if case.dtype == "float32" and case.id not in OWN
]


def caught(case: Case, names: list[str]) -> set[str]:
    results = mistakes.make(case, {name: MISTAKES[name] for name in names})
    return {name for name, result in results.items() if result.verdict != "agree"}


@pytest.mark.parametrize("name", FOR)
def test_each_catches_the_mistake_that_it_is_for(name: str) -> None:
    found = {case.dtype for case in FOR[name]() if caught(case, [name])}
    assert found == {"float64", "float32"}


IN_ONE_PIECE = "-gelu_tanh-", "skipgram-subnormal-"
"""Gelu is written without cases, and log sigmoid is smooth; no mistake is known that would show there."""


@pytest.mark.parametrize("case", [*kinks(), *limits(), *subnormal(), *small_rows()], ids=lambda case: case.id)
def test_each_case_has_its_mistake(case: Case) -> None:
    assert caught(case, list(FOR)) or any(part in case.id for part in IN_ONE_PIECE)


def test_the_norms_are_their_limits() -> None:
    """Of two rows exactly, of the gradients to within PyTorch's 1e-6."""
    for case in limits():
        trainer = RIGHT.build(case, case.weights())
        batch = next(case.batches())
        _, grads = trainer.loss_and_grads(batch)
        if case.max_norm:
            norm = np.sqrt(sum((gradient.astype(float) ** 2).sum() for gradient in grads.values()))
            assert case.max_norm - 1e-6 < norm <= case.max_norm
        else:
            rows = case.weights()["embedding.weight"][np.unique(batch.ids)].astype(float)
            norms = (rows**2).sum(axis=1)
            assert np.count_nonzero(norms == case.model.max_norm**2) == 2
            assert norms.min() < case.model.max_norm**2 < norms.max()


def test_the_arguments_are_subnormal() -> None:
    """Of either sign; among those of a maximum are 0.0 and -0.0."""
    for case in subnormal():
        p, batch = case.weights(), next(case.batches())
        smallest = np.finfo(case.dtype).tiny
        if case.family == "embeddingbag":
            arguments = p["embedding.weight"][batch.ids]
            assert set(np.signbit(arguments[arguments == 0])) == {True, False}
        elif case.family == "skipgram":
            arguments = (p["center.weight"][batch.centers] * p["context.weight"][batch.contexts]).sum(axis=1)
        else:
            arguments = p["embedding.weight"][batch.ids].mean(axis=1) @ p["fc1.weight"].T + p["fc1.bias"]
        arguments = arguments[np.abs(arguments) < smallest]
        assert (arguments > 0).any()
        assert (arguments < 0).any()


def test_no_other_case_catches_them() -> None:
    found = {case.id: names for case in OTHERS if (names := caught(case, list(FOR)))}
    # of a path with one node in it, every row can be small
    assert {name: names for name, names in found.items() if "saturated-tree" not in name} == {}


def test_the_rows_that_are_small() -> None:
    """Of each tensor every row that has a gradient; the scores are saturated, and exact in either dtype."""
    for case in small_rows():
        trainer = RIGHT.build(case, case.weights())
        loss, grads = trainer.loss_and_grads(next(case.batches()))
        assert 0 < loss < 1e-7
        assert all(0 < np.abs(gradient).max() < 1e-7 for gradient in grads.values())


@pytest.mark.parametrize("case", silent(), ids=lambda case: case.id)
def test_what_is_silent_has_no_gradient_and_the_step_between_has_one(case: Case) -> None:
    trainer, weights = RIGHT.build(case, case.weights()), case.weights()
    for step, batch in enumerate(case.batches(), start=1):
        _, grads = trainer.loss_and_grads(batch)
        values = [grad.values if isinstance(grad, RowGrad) else grad for name, grad in grads.items() if name in weights]
        assert any(value.any() for value in values) == (step == 2)
        before = {name: param.copy() for name, param in trainer.params().items()}
        trainer.step()
        if case.optimizer == SGD(case.optimizer.lr) and step != 2:
            assert all((before[name] == param).all() for name, param in trainer.params().items())


def test_only_a_case_that_says_so_may_be_without_a_gradient() -> None:
    (case, *_) = silent()
    assert hold(case, {"right": RIGHT}, {"yardstick": RIGHT})["right"].verdict == "agree"
    later = replace(case, data=Drawn((3, 2), silent=(2, 3)), name="later")
    assert hold(later, {"right": RIGHT}, {"yardstick": RIGHT})["right"].verdict == "agree"
    unsaid = replace(case.model, num_embeddings=3)
    with pytest.raises(BadInput, match="is the same everywhere and so proves nothing"):
        hold(replace(case, model=unsaid, data=Drawn((1, 2))), {"right": RIGHT}, {"yardstick": RIGHT})


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (SkipGram(3, 2), "skipgram: has no batches without a gradient"),
        (Classifier(3, 2, (2,), 2, loss=MSELoss()), "classifier: only labels of a cross-entropy can be ignored"),
    ],
    ids=["skipgram", "mse"],
)
def test_a_model_without_such_batches_says_so(model: SkipGram | Classifier, words: str) -> None:
    shape = (2,) if isinstance(model, SkipGram) else (2, 2)
    case = Case("", model, SGD(), Drawn(shape, silent=(1,)))
    with pytest.raises(BadInput, match=words):
        next(case.batches())
