"""What all benchmarks share: one thread, the environment in the saved JSON, and ratios, goals and plots at the end."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import threadpoolctl
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from benchmarks import goals, plots
from benchmarks.interleave import Times, interleaved
from reference.checks.twins import twins
from reference.commands.files import check_writable, write_whole
from reference.environment import environment, sentence
from reference.errors import BadInput

twins()  # before the thread limit, which affects only loaded libraries
threadpoolctl.threadpool_limits(1)

RACES = pytest.StashKey[dict[tuple[str, str], Times]]()
OUT = Path("build/bench")
WIDTH = 110
"""The width of the tables without a terminal."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--quick", action="store_true", help="fewer turns, without the largest size and slow rivals")
    parser.addoption("--tables", metavar="FILE", type=Path, help="write the tables there too")


def pytest_configure(config: pytest.Config) -> None:
    try:
        if config.getoption("--tables"):
            check_writable(config.getoption("--tables"), "--tables")
    except BadInput as bad:
        raise pytest.UsageError(str(bad)) from None
    config.stash[RACES] = {}


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--quick"):
        slow = [item for item in items if item.get_closest_marker("slow") or "-L]" in item.name or "[L" in item.name]
        config.hook.pytest_deselected(items=slow)
        items[:] = [item for item in items if item not in slow]


def pytest_benchmark_update_machine_info(config: pytest.Config, machine_info: dict) -> None:
    machine_info["twingrad"] = environment()


@pytest.fixture
def measure(request: pytest.FixtureRequest) -> Callable[..., Times]:
    """A function that times contenders in turns and keeps the medians for the tables. Known times are kept as given."""

    def run(loop: str, size: str, contenders: dict[str, Callable[[], object]], known: Times | None = None) -> Times:
        turns = 3 if request.config.getoption("--quick") else 9
        request.config.stash[RACES][loop, size] = interleaved(contenders, turns) | (known or {})
        return request.config.stash[RACES][loop, size]

    return run


@pytest.fixture(params=["numpy", "torch"])
def race(benchmark, measure, request: pytest.FixtureRequest):
    """A function that times `numpy` and its rivals in turns, for the table of ratios, and then each one separately.

    The separate times are what pytest-benchmark saves and compares between runs: NumPy's, and that of the fastest rival
    in the same group. The medians of the race are saved with them.
    """

    def run(
        loop: str,
        size: str,
        numpy: Callable[[], object],
        rivals: dict[str, Callable[[], object]],
        known: Times | None = None,
    ) -> None:
        if (loop, size) not in request.config.stash[RACES]:
            measure(loop, size, {"numpy": numpy} | rivals, known)
        medians = request.config.stash[RACES][loop, size]
        fastest = min((name for name in rivals if name not in goals.NO_RIVALS), key=medians.__getitem__)
        benchmark.group = f"{loop} {size}"
        benchmark.extra_info.update(medians=medians, timed="numpy" if request.param == "numpy" else fastest)
        benchmark.pedantic(numpy if request.param == "numpy" else rivals[fastest], rounds=20, warmup_rounds=2)

    return run


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print the median times, the ratios to NumPy's, and the goals. The plots go to build/bench/."""
    races = config.stash[RACES]
    if not races:
        return
    env = environment()
    show(races, env, Console(width=None if sys.stdout.isatty() else WIDTH))
    if config.getoption("--tables"):
        written = Console(file=io.StringIO(), width=WIDTH)
        show(races, env, written)
        write_whole(config.getoption("--tables"), written.file.getvalue())
    OUT.mkdir(parents=True, exist_ok=True)
    found = [{"loop": loop, "size": size, "seconds": times} for (loop, size), times in races.items()]
    write_whole(OUT / "races.json", json.dumps({"races": found, "environment": env}, indent=1) + "\n")
    drawn = plots.draw(races, OUT)
    terminalreporter.write_line(f"{OUT}/races.json{''.join(f', {name}' for name in drawn)}")


def show(races: goals.Races, env: dict[str, Any], console: Console) -> None:
    """Print the ratios, the measured goals, and the environment."""
    console.print(ratios(races))
    reached = goals.table(races)
    if reached.row_count:
        console.print(reached)
    console.print(Text(f"{reached.row_count} of {len(goals.GOALS)} goals were measured"))
    console.print(Text(f"◄ the fastest rival. {sentence(env)}"), soft_wrap=True)


def ratios(races: dict[tuple[str, str], Times]) -> Table:
    """Each rival's time divided by NumPy's. The fastest rival is marked."""
    table = Table("hot loop", "size", "numpy", "rival", "its time", "rival / numpy", box=box.SIMPLE_HEAD)
    for column in (2, 4, 5):
        table.columns[column].justify = "right"
    for (loop, size), medians in races.items():
        if "numpy" not in medians:
            continue
        others = {name: time for name, time in medians.items() if name != "numpy"}
        fastest = min((name for name in others if name not in goals.NO_RIVALS), key=others.__getitem__, default="")
        for i, (name, time) in enumerate(others.items()):
            first = ("", "", "") if i else (loop, size, shown(medians["numpy"]))
            table.add_row(
                *first, name, shown(time), f"{time / medians['numpy']:.2f}{' ◄' if name == fastest else '  '}"
            )
    return table


def shown(seconds: float) -> str:
    return f"{seconds * 1e6:,.0f} µs"
