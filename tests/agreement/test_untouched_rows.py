"""Rows that were not looked up have no gradient, stay bit for bit what they were, and cost nothing."""

import tracemalloc

import numpy as np
import pytest

from reference.cases import (
    SGD,
    Adagrad,
    Adam,
    BlockBatch,
    Case,
    Classifier,
    ContextBatch,
    CooccurrenceBatch,
    Drawn,
    LabelledBags,
    LookupBatch,
    PairBatch,
    RMSprop,
    SequenceBatch,
    SparseAdam,
)
from reference.catalogue import catalogue
from reference.checks.twins import TWINS, twin

# weight decay moves every row
WITH_TABLES = [
    case
    for case in catalogue()
    # in these, a row that is read may not move
    if case.name not in ("silent", "small-rows", "subnormal")
    and case.steps <= 20
    and not getattr(case.optimizer, "weight_decay", 0)
    and case.model.tables
]


def looked_up(
    case: Case,
    batch: LookupBatch | LabelledBags | SequenceBatch | PairBatch | BlockBatch | ContextBatch | CooccurrenceBatch,
    table: str,
) -> set[int]:
    """The rows of the table that are read for more than padding."""
    if table == "nodes.weight":
        return set(batch.nodes.ravel().tolist())
    if table == getattr(case.model, "predicted", None):
        words = batch.contexts if isinstance(batch, BlockBatch) else batch.targets
        return {*words.ravel().tolist(), *batch.negatives.ravel().tolist()}
    if isinstance(batch, CooccurrenceBatch):
        return set((batch.centers if table.startswith("center") else batch.contexts).tolist())
    ids = batch.centers if isinstance(batch, PairBatch | BlockBatch) else batch.ids
    return set(ids.ravel().tolist()) - {getattr(case.model, "padding_idx", None)}


@pytest.mark.parametrize("case", WITH_TABLES, ids=lambda case: case.id)
def test_untouched_rows_stay(case: Case) -> None:
    for name in TWINS:
        initial = case.weights()
        trainer = twin(name).build(case, {key: value.copy() for key, value in initial.items()})
        ever: dict[str, set[int]] = {table: set() for table in case.model.tables}
        for batch in case.batches():
            _, grads = trainer.loss_and_grads(batch)
            trainer.step()
            for table in ever:
                now = looked_up(case, batch, table)
                ever[table] |= now
                if case.sparse:
                    gradient = grads[table]
                    rows = gradient.rows if name == "numpy_impl" else gradient.coalesce().indices()[0].numpy()
                    assert set(rows.tolist()) == now
                else:
                    nonzero = np.flatnonzero(np.asarray(grads[table]).any(axis=1))
                    assert set(nonzero.tolist()) <= now
        for table, touched in ever.items():
            if getattr(case.model, "max_norm", None):
                touched.add(case.model.padding_idx)  # it has no gradient, but is rescaled as any row is that is read
                touched.discard(None)
            before, after = initial[table], np.asarray(trainer.params()[table])
            others = np.setdiff1d(np.arange(len(before)), sorted(touched))
            assert after[others].tobytes() == before[others].tobytes()
            moved = (after[sorted(touched)] != before[sorted(touched)]).any(axis=1)
            # under a maximum, with ignored labels, in nobody's context or window, a row that is read may learn nothing
            some = {"max", "ignore", "shared", "textcnn"} & set(case.id.split("-"))
            assert moved.any() if some else moved.all()


def test_some_cases_leave_rows_untouched() -> None:
    """Or the test above would say nothing."""
    used = [case for case in WITH_TABLES if isinstance(case.data, Drawn) and case.data.used]
    assert {type(case.optimizer) for case in used} == {SGD, Adagrad, RMSprop, Adam, SparseAdam}


def test_sgd_on_rows_builds_nothing_of_the_tables_size() -> None:
    V, D = 200_000, 32
    case = Case("large", Classifier(V, D, (16,), 4), SGD(lr=0.1), Drawn((32, 16)), sparse=True, steps=2)
    weights = case.weights()
    first, second = case.batches()
    trainer = twin("numpy_impl").build(case, weights)
    trainer.loss_and_grads(first)
    trainer.step()
    tracemalloc.start()
    trainer.loss_and_grads(second)
    trainer.step()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < V * D * 8 / 20, f"{peak / 1e6:.1f} MB for a table of {V * D * 8 / 1e6:.0f} MB"
