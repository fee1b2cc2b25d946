"""What is told of findings, in tables and lines: the same in a terminal, in a notebook, in Markdown and on a page."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from reference.checks.findings import Findings
from reference.environment import sentence
from reference.judge.distance import TINY
from reference.judge.result import Result
from reference.judge.tolerance import STAGES, TOLERANCE, Stage, kind_of
from reference.mistakes.blind import Coverage
from reference.mistakes.description import first_stage
from reference.mistakes.explanation import Cause

CASE_BY_CASE = 24
"""At most this many results have a row each. More results are shown as one row per model and dtype."""

COLOURS = {
    "agree": "green",
    "disagree": "red",
    "form": "red",
    "variant": "yellow",
    "expected": "yellow",
    "unsupported": "yellow",
    "error": "red",
}
"""The verdicts, each with its colour."""

BLOCKS = 4
"""At most this many kinds of what has no name are described."""

FEW = 5
"""At most this many names of mistakes, or of cases, are listed; the JSON has them all."""


@dataclass(frozen=True)
class Line:
    """A line, which may begin with a word in a colour."""

    text: str
    mark: str = ""
    colour: str = ""


@dataclass(frozen=True)
class Sheet:
    """A table. The first column is left-aligned; verdicts: the numbers of each, as the last column of a row."""

    title: str
    columns: Sequence[str]
    rows: list[Sequence[str]] = field(default_factory=list)
    verdicts: list[Mapping[str, int]] = field(default_factory=list)


def sheets(findings: Findings) -> list[Sheet]:
    """The table of results; where it has a row for each model, that of the tolerances too."""
    one_by_one = len(findings.results) <= CASE_BY_CASE
    found = [_largest(findings, one_by_one)]
    return found if one_by_one else [*found, _tolerances(findings.results)]


def lines(findings: Findings) -> Iterator[Line]:
    """A sentence for each failure, its causes, then what all was compared with, the gaps, and what is not noticed."""
    results = findings.results
    yield from failures(findings)
    yield from causes(findings)
    yield from _expected(findings)
    for against, number in Counter(r.against for r in results if r.errors).items():
        yield Line(f"{number} of {len(results)} compared with {against}")
    for allowed in dict.fromkeys(result.tolerance for result in results if result.tolerance):
        yield Line(f"tolerance of your own: {', '.join(f'{stage} {eps:g} eps' for stage, eps in allowed)} in step 1")
    if findings.proof.numbers:
        ties = f"; {findings.proof.ties} of them settled as ties" if findings.proof.ties else ""
        yield Line(f"{findings.proof.numbers:,} exact numbers, each proved to be the nearest of its dtype{ties}")
    gaps = Counter(r.reason for r in results if r.verdict in ("agree", "form", "unsupported") and r.reason)
    for reason, number in gaps.items():
        yield Line(f"{number} of {len(results)}: {reason}")
    yield Line(summary_line(findings))
    for told in blindness(findings.coverage) if findings.coverage else ():
        yield Line(told)
    if findings.environment:
        yield Line(sentence(dict(findings.environment)))


def failures(findings: Findings) -> Iterator[Line]:
    """A line for each failure that is not expected, up to a number."""
    for result in findings.failed[:CASE_BY_CASE]:
        yield failure(findings, result)
    if len(findings.failed) > CASE_BY_CASE:
        yield Line(f"and {len(findings.failed) - CASE_BY_CASE} more; the JSON has all of them")


def failure(findings: Findings, result: Result) -> Line:
    """Why a result is an error, or what it did besides, such as changing its input; where it is off; its form."""
    reason = "" if result.verdict == "form" else result.reason
    said = [reason, str(result.first_divergence or ""), *result.form]
    verdict = findings.verdict(result)
    what = "; ".join(filter(None, said))
    return Line(f" {result.case.id}, {result.implementation}: {what}", verdict, COLOURS[verdict])


def causes(findings: Findings) -> Iterator[Line]:
    """Each cause once, as it shows in the first result that has it; then what is left unexplained."""
    found: dict[tuple[str, str, str], dict[Result, Cause]] = {}
    for result in findings.failed:
        for cause in findings.explanation(result).causes:  # one name may have several numbers, each in its own line
            found.setdefault((result.implementation, cause.name, cause.wrong), {})[result] = cause
    wrong = [r for r in findings.failed if r.verdict == "disagree" and (r.divergences or not r.reason)]
    for (implementation, name, _), by_result in found.items():
        cause = next(iter(by_result.values()))
        own = [result for result in wrong if result.implementation == implementation]
        nearly = sum(name in findings.explanation(result).nearly for result in own)
        more = f", and {nearly} more but for digits" if nearly else ""
        yield Line("")
        colour = "yellow" if cause.kind == "variant" else "red"
        yield Line(f" explains {len(by_result)} of {len(wrong)}{more}", f"{cause.kind} {name}", colour)
        for line in (cause.sentence, f"look for  {cause.wrong}", f"expected  {cause.right}"):
            yield Line(f"  {line}")
    yield from _unexplained(findings, wrong)
    long = sum(result not in findings.explanations for result in wrong)
    if long:
        yield Line("")
        yield Line(f"{long} of {len(wrong)} take too many steps to be searched for mistakes")
    if wrong:
        yield Line("")


def summary_line(findings: Findings) -> str:
    """The summary in words."""
    cases = len({result.case.id for result in findings.results})
    counts = ", ".join(f"{number} {verdict}" for verdict, number in findings.summary().items() if number)
    return f"{cases} cases: {counts}"


def blindness(coverage: Coverage) -> Iterator[str]:
    """What the cases that agree would notice, what they would not, and whether that is too little."""
    known = len(coverage.noticed) + len(coverage.unnoticed)
    if not coverage.cases and coverage.agreed:
        yield "what these cases would notice is not known; no small one agrees"
    if not known:
        return
    whole = coverage.cases == coverage.agreed
    these = "this case" if coverage.cases == 1 else f"these {coverage.cases} cases"
    which = these if whole else f"the {coverage.cases} small ones of {coverage.agreed} cases"
    blind = f"; not {_few(coverage.unnoticed)}" if coverage.unnoticed else ""
    yield f"{which} would notice {len(coverage.noticed)} of {known} known mistakes that can be made here{blind}"
    for family, names in coverage.core.items():
        yield f"too little was covered: no case of {family} that agrees would notice {_few(names)}"


def _few(names: Sequence[str]) -> str:
    more = f" and {len(names) - FEW} more" if len(names) > FEW else ""
    return ", ".join(names[:FEW]) + more


def _expected(findings: Findings) -> Iterator[Line]:
    """How many failures are expected, for each reason, and which expectations are not met."""
    of = len(findings.results)
    for reason, number in Counter(findings.expected.reason(r.case.id) for r in findings.failed_as_expected).items():
        yield Line(f"{number} of {of} fail as expected: {reason}")
    if agree := findings.agree_unexpectedly:
        yield Line(f"{len(agree)} of {of} agree, although a failure is expected: {_few([r.case.id for r in agree])}")
    if unmatched := findings.expected.unmatched:
        yield Line(f"expected failures that match no case: {_few(unmatched)}")


def _unexplained(findings: Findings, wrong: Sequence[Result]) -> Iterator[Line]:
    """One block for each group of cases that have the same things off, the most serious first."""
    blocks: dict[tuple[str, ...], list[Result]] = {}
    unexplained: Counter[str] = Counter()
    for result in wrong:
        if (explanation := findings.explanation(result)).observed:
            off = (f"{d.stage} {d.tensor}" for d in result.divergences if d.stage == first_stage(result))
            what = "what is named does not explain all of" if explanation.causes else "no known mistake explains"
            unexplained[what] += 1
            blocks.setdefault((what, result.implementation, result.case.family, *sorted(off)), []).append(result)
    ranked = sorted(blocks.items(), key=lambda block: _seriousness(block[1]), reverse=True)
    for (what, *_), of in ranked[:BLOCKS]:
        # of all of them the one with a line on a tensor that is true of most others
        seen = {result: findings.explanation(result).observed for result in of}
        said = (line for observed in seen.values() for line in observed)
        common = Counter(line for line in said if not line.startswith(("step ", "before step ")))
        first = max(of, key=lambda result: max((common[line] for line in seen[result]), default=0))
        like = f", as in {len(of) - 1} like it" if len(of) > 1 else ""
        yield Line("")
        yield Line(f"{what} {unexplained[what]} of {len(wrong)}; in {first.case.id}{like}:")
        for line in seen[first]:
            yield Line(f"  {line}")
    if len(blocks) > BLOCKS:
        rest = [of for _, of in ranked[BLOCKS:]]
        yield Line("")
        yield Line(f"not explained: {sum(map(len, rest))} more of {len(rest)} other kinds, which the JSON has")


def _seriousness(results: Sequence[Result]) -> tuple[float, int]:
    """How far off most of the results are, in tens of the largest entry; then how many there are."""
    sizes = sorted(max((d.eps for d in result.divergences), default=0) * result.case.eps for result in results)
    middle = sizes[len(sizes) // 2]
    return (round(math.log10(max(middle, 1e-300))) if middle < 1 else 0), len(results)


# --- the tables ------------------------------------------------------------------------------------------------------


def _largest(findings: Findings, one_by_one: bool) -> Sheet:
    """The largest errors, by case, or by model and dtype."""
    title = f"{' / '.join(findings.names)}: the largest error, in eps of the largest entry in the row"
    columns = ["case"] if one_by_one else ["model", "dtype", "cases"]
    sheet = Sheet(title, [*columns, "steps", *STAGES, "verdict"])
    groups: dict[tuple[str, ...], list[Result]] = {}
    for result in findings.results:
        key: tuple[str, ...] = (result.case.id,) if one_by_one else (result.case.family, result.case.dtype)
        groups.setdefault(key, []).append(result)
    for key, members in groups.items():
        cases = {result.case.id: result.steps for result in members}
        own = [[result for result in members if result.implementation == name] for name in findings.names]
        cells = [" / ".join(_worst(of, stage) for of in own) for stage in STAGES]
        count = [] if one_by_one else [str(len(cases))]
        sheet.rows.append([*key, *count, str(sum(cases.values())), *cells])
        sheet.verdicts.append(Counter(map(findings.verdict, members)))
    return sheet


def _tolerances(results: Sequence[Result]) -> Sheet:
    """The table of tolerances, with the largest error and the limit, both scaled to the first step."""
    met: dict[tuple[str, str], float] = {}
    own: dict[str, float] = {}
    for result in results:
        for error in result.errors:
            kind = kind_of(result.case, error.stage)
            met[result.case.dtype, kind] = max(error.share, met.get((result.case.dtype, kind), 0.0))
            if eps := dict(result.tolerance).get(error.stage):
                own[kind] = eps
    kinds = list(dict.fromkeys(kind for allowed in TOLERANCE.values() for kind in allowed))
    sheet = Sheet("the largest error / √step, and the largest allowed", ["dtype", *kinds])
    for dtype, table in TOLERANCE.items():
        allowed = table | own
        cells = [f"{met[dtype, k] * allowed[k]:.2g} of {allowed[k]:g}" if (dtype, k) in met else "–" for k in kinds]
        sheet.rows.append([dtype, *cells])
    return sheet


def _worst(results: Sequence[Result], stage: Stage) -> str:
    worst = max((eps for result in results if (eps := result.worst_of(stage)) is not None), default=None)
    return "–" if worst is None else _eps(worst)


def _eps(number: float) -> str:
    """Two or three digits; infinite where all of a row has always been 0."""
    return f"{number:.3g}" if number < 1 / TINY**0.5 else "inf"
