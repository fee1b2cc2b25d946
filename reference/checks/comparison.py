"""A gradient beside the derivatives that it must equal: entry by entry, and along random directions."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np

from reference.checks.derivatives import SURE, At, Slope, Unchecked, random
from reference.checks.facts import View
from reference.judge.result import bracketed
from reference.judge.tolerance import TOLERANCE

DIRECTIONS = 3
"""A tensor that is not compared entry by entry is compared along this many random directions."""

ODD = 100
"""A derivative whose error is this many times that of most others is looked at more closely."""

NOISE = 16
"""This many times what rounding was seen to do is allowed."""


class Truth(Protocol):
    """The right gradient of one tensor. way: where it comes from. zero: whether it is 0, but for rounding."""

    way: str
    zero: bool

    def at(self, at: At, direction: Any = 1.0, closely: bool = False) -> Slope:
        """The slope along a direction in some of its entries. closely: whatever it takes."""
        ...

    def noise(self, at: At, direction: Any = 1.0) -> float:
        """How much that moves with the last digits of the parameters."""
        ...


@dataclass(frozen=True, eq=False)
class Comparison:
    """One gradient beside the truth. unit: the eps that it is held to. stream: what directions are drawn from. jitter:
    how much each of its own entries moves with the last digits of the parameters, as far as that is known.
    """

    truth: Truth
    got: np.ndarray
    unit: float
    stream: np.random.Generator
    jitter: Callable[[], np.ndarray | float] = lambda: 0.0

    def at(self, entries: np.ndarray) -> View:
        """The entries (K,), in flat order, with what they may be off: by what their row's largest may.

        Where that is not enough, it is the noise that counts, and the last digit of the largest of all: the right
        gradient may be what is left of large terms that cancel, and then so may be any other.
        """
        slopes = [self.truth.at(int(k)) for k in entries]
        view = self.viewed(entries, slopes)
        errors = np.array([slope.error for slope in slopes])
        again = errors > ODD * np.median(errors)
        if again.any():
            for n in np.flatnonzero(again):
                slopes[n] = self.truth.at(int(entries[n]), closely=True)
            view = self.viewed(entries, slopes)
        off = view.off
        if not off.any():
            return view
        noise = np.zeros(len(entries))
        noise[off] = [self.truth.noise(int(k)) for k in entries[off]]
        noise = np.maximum(noise, np.broadcast_to(self.jitter(), self.got.shape).reshape(-1)[entries])
        _, row = np.unique(view.rows, return_inverse=True)
        most = np.zeros(row.max() + 1)
        np.maximum.at(most, row, noise)
        return replace(view, allowed=view.allowed + NOISE * most[row] + 2 * self.unit * view.largest.max())

    def viewed(self, entries: np.ndarray, slopes: Sequence[Slope]) -> View:
        """The entries, with what they may be off by their row's largest. Raises Unchecked if one has no slope."""
        expected, error = (np.array([getattr(slope, part) for slope in slopes]) for part in ("value", "error"))
        if not np.isfinite(expected).all():
            index = np.unravel_index(entries[~np.isfinite(expected)][0], self.got.shape)
            place = bracketed([int(i) for i in index])
            raise Unchecked(f"the loss has no derivative with respect to its entry {place}")
        sizes = np.abs(self.got) if len(entries) < self.got.size else np.zeros(self.got.shape)  # of a row seen in part
        sizes.reshape(-1)[entries] = np.abs(expected)
        width = self.got.shape[-1] if self.got.ndim > 1 and self.got.shape[-1] > 1 else self.got.size  # (D, 1) is a row
        largest = np.repeat(sizes.reshape(-1, width).max(axis=1), width)[entries]
        return View(entries, expected, self.limit * largest + SURE * error, largest, self.got)

    def along(self, part: slice) -> float:
        """How far off it is along a random direction in a part of its entries, as a share of what it may be."""
        mine = self.got.reshape(-1)[part]
        direction = random(self.stream, mine.size)
        terms = (mine * direction).astype(np.longdouble)
        total, size = float(terms.sum()), float(np.sqrt((terms**2).sum()))
        for closely in (False, True):
            slope = self.truth.at(part, direction, closely)
            gap, allowed = abs(total - slope.value), self.limit * size + SURE * slope.error
            if gap <= allowed:
                break
        else:
            allowed += NOISE * self.truth.noise(part, direction)
        return gap / allowed if allowed else (math.inf if gap else 0.0)

    def wrong_entry(self) -> int:
        """A wrong entry of one that is off along a random direction: it is in that half which is further off."""
        low, high = 0, self.got.size
        while high - low > 1:
            middle = (low + high) // 2
            first, second = self.along(slice(low, middle)), self.along(slice(middle, high))
            low, high = (low, middle) if first >= second else (middle, high)
        return low

    def whole(self, most: int, ids: np.ndarray | None) -> tuple[View, int, float]:
        """All entries, or of a tensor with more than `most` some, and what the others are along random directions.

        Returns the view, along how many directions it was compared, and how far off it is along one of them, as a share
        of what it may be.
        """
        entries = chosen(self.got, most, ids, self.stream)
        view = self.at(entries)
        if len(entries) == self.got.size or view.off.any():
            return view, 0, 0.0
        shares = [self.along(slice(0, self.got.size)) for _ in range(DIRECTIONS)]
        if max(shares) > 1:
            view = self.at(np.union1d(entries, self.wrong_entry()))
        return view, DIRECTIONS, max(shares)

    @property
    def limit(self) -> float:
        """The largest error that is allowed of an entry, as a part of the largest of its row."""
        dtype = "float64" if self.unit <= np.finfo(np.float64).eps else "float32"
        return TOLERANCE[dtype]["grads"] * self.unit


def chosen(got: np.ndarray, most: int, ids: np.ndarray | None, stream: np.random.Generator) -> np.ndarray:
    """The entries of a gradient that are compared one by one: all, or a sample of that size.

    A third of these are any, a third are some that are not 0, a third are in the rows that are looked up most often.
    """
    if got.size <= most:
        return np.arange(got.size)

    def groups() -> Iterator[np.ndarray]:
        yield stream.integers(0, got.size, most)
        yield np.flatnonzero(got)
        if ids is not None and ids.size:
            width = got.size // len(got)
            rows, times = np.unique(ids, return_counts=True)
            often = rows[np.argsort(-times, kind="stable")][: max(1, most // 3 // width)]
            yield (often[:, None] * width + np.arange(width)).reshape(-1)

    taken = [
        stream.choice(group, min(max(1, most // 3), len(group)), replace=False) for group in groups() if len(group)
    ]
    return np.unique(np.concatenate(taken))
