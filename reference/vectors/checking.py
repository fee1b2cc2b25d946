"""What another program computed, held against vectors. What is recorded is an implementation like any other."""

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
    """What a program returned, or should return, by the id of the case and step by step."""

    steps: dict[str, list[dict[str, Any]]]

    def build(self, case: Case, weights: Params) -> Replay:
        """A trainer that returns what was recorded. Raises Unsupported where nothing was."""
        if case.id not in self.steps:
            raise Unsupported("no results for it")
        return Replay(self.steps[case.id])


class Replay:
    """Returns one step after the other; what was not recorded, it does not have."""

    def __init__(self, steps: list[dict[str, Any]]) -> None:
        self.rest = iter(steps)
        self.now: dict[str, Any] = {}
        if "params" in steps[0]:
            self.params = lambda: self.now["params"]
        if "state" in steps[0]:
            self.state = lambda: self.now["state"]

    def loss_and_grads(self, batch: Batch) -> tuple[Any, Any]:
        """What was recorded of the next step."""
        self.now = next(self.rest)
        return self.now["loss"], self.now["grads"]

    def step(self) -> None:
        """The update has been made."""


def checked(vectors: Sequence[Path], results: Path) -> tuple[list[Result], Recording]:
    """Hold results against vectors, each of them a file or a folder of files, by the comparison of `verify`.

    Returns what was found, and the results themselves as an implementation.

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
    """The result of the steps that were given."""
    case = replace(vector.case, steps=len(given.steps.get(vector.case.id, vector.steps)))
    result = hold(case, {name: given}, {"vector": exact}, "vectors")[name]
    if result.verdict != "agree" or case.steps >= vector.case.steps:
        return result
    gap = f"steps from {case.steps + 1} on"
    return replace(result, reason=f"{result.reason}, {gap}" if result.reason else f"not covered: {gap}")
