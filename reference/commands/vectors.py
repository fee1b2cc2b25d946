"""Write exact values to files, or compare the results of a program in any language with them."""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path

from rich.console import Console

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
from reference.vectors.checking import checked
from reference.vectors.reading import HERE
from reference.vectors.selection import selection
from reference.vectors.writing import schema_file, written


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of `vectors`, which has two subcommands."""
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


def write_vectors(options: argparse.Namespace) -> int:
    """Compute the exact values of cases, and write each case as a vector, and the schema too."""
    folder, cases = options.folder, catalogue()
    asked = chosen(cases, options) if options.patterns or options.without else selection(cases)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (OSError, ValueError) as error:
        raise BadInput(f"{folder}: cannot be made ({getattr(error, 'strerror', error)})") from None
    check_writable(folder / "schema.json", "DIR")
    number = 0
    for case in tracked(asked):
        try:
            content = written(case)
        except Unsupported:
            continue
        write_whole(folder / f"{case.id}.json", content)
        number += 1
    if not number:
        patterns = " ".join(options.patterns)
        raise BadInput(f"{patterns}: the exact values of these cases, {len(asked)}, would take too long")
    write_whole(folder / "schema.json", schema_file())
    left = f"; the exact values of {len(asked) - number} more cases would take too long" if number < len(asked) else ""
    print(f"{number} vectors in {folder}{left}")
    return AGREE


def check_vectors(options: argparse.Namespace) -> int:
    """Compare the results of a program, in any language, with test vectors. After an agreement, say what they show."""
    if options.json:
        check_writable(options.json)
    results, given = checked(options.vectors or [HERE], options.results)
    status = Console(stderr=True).status
    found = Findings(tuple(results), explained({str(options.results): given}, results, status))
    found = replace(found, coverage=coverage_of(found, status))
    if options.json:
        write_whole(options.json, as_json(replace(found, environment=environment())))
    show(found, Console(width=None if sys.stdout.isatty() else WIDTH))
    return exit_code(found)
