"""Ids at which a narrower type gives way: they are kept in integers of 16 bits, or in floats."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import numpy_impl
from reference.cases import SGD, Case, Embedding, LookupBatch, Recorded
from reference.catalogue.seams import many_rows
from reference.checks.twins import twins
from reference.judge.run import judge

CASES = [case for case in many_rows() if case.family == "embedding"]


class Narrow:
    """The NumPy twin, which keeps ids in another type."""

    def __init__(self, kind: str) -> None:
        self.kind = kind

    def build(self, case: Case, weights: dict) -> Any:
        trainer = numpy_impl.build(case, weights)
        right = trainer.loss_and_grads

        def loss_and_grads(batch: Any) -> Any:
            ids = batch.ids.astype(self.kind).astype(np.int64) % case.model.num_embeddings
            return right(replace(batch, ids=ids))

        trainer.loss_and_grads = loss_and_grads  # type: ignore[method-assign]
        return trainer


def verdicts(case: Case, *kinds: str) -> set[str]:
    results = judge(case, {kind: Narrow(kind) for kind in kinds}, twins())
    return {kind for kind, result in results.items() if result.verdict == "disagree"}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_ids_in_16_bits_are_caught(case: Case) -> None:
    assert verdicts(case, "int16", "uint16", "int32", "float32") == {"int16", "uint16"}


@pytest.mark.long
def test_ids_beyond_those_of_float32() -> None:
    """The twins are right there, and what keeps ids in float32 is not. A table of 64 MB."""
    ids = np.array([2**24 + 1, 5, 2**24 - 1, 2**24 + 1, 2**24 - 5])
    table = np.zeros((2**24 + 3, 1), np.float32)
    table[ids, 0] = 1, 2, 3, 1, 5
    batch = LookupBatch(ids, np.array([[0.5], [-1.25], [2], [0.75], [-3]], np.float32))
    data = Recorded({"embedding.weight": table}, (batch,))
    case = Case("", Embedding(len(table), 1), SGD(lr=0.5), data, steps=1, sparse=True, dtype="float32")
    assert {result.verdict for result in judge(case, twins(), twins()).values()} == {"agree"}
    assert verdicts(case, "float32", "int32") == {"float32"}
