"""One catalogue, one run a case: the tests of losses, gradients, updates, ... each look at their part of it."""

from __future__ import annotations

import functools
import gc

import pytest
import threadpoolctl

from reference import exact
from reference.cases import Case
from reference.catalogue import catalogue
from reference.checks.twins import twins
from reference.judge.run import judge
from tests.tools.agreement import Held

LONG = 1000
CASES = {case.id: case for case in catalogue()}
TWINS = twins()
threadpoolctl.threadpool_limits(1)  # of the libraries that are loaded by now: after the twins


@functools.cache
def run(name: str) -> Held:
    case = CASES[name]
    yardsticks = {} if exact.feasible(case) else TWINS
    return Held(list(judge(case, TWINS, yardsticks).values()))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test that takes `held` looks at every case in turn: the results of both twins."""
    if "held" not in metafunc.fixturenames:
        return
    wanted = metafunc.definition.get_closest_marker("cases")
    metafunc.parametrize(
        "held",
        [
            pytest.param(case.id, id=f"{case.id}-twins", marks=marks(case))
            # the longest first, so that none is left alone at the end
            for case in sorted(CASES.values(), key=lambda case: -case.steps)
            if not wanted or wanted.kwargs["where"](case)
        ],
        indirect=True,
    )


def marks(case: Case) -> list[pytest.MarkDecorator]:
    """The stages of a case are looked at in one process."""
    return [pytest.mark.xdist_group(case.id), *([pytest.mark.long] if case.steps > LONG else [])]


def pytest_collection_finish() -> None:
    """What is there by now stays until the end: the garbage collector need not look through it again and again.

    Nor through the numbers of an exact value, of which there are a hundred thousand, and no circle among them.
    """
    gc.freeze()
    gc.set_threshold(1_000_000, 10, 10)


@pytest.fixture
def held(request: pytest.FixtureRequest) -> Held:
    return run(request.param)
