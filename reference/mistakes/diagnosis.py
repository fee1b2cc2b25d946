"""Which known mistakes explain what an implementation gets wrong.

Each mistake is an implementation too, so it is held against the candidate as everything else is held against the truth:
in every stage and step, within the same tolerance. It is named where it equals the candidate, provided that it equals
it, or is not made at all, in every other case too, be it one that the candidate fails or one that it passes. What no
such mistake explains is searched by groups: what is wrong of one model, optimizer or dtype need not be wrong of others.
What no single mistake explains is searched for several at once. A number in a mistake, such as an eps, is solved for.
Where that does not explain all of a result, its gradients, its update and each of its tensors are searched by
themselves, and the explanation says what can be seen.
"""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Callable, Sequence

from reference.contract import Implementation
from reference.judge.result import Divergence, Result
from reference.judge.run import hold
from reference.mistakes.description import first_stage, observations, place, wrong_of
from reference.mistakes.explanation import Cause, Explanation
from reference.mistakes.known import Known, known
from reference.mistakes.search import FEW, Explained, Hypothesis, Search, finite, spread
from reference.mistakes.sharing import shared
from reference.mistakes.stages import Gradients, Updates

STEPS = 20
"""Cases with more steps are not diagnosed."""

ALONE = 2
"""A tensor is searched by itself only if it is off in at least this many cases; at most as many names are given it."""


def diagnose(
    candidate: Implementation, results: Sequence[Result], tell: Callable[[str], None] = lambda _: None
) -> dict[Result, Explanation]:
    """The explanation of each result that disagrees, or what can be seen.

    results: all results of the candidate, also those that agree, since they rule out mistakes. Cases with more than
    `STEPS` steps are left out. tell: is told now and then how far it is.
    """
    passed = [result for result in results if result.verdict in ("agree", "form") and result.case.steps <= STEPS]
    short = [result for result in results if result.divergences and result.case.steps <= STEPS]
    if not short:
        return {}
    whole, before, after = (
        Search(candidate, known(), tell=tell),
        Search(Gradients(candidate), known(), tell=tell),
        Search(candidate, known(), functools.partial(Updates, candidate), tell),
    )
    found = whole.explain(short, passed)
    explanations = named(found, whole)
    rest = [result for result in short if result not in explanations and not whole.equal(result.case, [()])]
    gradients = named(before.explain(rest, passed), before)
    tensors = tensors_alone([result for result in rest if result not in gradients and finite(result)], whole)
    update = of_the_update([result for result in rest if not before.equal(result.case, [()])], passed, after)
    nameless = [result for result in short if result not in explanations]
    common = in_common(nameless, passed)
    for result in nameless:
        near = whole.nearly(result, found)
        nearly = [f"but for digits it equals {whole.every[name].mistake.sentence} ({name})" for name in near]
        first, alone, last = (part.get(result, Explanation()) for part in (gradients, tensors, update))
        causes = (*first.causes, *alone.causes, *last.causes)
        if first.causes and result in update:
            seen = list(last.observed) if last.observed != RIGHT_UPDATE else []  # or all is explained
        elif first.causes:
            seen = of_its_own_gradients(result, candidate)
        elif alone.causes and (last.observed == RIGHT_UPDATE or not is_update_off(result)):
            seen = []
        else:
            seen = [*observations(result, candidate), *first.observed, *alone.observed, *last.observed]
        said = (*nearly, *seen, *common.get(result, ())) if seen else ()
        explanations[result] = Explanation(causes, said, near)
    return explanations


RIGHT_UPDATE = ("the update is right, of these gradients",)


def named(found: Explained, search: Search) -> dict[Result, Explanation]:
    """The causes of what is explained; if too many mistakes look alike, these are told and none is named."""
    explanations: dict[Result, Explanation] = {}
    for result in dict.fromkeys(result for results in found.values() for result in results):
        here = [names for names, results in found.items() if result in results]
        if len(here) > FEW:
            names = ", ".join(" and ".join(hypothesis) for hypothesis in here)
            line = f"{len(here)} known mistakes look like this, and no case tells them apart: {names}"
            explanations[result] = Explanation(observed=(line,))
        elif causes := {cause.name: cause for names in here for cause in causes_of(result, names, search)}:
            explanations[result] = Explanation(tuple(causes.values()))
    return explanations


def of_the_update(failed: Sequence[Result], passed: Sequence[Result], search: Search) -> dict[Result, Explanation]:
    """What explains the update, where the gradients are wrong too: it is held against updates of these gradients."""
    updated = [result for result in failed if is_update_off(result)]
    right = [result for result in updated if search.equal(result.case, [()])]
    found = named(search.explain([result for result in updated if result not in right], passed), search)
    return found | {result: Explanation(observed=RIGHT_UPDATE) for result in right}


def is_update_off(result: Result) -> bool:
    """Whether a parameter or the optimizer's state is off."""
    return any(d.stage in ("params", "state") for d in result.divergences)


def of_its_own_gradients(result: Result, candidate: Implementation) -> list[str]:
    """What can be seen of an update, beside the right one of the same gradients."""
    twin = Updates(candidate)
    (held,) = hold(result.case, {result.implementation: candidate}, {"the right update": twin}).values()
    lines = observations(held, candidate, twin) if held.divergences else []
    return ["beside the right update of the same gradients:", *lines] if lines else []


def in_common(failed: Sequence[Result], passed: Sequence[Result]) -> dict[Result, tuple[str, ...]]:
    """What the failed results have in common, all of them, or else those that have the same tensors off."""
    if line := shared(failed, passed):
        return dict.fromkeys(failed, (line,))
    alike: dict[tuple[str, ...], list[Result]] = {}
    for result in failed:
        alike.setdefault((result.case.family, *sorted(wrong_of(result))), []).append(result)
    return {result: (line,) for some in alike.values() if (line := shared(some, passed)) for result in some}


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


def tensors_alone(failed: Sequence[Result], search: Search) -> dict[Result, Explanation]:
    """Of what has no name, the tensors that by themselves are what a known mistake makes of them, wherever it is made.

    The mistakes are causes if every tensor that is off before the update is explained so; else they are only observed.
    """
    equal: dict[str, set[str]] = {}
    other: dict[str, set[str]] = {}
    times = Counter(tensor for result in failed for tensor in {d.tensor for d in first_off(result)})
    for result in spread(failed):
        names = [(name,) for name in search.made(result.case)] + search.solve(result.case, ())
        parts = search.held(result.case, names)
        looked_at = first_off(result)
        for tensor in {d.tensor for d in looked_at}:
            here = {name for (name,), part in parts.items() if tensor in explained_by(part, result)}
            equal[tensor] = equal.get(tensor, here) & here
        for (name,), part in parts.items():
            for divergence in part.divergences:
                if divergence.stage in {d.stage for d in looked_at}:
                    other.setdefault(divergence.tensor, set()).add(name)
    left = {tensor: sorted(names - other.get(tensor, set())) for tensor, names in equal.items()}
    few = {tensor: names for tensor, names in left.items() if 0 < len(names) <= FEW}
    sure = {tensor for tensor, names in few.items() if len(names) <= ALONE <= times[tensor]}
    found: dict[Result, Explanation] = {}
    for result in failed:
        tensors = list(dict.fromkeys(d.tensor for d in first_off(result) if d.tensor in few))
        if sure.issuperset(d.tensor for d in first_off(result)):
            causes = [cause_of(search.every[name], [tensor], result) for tensor in tensors for name in few[tensor]]
            found[result] = Explanation(tuple(causes))
        else:
            words = "{}: this tensor alone equals {} ({}), which does not explain everything wrong"
            mistakes = [(tensor, search.every[name].mistake) for tensor in tensors for name in few[tensor]]
            lines = [words.format(tensor, mistake.sentence, mistake.name) for tensor, mistake in mistakes]
            found[result] = Explanation(observed=tuple(lines))
    return found


def cause_of(known: Known, tensors: Sequence[str], part: Result) -> Cause:
    """The mistake as the cause of what is off in some tensors of a result."""
    mistake = known.mistake
    sentence = f"{', '.join(tensors)}: equals {mistake.sentence}{place(part, tensors)}"
    return Cause(mistake.name, known.kind, tuple(tensors), sentence, mistake.wrong, mistake.right)


def causes_of(result: Result, names: Hypothesis, search: Search) -> list[Cause]:
    """What each of the mistakes does in the case, with the tensors that are not explained without it."""
    names = search.here(result.case, names)
    others = {name: tuple(other for other in names if other != name) for name in names}
    held = search.held(result.case, others.values())
    first, found = {(d.stage, d.tensor) for d in first_off(result)}, []
    for name in names:
        without = held[others[name]] if held[others[name]].divergences or len(names) > 1 else result
        if len(names) == 1:  # the effects of a cause are not told
            first = {(d.stage, d.tensor) for d in without.divergences if d.stage == first_stage(without)}
        off = [(d.stage, d.tensor) for d in without.divergences]
        shown = [place for place in off if place in first] or off  # or it shows only in a later stage or step
        if shown:
            found.append(cause_of(search.every[name], list(dict.fromkeys(tensor for _, tensor in shown)), without))
    return found
