"""Compare implementations with the exact values, case by case: loss, gradients, parameters and optimizer state.

Both twins are compared, or your own implementation. If a disagreement has a known cause, the cause is named.
"""

from __future__ import annotations

import argparse
import multiprocessing
import signal
import sys
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from types import ModuleType

import threadpoolctl
from rich.console import Console
from rich.status import Status

from reference import exact
from reference.cases import Case
from reference.catalogue import catalogue
from reference.catalogue.spread import OPTIMIZERS, each
from reference.commands.choice import add_choice, chosen, listed
from reference.commands.exit_codes import AGREE, DISAGREE, NOTHING
from reference.commands.files import check_writable, write_whole
from reference.commands.progress import tracked
from reference.commands.report import as_json, outcome, show
from reference.commands.twins import twins
from reference.contract import Implementation
from reference.data import text
from reference.environment import environment, sentence
from reference.errors import BadInput
from reference.judge.load import load, load_model
from reference.judge.result import Result
from reference.judge.run import judge
from reference.mistakes.blind import Coverage, covered
from reference.mistakes.diagnosis import diagnose
from reference.mistakes.explanation import Explanation


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of `verify`."""
    add = parser.add_argument
    add_choice(parser, "all")
    add("--candidate", metavar="MODULE|FILE.py", help="your implementation (default: both twins)")
    add("--model", metavar="FILE.py", help="a model of your own; only its CASES are run")
    add(
        "--text",
        metavar="FILE",
        default=text.TOPICS,
        help="a UTF-8 text for the text cases (default: pydoc_data.topics)",
    )
    add("--json", metavar="FILE", type=Path, help="write the results there")
    add("--list", action="store_true", help="print the id and the content of each case, and stop")
    parser.set_defaults(run=verify_cases)


def verify_cases(options: argparse.Namespace) -> int:
    """Train implementations on every case; compare losses, gradients, parameters and state with the exact values."""
    module, every = own_model(options) if options.model else (None, catalogue(options.text))
    cases = chosen(every, options)
    if options.list:
        print(listed(cases))
        return AGREE
    if options.json:
        check_writable(options.json)
    own = {} if options.candidate is None else {options.candidate: load(options.candidate, module)}
    # a candidate needs the twins only where there are no exact values
    known = {} if own and all(map(exact.feasible, cases)) else twins()
    results: list[Result] = []
    with threadpoolctl.threadpool_limits(1):
        judged = (judge(case, own, known) for case in cases) if own else judge_twins(cases)
        for _, held in zip(tracked(cases), judged, strict=True):
            results += held.values()
        explanations = explained(own or known, results)
        coverage = coverage_of(results) if own else None
        env = environment()
    if options.json:
        write_whole(options.json, as_json(results, explanations, env, coverage))
    show(results, explanations, Console(width=None if sys.stdout.isatty() else 200), coverage)
    print(sentence(env))
    return exit_code(results, coverage)


def own_model(options: argparse.Namespace) -> tuple[ModuleType, list[Case]]:
    """The user's model file, and its cases with every optimizer, layout of the gradients and dtype."""
    if options.text != text.TOPICS:
        raise BadInput(f"--text {options.text}: is for the catalogue's cases; the file of --model has its own data")
    if options.candidate is None and not options.list:
        raise BadInput(f"--model {options.model}: needs --candidate; the twins do not know the model")
    module, bases = load_model(options.model)
    return module, [case for base in bases for case in each(base, *OPTIMIZERS.values())]


def judge_twins(cases: Sequence[Case]) -> Iterator[dict[str, Result]]:
    """Judge both twins on each case. Many cases use two processes, since exact values take most of the time."""
    if len(cases) < MANY:
        yield from map(_judge_twins, cases)
        return
    # spawned, because a process forked after a multi-threaded operation of torch hangs; Ctrl-C ends it at once
    with multiprocessing.get_context("spawn").Pool(2, _begin) as pool:
        yield from pool.imap(_judge_twins, cases)


MANY = 100
"""From this many cases on, two processes are worth their start."""


def _begin() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _judge_twins(case: Case) -> dict[str, Result]:
    both = twins()  # before the thread limit, which affects only loaded libraries
    with threadpoolctl.threadpool_limits(1):
        return judge(case, both, both)


def explained(implementations: Mapping[str, Implementation], results: Sequence[Result]) -> dict[Result, Explanation]:
    """The explanations of the results that disagree."""
    explanations: dict[Result, Explanation] = {}
    for name, implementation in implementations.items():
        own = [result for result in results if result.implementation == name]
        if any(result.verdict == "disagree" for result in own):
            what = f"what is wrong with {name}"
            with Console(stderr=True).status(what) as status:
                explanations |= diagnose(implementation, own, partial(_update, status, what))
    return explanations


def _update(status: Status, what: str, far: str) -> None:
    status.update(f"{what}: {far}")


def coverage_of(results: Sequence[Result]) -> Coverage | None:
    """After an agreement, the mistakes that its cases would have noticed; otherwise None."""
    if outcome(results) != "agree":
        return None
    with Console(stderr=True).status("what these cases would have noticed"):
        return covered(results)


def exit_code(results: Sequence[Result], coverage: Coverage | None = None) -> int:
    """0 if something was compared and all of it agrees, 1 if something disagrees, 5 if too little was compared."""
    return {"agree": AGREE, "disagree": DISAGREE, "too little covered": NOTHING, "nothing covered": NOTHING}[
        outcome(results, coverage)
    ]
