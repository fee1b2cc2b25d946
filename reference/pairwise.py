"""Combinations of options in which every two values occur together, without all the products of all of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import combinations
from typing import Any

Row = dict[str, Any]


def pairwise(options: Mapping[str, Sequence[Any]], possible: Callable[[Row], bool] = lambda row: True) -> list[Row]:
    """Rows with one value of each option, such that every possible pair of values is in one of them.

    Greedy: begin with a pair that is missing, and give each other option the value that adds most missing pairs.
    possible: says of a row that may still be incomplete whether it can be meant; a pair that can't be is left out.
    """
    missing = {
        ((a, x), (b, y)): None for a, b in combinations(options, 2) for x in options[a] for y in options[b]
    }  # a dict, for its order
    rows = []
    while missing:
        first = next(iter(missing))
        row: Row | None = dict(first)
        for name, values in options.items():
            if row is not None and name not in row:
                allowed = [row | {name: value} for value in values if possible(row | {name: value})]
                row = max(allowed, key=lambda r: sum(p in missing for p in _pairs(r, options)), default=None)
        if row is None or not possible(row):
            del missing[first]
            continue
        for pair in _pairs(row, options):
            missing.pop(pair, None)
        rows.append({name: row[name] for name in options})
    return rows


def _pairs(row: Row, options: Mapping[str, Sequence[Any]]) -> list[tuple[tuple[str, Any], tuple[str, Any]]]:
    return [((a, row[a]), (b, row[b])) for a, b in combinations(options, 2) if a in row and b in row]
