"""The optimizer's state after every step."""

import pytest

from tests.tools.agreement import Held, assert_agrees


@pytest.mark.cases(where=lambda case: case.optimizer.state)
def test_states_agree(held: Held) -> None:
    assert_agrees(held, "state")
