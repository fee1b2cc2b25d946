"""What explains a result that disagrees."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["mistake", "variant"]
"""A variant is another framework's convention. It is a choice, not an error."""


@dataclass(frozen=True)
class Cause:
    """A known mistake or variant that explains a disagreement, and the tensors where it shows first.

    sentence: describes it, with a row of a table if there is one. wrong, right: the line to look for, and the line that
    should be there.
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
        """Whether all causes are variants, so nothing is wrong."""
        return bool(self.causes) and all(cause.kind == "variant" for cause in self.causes)
