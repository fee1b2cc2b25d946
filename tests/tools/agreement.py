"""What the tests of a stage share."""

from __future__ import annotations

from dataclasses import dataclass

from reference.cases import Case
from reference.judge.result import Result
from reference.judge.tolerance import Stage


@dataclass(frozen=True)
class Held:
    """The results of a case, one for each twin."""

    results: list[Result]

    @property
    def case(self) -> Case:
        return self.results[0].case


def assert_agrees(held: Held, stage: Stage, tensors: set[str] | None = None) -> None:
    """The stage was compared, and nothing in it was over the tolerance."""
    for result in held.results:
        blamed = result.verdict in ("error", "unsupported", "disagree") and result.reason
        assert not blamed, f"{result.implementation}: {result.reason}"
        assert result.verdict != "form", f"{result.implementation}: {'; '.join(result.form)}"
        wrong = [d for d in result.divergences if d.stage == stage and (tensors is None or d.tensor in tensors)]
        assert not wrong, "\n".join(f"{result.implementation}: {line}" for line in wrong)
        compared = {error.tensor for error in result.errors if error.stage == stage}
        compared &= tensors or compared
        assert compared, f"{result.implementation}: {stage} not covered"
        assert tensors is None or compared == tensors
