"""Asks a program in any language for its results, case by case: one line of JSON in, one line out."""

from __future__ import annotations

import codecs
import json
import os
import shlex
import sys
from collections.abc import Iterable, Sequence
from dataclasses import replace
from types import TracebackType
from typing import Any

from reference.cases import Case
from reference.contract import Params
from reference.errors import BadInput, Failed, Unsupported
from reference.judge.result import Result
from reference.vectors.checking import Recording, Replay, judged
from reference.vectors.process import GRACE, Process, quoted
from reference.vectors.reading import HERE, Steps, Vector, read_vector, steps_of
from reference.vectors.reading import parsed as from_json
from reference.vectors.schema import EVERY, VERSION, ref
from reference.vectors.strict_json import parsed
from reference.vectors.writing import computed

HELLO = {"protocol": "twingrad", "version": VERSION}
"""The first line of each side."""

STARTUP = 60.0
"""Seconds that a program has for its hello."""

FAILURES = 3
"""After this many failures in a row, a program is not asked any more."""

PASSED_ON = 2**16
"""So many bytes that programs write to standard error are passed on."""


class Program:
    """A program, started when it is needed, and anew after a failure.

    seconds: what it has for each answer. Use it in a with statement: it ends with it, and so do its children.

    Raises:
        BadInput: it cannot be started, or does not say hello.
    """

    def __init__(self, command: Sequence[str], seconds: float) -> None:
        self.command, self.seconds = command, seconds
        self.name = shlex.join(command)
        self.failures, self.passed_on = 0, 0
        self.decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self.process: Process | None = None

    def __enter__(self) -> Program:
        if not hasattr(os, "killpg"):
            raise BadInput("vectors run: needs Linux or macOS; `vectors check` takes files on every system")
        try:
            self.process = self._started()
        except Failed as failed:
            raise BadInput(f"{self.name}: {failed}") from None
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: BaseException | TracebackType | None) -> None:
        self._end(0 if kind else GRACE)

    def ask(self, vector: Vector) -> Steps:
        """What it answers to a vector's request.

        Raises:
            Unsupported: it refuses the case, or failed too often to be asked again.
            Failed: it ended, gave no answer in time, or answered what is none.
        """
        if self.failures == FAILURES:
            raise Unsupported(f"not asked, as it failed {FAILURES} times in a row")
        try:
            self.process = self.process or self._started()
            said = self._asked(self.process, vector.request, "answer", self.seconds)
            if said["case"] != vector.case.id:
                raise Failed(f"answered for {quoted(said['case'].encode())}, which is another case")
            steps = steps_of(vector.case, said) if "steps" in said else None
        except (Failed, BadInput) as error:
            self.failures += 1
            self._end()
            raise error if isinstance(error, Failed) else Failed(f"gave an answer that does not fit: {error}") from None
        self.failures = 0
        if steps is None:
            raise Unsupported(quoted(said["unsupported"].encode())[1:-1] or "no reason given")
        return steps

    def rest(self) -> str:
        """What is wrong after the last answer, once it has had the time to end; empty if nothing is."""
        process = self.process
        self._end(GRACE)
        return f"wrote {quoted(process.written)} after its last answer" if process and process.written else ""

    def _started(self) -> Process:
        process = Process(self.command, self._pass_on)
        try:
            self._asked(process, HELLO, "hello", STARTUP)
        except BaseException:
            process.end()
            raise
        return process

    def _asked(self, process: Process, what: dict[str, Any], form: str, seconds: float) -> Any:
        line = process.exchange(json.dumps(what, allow_nan=False).encode(), seconds)
        try:
            return parsed(line, ref(form), EVERY)
        except BadInput as bad:
            raise Failed(f"wrote {quoted(line)} for {'an' if form == 'answer' else 'a'} {form}: {bad}") from None

    def _end(self, grace: float = 0) -> None:
        if self.process:
            self.process.end(grace)
        self.process = None

    def _pass_on(self, chunk: bytes) -> None:
        """Write to standard error what it wrote there, up to a bound."""
        room = PASSED_ON - self.passed_on
        self.passed_on += len(chunk)
        if room >= 0:
            sys.stderr.write(self.decoder.decode(chunk[:room]))
            if len(chunk) > room:
                sys.stderr.write(f"\n(what {self.name} writes from here on is left out)\n")


class Asked:
    """A program that is asked for one vector, anew for each trainer that is built. What it answers is kept."""

    def __init__(self, program: Program, vector: Vector, kept: Recording) -> None:
        self.program, self.vector, self.kept = program, vector, kept

    def build(self, case: Case, weights: Params) -> Replay:
        """A trainer that returns what the program answers. Raises Unsupported or Failed, as `Program.ask` does."""
        steps = self.program.ask(self.vector)
        self.kept.steps[case.id] = steps
        return Replay(steps)


def vector_of(case: Case) -> Vector:
    """The vector of a case, read where it comes with twingrad, or else newly computed.

    Raises:
        Unsupported: its exact values would take too long.
    """
    path = HERE / f"{case.id}.json"
    return read_vector(path) if path.exists() else from_json(computed(case))


def run(vectors: Iterable[Vector], command: Sequence[str], seconds: float) -> tuple[list[Result], Recording, str]:
    """Ask a program for the results of vectors, and compare them.

    seconds: what it has for each answer. Returns the verdicts, what it answered as an implementation, and its name.

    Raises:
        BadInput: it cannot be started, or does not say hello.
    """
    kept = Recording({})
    with Program(command, seconds) as program:
        results = [judged(v, Asked(program, v, kept), kept, program.name, again=True) for v in vectors]
        if more := program.rest():
            results[-1] = replace(results[-1], verdict="error", reason=more, divergences=())
    return results, kept, program.name
