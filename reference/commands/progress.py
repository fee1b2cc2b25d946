"""A progress bar."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol, TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn


class Work(Protocol):
    """Something that takes its time."""

    @property
    def id(self) -> str:
        """What it is called."""
        ...


Piece = TypeVar("Piece", bound=Work)


def tracked(work: Sequence[Piece]) -> Iterator[Piece]:
    """The cases, or whatever the work is on, with a bar on a terminal that says which one it is at."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("", total=len(work))
        for piece in work:
            progress.update(task, description=piece.id)
            yield piece
            progress.advance(task)
