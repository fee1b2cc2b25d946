"""Finds the known mistakes that explain what an implementation gets wrong.

Each mistake is an implementation too. So it is compared with the candidate in every stage and step, within the same
tolerance as usual. A mistake explains a failed case if it equals the candidate there. In every other case, failed or
passed, it must also equal the candidate, or have no effect. If no single mistake explains a result, pairs are tried
where one of the two shows alone in some tensor. If that finds nothing either, no mistake is named, and the explanation
describes what can be seen.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import permutations
from typing import Any

import numpy as np

from reference import exact
from reference.cases import Batch, Case
from reference.contract import Implementation, Params, RowGrad
from reference.judge.distance import Likeness, row_sizes
from reference.judge.form import dense, flat
from reference.judge.result import Result
from reference.judge.run import follow
from reference.judge.runner import Runner, start
from reference.judge.tolerance import STAGES, Stage, tolerance
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

PARTS = 8
"""In a pair of mistakes, one is among this many mistakes that explain the most tensors."""

SINGLE = 32 * float(np.finfo(np.float32).eps)
"""If no entry is off by more than this fraction of its row's largest entry, float32 may have been used somewhere."""

LISTED = 8
"""At most this many rows or tensors are listed in one line."""

Hypothesis = tuple[str, ...]
"""The names of the mistakes that are made."""

Hypotheses = dict[Hypothesis, Implementation]


def diagnose(candidate: Implementation, results: Sequence[Result]) -> dict[Result, Explanation]:
    """The explanation of each result that disagrees, or what can be seen.

    results: all results of the candidate, also those that agree, since they rule out mistakes. Cases with more than
    `STEPS` steps are left out.
    """
    agreed = (result for result in results if result.verdict in ("agree", "form"))
    passed = spread((result for result in agreed if result.case.steps <= STEPS), PASSED)
    short = [result for result in results if result.divergences and result.case.steps <= STEPS]
    if not short:
        return {}
    right: Hypotheses = {(): RIGHT}
    failed = [result for result in short if not alike(result.case, right, candidate)]  # others differ only by rounding
    every = known()
    singles: Hypotheses = {(name,): one.mistake for name, one in every.items()}
    explained = sifted(singles, candidate, failed, passed)
    rest = [result for result in failed if not any(result in results for results in explained.values())]
    each = one_by_one(candidate, every)
    if rest:
        explained |= sifted(pairs_for(rest, each, every), candidate, failed, passed)
    explained = trusted(explained, failed, passed)
    explanations: dict[Result, Explanation] = {}
    for result in failed:
        found = [hypothesis for hypothesis, cases in explained.items() if result in cases]
        if len(found) > FEW:
            names = ", ".join(" and ".join(hypothesis) for hypothesis in found)
            line = f"{len(found)} known mistakes look like this, and no case tells them apart: {names}"
            explanations[result] = Explanation(observed=(line,))
        elif causes := [cause for names in found for cause in causes_of(result, names, candidate, every)]:
            explanations[result] = Explanation(tuple(causes))
    nameless = [result for result in short if result not in explanations]
    alone = tensors_alone([result for result in nameless if result in failed], each, every)
    for result in nameless:
        beside = [f"{tensor}: {words}" for tensor in wrong_of(result) for words in alone.get(tensor, ())]
        explanations[result] = Explanation(observed=(*observations(result, candidate), *beside))
    return explanations


# --- which mistakes there are ----------------------------------------------------------------------------------------


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


@functools.cache
def made(case: Case) -> frozenset[str]:
    """The names of the mistakes in functions that the case calls. Other mistakes have no effect in it."""
    return frozenset(makeable(case, {name: one.mistake for name, one in known().items()}))


def alike(case: Case, hypotheses: Hypotheses, other: Implementation) -> Hypotheses:
    """The hypotheses that equal the other implementation in everything that it covers of the case."""
    results = compared(case, hypotheses, other)
    return {names: hypotheses[names] for names, result in results.items() if result.verdict == "agree"}


def compared(case: Case, hypotheses: Hypotheses, other: Implementation) -> dict[Hypothesis, Result]:
    """The results of comparing hypotheses with the other implementation, taken as the truth.

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


def sifted(
    hypotheses: Hypotheses,
    candidate: Implementation,
    failed: Sequence[Result],
    passed: Sequence[Result],
) -> dict[Hypothesis, list[Result]]:
    """The hypotheses that equal the candidate in some failed case, and in every other case where they have an effect.

    Returns for each the results that it explains.
    """
    left = dict(hypotheses)
    explains: dict[Hypothesis, list[Result]] = {names: [] for names in left}
    first = spread(failed)
    for result in (*first, *passed, *(result for result in failed if result not in first)):
        if not left:
            break
        here = made(result.case)
        idle = {names: mistake for names, mistake in left.items() if here.isdisjoint(names)}
        done = {names: mistake for names, mistake in left.items() if names not in idle}
        equal = alike(result.case, done, candidate)
        others = {names: mistake for names, mistake in done.items() if names not in equal}
        left = idle | equal | alike(result.case, others, RIGHT)
        if result.verdict == "disagree":
            for names in equal:
                explains[names].append(result)
        if first and result is first[-1]:
            left = {names: mistake for names, mistake in left.items() if explains[names]}
    return {names: explains[names] for names in left if explains[names]}


def trusted(
    explained: Mapping[Hypothesis, list[Result]], failed: Sequence[Result], passed: Sequence[Result]
) -> dict[Hypothesis, list[Result]]:
    """The same, without results that only NaN or infinity explains, since one NaN looks like another.

    Such results still count for a mistake that explains all of them wherever it is made, if the candidate is right in
    another case where the mistake is made, or finite in a case that it explains.
    """
    lost = [result for result in failed if not finite(result)]

    def known_by(name: str) -> bool:
        def here(results: Iterable[Result]) -> list[Result]:
            return [result for result in results if name in made(result.case)]

        own = here(result for names, results in explained.items() if name in names for result in results)
        return (bool(here(passed)) or any(map(finite, own))) and all(result in own for result in here(lost))

    known_well = {name for names in explained for name in names if known_by(name)}
    left = {
        names: [result for result in results if result not in lost or known_well.issuperset(names)]
        for names, results in explained.items()
    }
    return {names: results for names, results in left.items() if results}


def finite(result: Result) -> bool:
    """Whether the result disagrees only in finite numbers or in form."""
    return all(isinstance(d.got, str) or math.isfinite(d.got) for d in result.divergences)


OneByOne = Callable[[Case], dict[str, Result]]


def one_by_one(candidate: Implementation, every: Mapping[str, Known]) -> OneByOne:
    """A function that compares the candidate with each mistake made in a case, and remembers the results."""

    @functools.cache
    def held(case: Case) -> dict[str, Result]:
        singles: Hypotheses = {(name,): every[name].mistake for name in sorted(made(case))}
        return {name: result for (name,), result in compared(case, singles, candidate).items()}

    return held


def pairs_for(failed: Sequence[Result], each: OneByOne, every: Mapping[str, Known]) -> Hypotheses:
    """Every pair of mistakes where one alone explains some tensors of a failed case, but not all of them."""
    parts: dict[str, int] = {}
    for result in spread(failed, 2):
        for name, part in each(result.case).items():
            parts[name] = parts.get(name, 0) + len(explained_by(part, result))
    best = sorted((name for name, number in parts.items() if number), key=lambda name: -parts[name])[:PARTS]
    found: Hypotheses = {}
    for one, other in permutations(every, 2):
        if one not in best and other not in best:
            continue
        first, second = every[one].mistake, every[other].mistake
        if one < other or first.plants.keys() & second.plants.keys():  # else their order does not matter
            found[one, other] = together(first, second)
    return found


def wrong_of(result: Result) -> list[str]:
    """The tensors that are off in the first stage that is off, in the first step that is off."""
    return [d.tensor for d in result.divergences if d.stage == first_stage(result)]


def first_stage(result: Result) -> Stage:
    """The first stage that is off in a result that disagrees."""
    return min((d.stage for d in result.divergences), key=STAGES.index)


def explained_by(part: Result, result: Result) -> list[str]:
    """The tensors that are off in the result, and where the mistake equals the candidate."""
    if part.verdict not in ("agree", "disagree") or part.steps < result.steps:
        return []
    stage = first_stage(result)
    off = off_in(part, stage) if part.steps == result.steps else set()
    # nothing is compared if the form is not that of the contract
    return [tensor for tensor in wrong_of(result) if tensor not in off and part.worst_of(stage, tensor) is not None]


def off_in(result: Result, stage: Stage) -> set[str]:
    """The tensors that are off in a stage of the step where the result ended."""
    return {d.tensor for d in result.divergences if d.stage == stage}


def tensors_alone(failed: Sequence[Result], each: OneByOne, every: Mapping[str, Known]) -> dict[str, list[str]]:
    """For results without a name: single tensors that equal what a known mistake makes of them, wherever it is made.

    Returns, by tensor, one sentence for each such mistake, if they are few.
    """
    equal: dict[str, set[str]] = {}
    other: dict[str, set[str]] = {}
    for result in spread(failed):
        parts = each(result.case)
        for tensor in wrong_of(result):
            here = {name for name, part in parts.items() if tensor in explained_by(part, result)}
            equal[tensor] = equal.get(tensor, here) & here
        for name, part in parts.items():
            for tensor in off_in(part, first_stage(result)):
                other.setdefault(tensor, set()).add(name)
    left = {tensor: sorted(names - other.get(tensor, set())) for tensor, names in equal.items()}
    words = "this tensor alone equals {} ({}), which does not explain everything wrong"
    return {
        tensor: [words.format(every[name].mistake.sentence, name) for name in names]
        for tensor, names in left.items()
        if len(names) <= FEW
    }


# --- what is said of them --------------------------------------------------------------------------------------------


def causes_of(result: Result, names: Hypothesis, candidate: Implementation, every: Mapping[str, Known]) -> list[Cause]:
    """What each of the mistakes does in the case, with the tensors where it shows."""
    shows = {names: wrong_of(result)}
    if len(names) > 1:
        alone = compared(result.case, {(name,): every[name].mistake for name in names}, candidate)
        shows = {name: explained_by(part, result) for name, part in alone.items()}
        taken = {tensor for tensors in shows.values() for tensor in tensors}
        rest = [tensor for tensor in wrong_of(result) if tensor not in taken]
        for one in alone:
            # or it shows only in a later stage, in tensors that the other one does not explain
            others = (part for other, part in alone.items() if other != one)
            later = dict.fromkeys(d.tensor for part in others for d in part.divergences)
            shows[one] = shows[one] or rest or list(later)
    found = []
    for name, tensors in zip(names, shows.values(), strict=True):
        if tensors:
            mistake = every[name].mistake
            sentence = f"{', '.join(tensors)}: equals {mistake.sentence}{place(result, tensors)}"
            found.append(Cause(name, every[name].kind, tuple(tensors), sentence, mistake.wrong, mistake.right))
    return found


def place(result: Result, tensors: Sequence[str]) -> str:
    """The row of the tensors that is most off, and how often its id occurs in the batch."""
    for divergence in result.divergences:
        table = divergence.tensor
        if table in tensors and table in result.case.model.tables and divergence.index and divergence.stage == "grads":
            row = divergence.index[0]
            times = int((occurrences(result.case, batch_of(result), table) == row).sum())
            often = {0: "does not occur", 1: "occurs once"}.get(times, f"occurs {times} times")
            return f" (row {row}, which {often})"
    return ""


def batch_of(result: Result) -> Batch:
    """The batch of the step where the result ended."""
    *_, batch = (batch for batch, _ in zip(result.case.batches(), range(result.steps), strict=False))
    return batch


def occurrences(case: Case, batch: Batch, table: str) -> np.ndarray:
    """The ids that the batch looks up in a table, with repetitions. A table that is read whole has each id once."""
    ids = case.model.looked_up(batch).get(table)
    return np.arange(case.model.shapes[table][0]) if ids is None else ids


def observations(result: Result, candidate: Implementation) -> list[str]:
    """What can be seen of a disagreement without a known cause, stage by stage, in the step where it appears."""
    truth, runner, before = outputs(result.case, candidate)
    seen = [f"before step {result.steps}: right"] if result.steps > 1 else []
    first = first_stage(result)
    for stage in STAGES:
        if stage not in truth.out or stage not in runner.out:
            continue
        expected, got = (dict(flat(stage, side.out[stage])) for side in (truth, runner))
        off = list(dict.fromkeys(d.tensor for d in result.divergences if d.stage == stage and d.tensor in got))
        right = [name for name in got if name not in off]
        if off and right:
            rest = f"right in {', '.join(right)}" if len(right) <= LISTED else "the rest is right"
            seen.append(f"step {result.steps}, {stage}: off in {', '.join(off)}; {rest}")
        elif got:
            seen.append(f"step {result.steps}, {stage}: {'off in ' + ', '.join(off) if off else 'right'}")
        if stage == first or (stage == "grads" and first == "loss"):
            for name in off:
                was = before[name] if stage == "params" else None
                seen += [f"{name}: {fact}" for fact in facts(result, stage, name, expected[name], got[name], was)]
    return seen


def outputs(case: Case, candidate: Implementation) -> tuple[Runner, Runner, Params]:
    """The truth (or the NumPy twin) and the candidate after the step where they differ, and the parameters before."""
    weights = case.weights()
    truth = start(case, "truth", exact if exact.feasible(case) else RIGHT, weights)
    runner = start(case, "candidate", candidate, weights)
    before, after = weights, weights
    for _ in follow(case, [runner], [truth]):
        before, after = after, truth.out.get("params", after)
    return truth, runner, before


def facts(
    result: Result, stage: Stage, tensor: str, expected: Any, got: Any, before: np.ndarray | None = None
) -> list[str]:
    """Facts about one tensor: a constant ratio, float32's digits, and the wrong rows, if they have a common trait.

    before: the parameter before the step. If it is given, the ratio is that of the update.
    """
    case = result.case
    if isinstance(expected, RowGrad) and isinstance(got, RowGrad):
        missing, extra = np.setdiff1d(expected.rows, got.rows), np.setdiff1d(got.rows, expected.rows)
        if len(missing) or len(extra):
            parts = [("lack a gradient", missing), ("have one and were not looked up", extra)]
            return [f"rows {listed(rows)} {what}" for what, rows in parts if len(rows)]
    expected, got = dense(expected), dense(got)
    expected, got = (np.atleast_1d(np.asarray(side, np.float64)) for side in (expected, got))
    allowed = tolerance(case, stage, result.steps) * case.eps * row_sizes(expected)[..., None]
    off = ~np.isfinite(got)
    if off.any():
        found = [f"{np.count_nonzero(off)} of {got.size} entries are not finite"]
    else:
        off = np.abs(got - expected) > allowed
        was = np.zeros_like(expected) if before is None else before
        same = ratio((expected - was)[off], (got - was)[off], np.broadcast_to(allowed, off.shape)[off])
        what = "got is" if before is None else "the update is"
        where = " in every entry that is off" if np.count_nonzero(off) > 1 else ""
        found = [f"{what} {same} times what is expected{where}"] if same else []
        if case.dtype == "float64" and (np.abs(got - expected) <= SINGLE * row_sizes(expected)[..., None]).all():
            found.append("right to float32's digits; part of the computation may be in float32")
    if tensor in case.model.tables and expected.ndim == 2:
        rows, ids = np.flatnonzero(off.any(axis=1)), occurrences(case, batch_of(result), tensor)
        read, times = np.unique(ids, return_counts=True)
        kinds = {
            "exactly those that occur more than once": read[times > 1],
            "exactly those that occur once": read[times == 1],
            "exactly those that were looked up": read,
            "exactly those that were not looked up": np.setdiff1d(np.arange(len(expected)), read),
            "only the padding row": np.array([getattr(case.model, "padding_idx", None)]),
        }
        common = [words for words, kind in kinds.items() if np.array_equal(rows, kind)]
        what = "off" if np.isfinite(got).all() else "not finite"
        found.append(f"{what} in rows {listed(rows)} of {len(expected)}" + (f", {common[0]}" if common else ""))
    return found


def ratio(expected: np.ndarray, got: np.ndarray, allowed: np.ndarray) -> str:
    """The factor between the expected values (N,) and those we got, if it is constant within the tolerance."""
    largest = np.abs(expected).argmax() if expected.size else 0
    if not expected.size or not expected[largest]:
        return ""
    times = got[largest] / expected[largest]
    rest = np.abs(got - times * expected)
    same = (rest <= allowed * max(1.0, abs(times))).all()
    # otherwise rounding could explain it
    clear = np.median(np.abs(got - expected)) > 8 * np.median(rest)
    digits = -math.log10(max(allowed[largest] / abs(got[largest] or 1), 1e-6))
    return f"{times + 0.0:.{max(2, int(digits))}g}" if same and clear and abs(times - 1) > 1e-3 else ""


def listed(rows: np.ndarray) -> str:
    """The first rows, and the number of the others."""
    more = f" and {len(rows) - LISTED} more" if len(rows) > LISTED else ""
    return ", ".join(map(str, rows[:LISTED].tolist())) + more
