"""The sizes that are timed, with their cases, weights and batches."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from reference.cases import SGD, Case, Classifier, Drawn, Embedding, NegativeSampling, SkipGram
from reference.contract import Params


@dataclass(frozen=True)
class Size:
    """B bags of L ids, V rows of width D, H hidden units. Skip-gram has B pairs."""

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
    Size("L", 1024, 128, 1_000_000, 128, 128),
)


def case_of(family: str, size: Size) -> Case:
    """The case of a hot loop: float32, ids as skewed as words, row gradients, SGD."""
    models = {
        "embedding": (Embedding(size.V, size.D), (size.B, size.L)),
        "classifier": (Classifier(size.V, size.D, (size.H,), 2), (size.B, size.L)),
        "skipgram": (SkipGram(size.V, size.D), (size.B,)),
        "negatives": (SkipGram(size.V, size.D, NegativeSampling(5)), (size.B,)),
    }
    model, shape = models[family]
    return Case(size.name, model, SGD(lr=0.01), Drawn(shape, zipf=True), steps=1, sparse=True, dtype="float32")


def drawn(family: str, size: Size) -> tuple[Case, Params, Any]:
    """The case, weights drawn in float32 (the case's own would take gigabytes at large sizes), and a batch."""
    case, random = case_of(family, size), np.random.default_rng(0)
    weights = {name: random.random(shape, np.float32) - np.float32(0.5) for name, shape in case.model.shapes.items()}
    return case, weights, next(case.batches())


def assert_near(got: np.ndarray, expected: np.ndarray) -> None:
    """Equal up to the rounding of long sums in float32: to 1e-4 of the largest entry."""
    np.testing.assert_allclose(got, expected, rtol=0, atol=1e-4 * np.abs(expected).max())
