"""The distance between two tensors, in eps."""

from __future__ import annotations

from typing import Any

import numpy as np

from reference.contract import RowGrad

TINY = np.finfo(np.float64).tiny

Distance = tuple[float, tuple[int, ...], float | str, float | str]
"""The error in eps, the index, and the expected and actual values of the worst entry."""


def error(expected: np.ndarray, got: np.ndarray, largest: np.ndarray, eps: float) -> tuple[float, tuple[int, ...]]:
    """The largest error of an entry, in eps of the largest entry of its row, and its index.

    largest: one float64 number per row, as from `row_sizes`. The error is infinite if either value is not finite. It is
    larger than any tolerance if a nonzero value is in a row that has always been zero. NumPy may warn of either, unless
    the caller ignores that, once for many tensors.
    """
    unit = np.maximum(largest * eps, TINY)
    relative = np.abs(got - expected) / (unit[..., None] if expected.ndim > 1 else unit)
    index = tuple(int(i) for i in np.unravel_index(relative.argmax(), relative.shape))  # argmax stops at a NaN
    worst = float(relative[index])
    return worst if np.isfinite(worst) else np.inf, index


def row_sizes(tensor: np.ndarray) -> np.ndarray:
    """The largest absolute entry of each row. Rows lie along the last axis; a vector or a number is one row."""
    return np.abs(tensor).max(axis=-1).astype(np.float64)


class Scale:
    """The largest entry that each row of each tensor has had so far.

    When a loss goes to zero, a gradient is a small difference of large terms, and the rounding errors of those terms
    remain. So an error is measured against the largest entry so far, not only against the current entries.
    """

    def __init__(self) -> None:
        self.largest: dict[str, np.ndarray] = {}
        self.last: dict[str, tuple[np.ndarray | RowGrad, np.ndarray]] = {}

    def sizes(self, name: str, expected: np.ndarray | RowGrad) -> np.ndarray:
        """The same as `of`, but computed once for all tensors that are compared with `expected` in turn."""
        if name not in self.last or self.last[name][0] is not expected:
            self.last[name] = expected, self.of(name, expected)
        return self.last[name][1]

    def of(self, name: str, expected: np.ndarray | RowGrad) -> np.ndarray:
        """The largest entries so far of the rows of `expected`, including the current ones."""
        if isinstance(expected, RowGrad):
            seen = self.largest.setdefault(name, np.zeros(expected.shape[0]))
            seen[expected.rows] = np.maximum(seen[expected.rows], row_sizes(expected.values))
            return seen[expected.rows]
        sizes = row_sizes(expected)
        before = self.largest.get(name, sizes)
        self.largest[name] = np.maximum(before, sizes) if before.shape == sizes.shape else sizes
        return self.largest[name]

    def distance(self, name: str, expected: np.ndarray | RowGrad, got: np.ndarray | RowGrad, eps: float) -> Distance:
        """The distance of a tensor or row gradient from the expected one."""
        return distance(expected, got, self.sizes(name, expected), eps)


class Likeness(Scale):
    """A scale for two implementations that may both be wrong: the largest entry so far of the whole tensor.

    Two implementations with the same mistake can differ where one has zeros in a row and the other only rounding
    errors. So one scale serves all rows of a tensor. Equal values that are not finite count as no difference.

    If the loss of a step is NaN in both, one implementation may have NaN times 0 in a sum that leaves the term out in
    the other. So if both tensors have a NaN, a NaN in `got` matches anything, and a NaN in `expected` also matches 0.
    """

    lost = False
    """Whether the loss of this step is NaN in both implementations."""

    def of(self, name: str, expected: np.ndarray | RowGrad) -> np.ndarray:
        """The largest finite entry of the tensor so far, repeated for each row of `expected`."""
        values = values_of(expected)
        finite = np.isfinite(values)
        sizes = super().of(name, expected if finite.all() else _with(expected, np.where(finite, values, 0)))
        return np.full_like(sizes, self.largest[name].max())

    def distance(self, name: str, expected: np.ndarray | RowGrad, got: np.ndarray | RowGrad, eps: float) -> Distance:
        """The distance between two tensors. The loss of a step must be compared before its other tensors."""
        one, other, largest = values_of(expected), values_of(got), self.sizes(name, expected)
        if name == "loss loss":
            self.lost = bool(np.isnan(one).all() and np.isnan(other).all())
        finite = np.isfinite(one)
        if one.shape == other.shape and not finite.all():
            same = ~finite & ((one == other) | (np.isnan(one) & np.isnan(other)))
            if self.lost and np.isnan(one).any() and np.isnan(other).any():
                same |= np.isnan(other) | (np.isnan(one) & (other == 0))
            expected, got = _with(expected, np.where(same, 0, one)), _with(got, np.where(same, 0, other))
        return distance(expected, got, largest, eps)


def values_of(tensor: np.ndarray | RowGrad) -> np.ndarray:
    """The entries that are stored: of a row gradient, those of its rows."""
    return tensor.values if isinstance(tensor, RowGrad) else tensor


def _with(tensor: np.ndarray | RowGrad, values: np.ndarray) -> np.ndarray | RowGrad:
    return RowGrad(tensor.rows, values, tensor.shape) if isinstance(tensor, RowGrad) else values


def moved(initial: np.ndarray, untouched: np.ndarray, got: np.ndarray) -> np.ndarray:
    """The indices of the untouched rows that are no longer equal bit for bit. untouched: a mask (V,)."""
    bits = f"u{initial.dtype.itemsize}"
    before, now = (np.ascontiguousarray(table).view(bits) for table in (initial[untouched], got[untouched]))
    return np.flatnonzero(untouched)[(before != now).any(axis=1)]


def distance(expected: Any, got: Any, largest: np.ndarray, eps: float) -> Distance:
    """The error in eps, the index, and the expected and actual values of the worst entry of a tensor or row gradient.

    For a row gradient, the index is that of the whole table: the row is the id.
    """
    if not isinstance(expected, RowGrad):
        worst, index = error(expected, got, largest, eps)
        return worst, index, float(expected[index]), float(got[index])
    if not np.array_equal(expected.rows, got.rows):
        row = int(np.setxor1d(expected.rows, got.rows)[0])
        words = ("no gradient in this row, it was not looked up", "a gradient in this row, be it zero")
        extra = row in got.rows
        return np.inf, (row,), words[not extra], "a gradient in this row" if extra else "no gradient in this row"
    if not len(expected.rows):  # only padding was looked up
        return 0.0, (), 0.0, 0.0
    worst, (at, column) = error(expected.values, got.values, largest, eps)
    wanted, found = float(expected.values[at, column]), float(got.values[at, column])
    return worst, (int(expected.rows[at]), column), wanted, found
