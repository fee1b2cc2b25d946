"""What was found of the implementations that were held against the exact values, and the verdict of the whole."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from reference.checks.expected import Expected
from reference.exact.arithmetic import Proof
from reference.judge.result import Result
from reference.mistakes.blind import Coverage
from reference.mistakes.explanation import Explanation

FAILED = "disagree", "form", "error"
"""The verdicts that are failures."""

VERDICTS = "agree", "disagree", "form", "variant", "expected", "unsupported", "error"
"""The verdicts that are shown, in this order."""

Outcome = Literal["agree", "disagree", "not as expected", "too little covered", "nothing covered"]

NONE = Explanation()


@dataclass(frozen=True, eq=False)
class Findings:
    """The results of some cases, and what belongs to them.

    explanations: of the results that disagree. coverage: which known mistakes the cases that agree would notice; None
    for the twins, and where something disagrees. expected: which cases are expected to fail. environment: versions,
    CPU, BLAS and threads.
    """

    results: tuple[Result, ...]
    explanations: Mapping[Result, Explanation] = field(default_factory=dict)
    coverage: Coverage | None = None
    expected: Expected = field(default_factory=Expected)
    environment: Mapping[str, Any] = field(default_factory=dict)

    @property
    def names(self) -> list[str]:
        """The implementations."""
        return list(dict.fromkeys(result.implementation for result in self.results))

    @property
    def failed(self) -> list[Result]:
        """The results that are failures, and not expected to be."""
        return [r for r in self.results if r.verdict in FAILED and self.expected.reason(r.case.id) is None]

    @property
    def failed_as_expected(self) -> list[Result]:
        """The results that are failures, as is expected."""
        return [r for r in self.results if r.verdict in FAILED and self.expected.reason(r.case.id) is not None]

    @property
    def agree_unexpectedly(self) -> list[Result]:
        """The results that agree, although a failure is expected."""
        return [r for r in self.results if r.verdict == "agree" and self.expected.reason(r.case.id) is not None]

    @property
    def outcome(self) -> Outcome:
        """The verdict of the whole: an agreement needs cases that agree, and that would notice every core mistake."""
        if self.failed:
            return "disagree"
        if self.expected.strict and (self.expected.unmatched or self.agree_unexpectedly):
            return "not as expected"
        if not any(result.verdict == "agree" for result in self.results):
            return "nothing covered"
        return "too little covered" if self.coverage and self.coverage.core else "agree"

    @property
    def proof(self) -> Proof:
        """The proof of all exact values that were compared with, counting each case once."""
        return sum({result.case.id: result.proof or Proof() for result in self.results}.values(), Proof())

    def explanation(self, result: Result) -> Explanation:
        """What explains the result; nothing for most."""
        return self.explanations.get(result, NONE)

    def verdict(self, result: Result) -> str:
        """The verdict to show: "expected" for an expected failure, "variant" if variants are the only differences."""
        if result.verdict in FAILED and self.expected.reason(result.case.id) is not None:
            return "expected"
        return "variant" if self.explanation(result).variants_alone else result.verdict

    def summary(self) -> dict[str, int]:
        """The number of results with each verdict."""
        counted = Counter(map(self.verdict, self.results))
        return {verdict: counted[verdict] for verdict in VERDICTS}
