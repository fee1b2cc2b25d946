"""Numbers that came with too few digits: how many they have, and what they say to within these."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from reference.vectors.reading import Steps

NEEDED = {"float64": 17, "float32": 9}
"""So many digits give each number of the dtype back."""


def most_digits(steps: Steps, dtype: str) -> int:
    """The most digits that one of the numbers needs."""
    numbers = np.concatenate([np.ravel(part) for step in steps for part in _arrays(step)])
    return max((_digits(number) for number in numbers[np.isfinite(numbers)].astype(dtype)), default=NEEDED[dtype])


def _digits(number: np.floating[Any]) -> int:
    shortest = np.format_float_scientific(number)
    return len(shortest.partition("e")[0].lstrip("-").replace(".", ""))


def _arrays(value: Any) -> Iterator[np.ndarray]:
    """All numbers but the rows of row gradients."""
    if isinstance(value, dict):
        for part in value.values():
            yield from _arrays(part)
    else:
        yield value[1] if isinstance(value, tuple) else value


def mended(given: Any, exact: Any, digits: int) -> Any:
    """The same steps, where a number that equals the exact one to within its digits is replaced by it."""
    match given:
        case list():
            return [mended(*both, digits) for both in zip(given, exact, strict=False)]
        case dict():
            return {name: mended(part, exact[name], digits) if name in exact else part for name, part in given.items()}
        case (rows, values) if np.array_equal(rows, exact[0]):
            return rows, mended(values, exact[1], digits)
        case np.ndarray() if isinstance(exact, np.ndarray) and given.shape == exact.shape:
            unit = 10.0 ** (1 - digits) * np.abs(exact)  # of the last digit, at most
            return np.where(np.abs(given - exact) <= unit, exact, given)
    return given
