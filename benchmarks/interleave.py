"""Times that can be compared although the machine is never equally fast twice."""

from __future__ import annotations

from collections.abc import Callable
from statistics import median
from time import perf_counter

BURST = 0.02
"""Seconds that one turn takes at least, so that the clock and the first call weigh nothing."""


def interleaved(contenders: dict[str, Callable[[], object]], rounds: int = 9) -> dict[str, float]:
    """The median seconds of one call of each, taken in turns: whatever slows the machine slows all of them."""
    calls = {name: 1 + int(BURST / _seconds(call, 3)) for name, call in contenders.items()}
    times: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, call in contenders.items():
            call()  # brings its data back into the cache, and its memory back from the others
            times[name].append(_seconds(call, calls[name]))
    return {name: median(found) for name, found in times.items()}


def _seconds(call: Callable[[], object], times: int) -> float:
    start = perf_counter()
    for _ in range(times):
        call()
    return (perf_counter() - start) / times
