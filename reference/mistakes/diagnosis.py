"""Which known mistakes explain what an implementation gets wrong.

Each mistake is an implementation too, so it is held against the candidate as everything else is held against the truth:
in every stage and step, within the same tolerance. It is named where it equals the candidate, provided that it equals
it, or is not made at all, in every other case too, be it one that the candidate fails or one that it passes. What no
such mistake explains is searched by groups: what is wrong of one model, optimizer or dtype need not be wrong of others.
What no single mistake explains is searched for several at once, each of which alone makes a tensor right, or a step.
Where that finds nothing either, no mistake is named, and the explanation says what can be seen.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from itertools import permutations
from typing import Any

import numpy as np

from reference.cases import Case
from reference.contract import Implementation
from reference.judge.distance import Likeness
from reference.judge.result import Divergence, Result
from reference.judge.run import follow
from reference.judge.runner import start
from reference.mistakes.description import first_stage, observations, place, wrong_of
from reference.mistakes.explanation import Cause, Explanation
from reference.mistakes.known import RIGHT, Known, known, makeable
from reference.mistakes.planting import together

STEPS = 20
"""Cases with more steps are not diagnosed."""

PROBES = 6
"""The number of failed cases to look at first. Mistakes that explain none of these are dropped."""

PASSED = 40
"""At most this many passed cases are looked at."""

FEW = 4
"""If more mistakes than this explain a result and no case tells them apart, none of them is named."""

AT_ONCE = 4
"""At most this many mistakes are looked for at once."""

PARTS = 4
"""This many sets of mistakes that explain the most of a case are looked at with one more."""

GROUPS = 100
"""The largest number of groups of cases that are searched by themselves."""

SETS = 4
"""The largest number of groups of cases that are searched for several mistakes at once."""

SUSPECTS = 6
"""This many of the mistakes that explain the most cases are looked for in others too, several at once."""

SURE = 2
"""What another group of cases rules out is named only if it explains at least this many cases."""

Hypothesis = tuple[str, ...]
"""The names of the mistakes that are made, in the order in which they are planted."""

Explained = dict[Hypothesis, list[Result]]
"""The results that each hypothesis explains."""


def diagnose(candidate: Implementation, results: Sequence[Result]) -> dict[Result, Explanation]:
    """The explanation of each result that disagrees, or what can be seen.

    results: all results of the candidate, also those that agree, since they rule out mistakes. Cases with more than
    `STEPS` steps are left out.
    """
    passed = [result for result in results if result.verdict in ("agree", "form") and result.case.steps <= STEPS]
    short = [result for result in results if result.divergences and result.case.steps <= STEPS]
    if not short:
        return {}
    search = Search(candidate, known())
    failed = [result for result in short if not search.equal(result.case, [()])]  # or it is a matter of rounding
    found = plainest(trusted(search, explained(search, failed, passed), failed, passed))
    explanations: dict[Result, Explanation] = {}
    for result in failed:
        here = [hypothesis for hypothesis, cases in found.items() if result in cases]
        if len(here) > FEW:
            names = ", ".join(" and ".join(hypothesis) for hypothesis in here)
            line = f"{len(here)} known mistakes look like this, and no case tells them apart: {names}"
            explanations[result] = Explanation(observed=(line,))
        elif causes := {cause.name: cause for names in here for cause in causes_of(result, names, search)}:
            explanations[result] = Explanation(tuple(causes.values()))
    nameless = [result for result in short if result not in explanations]
    alone = tensors_alone([result for result in nameless if result in failed], search)
    for result in nameless:
        near = search.nearly(result, found)
        nearly = [f"but for digits it equals {search.every[name].mistake.sentence} ({name})" for name in near]
        beside = [f"{tensor}: {words}" for tensor in wrong_of(result) for words in alone.get(tensor, ())]
        explanations[result] = Explanation(observed=(*nearly, *observations(result, candidate), *beside), nearly=near)
    return explanations


# --- which cases there are -------------------------------------------------------------------------------------------


def spread(results: Iterable[Result], number: int = PROBES) -> list[Result]:
    """At most `number` results, from cases that differ as much as possible. Small cases come first."""
    small = sorted(results, key=lambda result: (result.case.dtype != "float64", size(result.case)))
    kinds: dict[Any, list[Result]] = {}
    for result in small:
        case, wrong = result.case, tuple(sorted(wrong_of(result)))
        kinds.setdefault((case.family, type(case.optimizer), wrong), []).append(result)
    rounds = [
        kind[i] for i in range(max(map(len, kinds.values()), default=0)) for kind in kinds.values() if i < len(kind)
    ]
    return rounds[:number]


def size(case: Case) -> int:
    """The number of parameters updated in all steps together."""
    return case.steps * sum(int(np.prod(shape)) for shape in case.model.shapes.values())


def coarse(case: Case) -> tuple[str, ...]:
    """The model, the optimizer and the dtype of a case."""
    return case.family, type(case.optimizer).__name__, case.dtype


@functools.cache
def fine(case: Case) -> tuple[str, ...]:
    """What code of an implementation a case is likely to run: the same, the layout, and what the model chooses."""
    return *coarse(case), "rows" if case.row_tables else "dense", *choices(case.model)


def choices(part: Any) -> Iterator[str]:
    """The options of a dataclass that are words or kinds, as mode="max" is and an objective."""
    for option in fields(part):
        value = getattr(part, option.name)
        if is_dataclass(value):
            yield type(value).__name__
            yield from choices(value)
        elif isinstance(value, str):
            yield value


@functools.cache
def made(case: Case) -> frozenset[str]:
    """The names of the mistakes in functions that the case calls. Other mistakes have no effect in it."""
    return frozenset(makeable(case, {name: one.mistake for name, one in known().items()}))


# --- holding hypotheses against the candidate ------------------------------------------------------------------------


def compared(
    case: Case, hypotheses: Mapping[Hypothesis, Implementation], other: Implementation
) -> dict[Hypothesis, Result]:
    """The results of hypotheses that are held against the other implementation, as against the truth.

    They end with the first step where the other one has no update or its parameters are no longer finite. After that,
    different ways to write the same formula give different results.
    """
    if not hypotheses:
        return {}
    weights = case.weights()
    candidate = start(case, "candidate", other, weights)
    candidate.scale = Likeness()
    held = [start(case, " and ".join(names), mistake, weights) for names, mistake in hypotheses.items()]
    for _ in follow(case, held, [candidate]):
        finite = all(np.isfinite(param).all() for param in candidate.out.get("params", {}).values())
        ended = (candidate.verdict == "agree" or bool(candidate.reason)) and not candidate.running
        if ended or not finite:
            break
    return {names: runner.close() for names, runner in zip(hypotheses, held, strict=True)}


class Search:
    """Hypotheses are held against one candidate; what was run once is remembered."""

    def __init__(self, candidate: Implementation, every: Mapping[str, Known]) -> None:
        self.candidate, self.every = candidate, every
        self.results: dict[tuple[Case, Hypothesis], Result] = {}
        self.exceptions: Explained = {}

    def here(self, case: Case, names: Hypothesis) -> Hypothesis:
        """Those of the mistakes that are made in the case."""
        return tuple(name for name in names if name in made(case))

    def planted(self, names: Hypothesis) -> Implementation:
        """An implementation that makes all of these mistakes."""
        return together(*(self.every[name].mistake for name in names)) if names else RIGHT

    def held(self, case: Case, hypotheses: Iterable[Hypothesis]) -> dict[Hypothesis, Result]:
        """The results of hypotheses, each made in the case, that are held against the candidate."""
        wanted = list(hypotheses)
        new = {names: self.planted(names) for names in wanted if (case, names) not in self.results}
        self.results |= {(case, names): result for names, result in compared(case, new, self.candidate).items()}
        return {names: self.results[case, names] for names in wanted}

    def equal(self, case: Case, hypotheses: Iterable[Hypothesis]) -> set[Hypothesis]:
        """Those that equal the candidate in all that it covers of the case."""
        return {names for names, result in self.held(case, hypotheses).items() if result.verdict == "agree"}

    def idle(self, case: Case, hypotheses: Iterable[Hypothesis]) -> set[Hypothesis]:
        """Those that make no difference in the case."""
        results = compared(case, {names: self.planted(names) for names in hypotheses}, RIGHT)
        return {names for names, result in results.items() if result.verdict == "agree"}

    def sifted(self, hypotheses: Iterable[Hypothesis], failed: Sequence[Result], passed: Sequence[Result]) -> Explained:
        """The hypotheses that equal the candidate in some case that it fails, and in all others or are not made there.

        For every four cases that one explains there may be an exception that is a matter of digits.
        Returns for each the results that it explains.
        """
        first = spread(failed)
        likely: set[Hypothesis] = set()
        for result in first:
            parts = {names: part for names in hypotheses if (part := self.here(result.case, names))}
            equal = self.equal(result.case, dict.fromkeys(parts.values()))
            likely |= {names for names, part in parts.items() if part in equal}
        explains: Explained = {names: [] for names in hypotheses if names in likely}
        exceptions: Explained = {names: [] for names in explains}
        for result in (*first, *spread(passed, PASSED), *(result for result in failed if result not in first)):
            case = result.case
            parts = {names: part for names in explains if (part := self.here(case, names))}
            held = self.held(case, dict.fromkeys(parts.values()))
            others = {part for part, one in held.items() if one.verdict != "agree"}
            lost = others - self.idle(case, others)
            for names, part in parts.items():
                if result.divergences and part not in others:
                    explains[names].append(result)
                elif result.divergences and part in lost and digits(held[part], result):
                    exceptions[names].append(result)
                elif part in lost:
                    del explains[names]
        left = {
            names: results
            for names, results in explains.items()
            if results and len(exceptions[names]) * 4 <= len(results)
        }
        self.exceptions |= {names: exceptions[names] for names in left if exceptions[names]}
        return left

    def nearly(self, result: Result, found: Explained) -> Hypothesis:
        """The hypothesis to which the result is an exception, if there is one."""
        near = (names for names, results in self.exceptions.items() if names in found and result in results)
        return next(near, ())

    def combined(self, result: Result, suspects: Iterable[Hypothesis]) -> list[Hypothesis]:
        """Sets of mistakes that together equal the candidate in the case, if one alone does not.

        Each mistake of a set makes more of the case right when it is added to those before it; but a set may begin with
        one of the suspects, which explain other cases.
        """
        case = result.case
        sets = list(dict.fromkeys(((), *(self.here(case, names) for names in suspects))))
        for _ in range(AT_ONCE):
            more = {names: one for one in sets for names in self.extended(case, one)}
            parts = self.held(case, [*sets, *more])
            if equal := [names for names in more if parts[names].verdict == "agree"]:
                return list({frozenset(names): names for names in reversed(equal) if len(names) > 1}.values())
            better = [names for names, one in more.items() if right_of(parts[names]) > right_of(parts[one])]
            sets = sorted(better, key=lambda names: right_of(parts[names]), reverse=True)[:PARTS]
        return []

    def extended(self, case: Case, names: Hypothesis) -> Iterator[Hypothesis]:
        """The same mistakes with one more, planted around those in the same function, or within them."""
        taken = {function for name in names for function in self.every[name].mistake.plants}
        for name in sorted(made(case) - set(names)):
            yield (*names, name)
            if taken & self.every[name].mistake.plants.keys():
                yield (name, *names)


def right_of(part: Result) -> tuple[int, ...]:
    """How much a hypothesis equals of what the candidate returns: the more, the larger."""
    if part.verdict == "agree":
        return (part.steps + 1,)
    if part.verdict != "disagree":
        return (0,)
    before = sum(d.stage in ("loss", "grads") for d in part.divergences)
    return part.steps, -before, before - len(part.divergences)


def digits(part: Result, result: Result) -> bool:
    """Whether a hypothesis leaves a thousandth at most of what is off, or the candidate has nothing but NaN."""
    if part.verdict != "disagree" or part.steps < result.steps:
        return False
    left, off = (max(d.eps for d in one.divergences) for one in (part, result))
    return not finite(result) or (part.steps == result.steps and left <= 1e-3 * off < math.inf)


# --- the search ------------------------------------------------------------------------------------------------------


def explained(search: Search, failed: Sequence[Result], passed: Sequence[Result]) -> Explained:
    """The results that mistakes explain, one at a time or several at once, everywhere or in groups of cases."""
    singles = [(name,) for name in search.every]
    found = search.sifted(singles, failed, passed)
    by_groups: Explained = {}
    for kind in (coarse, fine):
        for group in groups(unexplained(failed, found | by_groups), kind)[:GROUPS]:
            merge(by_groups, search.sifted(singles, *within(group, kind, failed, passed)))
    merge(found, sure(by_groups))
    either = found | by_groups
    suspects = sorted(either, key=lambda names: -len(either[names]))[:SUSPECTS]
    known_sets = [one + other for one, other in permutations(suspects, 2) if not set(one) & set(other)]
    for group in groups(unexplained(failed, found | by_groups), fine)[:GROUPS]:
        merge(found, search.sifted(known_sets, *within(group, fine, failed, passed)))
    for group in groups(unexplained(failed, found | by_groups), fine)[:SETS]:
        if rest := unexplained(group, found):
            sets = search.combined(spread(rest)[0], suspects)
            everywhere = search.sifted(sets, failed, passed)
            merge(found, everywhere or search.sifted(sets, *within(rest, fine, failed, passed)))
    return found


Key = Callable[[Case], tuple[str, ...]]


def groups(results: Iterable[Result], key: Key) -> list[list[Result]]:
    """The results by groups of cases, the largest group first."""
    found: dict[tuple[str, ...], list[Result]] = {}
    for result in results:
        found.setdefault(key(result.case), []).append(result)
    return sorted(found.values(), key=len, reverse=True)


def within(group: Sequence[Result], key: Key, *all_of: Iterable[Result]) -> list[list[Result]]:
    """Of each of several lists of results those of the same group of cases."""
    return [[result for result in results if key(result.case) == key(group[0].case)] for results in all_of]


def unexplained(results: Iterable[Result], found: Explained) -> list[Result]:
    """The results that nothing explains."""
    return [result for result in results if not any(result in results for results in found.values())]


def merge(found: Explained, more: Explained) -> None:
    """Enter what more is explained."""
    for names, results in more.items():
        found[names] = list(dict.fromkeys((*found.get(names, ()), *results)))


def sure(found: Explained) -> Explained:
    """Those that explain several cases."""
    return {names: results for names, results in found.items() if len(results) >= SURE}


def plainest(found: Explained) -> Explained:
    """The same, each result under the fewest mistakes, and under none that explains less than another one does."""
    fewest = {result: min(len(n) for n, rs in found.items() if result in rs) for rs in found.values() for result in rs}
    once = {frozenset(names): names for names in reversed(found)}.values()  # in one of the orders that they equal in
    left = {names: {r for r in found[names] if fewest[r] == len(names)} for names in once}
    return {
        names: [result for result in found[names] if result in own]
        for names, own in left.items()
        if own and not any(own < others for others in left.values())
    }


def trusted(search: Search, found: Explained, failed: Sequence[Result], passed: Sequence[Result]) -> Explained:
    """The same, without what NaN or infinity explains that might be anybody's, since one looks like another.

    Such results still count for a mistake that explains all of them wherever it is made, if the candidate is right in
    another case where the mistake is made, or finite in a case that it explains.
    """
    lost = [result for result in failed if not finite(result)]

    def known_by(name: str) -> bool:
        def here(results: Iterable[Result]) -> list[Result]:
            return [result for result in results if name in made(result.case)]

        own = here(result for names, results in found.items() if name in names for result in results)
        return (bool(here(passed)) or any(map(finite, own))) and all(result in own for result in here(lost))

    known_well = {name for names in found for name in names if known_by(name)}
    left = {
        names: [result for result in results if result not in lost or known_well.issuperset(names)]
        for names, results in found.items()
    }
    return {names: results for names, results in left.items() if results}


def finite(result: Result) -> bool:
    """Whether the result disagrees only in finite numbers or in form."""
    return all(isinstance(d.got, str) or math.isfinite(d.got) for d in result.divergences)


# --- what is said of them --------------------------------------------------------------------------------------------


def explained_by(part: Result, result: Result) -> list[str]:
    """The tensors that are off in the result, and where the mistake equals the candidate."""
    if part.verdict not in ("agree", "disagree") or part.steps < result.steps:
        return []
    off = {(d.stage, d.tensor) for d in part.divergences if part.steps == result.steps}
    # of what has another form than the contract's, nothing is compared
    return [
        d.tensor
        for d in first_off(result)
        if (d.stage, d.tensor) not in off and part.worst_of(d.stage, d.tensor) is not None
    ]


def first_off(result: Result) -> list[Divergence]:
    """What is off before the update, the loss or gradients or both; or else in the first stage that is off."""
    before = [d for d in result.divergences if d.stage in ("loss", "grads")]
    return before or [d for d in result.divergences if d.stage == first_stage(result)]


def tensors_alone(failed: Sequence[Result], search: Search) -> dict[str, list[str]]:
    """Of what has no name, the tensors that by themselves are what a known mistake makes of them, wherever it is made.

    Returns, by tensor, one sentence for each such mistake, if they are few.
    """
    equal: dict[str, set[str]] = {}
    other: dict[str, set[str]] = {}
    for result in spread(failed):
        parts = search.held(result.case, [(name,) for name in sorted(made(result.case))])
        for tensor in wrong_of(result):
            here = {name for (name,), part in parts.items() if tensor in explained_by(part, result)}
            equal[tensor] = equal.get(tensor, here) & here
        for (name,), part in parts.items():
            for divergence in part.divergences:
                if divergence.stage == first_stage(result):
                    other.setdefault(divergence.tensor, set()).add(name)
    left = {tensor: sorted(names - other.get(tensor, set())) for tensor, names in equal.items()}
    words = "this tensor alone equals {} ({}), which does not explain everything wrong"
    return {
        tensor: [words.format(search.every[name].mistake.sentence, name) for name in names]
        for tensor, names in left.items()
        if len(names) <= FEW
    }


def causes_of(result: Result, names: Hypothesis, search: Search) -> list[Cause]:
    """What each of the mistakes does in the case, with the tensors in which it shows."""
    names = search.here(result.case, names)
    shows = {names: wrong_of(result)}
    if len(names) > 1:
        alone = search.held(result.case, [(name,) for name in names])
        shows = {one: explained_by(part, result) for one, part in alone.items()}
        taken = {tensor for tensors in shows.values() for tensor in tensors}
        rest = [d.tensor for d in first_off(result) if d.tensor not in taken]
        for one in alone:
            # or it shows in a later stage alone, in what the others do not explain
            others = (part for other, part in alone.items() if other != one)
            later = dict.fromkeys(d.tensor for part in others for d in part.divergences)
            shows[one] = shows[one] or rest or list(later)
    found = []
    for name, tensors in zip(names, shows.values(), strict=True):
        if tensors:
            cause = search.every[name]
            sentence = f"{', '.join(tensors)}: equals {cause.mistake.sentence}{place(result, tensors)}"
            found.append(Cause(name, cause.kind, tuple(tensors), sentence, cause.mistake.wrong, cause.mistake.right))
    return found
