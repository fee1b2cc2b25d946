"""What the cases that fail have in common, and those that pass have not: an option, or something in the data."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence
from itertools import combinations

from reference.cases import Case
from reference.judge.result import Result
from reference.mistakes.flags import FLAGS, Seen, flags_of

SURE = 2
"""At least this many cases must fail, and as many pass."""

FEW = 3
"""At most this many features are told that all tell the same cases apart."""


@functools.cache
def features(case: Case) -> dict[str, str]:
    """What a case has, each with how it is said: the parts of its id first, then what is in its data."""
    seen = Seen(case, case.weights(), list(case.batches()))
    said = {name: f"{name} ({FLAGS[name][1].split(' [')[0].split('. ')[0].rstrip('.:')})" for name in flags_of(seen)}
    return {part: f"{part!r} in the id" for part in case.id.split("-")} | said


def shared(failed: Sequence[Result], passed: Sequence[Result]) -> str:
    """A sentence on what all failed results have, and no passed one, or the reverse; empty if there is nothing.

    One feature is looked for first, then two together.
    """
    if min(len(failed), len(passed)) < SURE:
        return ""
    fails, passes = ([features(result.case) for result in results] for results in (failed, passed))
    said = {name: words for case in (*fails, *passes) for name, words in case.items()}
    these, those = f"all {len(failed)} cases like this", f"of the {len(passed)} that pass"
    if having := told_apart([(name,) for name in said], fails, passes):
        return f"{these} have {words_of(having, said)}; none {those} has"
    if lacking := told_apart([(name,) for name in said], passes, fails):
        return f"{these} lack {words_of(lacking, said)}; each {those} has it"
    every = [name for name in said if all(name in case for case in fails)]
    if having := told_apart(combinations(every, 2), fails, passes):
        return f"{these} have {words_of(having, said)}; none {those} has both"
    return ""


def told_apart(
    sets: Iterable[tuple[str, ...]], ones: Sequence[dict[str, str]], others: Sequence[dict[str, str]]
) -> list[tuple[str, ...]]:
    """The sets of features that all of the ones have, and none of the others."""

    def number(names: tuple[str, ...], cases: Sequence[dict[str, str]]) -> int:
        return sum(all(name in case for name in names) for case in cases)

    return [names for names in sets if number(names, ones) == len(ones) and not number(names, others)]


def words_of(sets: Sequence[tuple[str, ...]], said: dict[str, str]) -> str:
    """The first of the sets in words."""
    more = f" (or {len(sets) - FEW} more)" if len(sets) > FEW else ""
    return " or ".join(" and ".join(said[name] for name in names) for names in sets[:FEW]) + more
