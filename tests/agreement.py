"""What the tests of a stage share."""

from __future__ import annotations

import pytest

from reference.judge.result import Result
from reference.judge.tolerance import Stage


def assert_agrees(held: list[Result], stage: Stage, tensors: set[str] | None = None) -> None:
    """The stage was compared (a candidate may leave some out), and nothing in it was over the tolerance."""
    for result in held:
        assert result.verdict != "error", f"{result.implementation}: {result.reason}"
        wrong = [d for d in result.divergences if d.stage == stage and (tensors is None or d.tensor in tensors)]
        known = [f"known as {found.name}: {found.sentence}" for found in result.diagnosis]
        lines = [*map(str, wrong), *known, *result.observed]
        assert not wrong, "\n".join(f"{result.implementation}: {line}" for line in lines)
        compared = {name for at, name in result.worst if at == stage} & (tensors or {name for _, name in result.worst})
        if not compared:
            pytest.skip(f"{result.implementation}: {stage} not covered")
        assert tensors is None or compared == tensors
