"""The optimizer's state after every step."""

import pytest
from agreement import assert_agrees

from reference.judge.result import Result


@pytest.mark.cases(where=lambda case: case.optimizer.state)
def test_states_agree(held: list[Result]) -> None:
    assert_agrees(held, "state")
