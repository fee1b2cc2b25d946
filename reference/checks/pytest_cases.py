"""What pytest collects for `--twingrad`, and whether what was run is enough."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from reference.catalogue import catalogue, select
from reference.checks.case_check import CaseCheck, case_checks, marks
from reference.checks.check import by_stage
from reference.checks.content import blindness
from reference.checks.expected import Expected, expected, read_expected
from reference.data.text import TOPICS
from reference.errors import BadInput
from reference.judge.result import LargestError, Result
from reference.mistakes.blind import covered


class Cases:
    """The plugin that collects the cases.

    candidate: as for `check`; options: those of the command line, by name without their prefix.

    Raises:
        pytest.UsageError: there is no such candidate, or an option has no such value.
    """

    def __init__(self, candidate: str, options: Mapping[str, Any]) -> None:
        try:
            every = catalogue(options["text"] or TOPICS)
            cases = select(every, options["cases"] or (), options["exclude"] or ())
            reasons = read_expected(options["xfail"], "--twingrad-xfail") if options["xfail"] else {}
            if options["xfail-strict"] and not reasons:
                raise BadInput("--twingrad-xfail-strict: needs --twingrad-xfail=FILE")
            self.failures = expected(reasons, [case.id for case in every], options["xfail-strict"])
            self.checks = case_checks(candidate, cases, by_stage(options["tolerance"] or (), "--twingrad-tolerance"))
        except BadInput as bad:
            raise pytest.UsageError(str(bad)) from None
        self.candidate = candidate

    @pytest.hookimpl(wrapper=True)
    def pytest_make_collect_report(self, collector: pytest.Collector) -> Generator[None, Any, Any]:
        """Put the cases before all else that is collected."""
        report = yield
        if isinstance(collector, pytest.Session) and report.passed:
            path = Path(self.candidate).resolve()
            report.result = [
                Collector.from_parent(collector, name=self.candidate, nodeid=self.candidate, path=path, cases=self),
                *report.result,
            ]
        return report

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        """A pattern of an expected failure that matches no case is a failure where that is asked for."""
        if exitstatus == pytest.ExitCode.OK and self.failures.strict and self.failures.unmatched:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Say which expected failures match no case."""
        if self.failures.unmatched:
            terminalreporter.write_line(f"expected failures that match no case: {', '.join(self.failures.unmatched)}")


class Collector(pytest.Collector):
    """All cases of a candidate."""

    def __init__(self, cases: Cases, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.cases = cases

    def collect(self) -> Iterator[Item]:
        """A test for each case."""
        for check in self.cases.checks:
            yield Item.from_parent(self, name=check.case.id, check=check, failures=self.cases.failures)


class Item(pytest.Item):
    """The test of one case."""

    def __init__(self, check: CaseCheck, failures: Expected, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.case_check = check
        for mark in marks(failures, check.case):
            self.add_marker(mark)

    def runtest(self) -> None:
        """Hold the candidate against the exact values."""
        self.case_check()

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """The verdict, its cause and the line to look for, without a traceback through twingrad."""
        return str(excinfo.value) if isinstance(excinfo.value, AssertionError) else super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, None, str]:
        """The candidate, and the case's id."""
        return self.path, None, self.name


def coverage(compared: Iterable[Sequence[Any]], candidates: Sequence[str]) -> tuple[bool, list[str]]:
    """Whether the cases that agree would notice the commonest mistakes, and lines that say what they would notice.

    compared: of each test, what `CaseCheck.compared` returned. candidates: those that must have been compared.
    """
    known = {case.id: case for case in catalogue()}
    agreed: dict[str, list[Result]] = {name: [] for name in candidates}
    for name, case, verdict, steps, places, tolerance in compared:
        of = agreed.setdefault(name, [])
        if verdict == "agree" and case in known:
            errors = tuple(LargestError(stage, tensor, 0.0, 0.0) for stage, tensor in places)
            of.append(Result(known[case], name, steps=steps, errors=errors, tolerance=tuple(map(tuple, tolerance))))
    enough, lines = True, []
    for name, results in agreed.items():
        found = covered(results)
        enough = enough and bool(results) and not found.core
        lines += [f"{name}: {line}" for line in blindness(found)]
        lines += [] if results else [f"{name}: nothing was covered; no case was run that agrees"]
    return enough, lines
