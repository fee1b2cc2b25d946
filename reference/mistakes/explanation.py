"""What explains a result that disagrees."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["mistake", "variant"]
"""A variant is another framework's convention; everybody may choose."""


@dataclass(frozen=True)
class Cause:
    """A known mistake or variant that explains a disagreement, and the tensors in which it shows first.

    sentence: says so, with the row where that is one. wrong, right: the line to look for, and what should stand there.
    """

    name: str
    kind: Kind
    tensors: tuple[str, ...]
    sentence: str
    wrong: str
    right: str


@dataclass(frozen=True)
class Explanation:
    """Why a result disagrees: the causes that are known, or where there is none, what can be seen of it.

    nearly: the names of what explains it but for a few digits, and explains other results whole.
    """

    causes: tuple[Cause, ...] = ()
    observed: tuple[str, ...] = ()
    nearly: tuple[str, ...] = ()

    @property
    def variants_alone(self) -> bool:
        """Whether nothing is wrong but that another convention is followed."""
        return bool(self.causes) and all(cause.kind == "variant" for cause in self.causes)
