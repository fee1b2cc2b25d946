"""The dense gradients: those of layers, and of tables that are asked for as (V, D) arrays."""

import pytest
from agreement import assert_agrees

from reference.cases import Case
from reference.judge.result import Result


def dense(case: Case) -> set[str]:
    return (case.model.shapes.keys() | set(case.model.input_gradients)) - set(case.row_tables)


@pytest.mark.cases(where=dense)
def test_gradients_agree(held: list[Result]) -> None:
    assert_agrees(held, "grads", dense(held[0].case))
