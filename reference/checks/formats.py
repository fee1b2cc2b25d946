"""Findings in files: JSON for programs, JUnit's XML for CI, Markdown for the summary of a job, a page for people."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from html import escape
from itertools import zip_longest
from typing import Any
from xml.etree import ElementTree

from reference.checks.content import COLOURS, Line, Sheet, failure, lines, sheets
from reference.checks.findings import Findings
from reference.judge.result import Result


def as_json(findings: Findings) -> str:
    """One object per case and implementation, with the summary and the environment."""
    whole = {
        "results": [_object(findings, result) for result in findings.results],
        "proof": asdict(findings.proof),
        "summary": findings.summary(),
        "verdict": findings.outcome,
        "coverage": findings.coverage and asdict(findings.coverage),
        "expected": {
            "failures": dict(findings.expected.reasons),
            "agree": [result.case.id for result in findings.agree_unexpectedly],
            "unmatched": list(findings.expected.unmatched),
        },
        "environment": dict(findings.environment),
    }
    return json.dumps(whole, indent=1, allow_nan=False) + "\n"


def _object(findings: Findings, result: Result) -> dict[str, Any]:
    first, worst, explanation = result.first_divergence, result.worst_of(), findings.explanation(result)
    return {
        "case": result.case.id,
        "implementation": result.implementation,
        "against": result.against,
        "verdict": findings.verdict(result),
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
        "tolerance": dict(result.tolerance),
    }


def _number(value: float | str) -> float | str:
    """NaN and infinity become strings, because JSON does not have them."""
    return value if isinstance(value, str) or value - value == 0 else str(value)


# --- JUnit -----------------------------------------------------------------------------------------------------------


def as_junit(findings: Findings) -> str:
    """JUnit's XML: a test for each result, and one that holds whether enough was covered, and all as expected."""
    suite = ElementTree.Element("testsuite", name="twingrad")
    for result in findings.results:
        test = _test(suite, result.implementation, result.case.id)
        verdict = findings.verdict(result)
        if verdict in ("unsupported", "expected"):
            reason = findings.expected.reason(result.case.id) if verdict == "expected" else result.reason
            ElementTree.SubElement(test, "skipped", type=verdict, message=_clean(reason or ""))
        elif verdict != "agree":
            wrong = ElementTree.SubElement(
                test, "failure", type=verdict, message=_clean(failure(findings, result).text)
            )
            wrong.text = _clean("\n".join(told(findings, result)))
    whole = _test(suite, "twingrad", "coverage")
    if findings.outcome not in ("agree", "disagree"):
        wrong = ElementTree.SubElement(whole, "failure", type=findings.outcome, message=findings.outcome)
        wrong.text = _clean("\n".join(line.mark + line.text for line in lines(findings)))
    suite.set("tests", str(len(suite)))
    suite.set("failures", str(len(suite.findall("*/failure"))))
    suite.set("skipped", str(len(suite.findall("*/skipped"))))
    suite.set("errors", "0")
    suites = ElementTree.Element("testsuites")
    suites.append(suite)
    ElementTree.indent(suites)
    return f'<?xml version="1.0" encoding="utf-8"?>\n{ElementTree.tostring(suites, encoding="unicode")}\n'


def told(findings: Findings, result: Result) -> Iterator[str]:
    """What is told of one result that fails: where it is off, and why."""
    wrong, explanation = failure(findings, result), findings.explanation(result)
    yield wrong.mark + wrong.text
    for cause in explanation.causes:
        yield f"{cause.kind} {cause.name}: {cause.sentence}"
        yield f"  look for  {cause.wrong}"
        yield f"  expected  {cause.right}"
    yield from explanation.observed


def _test(suite: ElementTree.Element, implementation: str, name: str) -> ElementTree.Element:
    return ElementTree.SubElement(suite, "testcase", classname=_clean(implementation), name=name)


def _clean(text: str) -> str:
    """Without the characters that XML does not have."""
    return re.sub(r"[^\t\n\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", "\ufffd", text)


# --- Markdown --------------------------------------------------------------------------------------------------------


def as_markdown(findings: Findings) -> str:
    """A heading with the verdict, the tables, and the lines in a block."""
    parts = [f"### {_heading(findings)}"]
    parts += ["\n".join(_rows(sheet)) for sheet in sheets(findings)]
    told = "\n".join(line.mark + line.text for line in lines(findings))
    fence = "`" * max(3, 1 + max((len(run) for run in told.split() if set(run) == {"`"}), default=0))
    parts.append(f"{fence}text\n{told.strip()}\n{fence}")
    return "\n\n".join(parts) + "\n"


def _rows(sheet: Sheet) -> Iterator[str]:
    yield f"{sheet.title}\n"
    yield f"| {' | '.join(sheet.columns)} |"
    yield f"| {' | '.join(['---', *['---:'] * (len(sheet.columns) - 1)])} |"
    for row, verdicts in zip_longest(sheet.rows, sheet.verdicts):
        yield f"| {' | '.join([*row, *([_counted(verdicts)] if verdicts else [])])} |"


def _heading(findings: Findings) -> str:
    return f"{' / '.join(findings.names)}: {findings.outcome}"


def _counted(verdicts: Mapping[str, int]) -> str:
    return ", ".join(f"{number} {verdict}" if len(verdicts) > 1 else verdict for verdict, number in verdicts.items())


# --- HTML ------------------------------------------------------------------------------------------------------------

STYLE = """
.twingrad { color: #1b1b1b; background: #fff; font: 14px/1.5 system-ui, sans-serif; }
.twingrad table { border-collapse: collapse; margin: 1em 0; font-variant-numeric: tabular-nums; }
.twingrad caption { text-align: left; padding: .3em 0; }
.twingrad th, .twingrad td { padding: .2em .7em; text-align: right; border-bottom: 1px solid #ddd; }
.twingrad th:first-child, .twingrad td:first-child { text-align: left; }
.twingrad pre { white-space: pre-wrap; font: 13px/1.5 ui-monospace, monospace; }
.twingrad .green { color: #17642b; } .twingrad .red { color: #a5181f; } .twingrad .yellow { color: #7a5500; }
"""


def as_html(findings: Findings, page: bool = True) -> str:
    """The tables and the lines in HTML: a page of its own, or a part of one, as a notebook shows it."""
    told = "\n".join(map(_marked, lines(findings)))
    tables = "".join(map(_table, sheets(findings)))
    part = f'<style>{STYLE}</style><div class="twingrad">{tables}<pre>{told.strip()}</pre></div>\n'
    if not page:
        return part
    title = escape(_heading(findings))
    head = f'<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{title}</title>'
    body = f'<body class="twingrad"><h1>{title}</h1>{part}</body>'
    return f'<!doctype html>\n<html lang="en"><head>{head}</head>\n{body}</html>\n'


def _table(sheet: Sheet) -> str:
    head = "".join(f'<th scope="col">{escape(column)}</th>' for column in sheet.columns)
    rows = zip_longest(sheet.rows, sheet.verdicts)
    body = "".join(f"<tr>{''.join(map(_cell, row))}{_verdict(verdicts or {})}</tr>\n" for row, verdicts in rows)
    caption = f"<caption>{escape(sheet.title)}</caption>"
    return f"<table>{caption}<thead><tr>{head}</tr></thead><tbody>\n{body}</tbody></table>"


def _cell(text: str) -> str:
    return f"<td>{escape(text)}</td>"


def _verdict(verdicts: Mapping[str, int]) -> str:
    colour = next((colour for verdict, colour in COLOURS.items() if [*verdicts] == [verdict]), "")
    return f'<td class="{colour}">{_counted(verdicts)}</td>' if verdicts else ""


def _marked(line: Line) -> str:
    mark = f'<b class="{line.colour}">{escape(line.mark)}</b>' if line.mark else ""
    return mark + escape(line.text)
