"""What every benchmark shares: one thread, the environment in the saved JSON, ratios at the end."""

from __future__ import annotations

from collections import defaultdict

import pytest
import threadpoolctl
from rich import box
from rich.console import Console
from rich.table import Table

from reference import report
from reference.run import TWINS, load

for twin in TWINS:
    load(twin)
threadpoolctl.threadpool_limits(1)


def pytest_benchmark_update_machine_info(config: pytest.Config, machine_info: dict) -> None:
    machine_info["twingrad"] = report.environment()


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """PyTorch's median time over NumPy's, for each hot loop and size."""
    medians: dict[str, dict[str, float]] = defaultdict(dict)
    for benchmark in config._benchmarksession.benchmarks:
        if benchmark.stats.data:
            medians[benchmark.group][benchmark.params["name"]] = benchmark.stats.median
    table = Table("hot loop", "size", "numpy_impl", "torch_impl", "torch / numpy", box=box.SIMPLE_HEAD)
    for group, median in medians.items():
        if len(median) == len(TWINS):
            loop, size = group.rsplit(" ", 1)
            times = (f"{median[name] * 1e6:,.0f} µs" for name in TWINS)
            table.add_row(loop, size, *times, f"{median['torch_impl'] / median['numpy_impl']:.2f}")
    if table.row_count:
        Console().print(table)
        terminalreporter.write_line(report.sentence(report.environment()))
