"""The sizes that are timed, and the trainers of both twins on the same weights and batches."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from reference import data
from reference.cases import SGD, Batch, Case, Classifier, Drawn, Embedding, SkipGram
from reference.compare import as_grads
from reference.contract import RowGrad, Trainer
from reference.run import TWINS, hold, load


@dataclass(frozen=True)
class Size:
    """B bags of L ids, V rows of width D, H hidden units; N pairs for skip-gram are B."""

    name: str
    B: int
    L: int
    V: int
    D: int
    H: int


SIZES = (
    Size("XS", 4, 3, 10, 5, 10),  # the dialogue's own
    Size("S", 64, 32, 10_000, 64, 64),
    Size("M", 256, 64, 50_000, 128, 128),
)


def case_of(family: str, size: Size) -> Case:
    """The case of a hot loop: float32, ids as skewed as words are, row gradients, SGD."""
    models = {
        "embedding": (Embedding(size.V, size.D), (size.B, size.L)),
        "classifier": (Classifier(size.V, size.D, (size.H,), 2), (size.B, size.L)),
        "skipgram": (SkipGram(size.V, size.D), (size.B,)),
    }
    model, shape = models[family]
    return Case(size.name, model, SGD(lr=0.01), Drawn(shape, zipf=True), steps=2, sparse=True, dtype="float32")


def ready(case: Case) -> tuple[dict[str, Trainer], list[Batch]]:
    """A trainer of each twin and the batches of a case, after the twins were found to agree on it.

    In float64, where the comparison is tightest; in float32, where long sums lose digits, to 1e-4 of each tensor's
    largest entry.
    """
    twins = {name: load(name) for name in TWINS}
    for result in hold(replace(case, dtype="float64", steps=1), twins).values():
        assert result.verdict == "agree", f"not timed: {result.reason}{result.first_divergence}"
    weights = data.weights(case)
    trainers, batches = {name: twin.build(case, weights) for name, twin in twins.items()}, list(data.batches(case))
    (loss, grads), (other_loss, others) = (trainers[name].loss_and_grads(batches[0]) for name in TWINS)
    np.testing.assert_allclose(loss, other_loss, rtol=1e-4)
    for name, gradient in as_grads(case, grads, {}).items():
        pair = [g.values if isinstance(g, RowGrad) else g for g in (gradient, as_grads(case, others, {})[name])]
        np.testing.assert_allclose(*pair, rtol=0, atol=1e-4 * np.abs(pair[0]).max())
    return trainers, batches
