"""What the tests of a stage share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pytest

from reference.cases import Case
from reference.commands.twins import TWINS
from reference.judge.result import Result
from reference.judge.tolerance import Stage
from reference.mistakes.explanation import Explanation


@dataclass(frozen=True)
class Held:
    """The results of a case, and what explains those that disagree."""

    results: list[Result]
    explanations: Mapping[Result, Explanation]

    @property
    def case(self) -> Case:
        return self.results[0].case


def assert_agrees(held: Held, stage: Stage, tensors: set[str] | None = None) -> None:
    """The stage was compared (a candidate may leave some out), and nothing in it was over the tolerance."""
    for result in held.results:
        blamed = result.verdict in ("error", "disagree") and result.reason
        assert not blamed, f"{result.implementation}: {result.reason}"
        assert result.verdict != "form", f"{result.implementation}: {'; '.join(result.form)}"
        wrong = [d for d in result.divergences if d.stage == stage and (tensors is None or d.tensor in tensors)]
        explanation = held.explanations.get(result, Explanation())
        known = [f"known as {cause.name}: {cause.sentence}" for cause in explanation.causes]
        lines = [*map(str, wrong), *known, *explanation.observed]
        assert not wrong, "\n".join(f"{result.implementation}: {line}" for line in lines)
        compared = {error.tensor for error in result.errors if error.stage == stage}
        compared &= tensors or compared
        if not compared:
            pytest.skip(f"{result.implementation}: {stage} not covered")
        assert tensors is None or compared == tensors or result.implementation not in TWINS
