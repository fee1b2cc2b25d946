"""What a run found: the table and the sentences for a reader, JSON for a program."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, get_args

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from reference.exact.arithmetic import Proof
from reference.judge.result import Result, Verdict
from reference.judge.tolerance import STAGES, TOLERANCE, Stage, kind_of

CASE_BY_CASE = 24
"""Up to so many results are shown one by one; of more, one row for each model and dtype."""

COLOURS = {"agree": "green", "disagree": "red", "variant": "yellow", "unsupported": "yellow", "error": "red"}


def show(results: Sequence[Result], console: Console) -> None:
    """Print the table, then every disagreement, error and gap in a sentence of its own."""
    names = list(dict.fromkeys(result.implementation for result in results))
    one_by_one = len(results) <= CASE_BY_CASE
    title = Text(f"{' / '.join(names)}: the largest error, in eps of the largest entry of its row")
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
        table.add_row(*key, *count, str(sum(cases.values())), *cells, _verdicts(members))
    console.print(table)
    if not one_by_one:
        console.print(_tolerances(results))
    wrong = [result for result in results if result.verdict in ("disagree", "variant", "error")]
    for result in wrong[:CASE_BY_CASE]:
        what = result.first_divergence or result.reason
        verdict = (result.verdict, COLOURS[result.verdict])
        line = Text.assemble(verdict, f" {result.case.id}, {result.implementation}: {what}")
        console.print(line, soft_wrap=True)
    if len(wrong) > CASE_BY_CASE:
        console.print(Text(f"and {len(wrong) - CASE_BY_CASE} more, which --json FILE has"))
    _show_diagnoses(results, console)
    for against, number in Counter(r.against for r in results if r.worst).items():
        console.print(Text(f"{number} of {len(results)} held against {against}"), soft_wrap=True)
    proof = proof_of(results)
    if proof.numbers:
        ties = f"; {proof.ties} of them settled as ties" if proof.ties else ""
        proved = f"{proof.numbers:,} exact numbers, each proved to be the nearest of its dtype{ties}"
        console.print(Text(proved), soft_wrap=True)
    gaps = Counter(r.reason for r in results if r.verdict in ("agree", "unsupported") and r.reason)
    for reason, number in gaps.items():
        console.print(Text(f"{number} of {len(results)}: {reason}"), soft_wrap=True)
    console.print(Text(summary_line(results)))


def proof_of(results: Sequence[Result]) -> Proof:
    """That of all exact values that the results were held against, those of each case once."""
    return sum({result.case.id: result.proof or Proof() for result in results}.values(), Proof())


def _show_diagnoses(results: Sequence[Result], console: Console) -> None:
    """Each mistake that explains disagreements once, with the first of them; then what is left unexplained."""
    explained: dict[tuple[str, str], list[Result]] = {}
    for result in results:
        for diagnosis in result.diagnosis:
            explained.setdefault((result.implementation, diagnosis.name), []).append(result)
    wrong = [result for result in results if result.verdict in ("disagree", "variant")]
    for (_, name), members in explained.items():
        diagnosis = next(found for found in members[0].diagnosis if found.name == name)
        colour = "yellow" if diagnosis.kind == "variant" else "red"
        title = (f"{diagnosis.kind} {name}", colour)
        console.print(Text.assemble("\n", title, f" explains {len(members)} of {len(wrong)}"))
        for line in (diagnosis.sentence, f"look for  {diagnosis.wrong}", f"expected  {diagnosis.right}"):
            console.print(Text(f"  {line}"), soft_wrap=True)
    unexplained = [result for result in wrong if result.observed]
    if unexplained:
        # the one of which something can be said of a tensor that is true of many
        lines = [line for result in unexplained for line in result.observed]
        common = Counter(line for line in lines if not line.startswith(("step ", "before step ")))
        first = max(unexplained, key=lambda result: max((common[line] for line in result.observed), default=0))
        console.print(Text(f"\nno known mistake explains {len(unexplained)} of {len(wrong)}; in {first.case.id}:"))
        for line in first.observed:
            console.print(Text(f"  {line}"), soft_wrap=True)
    long = sum(not result.diagnosis and not result.observed for result in wrong)
    if long:
        console.print(Text(f"\n{long} of {len(wrong)} take too many steps to be searched for mistakes"))
    if wrong:
        console.print()


def _tolerances(results: Sequence[Result]) -> Table:
    """The table of tolerances, with the worst error that was met of what it allows in the first step."""
    table = Table(
        title=Text("the largest error over √step, of what is allowed"), title_justify="left", box=box.SIMPLE_HEAD
    )
    table.add_column("dtype")
    met: dict[tuple[str, str], float] = {}
    for result in results:
        for stage, share in result.share.items():
            key = result.case.dtype, kind_of(result.case, stage)
            met[key] = max(share, met.get(key, 0.0))
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


def summary(results: Sequence[Result]) -> dict[str, int]:
    """How many results there are of each verdict."""
    counted = Counter(result.verdict for result in results)
    return {verdict: counted[verdict] for verdict in get_args(Verdict)}


def summary_line(results: Sequence[Result]) -> str:
    """The summary in words."""
    cases = len({result.case.id for result in results})
    counts = ", ".join(f"{number} {verdict}" for verdict, number in summary(results).items() if number)
    return f"{cases} cases: {counts}"


def _verdicts(members: Sequence[Result]) -> str:
    counted = Counter(result.verdict for result in members)
    parts = [
        f"[{COLOURS[verdict]}]{verdict if len(counted) == 1 else f'{number} {verdict}'}[/]"
        for verdict, number in counted.items()
    ]
    return ", ".join(parts)


def as_json(results: Sequence[Result], env: dict[str, Any]) -> str:
    """The results as JSON: one object a case and implementation, with the summary and the environment."""
    rows = []
    for result in results:
        first = result.first_divergence
        worst = max(result.worst.values(), default=None)
        rows.append(
            {
                "case": result.case.id,
                "implementation": result.implementation,
                "against": result.against,
                "verdict": result.verdict,
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
                    for found in result.diagnosis
                ],
                "observed": result.observed,
                "reason": result.reason,
            }
        )
    whole = {"results": rows, "proof": asdict(proof_of(results)), "summary": summary(results), "environment": env}
    return json.dumps(whole, indent=1, allow_nan=False) + "\n"


def _number(value: float | str) -> float | str:
    """JSON has no word for NaN and infinity; they are written as strings."""
    return value if isinstance(value, str) or value - value == 0 else str(value)
