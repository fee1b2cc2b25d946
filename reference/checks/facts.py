"""What can be seen of a wrong gradient beside the right one: what it equals, or what its wrong entries share."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np

from reference.mistakes.description import digits, listed, multiple

NAMED = 2
"""At most this many sizes are named that a ratio equals."""

PLAIN = {-1.0: "the sign is turned", 2.0: "a factor 2 too many", 0.5: "a factor 2 is missing"}
"""Ratios that have a meaning of their own."""


@dataclass(frozen=True, eq=False)
class View:
    """A gradient beside what it must be.

    entries: those that were looked at (K,), in flat order. expected, allowed: the right values there, and how far off
    is allowed. largest: the largest entry of the row of each. got: the whole gradient, in the shape of the tensor.
    """

    entries: np.ndarray
    expected: np.ndarray
    allowed: np.ndarray
    largest: np.ndarray
    got: np.ndarray

    @property
    def mine(self) -> np.ndarray:
        """The gradient at the entries that were looked at."""
        return self.got.reshape(-1)[self.entries]

    @property
    def error(self) -> np.ndarray:
        """How far off each of them is."""
        return np.abs(self.mine - self.expected)

    @property
    def off(self) -> np.ndarray:
        """Which of them are wrong."""
        return ~(self.error <= self.allowed)

    @property
    def rows(self) -> np.ndarray:
        """The row that each of them is in; of a vector, which entry it is."""
        return self.entries // (self.got.shape[-1] if self.got.ndim > 1 else 1)

    def fits(self, got: np.ndarray) -> bool:
        """Whether another gradient of the same shape would be right."""
        return not replace(self, got=got).off.any()


Alone = Callable[[np.ndarray, str], np.ndarray | None]
"""The derivatives at these entries if the first, or the last, example of the batch were all of it; None if unknown."""


def facts(
    view: View, others: Mapping[str, View], sizes: Mapping[str, int], ids: np.ndarray | None, alone: Alone
) -> Iterator[str]:
    """Sentences on a wrong gradient.

    others: what the gradients of other tensors are beside what they must be. sizes: how many there are of what, by what
    it is called. ids: the rows of this tensor that are looked up, each as often as it is.
    """
    whole = next(wholes(view, others, sizes, alone), None)
    if whole:
        yield whole
        return
    off = view.off
    times = multiple(view.expected[off], view.mine[off], view.allowed[off]) if off.sum() > 1 else None
    if times is not None:
        yield f"got is {named(times, sizes, 'in every entry that is off')}"
    shape = view.got.shape if view.got.ndim and len(view.entries) == view.got.size else -1
    yield from digits(view.expected.reshape(shape), view.mine.reshape(shape))
    if view.got.ndim > 1 and len(view.entries) > 1:
        yield from of_rows(view, ids)


def wholes(view: View, others: Mapping[str, View], sizes: Mapping[str, int], alone: Alone) -> Iterator[str]:
    """What explains all of a wrong gradient."""
    got = view.got
    if not np.isfinite(got).all():
        yield f"{np.count_nonzero(~np.isfinite(got))} of {got.size} entries are not finite"
        return
    if not got.any():
        yield "got is zero everywhere"
    some = view.expected != 0
    times = multiple(view.expected[some], view.mine[some], view.allowed[some])
    if times is not None and not view.off[~some].any():
        yield f"got is {named(times, sizes, 'everywhere')}"
    if got.ndim == 2 and got.shape[0] == got.shape[1] and view.fits(got.T):
        yield "got is the transpose of what is expected"
    for name, other in others.items():
        if other.got.shape == got.shape and other.fits(got) and other.expected.any():
            yield f"got is what is expected for {name}"
    if len(view.entries) == got.size:
        yield from moved(view)
    for which in ("first", "last"):
        single = alone(view.entries, which)
        if single is not None and single.any():
            times = float(view.mine[np.abs(single).argmax()] / single[np.abs(single).argmax()])
            if (np.abs(view.mine - times * single) <= view.allowed).all():
                yield f"got is the gradient of the {which} example alone; is there = for +=?"


def named(times: float, sizes: Mapping[str, int], where: str) -> str:
    """How many times what is expected it is, and what is as many."""
    if not times:
        return f"zero {where}"
    number = f"{times:.6g}" if abs(times - 1) > 1e-3 else f"(1 {'-' if times < 1 else '+'} {abs(times - 1):.2g})"
    meant = [what for ratio, what in PLAIN.items() if abs(times / ratio - 1) < 1e-6]
    for what, size in sizes.items():
        for ratio, word in ((size, "is"), (1 / size, "is 1 /")):
            if size > 1 and abs(times / ratio - 1) < 1e-6 and len(meant) < NAMED:
                meant.append(f"{number} {word} {what}")
    return f"{number} times what is expected {where}" + (f" ({', or '.join(meant)})" if meant else "")


def moved(view: View) -> Iterator[str]:
    """Whether the right numbers are in other places."""
    expected, got = view.expected.reshape(view.got.shape), view.got
    near = view.allowed.max()
    if got.ndim == 2:
        for what, one, other in (("rows", expected, got), ("columns", expected.T, got.T)):
            same = (np.abs(one[:, None] - other[None]) <= near).all(axis=-1)
            elsewhere = np.flatnonzero(~same.diagonal())
            if len(elsewhere) and same.any(axis=0).all() and same.any(axis=1).all():
                place = int(elsewhere[0])
                to = int(same[place].argmax())
                yield f"got has the right {what} in another order: that of {place} is in {to}"
    if (np.abs(np.sort(expected, axis=None) - np.sort(got, axis=None)) <= near).all():
        yield "got has the right numbers in other places; is there a reshape where a transpose is needed?"


def of_rows(view: View, ids: np.ndarray | None) -> Iterator[str]:
    """Which rows are off, and what they have in common."""
    looked, off = np.unique(view.rows), np.unique(view.rows[view.off])
    common = "every one that was compared" if len(off) == len(looked) > 1 else ""
    if ids is not None:
        read, times = np.unique(ids, return_counts=True)
        often = np.bincount(ids.reshape(-1), minlength=int(looked.max()) + 1)[view.rows]
        kinds = {
            "exactly those that occur more than once; are duplicates lost?": read[times > 1],
            "exactly those that are looked up": read,
            "exactly those that are not looked up": np.setdiff1d(looked, read),
            "exactly those that occur once": read[times == 1],
        }
        alike = (words for words, kind in kinds.items() if np.array_equal(off, np.intersect1d(kind, looked)))
        common = next(alike, common)
        if (np.abs(view.mine * np.maximum(often, 1) - view.expected) <= view.allowed * np.maximum(often, 1)).all():
            common = "each divided by how often it is looked up"
    yield f"off in rows {listed(off)} of {len(view.got)}" + (f", {common}" if common else "")
