"""The parameters after every step; a row that was never looked up is bit for bit what it was."""

from tests.tools.agreement import Held, assert_agrees


def test_parameters_agree(held: Held) -> None:
    assert_agrees(held, "params")
