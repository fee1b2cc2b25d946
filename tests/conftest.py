"""One catalogue, one run a case: the tests of losses, gradients, updates, ... each look at their part of it."""

from __future__ import annotations

import functools
import gc
import warnings

import pytest
import threadpoolctl

from reference import exact
from reference.cases import Case
from reference.catalogue import catalogue
from reference.commands.report import blindness
from reference.commands.twins import twins
from reference.commands.verify import coverage_of
from reference.errors import BadInput
from reference.judge.load import load
from reference.judge.result import Result
from reference.judge.run import judge
from reference.mistakes.blind import Coverage
from reference.mistakes.diagnosis import diagnose
from tests.tools.agreement import Held

NOTHING_COVERED = 5
LONG = 1000


def pytest_configure(config: pytest.Config) -> None:
    candidate = config.getoption("--candidate")
    try:
        config.stash[CASES] = {case.id: case for case in catalogue(config.getoption("--text"))}
        implementations = {candidate: load(candidate)} if candidate else twins()
    except BadInput as bad:
        raise pytest.UsageError(str(bad)) from None
    threadpoolctl.threadpool_limits(1)  # of the libraries that are loaded by now: after the implementations

    @functools.cache
    def run(name: str) -> Held:
        case = config.stash[CASES][name]
        yardsticks = {} if exact.feasible(case) else twins()
        with warnings.catch_warnings():
            if candidate:  # its warnings are shown, as on the command line; ours are errors
                warnings.simplefilter("default")
            results = list(judge(case, implementations, yardsticks).values())
            config.stash[RESULTS] += results
            return Held(results, diagnose(implementations[candidate], results) if candidate else {})

    config.stash[RUN], config.stash[RESULTS] = run, []


CASES = pytest.StashKey[dict]()
RUN = pytest.StashKey[object]()
RESULTS = pytest.StashKey[list[Result]]()
COVERAGE = pytest.StashKey[Coverage | None]()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test that takes `held` looks at every case in turn: the results of both twins, or that of the candidate."""
    if "held" not in metafunc.fixturenames:
        return
    candidate = metafunc.config.getoption("--candidate")
    wanted = metafunc.definition.get_closest_marker("cases")
    metafunc.parametrize(
        "held",
        [
            pytest.param(case.id, id=f"{case.id}-{candidate or 'twins'}", marks=marks(case))
            # the longest first, so that none is left alone at the end
            for case in sorted(metafunc.config.stash[CASES].values(), key=lambda case: -case.steps)
            if not wanted or wanted.kwargs["where"](case)
        ],
        indirect=True,
    )


def marks(case: Case) -> list[pytest.MarkDecorator]:
    """The stages of a case are looked at in one process."""
    return [pytest.mark.xdist_group(case.id), *([pytest.mark.long] if case.steps > LONG else [])]


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """With a candidate, only what concerns it is run."""
    if config.getoption("--candidate"):
        kept = [item for item in items if "held" in getattr(item, "fixturenames", ())]
        config.hook.pytest_deselected(items=[item for item in items if item not in kept])
        items[:] = kept


def pytest_collection_finish() -> None:
    """What is there by now stays until the end: the garbage collector need not look through it again and again.

    Nor through the numbers of an exact value, of which there are a hundred thousand, and no circle among them.
    """
    gc.freeze()
    gc.set_threshold(100_000, 10, 10)


@pytest.fixture
def held(request: pytest.FixtureRequest) -> Held:
    found = request.config.stash[RUN](request.param)
    for result in found.results:
        if result.verdict == "unsupported":
            pytest.skip(f"{result.implementation} does not do it: {result.reason}")
    return found


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if config.getoption("--candidate") and not terminalreporter.stats.get("passed"):
        terminalreporter.write_line("the candidate covered nothing")
    for sentence in blindness(coverage) if (coverage := config.stash.get(COVERAGE, None)) else ():
        terminalreporter.write_line(sentence)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """A candidate that covers no case, or only cases that are blind to a common mistake, has not passed.

    With -n, the results are in other processes, and nothing is known of what they are blind to.
    """
    config = session.config
    if not config.getoption("--candidate") or exitstatus != 0 or hasattr(config, "workerinput"):
        return
    coverage = config.stash[COVERAGE] = coverage_of(config.stash[RESULTS])
    passed = config.pluginmanager.get_plugin("terminalreporter").stats.get("passed")
    if not passed or (coverage and coverage.core):
        session.exitstatus = NOTHING_COVERED
