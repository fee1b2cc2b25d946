"""The path as a whole: every step was taken, and compared."""

from reference.checks.twins import TWINS
from tests.tools.agreement import Held


def test_whole_path_agrees(held: Held) -> None:
    for result in held.results:
        assert result.verdict == "agree", f"{result.implementation}: {result.first_divergence or result.reason}"
        assert not (result.reason and result.implementation in TWINS), f"{result.implementation}: {result.reason}"
        # an implementation without step() is held to the first batch alone
        assert result.steps == result.case.steps or result.worst_of("params") is None
