"""A progress bar."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol, TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn


class Work(Protocol):
    """A piece of work with an id."""

    @property
    def id(self) -> str:
        """The name to show."""
        ...


Piece = TypeVar("Piece", bound=Work)


def tracked(work: Sequence[Piece]) -> Iterator[Piece]:
    """Yield the cases or other pieces of work, with a progress bar that names the current one on a terminal."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("", total=len(work))
        for piece in work:
            progress.update(task, description=piece.id)
            yield piece
            progress.advance(task)
