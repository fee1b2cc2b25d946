"""What a check of gradients finds, tensor by tensor, and how it is told."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from typing import Literal

from reference.judge.result import bracketed

Verdict = Literal["right", "wrong", "unchecked", "not covered", "excluded"]

COLOURS = {"right": "green", "wrong": "red", "unchecked": "red", "not covered": "red", "excluded": "grey"}


@dataclass(frozen=True)
class Worst:
    """The entry that is furthest off, and by how many eps of the largest entry of its row."""

    index: tuple[int, ...]
    expected: float
    got: float
    eps: float

    def __str__(self) -> str:
        off = f" ({self.eps:.3g} eps off)" if math.isfinite(self.eps) else ""
        return f"{bracketed(self.index)}: expected {self.expected}, got {self.got}{off}"


@dataclass(frozen=True)
class Finding:
    """What was found of the gradient of one tensor.

    way: what it was compared with. eps: the largest error, in eps of the largest entry of its row. notices: the
    smallest error that would be noticed, as a part of that entry. looked_at: how many of its `size` entries were
    compared one by one. directions: along how many random directions, in which all entries move, it was compared. said:
    what can be seen of what is wrong, or why it could not be checked.
    """

    tensor: str
    verdict: Verdict
    size: int = 0
    way: str = ""
    eps: float = math.nan
    notices: float = math.nan
    looked_at: int = 0
    directions: int = 0
    worst: Worst | None = None
    said: tuple[str, ...] = ()

    def lines(self) -> Iterator[str]:
        """What is wrong with it, in sentences; none where it is right or excluded."""
        if self.verdict == "wrong":
            yield f"wrong {self.tensor}{self.worst or ''}"
            yield from (f"  {sentence}" for sentence in self.said)
        elif self.verdict in ("unchecked", "not covered"):
            yield f"{self.verdict} {self.tensor}: {'; '.join(self.said)}"

    def row(self) -> tuple[str, ...]:
        """Its line of the table."""
        looked = f"{self.looked_at:,} of {self.size:,}" + (f", {self.directions} directions" if self.directions else "")
        if self.verdict in ("excluded", "not covered") or not self.way:
            return self.tensor, self.verdict, "–", "–", "–", "–"
        return self.tensor, self.verdict, _number(self.eps), _number(self.notices), looked, self.way


HEAD = "tensor", "verdict", "eps off", "notices from", "entries", "compared with"


def _number(x: float) -> str:
    return f"{x:.3g}" if math.isfinite(x) else "–"


class Asserted:
    """What the reports of single checks share. A report is true only if it is right."""

    @property
    def right(self) -> bool:
        """Whether all that was checked is right."""
        raise NotImplementedError

    def summary(self) -> str:
        """The whole in one line."""
        raise NotImplementedError

    def __bool__(self) -> bool:
        return self.right

    def raise_if_wrong(self) -> None:
        """Raise an AssertionError with the whole report, unless it is right."""
        __tracebackhide__ = True
        if not self.right:
            raise AssertionError(str(self))

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self.summary()}>"


@dataclass(frozen=True, eq=False, repr=False)
class GradientReport(Asserted):
    """What a check of gradients found. It is true only if every gradient that is not excluded was checked and is right.

    unchecked: why nothing of it can be checked, if so. subject: what was checked.
    """

    findings: tuple[Finding, ...] = ()
    unchecked: str = ""
    subject: str = "gradients"

    @property
    def right(self) -> bool:
        """Whether every gradient that is not excluded was checked and is right, and there is one."""
        verdicts = {finding.verdict for finding in self.findings} - {"excluded"}
        return not self.unchecked and verdicts == {"right"}

    def summary(self) -> str:
        """The whole in one line."""
        if self.unchecked:
            return f"{self.subject}: could not be checked: {self.unchecked}"
        counts = {verdict: sum(finding.verdict == verdict for finding in self.findings) for verdict in COLOURS}
        return f"{self.subject}: " + ", ".join(f"{number} {verdict}" for verdict, number in counts.items() if number)

    def sentences(self) -> list[str]:
        """What is wrong, tensor by tensor."""
        return [line for finding in self.findings for line in finding.lines()]

    def __str__(self) -> str:
        rows = [HEAD, *(finding.row() for finding in self.findings)]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        table = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows] if self.findings else []
        return "\n".join([self.summary(), *self.sentences(), *([""] if table else []), *table])

    def _repr_html_(self) -> str:
        head = "".join(f"<th>{name}</th>" for name in HEAD)
        rows = "".join(
            f'<tr style="color: {COLOURS[finding.verdict]}">'
            + "".join(f"<td>{escape(cell)}</td>" for cell in finding.row())
            + "</tr>"
            for finding in self.findings
        )
        said = f"<pre>{escape(chr(10).join(self.sentences()))}</pre>" if self.sentences() else ""
        table = f"<table><tr>{head}</tr>{rows}</table>" if rows else ""
        return f"<p>{escape(self.summary())}</p>{table}{said}"
