"""Write exact values to files, or compare with them what a program in any language comes to."""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from reference import exact
from reference.cases import Case
from reference.catalogue import catalogue
from reference.checks.check import coverage_of, explained
from reference.checks.findings import Findings
from reference.checks.formats import as_json
from reference.checks.terminal import WIDTH, show
from reference.commands.choice import add_choice, chosen
from reference.commands.exit_codes import AGREE
from reference.commands.files import check_writable, write_whole
from reference.commands.progress import tracked
from reference.commands.verify import exit_code
from reference.environment import environment
from reference.errors import BadInput, Unsupported
from reference.judge.result import Result
from reference.vectors.checking import Recording, checked
from reference.vectors.live import run, vector_of
from reference.vectors.manifest import Manifest, digest, read_manifest
from reference.vectors.reading import BESIDE, HERE
from reference.vectors.selection import has_vector, selection, shortened
from reference.vectors.writing import beside, written


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of `vectors`, which has three subcommands."""
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    write = commands.add_parser("write", help="compute vectors", description=write_vectors.__doc__)
    write.add_argument("folder", metavar="DIR", type=Path, help="the folder to write to; it is made if needed")
    add_choice(write, "a selection of small cases")
    write.set_defaults(run=write_vectors)
    check = commands.add_parser("check", help="compare results with vectors", description=check_vectors.__doc__)
    check.add_argument(
        "vectors", nargs="*", metavar="FILE", type=Path, help="vectors, or folders of them (default: those of twingrad)"
    )
    check.add_argument("--results", metavar="FILE", type=Path, required=True, help="results, or a folder of them")
    check.add_argument("--json", metavar="FILE", type=Path, help="write the verdicts there")
    check.set_defaults(run=check_vectors)
    ask = commands.add_parser(
        "run",
        help="ask a program for its results, and compare them",
        description=run_program.__doc__,
        usage="%(prog)s [PATTERN ...] [--not PATTERN] [--timeout SECONDS] [--json FILE] -- COMMAND ...",
    )
    add_choice(ask, "a selection of small cases")
    ask.add_argument("--timeout", metavar="SECONDS", type=seconds, default=10.0, help="for each answer (default: 10)")
    ask.add_argument("--json", metavar="FILE", type=Path, help="write the verdicts there")
    ask.set_defaults(run=run_program, command=[])


def seconds(said: str) -> float:
    """A time from the command line. Raises ArgumentTypeError unless it is above 0 and at most an hour."""
    try:
        found = float(said)
    except ValueError:
        found = math.nan
    if not 0 < found <= 3600:
        raise argparse.ArgumentTypeError(f"{said!r} is not a number of seconds above 0, 3600 at most")
    return found


def write_vectors(options: argparse.Namespace) -> int:
    """Compute the exact values of cases, and write each as a vector; those that are no longer asked for are deleted."""
    folder, cases = options.folder, catalogue()
    asked = chosen(cases, options) if options.patterns or options.without else selection(cases)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (OSError, ValueError) as error:
        raise BadInput(f"{folder}: cannot be made ({getattr(error, 'strerror', error)})") from None
    for name in BESIDE:
        check_writable(folder / name, "DIR")
    last = read_manifest(folder)
    entries: dict[str, dict[str, str]] = {}
    for case in tracked(with_vector(asked, options)):
        try:
            content = written(case)
        except Unsupported:
            continue
        write_whole(folder / f"{case.id}.json", content)
        entries[f"{case.id}.json"] = {"case": case.id, "sha256": digest(content.encode())}
    if not entries:
        raise no_vector(asked, options)
    for name in last.files if last else ():
        if name not in entries and last and last.unchanged(folder, name):
            (folder / name).unlink()
    manifest = Manifest(entries)
    for name, content in {**beside(), "manifest.json": manifest.text()}.items():
        write_whole(folder / name, content)
    left = f"; {len(asked) - len(entries)} more cases have none" if len(entries) < len(asked) else ""
    print(f"{len(entries)} vectors in {folder}{left}")
    if last:
        print(f"changed since the last time: {manifest.since(last)}")
    return AGREE


def with_vector(asked: Sequence[Case], options: argparse.Namespace) -> list[Case]:
    """The cases that have a vector. Raises BadInput if none has."""
    found = [case for case in asked if has_vector(case) and exact.feasible(shortened(case))]
    if not found:
        raise no_vector(asked, options)
    return found


def no_vector(asked: Sequence[Case], options: argparse.Namespace) -> BadInput:
    """What to raise if none of the cases that were asked for has a vector."""
    patterns = " ".join(options.patterns)
    return BadInput(
        f"{patterns}: none of these cases, {len(asked)}, has a vector; too large, about memory, or without a gradient"
    )


def check_vectors(options: argparse.Namespace) -> int:
    """Compare the results of a program, in any language, with test vectors. After an agreement, say what they show."""
    if options.json:
        check_writable(options.json)
    results, given = checked(options.vectors or [HERE], options.results)
    return _tell(results, given, str(options.results), options)


def run_program(options: argparse.Namespace) -> int:
    """Start a program, in any language, ask it for the results of cases, and compare them. See protocol.json."""
    if not options.command:
        raise BadInput("vectors run: a command is needed behind --, as in `vectors run classifier -- node mine.mjs`")
    if options.json:
        check_writable(options.json)
    every = catalogue()
    own = [case for case in every if (HERE / f"{case.id}.json").exists()]
    asked = chosen(every, options) if options.patterns or options.without else own
    vectors = (vector_of(case) for case in tracked(with_vector(asked, options)))
    results, given, name = run(vectors, options.command, options.timeout)
    return _tell(results, given, name, options)


def _tell(results: Sequence[Result], given: Recording, name: str, options: argparse.Namespace) -> int:
    """Say what was found, as `verify` does; the exit code."""
    status = Console(stderr=True).status
    found = Findings(tuple(results), explained({name: given}, results, status))
    found = replace(found, coverage=coverage_of(found, status))
    if options.json:
        write_whole(options.json, as_json(replace(found, environment=environment())))
    show(found, Console(width=None if sys.stdout.isatty() else WIDTH))
    return exit_code(found)
