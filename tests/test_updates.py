"""The parameters after every step; a row that was never looked up is bit for bit what it was."""

from agreement import assert_agrees

from reference.judge.result import Result


def test_parameters_agree(held: list[Result]) -> None:
    assert_agrees(held, "params")
