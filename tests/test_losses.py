"""The loss of every batch."""

from agreement import assert_agrees

from reference.judge.result import Result


def test_losses_agree(held: list[Result]) -> None:
    assert_agrees(held, "loss")
