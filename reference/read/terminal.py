"""Print a pair, highlighted: NumPy on the left, PyTorch on the right, the exact form before or above them."""

from __future__ import annotations

from collections.abc import Sequence

from rich import box
from rich.console import Console, Group, RenderableType
from rich.rule import Rule
from rich.syntax import Syntax
from rich.table import Table
from rich.text import Text

from reference.read.align import Lines, Pair, Row

THREE_COLUMNS = 200
"""The terminal width from which the exact form has its own column."""


def show(pairs: Sequence[Pair], console: Console) -> None:
    """Print the pairs, part by part, row by row."""
    for pair in pairs:
        console.print(Rule(Text(pair.title, "bold"), align="left", style="default"))
        console.print(Text(pair.summary, "italic"))
        for part in pair.parts:
            console.print()
            table = Table(title=Text(part.title, "bold"), title_justify="left", box=box.MINIMAL, expand=True)
            wide = console.width >= THREE_COLUMNS and any(row.exact for row in part.rows)
            for name in ("Exact, in scalars", "NumPy, by hand", "PyTorch") if wide else ("NumPy, by hand", "PyTorch"):
                table.add_column(name, ratio=1)
            for row in part.rows:
                title, exact, numpy, torch = Text(row.title, "cyan"), _code(row.exact), _code(row.numpy), _pytorch(row)
                if wide:
                    table.add_row(title)
                    table.add_row(Group(*exact), Group(*numpy), Group(*torch))
                elif exact:
                    table.add_row(Group(title, Text("exact", "dim"), *exact))
                    table.add_row(Group(Text("NumPy", "dim"), *numpy), Group(Text("PyTorch", "dim"), *torch))
                else:
                    table.add_row(Group(title, *numpy), Group(Text(), *torch))
                table.add_section()
            console.print(table)
        console.print()


def _pytorch(row: Row) -> list[RenderableType]:
    cells = _code(row.torch)
    if row.own:
        cells.append(Text(row.own, "dim"))
    if row.ops:
        cells.append(_python(row.ops))
    return cells + [Text(f"← {node}", "magenta") for node in row.autograd]


def _code(pieces: Sequence[Lines]) -> list[RenderableType]:
    return [_python(piece.code) for piece in pieces]


def _python(code: str) -> Syntax:
    return Syntax(code, "python", theme="ansi_dark", background_color="default", word_wrap=True)
