"""Compares results of another program with vectors. The results act as an implementation like any other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from reference.cases import Batch, Case
from reference.contract import Params
from reference.errors import BadInput, Unsupported
from reference.judge.result import Result
from reference.judge.run import hold
from reference.vectors.reading import Vector, files, read_results, read_vector


@dataclass(frozen=True, eq=False)
class Recording:
    """What a program returned, or should return, step by step, by the id of the case."""

    steps: dict[str, list[dict[str, Any]]]

    def build(self, case: Case, weights: Params) -> Replay:
        """A trainer that returns what was recorded. Raises Unsupported if nothing was recorded for the case."""
        if case.id not in self.steps:
            raise Unsupported("no results for it")
        return Replay(self.steps[case.id])


class Replay:
    """Returns the recorded steps one after the other. It has no methods for what was not recorded."""

    def __init__(self, steps: list[dict[str, Any]]) -> None:
        self.rest = iter(steps)
        self.now: dict[str, Any] = {}
        if "params" in steps[0]:
            self.params = lambda: self.now["params"]
        if "state" in steps[0]:
            self.state = lambda: self.now["state"]

    def loss_and_grads(self, batch: Batch) -> tuple[Any, Any]:
        """What was recorded for the next step."""
        self.now = next(self.rest)
        return self.now["loss"], self.now["grads"]

    def step(self) -> None:
        """Does nothing: the update is part of the recording."""


def checked(vectors: Sequence[Path], results: Path) -> tuple[list[Result], Recording]:
    """Compare results with vectors, as `verify` does. Both are files, or folders of files.

    Returns the verdicts, and the results themselves as an implementation.

    Raises:
        BadInput: a file cannot be read, has another form, or does not fit the others.
    """
    known = {vector.case.id: vector for vector in map(read_vector, files(vectors))}
    from_file: dict[str, Path] = {}
    steps: dict[str, list[dict[str, Any]]] = {}
    for path in files([results]):
        name, steps_of = read_results(path, known)
        if name in from_file:
            raise BadInput(f"{path}: $.case: {from_file[name]} has results for {name} too")
        from_file[name], steps[name] = path, steps_of
    exact, given = Recording({name: vector.steps for name, vector in known.items()}), Recording(steps)
    return [_held(vector, exact, given, str(results)) for vector in known.values()], given


def _held(vector: Vector, exact: Recording, given: Recording, name: str) -> Result:
    """The verdict on the steps that were given."""
    case = replace(vector.case, steps=len(given.steps.get(vector.case.id, vector.steps)))
    result = hold(case, {name: given}, {"vector": exact}, "vectors")[name]
    if result.verdict != "agree" or case.steps >= vector.case.steps:
        return result
    gap = f"steps from {case.steps + 1} on"
    return replace(result, reason=f"{result.reason}, {gap}" if result.reason else f"not covered: {gap}")
