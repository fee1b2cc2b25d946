"""Hold implementations against the exact values of cases."""

from __future__ import annotations

import multiprocessing
import signal
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from itertools import chain
from math import isfinite
from numbers import Real
from types import ModuleType
from typing import Any

import threadpoolctl

from reference import exact
from reference.cases import Case
from reference.catalogue import catalogue, select
from reference.catalogue.spread import OPTIMIZERS, each
from reference.checks.expected import Expected, expected
from reference.checks.findings import Findings
from reference.checks.report import Report
from reference.checks.twins import twins
from reference.contract import Implementation
from reference.data import text as texts
from reference.environment import environment
from reference.errors import BadInput
from reference.judge.load import Candidate, load, load_model, name_of
from reference.judge.result import Result
from reference.judge.run import judge
from reference.judge.tolerance import STAGES, Tolerance
from reference.mistakes.blind import Coverage, covered
from reference.mistakes.diagnosis import diagnose
from reference.mistakes.explanation import Explanation

Tracked = Callable[[Sequence[Case]], Iterable[Case]]
Status = Callable[[str], AbstractContextManager[Any]]


def check(
    candidate: Candidate,
    *patterns: str,
    exclude: Sequence[str] = (),
    tolerance: Mapping[str, float] | None = None,
    expected_failures: Mapping[str, str] | None = None,
    strict: bool = False,
    model: str | None = None,
    text: str = texts.TOPICS,
) -> Report:
    """Hold an implementation of your own against the exact values, case by case.

        twingrad.check("mine.py", "classifier*", exclude=["*text*"]).raise_if_wrong()

    candidate: the path of a .py file; of a folder with an __init__.py or a build.py; the name of a module; or anything
    that has `build(case, weights)`. patterns: cases with one of these in their id, or whose id matches it with * and ?;
    all, if there are none. exclude: patterns of cases to leave out. tolerance: by stage ("loss", "grads", "params",
    "state"), how many eps a value may be off in the first step, instead of the table's. expected_failures: why, by
    pattern, for what need not agree. strict: whether an expected failure that agrees is wrong. model: the .py file of a
    model of your own, whose cases are taken. text: a UTF-8 file for the text cases.

    What the candidate warns of is shown, even where a test suite makes errors of warnings.

    Raises:
        BadInput: there is no such candidate or case, or an option has no such value.
    """
    module, every = cases_of(model, text)
    cases = select(every, one_or_more(patterns), one_or_more(exclude))
    failures = expected(expected_failures or {}, [case.id for case in every], strict)
    with warnings_shown():
        own = {name_of(candidate): load(candidate, module)}
        return report(cases, own, allowed(tolerance or {}), failures)


def cases_of(model: str | None = None, text: str = texts.TOPICS) -> tuple[ModuleType | None, list[Case]]:
    """The catalogue's cases; or the user's model file, and its cases with every optimizer, layout and dtype.

    Raises:
        BadInput: the file or the text cannot be used, or both are given.
    """
    if model is None:
        return None, catalogue(text)
    if text != texts.TOPICS:
        raise BadInput(f"text {text}: is for the catalogue's cases; the file of the model has its own data")
    module, bases = load_model(model)
    return module, [case for base in bases for case in each(base, *OPTIMIZERS.values())]


def allowed(tolerance: Mapping[str, float]) -> Tolerance:
    """The tolerance by stage. Raises BadInput for an unknown stage, and for what is no number above 0."""
    for name, eps in tolerance.items():
        if name not in STAGES:
            raise BadInput(f"tolerance {name}={eps}: the stage is one of {', '.join(STAGES)}")
        if not isinstance(eps, Real) or not isfinite(eps) or eps <= 0:
            raise BadInput(f"tolerance {name}={eps}: a finite number of eps above 0 is needed")
    return {stage: float(tolerance[stage]) for stage in STAGES if stage in tolerance}


def by_stage(given: Sequence[str], option: str = "--tolerance") -> dict[str, float]:
    """The tolerances of STAGE=EPS. Raises BadInput for another form, and for a stage that is given twice."""
    found: dict[str, float] = {}
    for one in given:
        stage, _, eps = one.partition("=")
        try:
            number = float(eps)
        except ValueError:
            raise BadInput(f"{option} {one}: STAGE=EPS is needed, as in grads=200") from None
        if stage in found:
            raise BadInput(f"{option} {one}: {stage} is given twice")
        found[stage] = number
    return found


def one_or_more(patterns: str | Sequence[str]) -> Sequence[str]:
    """A pattern alone is a list of one."""
    return [patterns] if isinstance(patterns, str) else patterns


def report(
    cases: Sequence[Case],
    own: Mapping[str, Implementation],
    tolerance: Tolerance,
    failures: Expected,
    tracked: Tracked = iter,
    status: Status = lambda _: nullcontext(),
) -> Report:
    """Judge implementations in each case, and find out why they disagree, or what their cases would notice.

    own: by name; both twins if there are none. tracked: goes through the cases, as a progress bar does. status: says
    what takes a while, as long as it does.
    """
    # a candidate needs the twins only where there are no exact values
    known = {} if own and all(map(exact.feasible, cases)) else twins()
    with threadpoolctl.threadpool_limits(1):
        judged = (judge(case, own, known, tolerance) for case in cases) if own else judge_twins(cases, tolerance)
        held = [results.values() for _, results in zip(tracked(cases), judged, strict=True)]
        results = tuple(chain.from_iterable(held))
        found = Findings(results, explained(own or known, results, status), None, failures)
        coverage = coverage_of(found, status) if own else None
        return Report(found.results, found.explanations, coverage, failures, environment())


def judge_twins(cases: Sequence[Case], tolerance: Tolerance) -> Iterator[dict[str, Result]]:
    """Judge both twins on each case. Many cases use two processes, since exact values take most of the time."""
    if len(cases) < MANY:
        yield from map(partial(_judge_twins, tolerance), cases)
        return
    # spawned, because a process forked after a multi-threaded operation of torch hangs; Ctrl-C ends it at once
    with multiprocessing.get_context("spawn").Pool(2, _begin) as pool:
        yield from pool.imap(partial(_judge_twins, tolerance), cases)


MANY = 100
"""From this many cases on, two processes are worth their start."""


def _begin() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _judge_twins(tolerance: Tolerance, case: Case) -> dict[str, Result]:
    both = twins()  # before the thread limit, which affects only loaded libraries
    with threadpoolctl.threadpool_limits(1):
        return judge(case, both, both, tolerance)


def explained(
    implementations: Mapping[str, Implementation], results: Sequence[Result], status: Status
) -> dict[Result, Explanation]:
    """The explanations of the results that disagree."""
    explanations: dict[Result, Explanation] = {}
    for name, implementation in implementations.items():
        own = [result for result in results if result.implementation == name]
        if any(result.verdict == "disagree" for result in own):
            what = f"what is wrong with {name}"
            with status(what) as shown:
                explanations |= diagnose(implementation, own, partial(_update, shown, what))
    return explanations


def coverage_of(found: Findings, status: Status) -> Coverage | None:
    """After an agreement, the known mistakes that its cases would have noticed; otherwise None."""
    if found.outcome != "agree":
        return None
    with status("what these cases would have noticed"):
        return covered(found.results)


def _update(shown: Any, what: str, far: str) -> None:
    if shown:
        shown.update(f"{what}: {far}")


@contextmanager
def warnings_shown() -> Iterator[None]:
    """What a candidate warns of is shown, and is no error, whatever a test suite makes of warnings."""
    with warnings.catch_warnings():
        warnings.simplefilter("default")
        yield
