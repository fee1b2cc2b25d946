"""The row gradients: the same rows, each with the sum over its occurrences."""

import pytest

from tests.tools.agreement import Held, assert_agrees


@pytest.mark.cases(where=lambda case: case.row_tables)
def test_row_gradients_agree(held: Held) -> None:
    assert_agrees(held, "grads", set(held.case.row_tables))
