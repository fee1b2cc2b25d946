"""Comparable times, even on a machine with changing speed."""

from __future__ import annotations

from collections.abc import Callable
from statistics import median
from time import perf_counter

TURN = 0.02
"""A turn takes at least this many seconds. A contender has the cache to itself that long."""

Times = dict[str, float]
"""Median seconds, by contender."""


def interleaved(contenders: dict[str, Callable[[], object]], turns: int = 9) -> Times:
    """The median seconds per call of each contender. They take turns, so a slow machine slows all of them.

    The first call of a turn does not count, because it brings its data back into the cache.
    """
    times: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(turns):
        for name, call in contenders.items():
            _seconds(call)
            end = perf_counter() + TURN
            times[name].append(_seconds(call))
            while perf_counter() < end:
                times[name].append(_seconds(call))
    return {name: median(found) for name, found in times.items()}


def _seconds(call: Callable[[], object]) -> float:
    start = perf_counter()
    call()
    return perf_counter() - start
