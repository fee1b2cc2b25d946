"""A pair in the terminal: two columns, highlighted, NumPy on the left and PyTorch on the right."""

from __future__ import annotations

from collections.abc import Sequence

from rich import box
from rich.console import Console, Group, RenderableType
from rich.rule import Rule
from rich.syntax import Syntax
from rich.table import Table
from rich.text import Text

from reference.read.align import Lines, Pair, Row


def show(pairs: Sequence[Pair], console: Console) -> None:
    """Print the pairs, part by part, row by row."""
    for pair in pairs:
        console.print(Rule(Text(pair.title, "bold"), align="left", style="default"))
        console.print(Text(pair.summary, "italic"))
        for part in pair.parts:
            console.print()
            table = Table(title=Text(part.title, "bold"), title_justify="left", box=box.MINIMAL, expand=True)
            table.add_column("NumPy, by hand", ratio=1)
            table.add_column("PyTorch", ratio=1)
            for row in part.rows:
                table.add_row(Group(Text(row.title, "cyan"), *_code(row.numpy)), Group(Text(), *_pytorch(row)))
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
