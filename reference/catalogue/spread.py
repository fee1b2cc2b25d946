"""What the cases of all models are combined with: optimizers, layouts of the gradients, dtypes."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from typing import Any

from reference.cases import (
    SGD,
    Adagrad,
    Adam,
    AdamW,
    Case,
    Optimizer,
    RMSprop,
    SparseAdam,
)
from reference.catalogue.pairwise import Row, values

OPTIMIZERS: dict[str, Optimizer] = {
    "sgd": SGD(lr=0.1),
    "momentum": SGD(lr=0.1, momentum=0.9),
    "adagrad": Adagrad(lr=0.1),
    "rmsprop": RMSprop(lr=0.01),
    "adam": Adam(lr=0.01),
    "adamw": AdamW(lr=0.01),
    "sparseadam": SparseAdam(lr=0.01),
}
"""One of each, to combine with every option of the models."""

LAYOUT = {"sparse": {"dense": False, "rows": True}, "dtype": values("float64", "float32")}
RUN: dict[str, dict[str, Any]] = LAYOUT | {"optimizer": OPTIMIZERS}
"""How a model is run, by label: options of `Case`."""


def refused(row: Row, all_rows: bool) -> bool:
    """Whether the row's optimizer refuses its gradients. all_rows: whether every parameter can have row gradients."""
    optimizer, sparse = row.get("optimizer"), row.get("sparse")
    if isinstance(optimizer, SparseAdam):
        return sparse is False or not all_rows
    return bool(sparse) and isinstance(optimizer, Adam | RMSprop)


def part(row: Row, *names: str) -> Row:
    """These options of the row."""
    return {name: row[name] for name in names}


def spread(case: Case, *optimizers: Optimizer) -> list[Case]:
    """The case with SGD and Adam (or the given optimizers), dense and row gradients, float64 and float32."""
    found = []
    for optimizer in optimizers or (SGD(lr=0.1), Adam(lr=0.01)):
        for sparse in (False, True) if case.model.tables and isinstance(optimizer, SGD) else (False,):
            found += in_both_dtypes(replace(case, optimizer=optimizer, sparse=sparse))
    return found


def each(case: Case, *optimizers: Optimizer) -> list[Case]:
    """The case with each optimizer and the gradients that it takes, in float64 and float32."""
    given = [replace(case, optimizer=of, sparse=sparse) for of, sparse in product(optimizers, (False, True))]
    return [both for one in given if not one.refusal for both in in_both_dtypes(one)]


def in_both_dtypes(case: Case) -> list[Case]:
    """The case in float64 and float32."""
    return [replace(case, dtype="float64"), replace(case, dtype="float32")]
