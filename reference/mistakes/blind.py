"""Which known mistakes the cases that agree would have noticed, and which they would not."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any

from reference.cases import Case
from reference.contract import Implementation, Params
from reference.judge.result import Result
from reference.judge.run import hold
from reference.mistakes.known import RIGHT, makeable
from reference.mistakes.needs import differs
from reference.mistakes.planting import MISTAKES, Mistake

STEPS = 5
"""The most steps of a case that are run."""

PARAMETERS = 5000
"""A case with at most this many parameters counts as small."""

CORE = (
    # rows: every occurrence of an id adds its gradient to the row of that id
    "duplicates-overwritten",
    "duplicates-first-kept",
    "not-scattered",
    "rows-shifted",
    # means: 1/L for each of L ids, 1/B for each of B examples
    "mean-undivided",
    "batch-mean-forgotten",
    "pair-mean-forgotten",
    "mse-mean-forgotten",
    "squares-mean-forgotten",
    # the gradient of a bias is summed over the batch
    "bias-not-summed",
    # signs
    "sign-turned",
    "mse-sign-turned",
    "target-1-not-subtracted",
    "negatives-pulled",
)
"""The commonest mistakes. If the cases that agree would not notice one of them, too little is covered."""


@dataclass(frozen=True)
class Coverage:
    """The known mistakes that are possible in the cases that agree: those that the cases notice, and the others.

    agreed: how many cases agree. cases: how many of them are small; mistakes are made in these only. core: for each
    model, the mistakes in `CORE` that its cases do not notice.
    """

    agreed: int
    cases: int
    noticed: tuple[str, ...]
    unnoticed: tuple[str, ...]
    core: Mapping[str, tuple[str, ...]]


def small(cases: Iterable[Case]) -> list[Case]:
    """The cases that need no text and have few parameters, shortened to a few steps."""
    return [
        replace(case, steps=min(case.steps, STEPS))
        for case in cases
        if not hasattr(case.data, "source") and sum(map(math.prod, case.model.shapes.values())) <= PARAMETERS
    ]


def make(case: Case, mistakes: Mapping[str, Mistake]) -> dict[str, Result]:
    """Make in the case each mistake that is possible there, and compare it with the right implementation."""
    made = makeable(case, mistakes) if mistakes else {}
    return hold(case, made, {"right": RIGHT}) if made else {}


def covered(results: Iterable[Result]) -> Coverage:
    """Which known mistakes the cases that agree would notice, by the tensors that were compared in each.

    Each mistake is made in one case after another until one notices it. A mistake in `CORE` must be noticed in every
    model in which it is possible.
    """
    agreed = {result.case.id: result for result in results if result.verdict == "agree"}
    cases = small(result.case for result in agreed.values())
    noticed: dict[tuple[str, str], bool] = {}
    for case in _mixed(cases):
        places = {name: (case.family if name in CORE else "", name) for name in MISTAKES if differs(name, case)}
        unknown = {name: MISTAKES[name] for name, place in places.items() if not noticed.get(place)}
        for name, found in _noticed(agreed[case.id], case, unknown).items():
            noticed[places[name]] = found
    missed = [place for place, found in noticed.items() if not found]
    order = (*CORE, *(name for name in MISTAKES if name not in CORE))
    made, unnoticed = {name for _, name in noticed}, {name for _, name in missed}
    core = {family: tuple(name for name in CORE if (family, name) in missed) for family, _ in missed if family}
    return Coverage(
        len(agreed),
        len(cases),
        tuple(name for name in order if name in made - unnoticed),
        tuple(name for name in order if name in unnoticed),
        core,
    )


def _mixed(cases: Iterable[Case]) -> list[Case]:
    """First one case of each model and name, then a second of each, and so on: most mistakes are noticed early."""
    before: Counter[tuple[str, str]] = Counter()
    ranks = {}
    for case in cases:
        ranks[case] = before[case.family, case.name]
        before[case.family, case.name] += 1
    return sorted(ranks, key=lambda case: ranks[case])


def _noticed(result: Result, case: Case, mistakes: Mapping[str, Mistake]) -> dict[str, bool]:
    """For each mistake that is possible in the case: whether it shows in a tensor that was compared in the result."""
    compared = {(error.stage, error.tensor) for error in result.errors}
    stages = {stage for stage, _ in compared}
    updates = result.steps > 1 or bool(stages & {"params", "state"})
    made = makeable(case, mistakes, updates) if mistakes else {}
    if not made:
        return {}
    methods = [
        "loss_and_grads",
        *(["step"] if updates else []),
        *(stage for stage in ("params", "state") if stage in stages),
    ]
    like = {name: _AsMuch(mistake, methods) for name, mistake in made.items()}
    found = hold(case, like, {"right": RIGHT}, allowed=dict(result.tolerance))
    return {name: _shows(of, compared) for name, of in found.items()}


def _shows(result: Result, compared: Collection[tuple[str, str]]) -> bool:
    """Whether it fails, or disagrees in a tensor that was compared, or besides its numbers."""
    beside = result.verdict == "error" or (result.verdict == "disagree" and bool(result.reason))
    return beside or any((d.stage, d.tensor) in compared for d in result.divergences)


@dataclass(frozen=True)
class _AsMuch:
    """An implementation whose trainers have these methods only."""

    whole: Implementation
    methods: Sequence[str]

    def build(self, case: Case, weights: Params) -> Any:
        trainer = self.whole.build(case, weights)
        return SimpleNamespace(**{name: getattr(trainer, name) for name in self.methods})
