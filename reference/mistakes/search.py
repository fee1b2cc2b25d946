"""The search for the known mistakes that make an implementation's results what they are.

A mistake is looked for in a few failed cases, and then in all others. What no single one explains everywhere is
searched by groups of cases, since what is wrong of one model, optimizer or dtype need not be wrong of others; then for
a number in a mistake, and for several mistakes at once.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass, replace
from itertools import combinations, permutations
from typing import Any

import numpy as np

from reference.cases import Case
from reference.contract import Implementation
from reference.judge.distance import Likeness
from reference.judge.result import Result
from reference.judge.run import follow
from reference.judge.runner import Runner, start
from reference.mistakes.constants import rounded, solved
from reference.mistakes.description import first_stage, wrong_of
from reference.mistakes.known import RIGHT, Known, known, makeable
from reference.mistakes.planting import Mistake, together
from reference.mistakes.replayed import begun

PROBES = 6
"""The number of failed cases to look at first. Mistakes that explain none of these are dropped."""

PASSED = 40
"""At most this many passed cases are looked at."""

FEW = 4
"""If more mistakes than this explain a result and no case tells them apart, none of them is named."""

AT_ONCE = 4
"""At most this many mistakes are looked for at once."""

PAIRS = 500
"""At most this many pairs of mistakes are tried at once, where no single one makes more of a case right."""

PARTS = 4
"""This many sets of mistakes that explain the most of a case are looked at with one more."""

GROUPS = 100
"""The largest number of groups of cases that are searched by themselves."""

SETS = 4
"""The largest number of groups of cases that are searched for several mistakes at once."""

SUSPECTS = 6
"""This many of the mistakes that explain the most cases are looked for in others too, several at once."""

FEW_DIGITS = 2
"""A number that is solved for in one case alone has at most this many digits."""

ENOUGH = 200
"""Of this many parameters and more, no two mistakes are likely to make the same by chance."""

SURE = 2
"""What another group of cases rules out is named only if it explains at least this many cases."""

Key = Callable[[Case], tuple[str, ...]]

Hypothesis = tuple[str, ...]
"""The names of the mistakes that are made, in the order in which they are planted."""

Explained = dict[Hypothesis, list[Result]]
"""The results that each hypothesis explains."""


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
    held = [begun(case, " and ".join(names), mistake, weights) for names, mistake in hypotheses.items()]
    for _ in follow(case, held, [candidate]):
        finite = all(np.isfinite(param).all() for param in candidate.out.get("params", {}).values())
        ended = (candidate.verdict == "agree" or bool(candidate.reason)) and not candidate.running
        if ended or not finite:
            break
    results = {names: runner.close() for names, runner in zip(hypotheses, held, strict=True)}
    same_form = (names for names, result in results.items() if forms(result) and forms(result) == forms(candidate))
    return results | {names: replace(results[names], verdict="agree") for names in same_form}


def has_other_form(result: Result | Runner) -> bool:
    """Whether something has a form, such as a shape, that leaves no numbers to compare."""
    return any(d.index is None and isinstance(d.got, str) for d in result.divergences)


def forms(result: Result | Runner) -> set[tuple[str, ...]]:
    """What has another form, such as a shape, so that there are no numbers to compare; empty where a number is off."""
    found = result.divergences
    if not all(d.index is None and isinstance(d.got, str) for d in found):
        return set()
    return {(d.stage, d.tensor, str(d.expected), str(d.got)) for d in found}


def planted(mistakes: Sequence[Mistake] = ()) -> Implementation:
    """The NumPy twin with these mistakes, if any."""
    return together(*mistakes) if mistakes else RIGHT


class Search:
    """Hypotheses are held against one candidate; what was run once is remembered.

    every: the mistakes that are looked for, by name. plant: makes the implementation that makes some of them. tell: is
    told now and then how far the search is.
    """

    def __init__(
        self,
        candidate: Implementation,
        every: Mapping[str, Known],
        plant: Callable[[Sequence[Mistake]], Implementation] = planted,
        tell: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.candidate, self.every, self.plant, self.tell = candidate, dict(every), plant, tell
        self.results: dict[tuple[Case, Hypothesis], Result] = {}
        self.exceptions: Explained = {}
        self.numbers: dict[tuple[Case, Hypothesis], list[Hypothesis]] = {}

    def here(self, case: Case, names: Hypothesis) -> Hypothesis:
        """Those of the mistakes that are made in the case."""
        return tuple(name for name in names if name.partition("=")[0] in made(case))

    def made(self, case: Case) -> list[str]:
        """The names of the mistakes that can be looked for in the case; a number in one is that of the catalogue."""
        return sorted(made(case) & self.every.keys())

    def mistakes(self, names: Hypothesis) -> list[Mistake]:
        """The mistakes of these names."""
        return [self.every[name].mistake for name in names]

    def planted(self, names: Hypothesis) -> Implementation:
        """An implementation that makes all of these mistakes."""
        return self.plant(self.mistakes(names))

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
        results = compared(case, {names: self.planted(names) for names in hypotheses}, self.plant([]))
        return {names for names, result in results.items() if result.verdict == "agree"}

    def sifted(
        self,
        hypotheses: Iterable[Hypothesis],
        failed: Sequence[Result],
        passed: Sequence[Result],
        probes: int = PROBES,
    ) -> Explained:
        """The hypotheses that equal the candidate in some case that it fails, and in all others or are not made there.

        For every four cases that one explains there may be an exception that is a matter of digits.
        Returns for each the results that it explains.
        """
        first = spread(failed, probes)
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

    def explain(self, results: Sequence[Result], passed: Sequence[Result]) -> Explained:
        """The results that mistakes explain, each under as few as can be.

        Of those where only rounding is off, nothing is explained. Where all that can be compared is right, and the rest
        has another form, such as a shape, mistakes that leave the same form are looked for.
        """
        right = {result: self.held(result.case, [()])[()] for result in results}
        unshaped = [result for result in results if has_other_form(result) and not right[result].divergences]
        failed = [result for result in results if right[result].verdict != "agree" and result not in unshaped]
        found = plainest(trusted(self, explained(self, failed, passed), failed, passed)) if failed else {}
        if unshaped:
            case = unshaped[0].case
            held = self.held(case, [(name,) for name in self.made(case)])
            merge(found, self.sifted([names for names, part in held.items() if forms(part)], unshaped, passed))
        return found

    def everywhere_or_here(
        self,
        hypotheses: Sequence[Hypothesis],
        group: Sequence[Result],
        kind: Key,
        failed: Sequence[Result],
        passed: Sequence[Result],
    ) -> Explained:
        """What the hypotheses explain of all results, failed and passed; or, if nothing, of those in the group."""
        found = self.sifted(hypotheses, failed, passed)
        for key in (coarse, kind):
            found = found or sure(self.sifted(hypotheses, *within(group, key, failed, passed)))
        # one entry always has some number that explains it; another case must have the same, or it has few digits
        return sure(found) | {names: results for names, results in found.items() if all(map(short, names))}

    def carry(self, new: Explained, found: Explained, failed: Sequence[Result]) -> None:
        """Enter what was found last, and the fewest of all mistakes found that explain each other result too.

        Of a result that several mistakes explain, those that make no difference in it are left out.
        """
        merge(found, new)
        frequent = sorted(found, key=lambda names: -len(found[names]))
        several = {result: names for names, results in new.items() if len(names) > 1 for result in results}
        rest = dict.fromkeys(unexplained(failed, found) if new else (), ())
        for result, own in (several | rest).items():
            known_here = dict.fromkeys(name for names in (own and [own]) or frequent for name in names)
            names = self.here(result.case, tuple(known_here))[:SUSPECTS]
            for number in range(1, min(len(names), AT_ONCE) + 1):
                if equal := self.equal(result.case, combinations(names, number)):
                    merge(found, {one: [result] for one in equal})
                    break

    def nearly(self, result: Result, found: Explained) -> Hypothesis:
        """The hypothesis to which the result is an exception, if there is one."""
        near = (names for names, results in self.exceptions.items() if names in found and result in results)
        return next(near, ())

    def beside(self, names: Hypothesis, of: Callable[[float], Mistake], number: float) -> Implementation:
        """An implementation that makes all of these mistakes and one with this number in it."""
        return self.plant([*self.mistakes(names), of(number)])

    def solve(self, case: Case, base: Hypothesis) -> list[Hypothesis]:
        """The base with a mistake that has a number in it, solved for, if that makes more of the case right."""
        if (case, base) not in self.numbers:
            self.numbers[case, base] = self._solve(case, base)
        return self.numbers[case, base]

    def _solve(self, case: Case, base: Hypothesis) -> list[Hypothesis]:
        part = self.held(case, [base])[base]
        numbers = [d for d in part.divergences if d.stage == first_stage(part) and math.isfinite(d.eps)]
        found: list[Hypothesis] = []
        for name in self.made(case) if numbers else ():
            of = self.every[name].mistake.of
            if of is None:
                continue
            number = solved(case, max(numbers, key=lambda d: d.eps), functools.partial(self.beside, base, of))
            if number is None:
                continue
            tried = {(*base, f"{name}={value!r}"): of(value) for value in rounded(number)}
            new = {names[-1]: Known(one, self.every[name].kind) for names, one in tried.items()}
            new = {numbered: one for numbered, one in new.items() if numbered not in self.every}
            self.every |= new
            parts = self.held(case, tried)
            best = max(tried, key=lambda names: right_of(parts[names]))  # the first of them has the fewest digits
            for numbered in new.keys() - {best[-1]}:  # but not what was found elsewhere
                del self.every[numbered]
            found += [best] if right_of(parts[best]) > right_of(part) else []
        return found

    def combined(self, case: Case, suspects: Iterable[Hypothesis]) -> list[Hypothesis]:
        """Sets of mistakes that together equal the candidate in the case, if one alone does not.

        Each mistake of a set makes more of the case right when it is added to those before it, or two do together; but
        a set may begin with one of the suspects, which explain other cases.
        """
        sets = list(dict.fromkeys(((), *(self.here(case, names) for names in suspects))))
        for _ in range(AT_ONCE):
            more = {names: one for one in sets for names in self.extended(case, one)}
            more |= {names: sets[0] for names in self.solve(case, sets[0])}
            parts = self.held(case, [*sets, *more])
            better = [names for names, one in more.items() if right_of(parts[names]) > right_of(parts[one])]
            if not better:
                two = self.two_more(case, sets[0], [names for names, one in more.items() if one == sets[0]])
                parts = self.held(case, [sets[0], *two])
                better = [names for names in two if right_of(parts[names]) > right_of(parts[sets[0]])]
            if equal := [names for names in better if parts[names].verdict == "agree"]:
                return list({frozenset(names): names for names in reversed(equal) if len(names) > 1}.values())
            sets = sorted(better, key=lambda names: right_of(parts[names]), reverse=True)[:PARTS]
            if not sets:
                break
        return []

    def extended(self, case: Case, names: Hypothesis) -> Iterator[Hypothesis]:
        """The same mistakes with one more, planted around those in the same function, or within them."""
        taken = {function for name in names for function in self.every[name].mistake.plants}
        for name in self.made(case):
            if name in {other.partition("=")[0] for other in names}:
                continue
            yield (*names, name)
            if taken & self.every[name].mistake.plants.keys():
                yield (name, *names)

    def two_more(self, case: Case, names: Hypothesis, more: Sequence[Hypothesis]) -> list[Hypothesis]:
        """The same mistakes with two more, of which none changes what is right.

        more: the same mistakes with one more.
        """
        held = self.held(case, [names, *more])
        base = held[names]
        changed = {
            one: off_in(part)
            for one, part in held.items()
            if part.verdict == "disagree" and part.steps >= base.steps and part.divergences != base.divergences
        }
        kept = [one for one, off in changed.items() if off <= off_in(base) and one[: len(names)] == names]
        pairs = [(*one, other[-1]) for one, other in permutations(kept, 2) if self.matters(one[-1], other[-1])]
        return sorted(pairs, key=lambda pair: len(changed[pair[:-1]]))[:PAIRS]

    def matters(self, one: str, other: str) -> bool:
        """Whether the two can be planted in this order; in different functions the order makes no difference."""
        return one < other or bool(self.every[one].mistake.plants.keys() & self.every[other].mistake.plants.keys())


def off_in(part: Result) -> set[tuple[str, str]]:
    """The tensors that are off, by stage."""
    return {(d.stage, d.tensor) for d in part.divergences}


def short(name: str) -> bool:
    """Whether the number in a mistake has few digits; also if there is none."""
    number = name.partition("=")[2]
    return not number or float(f"{float(number):.{FEW_DIGITS}g}") == float(number)


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
    left, off = (max((d.eps for d in one.divergences), default=math.inf) for one in (part, result))
    return not finite(result) or (part.steps == result.steps and left <= 1e-3 * off < math.inf)


# --- the search ------------------------------------------------------------------------------------------------------


def explained(search: Search, failed: Sequence[Result], passed: Sequence[Result]) -> Explained:
    """The results that mistakes explain, one at a time or several at once, everywhere or in groups of cases.

    What is found in one group is tried in all others before these are searched.
    """
    singles = [(name,) for name in search.every]
    found: Explained = {}
    unsure: Explained = {}
    search.carry(search.sifted(singles, failed, passed), found, failed)
    several = SETS
    for kind in (coarse, fine):
        for group in groups(unexplained(failed, found), kind)[:GROUPS]:
            rest = unexplained(group, found)
            if not rest:
                continue
            search.tell(f"{len(unexplained(failed, found))} of {len(failed)} results are not explained yet")
            here = search.sifted(singles, *within(group, kind, failed, passed), probes=FEW)
            merge(unsure, here)
            new = sure(here) or search.everywhere_or_here(search.solve(first_of(rest), ()), rest, kind, failed, passed)
            if not new and several and kind is fine:
                several -= 1
                suspects = sorted(found | unsure, key=lambda names: -len((found | unsure)[names]))[:SUSPECTS]
                for case in dict.fromkeys((fullest_of(rest), first_of(rest))):
                    sets = search.combined(case, suspects)
                    new = new or search.everywhere_or_here(sets, rest, kind, failed, passed)
            search.carry(new, found, failed)
    return found


def fullest_of(results: Sequence[Result]) -> Case:
    """The case in which most is off, which may show what others hide; of a few numbers, anything might be the cause."""
    every = spread(results, len(results))
    return max(every, key=lambda result: (len(result.divergences), min(size(result.case), ENOUGH))).case


def first_of(results: Sequence[Result]) -> Case:
    """The case to look at first: a small one."""
    return spread(results)[0].case


def groups(results: Iterable[Result], key: Key) -> list[list[Result]]:
    """The results by groups of cases, the largest group first."""
    found: dict[tuple[str, ...], list[Result]] = {}
    for result in results:
        found.setdefault(key(result.case), []).append(result)
    return sorted(found.values(), key=len, reverse=True)


def within(
    group: Sequence[Result], key: Key, failed: Iterable[Result], passed: Iterable[Result]
) -> tuple[list[Result], list[Result]]:
    """Of the failed and the passed results those of the same group of cases."""
    here = key(group[0].case)
    return [result for result in failed if key(result.case) == here], [r for r in passed if key(r.case) == here]


def unexplained(results: Iterable[Result], found: Explained) -> list[Result]:
    """The results that nothing explains."""
    told = {result for results in found.values() for result in results}
    return [result for result in results if result not in told]


def merge(found: Explained, more: Explained) -> None:
    """Enter what more is explained."""
    for names, results in more.items():
        found[names] = list(dict.fromkeys((*found.get(names, ()), *results)))


def sure(found: Explained) -> Explained:
    """Those that explain several cases."""
    return {names: results for names, results in found.items() if len(results) >= SURE}


def plainest(found: Explained) -> Explained:
    """The same, each result under the fewest mistakes, and under none that explains less than another one does."""
    once = {frozenset(names): names for names in reversed(found)}.values()  # in one of the orders that they equal in
    whole = {
        names: found[names]
        for names in once
        if not any(set(found[names]) < set(found[other]) and not set(names) <= set(other) for other in once)
    }
    fewest = {result: min(len(n) for n, rs in whole.items() if result in rs) for rs in whole.values() for result in rs}
    left = {names: {r for r in results if fewest[r] == len(names)} for names, results in whole.items()}
    return {
        names: [result for result in whole[names] if result in own]
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
            return [result for result in results if search.here(result.case, (name,))]

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
