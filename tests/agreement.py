"""What the tests of a stage share."""

from __future__ import annotations

import pytest

from reference.compare import Stage
from reference.run import Result


def assert_agrees(held: Result, stage: Stage, tensors: set[str] | None = None) -> None:
    """The stage was compared (a candidate may leave some out), and nothing in it was over the tolerance."""
    assert held.verdict != "error", held.reason
    wrong = [d for d in held.divergences if d.stage == stage and (tensors is None or d.tensor in tensors)]
    assert not wrong, "\n".join(map(str, wrong))
    compared = {name for at, name in held.worst if at == stage} & (tensors or {name for _, name in held.worst})
    if not compared:
        pytest.skip(f"{held.implementation}: {stage} not covered")
    assert tensors is None or compared == tensors
