"""The pytest plugin: `pytest --twingrad=mine.py` collects a test for each case, in any project.

It is loaded in every test suite of an environment that has twingrad. Without an option, or a test that
`twingrad.parametrize` made, it imports nothing of twingrad and does nothing.
"""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from _twingrad_entry import refuse_namesakes

OPTIONS: dict[str, dict[str, Any]] = {
    "--twingrad-cases": {"metavar": "PATTERN", "action": "append", "help": "only cases that match; may be repeated"},
    "--twingrad-exclude": {"metavar": "PATTERN", "action": "append", "help": "leave out cases; may be repeated"},
    "--twingrad-tolerance": {
        "metavar": "STAGE=EPS",
        "action": "append",
        "help": "how many eps a stage may be off in step 1; may be repeated",
    },
    "--twingrad-xfail": {"metavar": "FILE", "type": Path, "help": "expected failures: lines of `PATTERN  # reason`"},
    "--twingrad-xfail-strict": {"action": "store_true", "help": "an expected failure that passes is a failure"},
    "--twingrad-text": {"metavar": "FILE", "help": "a UTF-8 text for the text cases"},
}
"""The options besides --twingrad; each needs it."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare the options."""
    group = parser.getgroup("twingrad", "twingrad: hand-written gradients against exact values")
    group.addoption(
        "--twingrad",
        metavar="PATH|MODULE",
        action="append",
        help="collect a test for each case that holds this implementation: a .py file, a folder or a module",
    )
    for name, how in OPTIONS.items():
        group.addoption(name, **how)


def pytest_configure(config: pytest.Config) -> None:
    """Load the candidate, so that what is wrong with an option is told before anything runs."""
    config.pluginmanager.register(Coverage(config), "twingrad-coverage")
    given = config.getoption("--twingrad")
    idle = [name for name in OPTIONS if config.getoption(name)]
    if given is None and idle:
        raise pytest.UsageError(f"{idle[0]}: needs --twingrad=FILE.py")
    if given is None:
        return
    if len(given) > 1:
        raise pytest.UsageError(f"--twingrad is given {len(given)} times; one implementation at a time is held")
    try:
        refuse_namesakes()
    except ImportError as error:
        raise pytest.UsageError(str(error)) from None
    from reference.checks import pytest_cases  # noqa: PLC0415  (see above)

    options = {name.removeprefix("--twingrad-"): config.getoption(name) for name in OPTIONS}
    config.pluginmanager.register(pytest_cases.Cases(given[0], options), "twingrad-cases")


class Coverage:
    """Holds whether what was run would notice the commonest mistakes: a check that cannot fail has not passed."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self.compared: list[list[Any]] = []
        self.lines: list[str] = []

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item, call: pytest.CallInfo[None]) -> Generator[None, Any, Any]:
        """Send what was compared along with the report, which gets from any process to the main one."""
        report = yield
        check = getattr(item, "case_check", None) or getattr(item, "funcargs", {}).get("case_check")
        if call.when == "call" and check is not None and hasattr(check, "compared"):
            report.twingrad = check.compared()
        return report

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep what was compared."""
        if compared := getattr(report, "twingrad", None):
            self.compared.append(compared)

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        """Where all passed, end with exit code 5 if nothing was covered, or too little."""
        given, config = self.config.getoption("--twingrad"), self.config
        if exitstatus or hasattr(config, "workerinput") or config.option.collectonly or not (given or self.compared):
            return
        from reference.checks.pytest_cases import coverage  # noqa: PLC0415

        enough, self.lines = coverage(self.compared, given or [])
        if not enough:
            session.exitstatus = pytest.ExitCode.NO_TESTS_COLLECTED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Say what would be noticed."""
        for line in self.lines:
            terminalreporter.write_line(line)
