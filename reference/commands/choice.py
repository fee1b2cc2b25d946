"""The options for choosing cases."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import MISSING, fields

from reference.cases import Case
from reference.cases.labels import written
from reference.catalogue import select


def add_choice(parser: argparse.ArgumentParser, default: str) -> None:
    """Add PATTERN, which may be repeated, and --exclude, which is also --not."""
    parser.add_argument(
        "patterns",
        nargs="*",
        metavar="PATTERN",
        help=f"cases with this in their id; * and ? are wildcards (default: {default})",
    )
    parser.add_argument(
        "--exclude",
        "--not",
        dest="without",
        action="append",
        default=[],
        metavar="PATTERN",
        help="leave out cases that match PATTERN; may be repeated",
    )


def chosen(cases: Sequence[Case], options: argparse.Namespace) -> list[Case]:
    """The chosen cases. Raises BadInput if a pattern matches no case, or no case is left."""
    return select(cases, options.patterns, options.without)


def listed(cases: Sequence[Case]) -> str:
    """One line per case: its id, and what it has."""
    width = max(len(case.id) for case in cases)
    return "\n".join(f"{case.id:<{width}}  {_said(case)}" for case in cases)


def _said(case: Case) -> str:
    """Model, optimizer, data and steps, and everything else that is not a default."""
    shown = [
        f"{part.name}={getattr(case, part.name)}"
        for part in fields(case)
        if part.name == "steps"
        or (part.default not in (MISSING, getattr(case, part.name)) and part.name not in ("sparse", "dtype"))
    ]
    return "  ".join([*map(written, (case.model, case.optimizer, case.data)), *shown])
