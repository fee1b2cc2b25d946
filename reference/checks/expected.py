"""Failures that a user expects, each with the reason why."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from reference.catalogue import matching
from reference.data.files import read_bounded
from reference.errors import BadInput

LARGEST = 2**20
"""A file of more bytes is refused."""


@dataclass(frozen=True)
class Expected:
    """Which cases are expected to fail.

    reasons: why, by a case's id, or a part of it, or a pattern with * and ?. strict: whether a pattern that matches no
    case, and a case that agrees in spite of it, are failures. unmatched: the patterns that match no case.
    """

    reasons: Mapping[str, str] = field(default_factory=dict)
    strict: bool = False
    unmatched: tuple[str, ...] = ()

    def reason(self, case: str) -> str | None:
        """Why the case of this id is expected to fail; None if it is not."""
        return next((reason for pattern, reason in self.reasons.items() if matched(case, pattern)), None)


def expected(reasons: Mapping[str, str], ids: Collection[str], strict: bool = False) -> Expected:
    """The expected failures among cases of these ids."""
    unmatched = tuple(pattern for pattern in reasons if not any(matched(case, pattern) for case in ids))
    return Expected(reasons, strict, unmatched)


def matched(case: str, pattern: str) -> bool:
    """Whether the case of this id is meant."""
    return bool(matching([case], pattern))


def read_expected(path: Path, option: str = "--expected") -> dict[str, str]:
    """The reasons by pattern, of a file with a pattern and `# reason` in each line.

    Raises:
        BadInput: the file cannot be read, or a line has no pattern or no reason.
    """
    what = f"{option} {path}"
    try:
        lines = read_bounded(path, LARGEST, what).decode("utf-8").splitlines()
    except UnicodeDecodeError:
        raise BadInput(f"{what}: is not UTF-8") from None
    reasons: dict[str, str] = {}
    for number, line in enumerate(lines, 1):
        pattern, _, reason = (part.strip() for part in line.partition("#"))
        if not pattern:
            continue  # an empty line, or a comment
        if not reason or len(pattern.split()) > 1:
            raise BadInput(f"{what}, line {number}: {line.strip()[:80]!r}; `PATTERN  # reason` is needed")
        reasons.setdefault(pattern, reason)
    if not reasons:
        raise BadInput(f"{what}: has no pattern; a line is `PATTERN  # reason`")
    return reasons
