"""The path as a whole: every step was taken, and compared."""

from reference.run import Result


def test_whole_path_agrees(held: Result) -> None:
    assert held.verdict == "agree", f"{held.first_divergence or held.reason}"
    # an implementation without step() is held to the first batch alone
    assert held.steps == held.case.steps or held.worst_of("params") is None
