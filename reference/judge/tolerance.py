"""How much an entry may be off."""

from __future__ import annotations

from typing import Literal

from reference.cases import Case

Stage = Literal["loss", "grads", "params", "state"]

STAGES: tuple[Stage, ...] = ("loss", "grads", "params", "state")

TOLERANCE: dict[str, dict[str, float]] = {
    # the worst that either twin was off in the catalogue, over the root of the step: 6.2, 29, 6.1, 370, 51
    "float64": {"loss": 24, "grads": 96, "params": 24, "normalized params": 768, "state": 192},
    # 8.5, 23, 6.7, 45, 47
    "float32": {"loss": 32, "grads": 72, "params": 24, "normalized params": 192, "state": 192},
}
"""How many eps an entry may be off in the first step, in units of the largest entry that its row has had.

From 3.1 to 4.3 times the worst that was measured on two kinds of processor, so that another BLAS has room, for
"normalized params" in float64 2.1 times; `twingrad verify` prints both. In step t it may be off by the root of t times
as many, as rounding adds up like a random walk. "normalized": under an optimizer that divides by the root of a second
moment, where a small gradient moves its parameter as far as a large one, and so does its rounding.
"""


def kind_of(case: Case, stage: Stage) -> str:
    """Which line of the table of tolerances the stage falls under."""
    return "normalized params" if stage == "params" and case.optimizer.normalizes else stage


def tolerance(case: Case, stage: Stage, step: int) -> float:
    """How many eps an entry of the stage may be off in the step, counted from 1."""
    return TOLERANCE[case.dtype][kind_of(case, stage)] * step**0.5
