"""Compares what another program returned with vectors. It acts as an implementation like any other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from reference.cases import Batch, Case
from reference.contract import Implementation, Params
from reference.errors import BadInput, Unsupported
from reference.judge.result import Result
from reference.judge.run import hold
from reference.vectors.digits import NEEDED, mended, most_digits
from reference.vectors.reading import Steps, Vector, files, read_results, read_vector


@dataclass(frozen=True, eq=False)
class Recording:
    """What a program returned, or should return, step by step, by the id of the case."""

    steps: dict[str, Steps]

    def build(self, case: Case, weights: Params) -> Replay:
        """A trainer that returns what was recorded. Raises Unsupported if nothing was recorded for the case."""
        if case.id not in self.steps:
            raise Unsupported("no results for it")
        return Replay(self.steps[case.id])


class Replay:
    """Returns the recorded steps one after the other. It has no methods for what was not recorded, or not any more."""

    def __init__(self, steps: Steps) -> None:
        self.rest = list(steps)
        self.now: dict[str, Any] = {}
        self.step = self._update
        if "params" in steps[0]:
            self.params = lambda: self.now["params"]
        if "state" in steps[0]:
            self.state = lambda: self.now["state"]

    def loss_and_grads(self, batch: Batch) -> tuple[Any, Any]:
        """What was recorded for the next step."""
        self.now = self.rest.pop(0)
        return self.now["loss"], self.now["grads"]

    def _update(self) -> None:
        """Does nothing: the update is part of the recording. After the last one there is no further step."""
        if not self.rest:
            del self.step


def checked(vectors: Sequence[Path], results: Path) -> tuple[list[Result], Recording]:
    """Compare results with vectors, as `verify` does. Both are files, or folders of files.

    Returns the verdicts, and the results themselves as an implementation.

    Raises:
        BadInput: a file cannot be read, has another form, or does not fit the others.
    """
    known = {vector.case.id: vector for vector in map(read_vector, files(vectors))}
    from_file: dict[str, Path] = {}
    given: dict[str, Steps] = {}
    for path in files([results]):
        name, steps = read_results(path, known)
        if name in from_file:
            raise BadInput(f"{path}: $.case: {from_file[name]} has results for {name} too")
        from_file[name], given[name] = path, steps
    recording = Recording(given)
    return [judged(vector, recording, recording, str(results)) for vector in known.values()], recording


def judged(
    vector: Vector, implementation: Implementation, recording: Recording, name: str, again: bool = False
) -> Result:
    """Compare an implementation with a vector. again: one that disagrees is asked a second time.

    recording: of what it returned, which has to be there as soon as it has run. Numbers that are the right ones to
    within the digits that they came with are put right first, so that the verdict is about the others.
    """
    case, exact = vector.case, {"vector": Recording({vector.case.id: vector.steps})}
    result = hold(case, {name: implementation}, exact, "vectors", again=again)[name]
    if result.divergences and (digits := most_digits(recording.steps[case.id], case.dtype)) < NEEDED[case.dtype]:
        better = mended(recording.steps[case.id], vector.steps, digits)
        second = hold(case, {name: Recording({case.id: better})}, exact, "vectors")[name]
        if places(second) != places(result):
            few = f"the numbers have {digits} digits; {NEEDED[case.dtype]} are needed to give a {case.dtype} back"
            verdict = "form" if second.verdict == "agree" else second.verdict
            result = replace(second, verdict=verdict, form=(*second.form, few))
    if result.verdict not in ("agree", "form") or result.steps == case.steps:
        return result
    gap = f"steps from {result.steps + 1} on"
    return replace(result, reason=f"{result.reason}, {gap}" if result.reason else f"not covered: {gap}")


def places(result: Result) -> set[tuple[Any, ...]]:
    """Where it is off."""
    return {(d.stage, d.tensor, d.index) for d in result.divergences}
