"""What was found of one implementation in one case."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from reference.cases import Case
from reference.exact.arithmetic import Proof
from reference.judge.distance import TINY
from reference.judge.tolerance import STAGES, Stage

Verdict = Literal["agree", "disagree", "form", "unsupported", "error"]


def bracketed(index: Sequence[int] | None) -> str:
    """The index of an entry as it is written behind a tensor's name; empty for a loss, and for what has no index."""
    return f"[{', '.join(map(str, index))}]" if index else ""


@dataclass(frozen=True)
class Divergence:
    """The place where a tensor is furthest off: its index, both values there, and the error in eps of the dtype.

    Of something that has another form than the contract's, expected and got are words, and there is no index.
    """

    step: int
    stage: Stage
    tensor: str
    index: tuple[int, ...] | None
    expected: float | str
    got: float | str
    eps: float

    def __str__(self) -> str:
        values = f"expected {self.expected}, got {self.got}"
        if self.stage == "params" and np.isinf(self.eps) and not isinstance(self.got, str) and np.isfinite(self.got):
            off = " (the row never had a gradient, and must stay bit for bit)"
        elif self.expected == 0 and self.eps > 1 / TINY**0.5:
            off = " (where all of the row has always been 0)"
        else:
            off = f" ({self.eps:.3g} eps off)" if np.isfinite(self.eps) else ""
        return f"step {self.step}, {self.stage}, {self.tensor}{bracketed(self.index)}: {values}{off}"


@dataclass(frozen=True)
class LargestError:
    """The largest error of one tensor over all steps: in eps of its row's largest entry, and as a share of what is
    allowed in the step.
    """

    stage: Stage
    tensor: str
    eps: float
    share: float


@dataclass(frozen=True, eq=False)
class Result:
    """How one implementation did in one case. It never changes, and each is equal to itself alone.

    verdict: "form" where the numbers are right and something came in another form than is asked for. against: what it
    was compared with. reason: why it is unsupported or an error, or what was not covered. If it disagrees: what is
    wrong besides its numbers, such as that it does not repeat itself, or changes what is not its own. steps: how many
    batches it was trained on. errors: one for each tensor that was compared. divergences: all errors over the tolerance
    in the first step that had one; the run ends there. proof: that of the exact values it was compared with, if it was.
    form: a line for each wrong form, whatever the numbers are. tolerance: what was allowed, by stage, instead of the
    table.
    """

    case: Case
    implementation: str
    against: str = ""
    verdict: Verdict = "agree"
    reason: str = ""
    steps: int = 0
    errors: tuple[LargestError, ...] = ()
    divergences: tuple[Divergence, ...] = ()
    proof: Proof | None = None
    form: tuple[str, ...] = ()
    tolerance: tuple[tuple[Stage, float], ...] = ()

    @property
    def first_divergence(self) -> Divergence | None:
        """The worst divergence of the first stage that has one."""
        order = sorted(self.divergences, key=lambda d: (STAGES.index(d.stage), -d.eps))
        return order[0] if order else None

    def worst_of(self, stage: Stage | None = None, tensor: str | None = None) -> float | None:
        """The largest error in eps, of a stage or of one of its tensors; None where nothing of it was compared."""
        found = (error.eps for error in self.errors if stage in (None, error.stage) and tensor in (None, error.tensor))
        return max(found, default=None)
