"""The report of a check: what a user gets."""

from __future__ import annotations

from reference.checks import formats, terminal
from reference.checks.content import causes, failures, lines, summary_line
from reference.checks.findings import Findings


class Report(Findings):
    """What was found, case by case. In a notebook it shows as a table. It is true only if all agree.

    `outcome` is the verdict of the whole: "agree", "disagree", "not as expected" (strictly expected failures that do
    not fail), "too little covered" (the cases that agree would not notice one of the commonest mistakes), or "nothing
    covered". `results` has a `Result` for each case, and `explanations` the known mistakes behind those that disagree.
    """

    def raise_if_wrong(self) -> None:
        """Do nothing if all agree.

        Raises:
            AssertionError: the outcome is another; with each verdict, its cause and the line to look for.
        """
        if self:
            return
        told = [*failures(self), *causes(self)] if self.outcome == "disagree" else list(lines(self))
        said = "\n".join(line.mark + line.text for line in told).strip()
        raise AssertionError(f"{', '.join(self.names)}: {self.outcome}\n{said}")

    def __bool__(self) -> bool:
        return self.outcome == "agree"

    def to_json(self) -> str:
        """JSON, one object for each case, with the diagnosis, versions, CPU and BLAS."""
        return formats.as_json(self)

    def to_junit(self) -> str:
        """JUnit's XML, one test for each case."""
        return formats.as_junit(self)

    def to_markdown(self) -> str:
        """Markdown, for the summary of a CI job."""
        return formats.as_markdown(self)

    def to_html(self) -> str:
        """A page in one file."""
        return formats.as_html(self)

    def __repr__(self) -> str:
        return f"<Report of {', '.join(self.names)}: {self.outcome}, {summary_line(self)}>"

    def __str__(self) -> str:
        """The text that `twingrad verify` prints."""
        return terminal.text(self)

    def _repr_html_(self) -> str:
        return formats.as_html(self, page=False)
