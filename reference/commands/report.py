"""The results of a run: a table and sentences for people, JSON for programs."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any, Literal

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from reference.exact.arithmetic import Proof
from reference.judge.result import Result
from reference.judge.tolerance import STAGES, TOLERANCE, Stage, kind_of
from reference.mistakes.blind import Coverage
from reference.mistakes.description import first_stage
from reference.mistakes.explanation import Cause, Explanation

CASE_BY_CASE = 24
"""At most this many results have a row each. More results are shown as one row per model and dtype."""

COLOURS = {
    "agree": "green",
    "disagree": "red",
    "form": "red",
    "variant": "yellow",
    "unsupported": "yellow",
    "error": "red",
}
"""The verdicts, each with its colour."""

BLOCKS = 4
"""At most this many kinds of what has no name are described."""

FEW = 5
"""At most this many names of mistakes are listed; --json has them all."""

Outcome = Literal["agree", "disagree", "too little covered", "nothing covered"]

Explanations = Mapping[Result, Explanation]
NONE = Explanation()


def verdict_of(result: Result, explanations: Explanations) -> str:
    """The verdict to show: that of the result, or "variant" if variants are the only differences."""
    explanation = explanations.get(result)
    return "variant" if explanation and explanation.variants_alone else result.verdict


def outcome(results: Sequence[Result], coverage: Coverage | None = None) -> Outcome:
    """The verdict of the whole run: an agreement needs cases that agree, and that would notice every core mistake."""
    verdicts = {result.verdict for result in results}
    if verdicts & {"disagree", "form", "error"}:
        return "disagree"
    if "agree" not in verdicts:
        return "nothing covered"
    return "too little covered" if coverage and coverage.core else "agree"


def show(
    results: Sequence[Result], explanations: Explanations, console: Console, coverage: Coverage | None = None
) -> None:
    """Print the table, then one sentence for each disagreement, error, gap and blindness."""
    names = list(dict.fromkeys(result.implementation for result in results))
    one_by_one = len(results) <= CASE_BY_CASE
    title = Text(f"{' / '.join(names)}: the largest error, in eps of the largest entry in the row")
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column("case" if one_by_one else "model", no_wrap=True)
    for column in (*([] if one_by_one else ["dtype", "cases"]), "steps", *STAGES):
        table.add_column(column, justify="right")
    table.add_column("verdict")
    groups: dict[tuple[str, ...], list[Result]] = {}
    for result in results:
        key: tuple[str, ...] = (result.case.id,) if one_by_one else (result.case.family, result.case.dtype)
        groups.setdefault(key, []).append(result)
    for key, members in groups.items():
        cases = {result.case.id: result.steps for result in members}
        own = [[result for result in members if result.implementation == name] for name in names]
        cells = [" / ".join(_worst(of, stage) for of in own) for stage in STAGES]
        count = [] if one_by_one else [str(len(cases))]
        table.add_row(*key, *count, str(sum(cases.values())), *cells, _verdicts(members, explanations))
    console.print(table)
    if not one_by_one:
        console.print(_tolerances(results))
    wrong = [result for result in results if result.verdict in ("disagree", "form", "error")]
    for result in wrong[:CASE_BY_CASE]:
        said = [str(result.first_divergence or ("" if result.verdict == "form" else result.reason)), *result.form]
        what = "; ".join(filter(None, said))
        verdict = verdict_of(result, explanations)
        line = Text.assemble((verdict, COLOURS[verdict]), f" {result.case.id}, {result.implementation}: {what}")
        console.print(line, soft_wrap=True)
    if len(wrong) > CASE_BY_CASE:
        console.print(Text(f"and {len(wrong) - CASE_BY_CASE} more; --json FILE has all of them"))
    _show_explanations(results, explanations, console)
    for against, number in Counter(r.against for r in results if r.errors).items():
        console.print(Text(f"{number} of {len(results)} compared with {against}"), soft_wrap=True)
    proof = proof_of(results)
    if proof.numbers:
        ties = f"; {proof.ties} of them settled as ties" if proof.ties else ""
        proved = f"{proof.numbers:,} exact numbers, each proved to be the nearest of its dtype{ties}"
        console.print(Text(proved), soft_wrap=True)
    gaps = Counter(r.reason for r in results if r.verdict in ("agree", "form", "unsupported") and r.reason)
    for reason, number in gaps.items():
        console.print(Text(f"{number} of {len(results)}: {reason}"), soft_wrap=True)
    console.print(Text(summary_line(results, explanations)))
    for sentence in blindness(coverage) if coverage else ():
        console.print(Text(sentence), soft_wrap=True)


def blindness(coverage: Coverage) -> Iterator[str]:
    """What the cases that agree would notice, what they would not, and whether that is too little."""
    known = len(coverage.noticed) + len(coverage.unnoticed)
    if not known:
        return
    whole = coverage.cases == coverage.agreed
    which = f"these {coverage.cases} cases" if whole else f"the {coverage.cases} small ones of {coverage.agreed} cases"
    blind = f"; not {_few(coverage.unnoticed)}" if coverage.unnoticed else ""
    yield f"{which} would notice {len(coverage.noticed)} of {known} known mistakes that can be made here{blind}"
    for family, names in coverage.core.items():
        yield f"too little was covered: no case of {family} that agrees would notice {_few(names)}"


def _few(names: Sequence[str]) -> str:
    more = f" and {len(names) - FEW} more" if len(names) > FEW else ""
    return ", ".join(names[:FEW]) + more


def proof_of(results: Sequence[Result]) -> Proof:
    """The proof of all exact values that were compared with, counting each case once."""
    return sum({result.case.id: result.proof or Proof() for result in results}.values(), Proof())


def _show_explanations(results: Sequence[Result], explanations: Explanations, console: Console) -> None:
    """Each cause once, as it shows in the first result that has it; then what is left unexplained."""
    causes: dict[tuple[str, str, str], dict[Result, Cause]] = {}
    for result in results:
        for cause in explanations.get(result, NONE).causes:  # one name may have several numbers, each in its own line
            causes.setdefault((result.implementation, cause.name, cause.wrong), {})[result] = cause
    wrong = [result for result in results if result.verdict == "disagree" and (result.divergences or not result.reason)]
    for (implementation, name, _), found in causes.items():
        cause = next(iter(found.values()))
        title = (f"{cause.kind} {name}", "yellow" if cause.kind == "variant" else "red")
        own = [result for result in wrong if result.implementation == implementation]
        nearly = sum(name in explanations.get(result, NONE).nearly for result in own)
        more = f", and {nearly} more but for digits" if nearly else ""
        console.print(Text.assemble("\n", title, f" explains {len(found)} of {len(wrong)}{more}"))
        for line in (cause.sentence, f"look for  {cause.wrong}", f"expected  {cause.right}"):
            console.print(Text(f"  {line}"), soft_wrap=True)
    _show_unexplained(wrong, explanations, console)
    long = sum(result not in explanations for result in wrong)
    if long:
        console.print(Text(f"\n{long} of {len(wrong)} take too many steps to be searched for mistakes"))
    if wrong:
        console.print()


def _show_unexplained(wrong: Sequence[Result], explanations: Explanations, console: Console) -> None:
    """One block for each group of cases that have the same things off, the most serious first."""
    blocks: dict[tuple[str, ...], list[Result]] = {}
    unexplained: Counter[str] = Counter()
    for result in wrong:
        if (explanation := explanations.get(result, NONE)).observed:
            off = (f"{d.stage} {d.tensor}" for d in result.divergences if d.stage == first_stage(result))
            what = "what is named does not explain all of" if explanation.causes else "no known mistake explains"
            unexplained[what] += 1
            blocks.setdefault((what, result.implementation, result.case.family, *sorted(off)), []).append(result)
    ranked = sorted(blocks.items(), key=lambda block: _seriousness(block[1]), reverse=True)
    for (what, *_), of in ranked[:BLOCKS]:
        # of all of them the one with a line on a tensor that is true of most others
        seen = {result: explanations[result].observed for result in of}
        lines = (line for observed in seen.values() for line in observed)
        common = Counter(line for line in lines if not line.startswith(("step ", "before step ")))
        first = max(of, key=lambda result: max((common[line] for line in seen[result]), default=0))
        like = f", as in {len(of) - 1} like it" if len(of) > 1 else ""
        console.print(Text(f"\n{what} {unexplained[what]} of {len(wrong)}; in {first.case.id}{like}:"))
        for line in seen[first]:
            console.print(Text(f"  {line}"), soft_wrap=True)
    if len(blocks) > BLOCKS:
        rest = [of for _, of in ranked[BLOCKS:]]
        what = f"{sum(map(len, rest))} more of {len(rest)} other kinds, which --json FILE has"
        console.print(Text(f"\nnot explained: {what}"))


def _seriousness(results: Sequence[Result]) -> tuple[float, int]:
    """How far off most of the results are, in tens of the largest entry; then how many there are."""
    sizes = sorted(max((d.eps for d in result.divergences), default=0) * result.case.eps for result in results)
    middle = sizes[len(sizes) // 2]
    return (round(math.log10(max(middle, 1e-300))) if middle < 1 else 0), len(results)


def _tolerances(results: Sequence[Result]) -> Table:
    """The table of tolerances, with the largest error and the limit, both scaled to the first step."""
    table = Table(
        title=Text("the largest error / √step, and the largest allowed"), title_justify="left", box=box.SIMPLE_HEAD
    )
    table.add_column("dtype")
    met: dict[tuple[str, str], float] = {}
    for result in results:
        for error in result.errors:
            key = result.case.dtype, kind_of(result.case, error.stage)
            met[key] = max(error.share, met.get(key, 0.0))
    kinds = list(dict.fromkeys(kind for allowed in TOLERANCE.values() for kind in allowed))
    for kind in kinds:
        table.add_column(kind, justify="right")
    for dtype, allowed in TOLERANCE.items():
        cells = [f"{met[dtype, k] * allowed[k]:.2g} of {allowed[k]:g}" if (dtype, k) in met else "–" for k in kinds]
        table.add_row(dtype, *cells)
    return table


def _worst(results: Sequence[Result], stage: Stage) -> str:
    worst = max((eps for result in results if (eps := result.worst_of(stage)) is not None), default=None)
    return "–" if worst is None else f"{worst:.3g}"


def summary(results: Sequence[Result], explanations: Explanations) -> dict[str, int]:
    """The number of results with each verdict."""
    counted = Counter(verdict_of(result, explanations) for result in results)
    return {verdict: counted[verdict] for verdict in COLOURS}


def summary_line(results: Sequence[Result], explanations: Explanations) -> str:
    """The summary in words."""
    cases = len({result.case.id for result in results})
    counts = ", ".join(f"{number} {verdict}" for verdict, number in summary(results, explanations).items() if number)
    return f"{cases} cases: {counts}"


def _verdicts(members: Sequence[Result], explanations: Explanations) -> str:
    counted = Counter(verdict_of(result, explanations) for result in members)
    parts = [
        f"[{COLOURS[verdict]}]{verdict if len(counted) == 1 else f'{number} {verdict}'}[/]"
        for verdict, number in counted.items()
    ]
    return ", ".join(parts)


def as_json(
    results: Sequence[Result], explanations: Explanations, env: dict[str, Any], coverage: Coverage | None = None
) -> str:
    """The results as JSON: one object per case and implementation, with the summary and the environment."""
    rows = []
    for result in results:
        first = result.first_divergence
        worst, explanation = result.worst_of(), explanations.get(result, NONE)
        rows.append(
            {
                "case": result.case.id,
                "implementation": result.implementation,
                "against": result.against,
                "verdict": verdict_of(result, explanations),
                "worst_eps": None if worst is None else _number(worst),
                "first_divergence": first
                and {
                    "step": first.step,
                    "stage": first.stage,
                    "tensor": first.tensor,
                    "index": first.index and list(first.index),
                    "expected": _number(first.expected),
                    "got": _number(first.got),
                },
                "diagnosis": [
                    {"name": found.name, "sentence": found.sentence, "tensors": list(found.tensors)}
                    for found in explanation.causes
                ],
                "observed": list(explanation.observed),
                "reason": result.reason,
                "form": list(result.form),
            }
        )
    whole = {
        "results": rows,
        "proof": asdict(proof_of(results)),
        "summary": summary(results, explanations),
        "verdict": outcome(results, coverage),
        "coverage": coverage and asdict(coverage),
        "environment": env,
    }
    return json.dumps(whole, indent=1, allow_nan=False) + "\n"


def _number(value: float | str) -> float | str:
    """NaN and infinity become strings, because JSON does not have them."""
    return value if isinstance(value, str) or value - value == 0 else str(value)
