"""The options by which a command chooses cases."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import MISSING, fields

from reference.cases import Case
from reference.cases.labels import written
from reference.catalogue import select


def add_choice(parser: argparse.ArgumentParser, default: str) -> None:
    """PATTERN, as often as wanted, and --not."""
    parser.add_argument(
        "patterns",
        nargs="*",
        metavar="PATTERN",
        help=f"cases whose id contains it, or matches it with * and ? (default: {default})",
    )
    parser.add_argument(
        "--not",
        dest="without",
        action="append",
        default=[],
        metavar="PATTERN",
        help="leave out the cases that match it; may be given several times",
    )


def chosen(cases: Sequence[Case], options: argparse.Namespace) -> list[Case]:
    """The cases that are asked for. Raises BadInput where a pattern matches none, or none is left."""
    return select(cases, options.patterns, options.without)


def listed(cases: Sequence[Case]) -> str:
    """One line a case: its id, and what it has."""
    width = max(len(case.id) for case in cases)
    return "\n".join(f"{case.id:<{width}}  {_said(case)}" for case in cases)


def _said(case: Case) -> str:
    """Model, optimizer, data and steps, and what else of the case is not its default."""
    shown = [
        f"{part.name}={getattr(case, part.name)}"
        for part in fields(case)
        if part.name == "steps"
        or (part.default not in (MISSING, getattr(case, part.name)) and part.name not in ("sparse", "dtype"))
    ]
    return "  ".join([*map(written, (case.model, case.optimizer, case.data)), *shown])
