"""The dense gradients: those of layers, and of tables that are asked for as (V, D) arrays."""

import pytest

from reference.cases import Case
from tests.tools.agreement import Held, assert_agrees


def dense(case: Case) -> set[str]:
    return (case.model.shapes.keys() | set(case.model.input_gradients)) - set(case.row_tables)


@pytest.mark.cases(where=dense)
def test_gradients_agree(held: Held) -> None:
    assert_agrees(held, "grads", dense(held.case))
