"""The loss of every batch."""

from tests.tools.agreement import Held, assert_agrees


def test_losses_agree(held: Held) -> None:
    assert_agrees(held, "loss")
