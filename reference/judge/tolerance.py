"""The largest allowed errors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from reference.cases import Case

Stage = Literal["loss", "grads", "params", "state"]

STAGES: tuple[Stage, ...] = ("loss", "grads", "params", "state")

TOLERANCE: dict[str, dict[str, float]] = {
    # largest error of either twin in the catalogue, divided by the root of the step: 6.2, 29, 6.1, 370, 51
    "float64": {"loss": 24, "grads": 96, "params": 24, "normalized params": 768, "state": 192},
    # 8.5, 23, 6.7, 45, 47
    "float32": {"loss": 32, "grads": 72, "params": 24, "normalized params": 192, "state": 192},
}
"""The largest allowed error of an entry in the first step, in eps times the largest entry so far of its row.

The limits are 3.1 to 4.3 times the largest errors measured on two kinds of processor, to leave room for another BLAS;
for "normalized params" in float64, 2.1 times. `twingrad verify` prints both. In step t the limit is multiplied by the
root of t, because rounding errors add up like a random walk. "normalized" means that the optimizer divides by the root
of a second moment. Then a small gradient moves its parameter as far as a large one, and so do its rounding errors.
"""


def kind_of(case: Case, stage: Stage) -> str:
    """The key of the stage in `TOLERANCE`."""
    return "normalized params" if stage == "params" and case.optimizer.normalizes else stage


Tolerance = Mapping[Stage, float]
"""What a user allows in the first step instead, in eps."""


def tolerance(case: Case, stage: Stage, step: int, instead: Tolerance | None = None) -> float:
    """The largest allowed error, in eps, of an entry of the stage. step: counted from 1."""
    return (instead or {}).get(stage, TOLERANCE[case.dtype][kind_of(case, stage)]) * step**0.5
