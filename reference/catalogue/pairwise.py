"""Combinations of options where every pair of values occurs, without taking all combinations.

The rows are in files, `rows/*.csv`, which only grow: a new value adds rows. Old rows, and the cases made from them, do
not change.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

Row = dict[str, Any]

ROWS = Path(__file__).parent / "rows"


def values(*each: Any) -> dict[str, Any]:
    """Values of an option by the labels that rows use for them: `None`, `0.5`, `mean`, or `0.9 0.999` for a tuple."""
    return {
        str(value) if not isinstance(value, tuple) else " ".join(map(str, value)) or "none": value for value in each
    }


@dataclass(frozen=True)
class Table:
    """Options, each with its values by label, and the rows of labels that combine them.

    file: the name of the rows' file, without `.csv`. possible: tells whether values can go together; it must also take
    rows with some options missing. A file without a column for an option, or a line shorter than the first one, is
    older than the option and has the option's first value.
    """

    file: str
    options: Mapping[str, Mapping[str, Any]]
    possible: Callable[[Row], bool]

    @property
    def path(self) -> Path:
        """The file of the rows."""
        return ROWS / f"{self.file}.csv"

    def labels(self) -> list[dict[str, str]]:
        """The committed rows, in labels; empty if there is no file."""
        if not self.path.exists():
            return []
        with self.path.open(encoding="utf-8", newline="") as lines:
            rows = list(csv.DictReader(lines))
        return [{name: row.get(name) or next(iter(of)) for name, of in self.options.items()} for row in rows]

    def rows(self) -> list[Row]:
        """The committed rows, in values."""
        return [self.meant(row) for row in self.labels()]

    def meant(self, row: Mapping[str, str]) -> Row:
        """The values of a row of labels."""
        return {name: self.options[name][label] for name, label in row.items()}

    def missing(self) -> list[dict[str, str]]:
        """The rows, in labels, that are needed so that every possible pair of values occurs."""
        return pairwise(self.options, lambda row: self.possible(self.meant(row)), given=self.labels())

    def grow(self) -> int:
        """Append the missing rows to the file; returns how many. New options get new columns at the end."""
        rows = self.missing()
        if rows:
            first, *lines = self.path.read_text(encoding="utf-8").splitlines() if self.path.exists() else [""]
            names = [name for name in first.split(",") if name]
            names += [name for name in self.options if name not in names]
            appended = io.StringIO()
            csv.DictWriter(appended, names, lineterminator="\n").writerows(rows)
            whole = "\n".join([",".join(names), *lines, appended.getvalue()])
            self.path.write_text(whole, encoding="utf-8")
        return len(rows)


def pairwise(
    options: Mapping[str, Iterable[Any]],
    possible: Callable[[Row], bool] = lambda row: True,
    given: Sequence[Row] = (),
) -> list[Row]:
    """New rows with one value for each option: every possible pair of values occurs in them or in the given rows.

    Greedy: start with a missing pair, then give each other option the value that adds most missing pairs, or the next
    best if that one is not possible. possible: tells whether a row can be used; the row may still be incomplete. A pair
    that no possible row contains is left out.
    """
    missing = {
        ((a, x), (b, y)): None for a, b in combinations(options, 2) for x in options[a] for y in options[b]
    }  # a dict, for its order

    def met(row: Row) -> int:
        return sum(pair in missing for pair in _pairs(row, options))

    def completed(row: Row) -> Row | None:
        if not possible(row):
            return None
        name = next((name for name in options if name not in row), None)
        if name is None:
            return row
        tried = sorted(({**row, name: value} for value in options[name]), key=met, reverse=True)
        return next((found for one in tried if (found := completed(one))), None)

    for row in given:
        for pair in _pairs(row, options):
            missing.pop(pair, None)
    rows = []
    while missing:
        first = next(iter(missing))
        found = completed(dict(first))
        if found is None:
            del missing[first]
            continue
        for pair in _pairs(found, options):
            missing.pop(pair, None)
        rows.append({name: found[name] for name in options})
    return rows


def _pairs(row: Row, options: Iterable[str]) -> list[tuple[tuple[str, Any], tuple[str, Any]]]:
    return [((a, row[a]), (b, row[b])) for a, b in combinations(options, 2) if a in row and b in row]
