"""Checks of one case each, which tests are made of."""

from __future__ import annotations

import inspect
import os
import unittest
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import threadpoolctl

from reference import exact
from reference.cases import Case
from reference.catalogue import catalogue, select
from reference.checks.check import allowed, one_or_more, warnings_shown
from reference.checks.expected import Expected, expected
from reference.checks.findings import FAILED, Findings
from reference.checks.formats import told
from reference.checks.twins import twins
from reference.contract import Implementation
from reference.data.text import TOPICS
from reference.errors import BadInput
from reference.judge.load import Candidate, load, name_of
from reference.judge.result import Result
from reference.judge.run import judge
from reference.judge.tolerance import Tolerance
from reference.mistakes.diagnosis import diagnose

Test = TypeVar("Test", bound=Callable[..., Any])


class CaseCheck:
    """The check of one case, which is made when it is called; `result` is None until then."""

    def __init__(self, name: str, implementation: Implementation, case: Case, tolerance: Tolerance) -> None:
        self.name, self.implementation, self.case, self.tolerance = name, implementation, case, tolerance
        self.result: Result | None = None

    def __repr__(self) -> str:
        return f"<{self.name}, {self.case.id}>"

    def __call__(self) -> None:
        """Hold the implementation against the exact values of the case.

        Raises:
            AssertionError: it is wrong; with the verdict, its cause and the line to look for.
            unittest.SkipTest: it does not support the case. pytest takes that for a skip, too.
        """
        __tracebackhide__ = True
        known = {} if exact.feasible(self.case) else twins()
        own = {self.name: self.implementation}
        with warnings_shown(), threadpoolctl.threadpool_limits(1):
            self.result = judge(self.case, own, known, self.tolerance)[self.name]
            wrong = self.result.verdict == "disagree"
            found = Findings((self.result,), diagnose(self.implementation, [self.result]) if wrong else {})
        if self.result.verdict in FAILED:
            raise AssertionError("\n".join(told(found, self.result)))
        if self.result.verdict == "unsupported":
            raise unittest.SkipTest(self.result.reason)

    def compared(self) -> list[Any]:
        """What was compared, in types that one process can send to another; `coverage_of` reads it."""
        result = self.result
        if result is None:
            return [self.name, self.case.id, "error", 0, [], []]
        places = [[error.stage, error.tensor] for error in result.errors]
        return [self.name, self.case.id, result.verdict, result.steps, places, [*map(list, result.tolerance)]]


def case_checks(
    candidate: Candidate, cases: Sequence[Case], tolerance: Mapping[str, float], folder: Path | None = None
) -> list[CaseCheck]:
    """A check for each case. folder: where a path is looked for first.

    Raises:
        BadInput: there is no such candidate, or the tolerance is none.
    """
    with warnings_shown():
        implementation = load(_beside(candidate, folder) if folder else candidate)
    eps = allowed(tolerance)
    return [CaseCheck(name_of(candidate), implementation, case, eps) for case in cases]


def parametrize(
    candidate: Candidate,
    *patterns: str,
    exclude: Sequence[str] = (),
    tolerance: Mapping[str, float] | None = None,
    expected_failures: Mapping[str, str] | None = None,
    strict: bool = False,
    text: str = TOPICS,
) -> Callable[[Test], Test]:
    """Make a pytest test of each case. The test gets the argument `case_check` and calls it.

        @twingrad.parametrize("mine.py", "skipgram*")
        def test_mine(case_check):
            case_check()

    The arguments are those of `check`. A path is looked for beside the test file, then in the current folder. What the
    candidate does not support is skipped, and an expected failure is an xfail. If none of the cases that were run
    agrees, or if they would not notice one of the commonest mistakes, pytest ends with exit code 5.

    Raises:
        BadInput: there is no such candidate or case, or an option has no such value.
    """
    import pytest  # noqa: PLC0415  (whoever makes tests for pytest has it; nobody else needs it)

    every = catalogue(text)
    cases = select(every, one_or_more(patterns), one_or_more(exclude))
    failures = expected(expected_failures or {}, [case.id for case in every], strict)
    if failures.unmatched:
        message = f"expected failures that match no case: {', '.join(failures.unmatched)}"
        if strict:
            raise BadInput(message)
        warnings.warn(message, stacklevel=2)
    frame = inspect.currentframe()
    beside = Path(frame.f_back.f_code.co_filename).parent if frame and frame.f_back else Path.cwd()
    checks = case_checks(candidate, cases, tolerance or {}, beside)
    parameters = [pytest.param(check, id=check.case.id, marks=marks(failures, check.case)) for check in checks]
    return pytest.mark.parametrize("case_check", parameters)


def marks(failures: Expected, case: Case) -> list[Any]:
    """The xfail mark of an expected failure."""
    import pytest  # noqa: PLC0415

    reason = failures.reason(case.id)
    if reason is None:
        return []
    return [pytest.mark.xfail(raises=AssertionError, reason=reason, strict=failures.strict)]


def _beside(candidate: Candidate, folder: Path) -> Candidate:
    """The path in the folder, if there is one."""
    if isinstance(candidate, str | os.PathLike) and (folder / candidate).exists():
        return folder / candidate
    return candidate
