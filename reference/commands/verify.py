"""Compare implementations with the exact values, case by case: loss, gradients, parameters and optimizer state.

Both twins are compared, or your own implementation. If a disagreement has a known cause, the cause is named.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from rich.console import Console

from reference.checks.check import allowed, by_stage, cases_of, report
from reference.checks.expected import expected, read_expected
from reference.checks.findings import Findings
from reference.checks.report import Report
from reference.checks.terminal import WIDTH, show
from reference.commands.choice import add_choice, chosen, listed
from reference.commands.exit_codes import AGREE, DISAGREE, NOTHING
from reference.commands.files import check_apart, check_writable, write_whole
from reference.commands.progress import tracked
from reference.data import text
from reference.errors import BadInput
from reference.judge.load import load

WRITERS = {
    "json": ("the results, with the diagnosis and the environment", Report.to_json),
    "junitxml": ("JUnit's XML, a test for each case", Report.to_junit),
    "markdown": ("Markdown, for the summary of a CI job", Report.to_markdown),
    "html": ("a page", Report.to_html),
}
"""The options that write a file, what it is, and what writes it."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of `verify`."""
    add = parser.add_argument
    add_choice(parser, "all")
    add("--candidate", metavar="PATH|MODULE", help="your implementation: a .py file, a folder or a module")
    add("--model", metavar="FILE.py", help="a model of your own; only its CASES are run")
    add(
        "--text",
        metavar="FILE",
        default=text.TOPICS,
        help="a UTF-8 text for the text cases (default: pydoc_data.topics)",
    )
    add("--expected", metavar="FILE", type=Path, help="failures that are expected: lines of `PATTERN  # reason`")
    add("--expected-strict", action="store_true", help="an expected failure that agrees is wrong, exit code 1")
    add(
        "--tolerance",
        metavar="STAGE=EPS",
        action="append",
        default=[],
        help="how many eps a stage may be off in step 1; may be repeated",
    )
    for option, (what, _) in WRITERS.items():
        add(f"--{option}", metavar="FILE", type=Path, help=f"write {what}")
    add("--list", action="store_true", help="print the id and the content of each case, and stop")
    parser.set_defaults(run=verify_cases)


def verify_cases(options: argparse.Namespace) -> int:
    """Train implementations on every case; compare losses, gradients, parameters and state with the exact values."""
    _check_use(options)
    module, every = cases_of(options.model, options.text)
    cases = chosen(every, options)
    if options.list:
        print(listed(cases))
        return AGREE
    for option in WRITERS:
        if path := getattr(options, option):
            check_writable(path, f"--{option}")
    check_apart(options, ("candidate", "model", "text", "expected"), tuple(WRITERS))
    reasons = read_expected(options.expected) if options.expected else {}
    failures = expected(reasons, [case.id for case in every], options.expected_strict)
    own = {} if options.candidate is None else {options.candidate: load(options.candidate, module)}
    status = Console(stderr=True).status
    found = report(cases, own, allowed(by_stage(options.tolerance)), failures, tracked, status)
    for option, (_, write) in WRITERS.items():
        if path := getattr(options, option):
            write_whole(path, write(found))
    show(found, Console(width=None if sys.stdout.isatty() else WIDTH))
    return exit_code(found)


def _check_use(options: argparse.Namespace) -> None:
    """Raise BadInput for an option that nothing would act on."""
    if options.model and options.candidate is None and not options.list:
        raise BadInput(f"--model {options.model}: needs --candidate; the twins do not know the model")
    if options.model and options.text != text.TOPICS:
        raise BadInput(f"--text {options.text}: is for the catalogue's cases; the file of --model has its own data")
    if options.expected_strict and not options.expected:
        raise BadInput("--expected-strict: needs --expected FILE")
    if options.list:
        given = [name for name in ("candidate", "expected", "tolerance", *WRITERS) if getattr(options, name)]
        if given:
            raise BadInput(f"--{given[0]}: --list runs nothing, so nothing acts on it")


def exit_code(found: Findings) -> int:
    """0 if something was compared and all of it agrees, 1 if something disagrees, 5 if too little was compared."""
    return {
        "agree": AGREE,
        "disagree": DISAGREE,
        "not as expected": DISAGREE,
        "too little covered": NOTHING,
        "nothing covered": NOTHING,
    }[found.outcome]
