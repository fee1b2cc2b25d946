"""What every benchmark shares: one thread, the environment in the saved JSON, ratios at the end."""

from __future__ import annotations

import sys
from collections.abc import Callable

import pytest
import threadpoolctl
from rich import box
from rich.console import Console
from rich.table import Table

from benchmarks.interleave import FLOOR, interleaved
from reference import report
from reference.run import TWINS, load

for twin in TWINS:
    load(twin)
threadpoolctl.threadpool_limits(1)

RACES = pytest.StashKey[dict]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[RACES] = {}


def pytest_benchmark_update_machine_info(config: pytest.Config, machine_info: dict) -> None:
    machine_info["twingrad"] = report.environment()


@pytest.fixture(params=["numpy", "torch"])
def race(benchmark, request: pytest.FixtureRequest):
    """A function that times `numpy` against its rivals in turns, for the table of ratios, and then one by itself.

    Time by itself is what pytest-benchmark saves and compares from run to run: NumPy's, and that of the fastest PyTorch
    form in the same group. The medians of the race go with it.
    """

    def run(loop: str, size: str, numpy: Callable[[], object], rivals: dict[str, Callable[[], object]]) -> None:
        races = request.config.stash[RACES]
        if (loop, size) not in races:
            races[loop, size] = interleaved({"numpy": numpy} | rivals)
        medians = races[loop, size]
        fastest = min((name for name in rivals if name != FLOOR), key=medians.__getitem__)
        benchmark.group = f"{loop} {size}"
        benchmark.extra_info.update(medians=medians, timed="numpy" if request.param == "numpy" else fastest)
        benchmark(numpy if request.param == "numpy" else rivals[fastest])

    return run


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """The median times, and each rival's over NumPy's; the fastest rival is marked."""
    table = Table("hot loop", "size", "numpy", "rival", "its time", "rival / numpy", box=box.SIMPLE_HEAD)
    for column in (2, 4, 5):
        table.columns[column].justify = "right"
    for (loop, size), medians in config.stash[RACES].items():
        numpy, *rivals = medians.items()
        fastest = min((rival for rival in rivals if rival[0] != FLOOR), key=lambda rival: rival[1])
        for rival in rivals:
            first = (loop, size, shown(numpy[1])) if rival is rivals[0] else ("", "", "")
            table.add_row(
                *first, rival[0], shown(rival[1]), f"{rival[1] / numpy[1]:.2f}{' ◄' if rival is fastest else '  '}"
            )
    if table.row_count:
        Console(width=None if sys.stdout.isatty() else 100).print(table)
        terminalreporter.write_line(f"◄ the fastest rival. {report.sentence(report.environment())}")


def shown(seconds: float) -> str:
    return f"{seconds * 1e6:,.0f} µs"
