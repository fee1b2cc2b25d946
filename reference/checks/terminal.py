"""Findings as text, for a terminal or a file."""

from __future__ import annotations

import io
from collections.abc import Mapping
from itertools import zip_longest

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from reference.checks.content import COLOURS, Sheet, lines, sheets
from reference.checks.findings import Findings

WIDTH = 200
"""Where there is no terminal."""


def show(findings: Findings, console: Console) -> None:
    """Print the tables, then the lines."""
    for sheet in sheets(findings):
        console.print(_table(sheet))
    for line in lines(findings):
        console.print(Text.assemble((line.mark, line.colour), line.text), soft_wrap=True)


def text(findings: Findings) -> str:
    """What is printed, without colours."""
    stream = io.StringIO()
    show(findings, Console(file=stream, width=WIDTH, color_system=None, force_terminal=False, force_jupyter=False))
    return "\n".join(line.rstrip() for line in stream.getvalue().splitlines())


def _table(sheet: Sheet) -> Table:
    table = Table(title=Text(sheet.title), title_justify="left", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    first, *rest = sheet.columns
    table.add_column(first, no_wrap=True)
    for column in rest:
        table.add_column(column, justify="left" if column == "verdict" else "right")
    for row, verdicts in zip_longest(sheet.rows, sheet.verdicts):
        table.add_row(*map(Text, row), *([_verdicts(verdicts)] if verdicts else []))
    return table


def _verdicts(counted: Mapping[str, int]) -> Text:
    parts = [
        (verdict if len(counted) == 1 else f"{number} {verdict}", COLOURS[verdict])
        for verdict, number in counted.items()
    ]
    return Text(", ").join(Text(*part) for part in parts)
