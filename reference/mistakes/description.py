"""What can be seen of a disagreement: which tensors and rows are off, what these share, a constant ratio."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from reference import exact
from reference.cases import Batch, Case
from reference.contract import Implementation, Params, RowGrad
from reference.judge.distance import row_sizes
from reference.judge.form import dense, flat
from reference.judge.result import Result
from reference.judge.run import follow
from reference.judge.runner import Runner, start
from reference.judge.tolerance import Stage, tolerance
from reference.mistakes.known import RIGHT

SMALL = 1e-3
"""Where nothing is off by more than this part of its row's largest entry, it is said how much is."""

ORDER: tuple[Stage, ...] = ("loss", "grads", "state", "params")
"""The stages in the order in which one is the cause of the next."""

SURE = 8
"""A ratio very near 1, or how many digits numbers have, is told only if it holds for at least this many entries."""

LOOKED_AT = 1000
"""So many numbers of a tensor are looked at for how many digits they have."""

LISTED = 8
"""The largest number of rows or tensors in one line."""


def wrong_of(result: Result) -> list[str]:
    """The tensors that are off in the first stage that is, in the first step that is."""
    return [d.tensor for d in result.divergences if d.stage == first_stage(result)]


def first_stage(result: Result) -> Stage:
    """The first stage that is off, of a result that disagrees."""
    return min((d.stage for d in result.divergences), key=ORDER.index)


def place(result: Result, tensors: Sequence[str]) -> str:
    """The row that is furthest off among the tensors' tables, and how often its id occurs in the batch."""
    for divergence in result.divergences:
        table = divergence.tensor
        if table in tensors and table in result.case.model.tables and divergence.index and divergence.stage == "grads":
            row = divergence.index[0]
            times = int((occurrences(result.case, batch_of(result), table) == row).sum())
            often = {0: "does not occur", 1: "occurs once"}.get(times, f"occurs {times} times")
            return f" (row {row}, which {often})"
    return ""


def batch_of(result: Result) -> Batch:
    """The batch of the step in which the result ended."""
    *_, batch = (batch for batch, _ in zip(result.case.batches(), range(result.steps), strict=False))
    return batch


def occurrences(case: Case, batch: Batch, table: str) -> np.ndarray:
    """The ids that the batch looks up in a table, each as often as it does; of a table read whole, each once."""
    ids = case.model.looked_up(batch).get(table)
    return np.arange(case.model.shapes[table][0]) if ids is None else ids


def observations(result: Result, candidate: Implementation, truth: Implementation | None = None) -> list[str]:
    """What can be seen of a disagreement that no known mistake explains, stage by stage of the step in which it is.

    truth: what is right; by default the exact values, or the NumPy twin.
    """
    right, runner, before = outputs(result.case, candidate, truth)
    seen = [f"before step {result.steps}: right"] if result.steps > 1 else []
    first = first_stage(result)
    for stage in ORDER:
        other = [d for d in result.divergences if d.stage == stage and d.index is None and isinstance(d.got, str)]
        seen += [f"step {result.steps}, {stage}: {d.tensor}: {d.expected} is needed, got {d.got}" for d in other]
        if stage not in right.out or stage not in runner.out:
            continue
        expected, got = (dict(flat(stage, side.out[stage])) for side in (right, runner))
        off = list(dict.fromkeys(d.tensor for d in result.divergences if d.stage == stage and d.tensor in got))
        others = [name for name in got if name not in off]
        if off and others:
            rest = f"right in {', '.join(others)}" if len(others) <= LISTED else "the rest is right"
            seen.append(f"step {result.steps}, {stage}: off in {', '.join(off)}; {rest}")
        elif got:
            seen.append(f"step {result.steps}, {stage}: {'off in ' + ', '.join(off) if off else 'right'}")
        if stage == first or (stage == "grads" and first == "loss"):
            for name in reversed(off) if stage == "grads" else off:  # the way back begins at the loss
                was = before[name] if stage == "params" else None
                seen += [f"{name}: {fact}" for fact in facts(result, stage, name, expected[name], got[name], was)]
    return seen


def outputs(
    case: Case, candidate: Implementation, truth: Implementation | None = None
) -> tuple[Runner, Runner, Params]:
    """What is right and the candidate, after the step in which they part; the parameters before it."""
    weights = case.weights()
    right = start(case, "right", truth or (exact if exact.feasible(case) else RIGHT), weights)
    runner = start(case, "candidate", candidate, weights)
    before, after = weights, weights
    for _ in follow(case, [runner], [right]):
        before, after = after, right.out.get("params", after)
    return right, runner, before


def facts(
    result: Result, stage: Stage, tensor: str, expected: Any, got: Any, before: np.ndarray | None = None
) -> list[str]:
    """Of one tensor: a constant ratio, float32's digits, and which rows are off if these have something in common.

    before: what the parameter was before the step; then the ratio is that of the update.
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
        size = "zero" if same == "0" else f"{same} times what is expected"
        found = [f"{what} {size}{where}"] if same else []
        found += digits(expected, got)
    if tensor in case.model.tables and expected.ndim == 2:
        rows, ids = np.flatnonzero(off.any(axis=1)), occurrences(case, batch_of(result), tensor)
        read, times = np.unique(ids, return_counts=True)
        kinds = {
            "exactly those that were looked up": read,
            "exactly those that were not looked up": np.setdiff1d(np.arange(len(expected)), read),
            "only the padding row": np.array([getattr(case.model, "padding_idx", None)]),
            "exactly those that occur more than once": read[times > 1],
            "exactly those that occur once": read[times == 1],
        }
        common = [words for words, kind in kinds.items() if np.array_equal(rows, kind)]
        what = "off" if np.isfinite(got).all() else "not finite"
        found.append(f"{what} in rows {listed(rows)} of {len(expected)}" + (f", {common[0]}" if common else ""))
    return found


def digits(expected: np.ndarray, got: np.ndarray) -> list[str]:
    """How little is off, where it is little, and whether the numbers came with few digits; no cause is claimed."""
    sizes = np.broadcast_to(row_sizes(expected)[..., None], expected.shape)
    share = float((np.abs(got - expected)[sizes > 0] / sizes[sizes > 0]).max(initial=0))
    words = "at most {:.1g} of the largest entry in the row" if expected.size > 1 else "{:.1g} of what is expected"
    found = [f"off by {words.format(share)}"] if 0 < share <= SMALL else []
    with np.errstate(over="ignore"):
        plain = (got == got.astype(np.float16)).all()  # 0 and 0.5 are numbers of every dtype
    if not plain and (got == got.astype(np.float32)).all() and not (expected == expected.astype(np.float32)).all():
        return [*found, "every number is one of float32"]
    some = got.flat[:LOOKED_AT]
    few = next((n for n in range(2, 16) if all(float(f"{number:.{n}g}") == number for number in some)), None)
    whole = all(float(f"{number:.15g}") == number for number in expected.flat[:LOOKED_AT])
    told = few and not whole and got.size >= SURE
    return [*found, f"every number has {few} digits; 17 are needed for a float64"] if told else found


def ratio(expected: np.ndarray, got: np.ndarray, allowed: np.ndarray) -> str:
    """How many times the expected values (N,) the others are, if that is the same number to within what is allowed."""
    times = multiple(expected, got, allowed)
    if times is None:
        return ""
    largest = np.abs(expected).argmax()
    figures = -math.log10(max(allowed[largest] / abs(got[largest] or 1), 1e-6))
    return f"{times + 0.0:.{max(2, int(figures))}g}"


def multiple(expected: np.ndarray, got: np.ndarray, allowed: np.ndarray) -> float | None:
    """The number by which the expected values (N,) are multiplied in the others, if there is one."""
    largest = np.abs(expected).argmax() if expected.size else 0
    if not expected.size or not expected[largest]:
        return None
    times = float(got[largest] / expected[largest])
    if expected.size == 1 and not plain(times):
        return None  # two numbers always have some ratio
    rest = np.abs(got - times * expected)
    same = (rest <= allowed * max(1.0, abs(times))).all()
    # or it is a matter of rounding
    clear = np.median(np.abs(got - expected)) > 8 * np.median(rest)
    clear &= abs(times - 1) > 1e-3 or expected.size >= SURE
    return times if same and clear else None


def plain(times: float) -> bool:
    """Whether a ratio is a whole number, or one divided by a whole number."""
    both = (times, 1 / times) if times else ()
    return any(0 < abs(round(one)) <= 1000 and abs(one - round(one)) <= 1e-6 * abs(one) for one in both)


def listed(rows: np.ndarray) -> str:
    """The first rows, and how many more there are."""
    more = f" and {len(rows) - LISTED} more" if len(rows) > LISTED else ""
    return ", ".join(map(str, rows[:LISTED].tolist())) + more
