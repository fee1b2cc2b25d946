"""What was found of one implementation in one case."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from reference.cases import Case
from reference.exact.arithmetic import Proof
from reference.judge.distance import _TINY
from reference.judge.tolerance import STAGES, Stage


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
        where = f"[{', '.join(map(str, self.index))}]" if self.index else ""
        values = f"expected {self.expected}, got {self.got}"
        if self.stage == "params" and np.isinf(self.eps) and not isinstance(self.got, str) and np.isfinite(self.got):
            off = " (the row never had a gradient, and must stay bit for bit)"
        elif self.expected == 0 and self.eps > 1 / _TINY**0.5:
            off = " (where all of the row has always been 0)"
        else:
            off = f" ({self.eps:.3g} eps off)" if np.isfinite(self.eps) else ""
        return f"step {self.step}, {self.stage}, {self.tensor}{where}: {values}{off}"


Verdict = Literal["agree", "disagree", "variant", "unsupported", "error"]


@dataclass(frozen=True)
class Diagnosis:
    """A known mistake or variant that explains a disagreement, and the tensors in which it shows first.

    sentence: says so, with the row where that is one. wrong, right: the line to look for, and what should stand there.
    """

    name: str
    kind: str
    tensors: tuple[str, ...]
    sentence: str
    wrong: str
    right: str


@dataclass
class Result:
    """How one implementation did in one case.

    against: what it was held against. worst: the largest error in eps by stage and tensor, over all steps. share: by
    stage, the largest part of the tolerance that an error took. divergences: all that went over the tolerance
    in the step in which the first did; the run ends there. diagnosis: what explains them. observed: what can be seen of
    them where nothing does. steps: how many batches were trained on. reason: why it is
    unsupported or an error, or what was not covered. proof: that of the exact values it was held against.
    """

    case: Case
    implementation: str
    against: str = ""
    verdict: Verdict = "agree"
    reason: str = ""
    steps: int = 0
    worst: dict[tuple[Stage, str], float] = field(default_factory=dict)
    share: dict[Stage, float] = field(default_factory=dict)
    divergences: list[Divergence] = field(default_factory=list)
    diagnosis: list[Diagnosis] = field(default_factory=list)
    observed: list[str] = field(default_factory=list)
    proof: Proof | None = None

    @property
    def first_divergence(self) -> Divergence | None:
        """The worst divergence of the first stage that has one."""
        order = sorted(self.divergences, key=lambda d: (STAGES.index(d.stage), -d.eps))
        return order[0] if order else None

    def worst_of(self, stage: Stage) -> float | None:
        """The largest error of a stage in eps, None where it was not covered."""
        return max((eps for (at, _), eps in self.worst.items() if at == stage), default=None)
