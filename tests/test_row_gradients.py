"""The row gradients: the same rows, each with the sum over its occurrences."""

import pytest
from agreement import assert_agrees

from reference.judge.result import Result


@pytest.mark.cases(where=lambda case: case.row_tables)
def test_row_gradients_agree(held: list[Result]) -> None:
    assert_agrees(held, "grads", set(held[0].case.row_tables))
