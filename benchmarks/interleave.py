"""Times that can be compared although the machine is never equally fast twice."""

from __future__ import annotations

from collections.abc import Callable
from statistics import median
from time import perf_counter

TURN = 0.02
"""Seconds that one turn takes at least; a contender has the cache to itself for so long."""

Times = dict[str, float]
"""Median seconds, by contender."""


def interleaved(contenders: dict[str, Callable[[], object]], turns: int = 9) -> Times:
    """The median seconds of one call of each, taken in turns: whatever slows the machine slows all of them.

    The first call of a turn does not count: it brings its data back into the cache.
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
