"""The command `twingrad`, which is also `python -m reference`.

Exit codes: 0 all agree, 1 a disagreement or an error, 2 wrong usage or bad input, 5 nothing was covered.
"""

from __future__ import annotations

import argparse
import io
import multiprocessing
import signal
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

import threadpoolctl
from rich.console import Console

from reference import diagnosis, kills, report, sensitivity, text, train, vector
from reference.cases import Case
from reference.catalogue import catalogue, select
from reference.contract import BadInput, Implementation, Unsupported
from reference.read import command as read
from reference.report import AGREE, BAD_INPUT, DISAGREE, INTERRUPTED, NOTHING
from reference.run import TWINS, Result, judge, load


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # an en dash in a terminal that knows ASCII only
    try:
        options = _parser().parse_args(arguments)
        return options.run(options)
    except BadInput as bad:
        report.complain(str(bad))
        return BAD_INPUT
    except BrokenPipeError:
        sys.stderr.close()
        return DISAGREE
    except KeyboardInterrupt:
        report.complain("interrupted; nothing was written")
        return INTERRUPTED


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise BadInput(f"{message}; `{self.prog} --help` names all there is")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="twingrad",
        description="Hold the gradients of embedding models against their exact values.",
        epilog="exit codes: 0 all agree, 1 a disagreement or an error, 2 bad usage or input, 5 nothing was covered",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    verify = commands.add_parser(
        "verify", help="compare implementations, case by case", description=verify_cases.__doc__
    )
    verify.add_argument(
        "pattern", nargs="?", metavar="PATTERN", help="cases whose id contains it, or matches it with * and ?"
    )
    verify.add_argument("--candidate", metavar="MODULE|FILE.py", help="your implementation (default: both twins)")
    verify.add_argument(
        "--text",
        metavar="FILE",
        default=text.TOPICS,
        help="a UTF-8 text for the text cases (default: pydoc_data.topics)",
    )
    verify.add_argument("--json", metavar="FILE", type=Path, help="write the results there")
    verify.add_argument("--list", action="store_true", help="print the ids of the cases and stop")
    verify.set_defaults(run=verify_cases)
    train.add_options(commands.add_parser("train", help="train a model on a text", description=train.train.__doc__))
    kills.add_options(
        commands.add_parser(
            "mistakes", help="show which cases catch which known mistake", description=kills.show_kills.__doc__
        )
    )
    sensitivity.add_options(
        commands.add_parser(
            "sensitivity", help="show how small an error is noticed", description=sensitivity.show.__doc__
        )
    )
    vectors = commands.add_parser("vectors", help="exact values in files, for any language", description=vector.__doc__)
    _vector_options(vectors.add_subparsers(required=True, metavar="COMMAND"))
    beside = "show NumPy and PyTorch side by side"
    read.add_options(commands.add_parser("read", help=beside, description=read.read.__doc__))
    return parser


def _vector_options(commands: Any) -> None:
    write = commands.add_parser("write", help="compute vectors", description=write_vectors.__doc__)
    write.add_argument("folder", metavar="DIR", type=Path, help="where to; it is made if it is not there")
    write.add_argument(
        "pattern", nargs="?", metavar="PATTERN", help="of all cases those whose id matches (default: a selection)"
    )
    write.set_defaults(run=write_vectors)
    check = commands.add_parser("check", help="hold results against vectors", description=check_vectors.__doc__)
    check.add_argument(
        "vectors", nargs="*", metavar="FILE", type=Path, help="vectors, or folders of them (default: twingrad's own)"
    )
    check.add_argument("--results", metavar="FILE", type=Path, required=True, help="results, or a folder of them")
    check.add_argument("--json", metavar="FILE", type=Path, help="write the verdicts there")
    check.set_defaults(run=check_vectors)


def verify_cases(options: argparse.Namespace) -> int:
    """Train implementations on every case; hold losses, gradients, parameters and state against the exact values."""
    cases = select(catalogue(options.text), options.pattern)
    if options.list:
        print("\n".join(case.id for case in cases))
        return AGREE
    if options.json:
        report.check_writable(options.json)
    names = [options.candidate] if options.candidate is not None else list(TWINS)
    implementations = {name: load(name) for name in names}
    results: list[Result] = []
    with threadpoolctl.threadpool_limits(1):
        judged = judge_twins(cases) if options.candidate is None else (judge(case, implementations) for case in cases)
        for _, held in zip(report.tracked(cases), judged, strict=True):
            results += held.values()
        diagnosed(implementations, results)
        env = report.environment()
    if options.json:
        report.write_whole(options.json, report.as_json(results, env))
    report.show(results, Console(width=None if sys.stdout.isatty() else 200))
    print(report.sentence(env))
    return exit_code(results)


def judge_twins(cases: Sequence[Case]) -> Iterator[dict[str, Result]]:
    """Judge both twins in each case; of many cases in two processes, since most of the time goes into exact values."""
    if len(cases) < MANY:
        yield from map(_judge_twins, cases)
        return
    # spawned, as a process that is forked after a multi-threaded operation of torch hangs; ended at once by Ctrl-C
    with multiprocessing.get_context("spawn").Pool(2, _begin) as pool:
        yield from pool.imap(_judge_twins, cases)


MANY = 100
"""So many cases are worth the start of two processes."""


def _begin() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _judge_twins(case: Case) -> dict[str, Result]:
    twins = {name: load(name) for name in TWINS}
    with threadpoolctl.threadpool_limits(1):
        return judge(case, twins)


def write_vectors(options: argparse.Namespace) -> int:
    """Compute the exact values of cases, and write each as a vector; the schema stands beside them."""
    folder, cases = options.folder, catalogue()
    chosen = select(cases, options.pattern) if options.pattern else vector.selection(cases)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (OSError, ValueError) as error:
        raise BadInput(f"{folder}: cannot be made ({getattr(error, 'strerror', error)})") from None
    report.check_writable(folder / "schema.json", "DIR")
    number = 0
    for case in report.tracked(chosen):
        try:
            content = vector.written(case)
        except Unsupported:
            continue
        report.write_whole(folder / f"{case.id}.json", content)
        number += 1
    if not number:
        raise BadInput(f"{options.pattern}: the exact values of these cases, {len(chosen)}, would take too long")
    report.write_whole(folder / "schema.json", vector.schema_file())
    left = f"; of {len(chosen) - number} cases the exact values would take too long" if number < len(chosen) else ""
    print(f"{number} vectors in {folder}{left}")
    return AGREE


def check_vectors(options: argparse.Namespace) -> int:
    """Hold what a program computed, in any language, against test vectors."""
    if options.json:
        report.check_writable(options.json)
    results, given = vector.checked(options.vectors or [vector.HERE], options.results)
    diagnosed({str(options.results): given}, results)
    if options.json:
        report.write_whole(options.json, report.as_json(results, report.environment()))
    report.show(results, Console(width=None if sys.stdout.isatty() else 200))
    return exit_code(results)


def diagnosed(implementations: Mapping[str, Implementation], results: Sequence[Result]) -> None:
    """Enter in the results that disagree what is wrong with them."""
    for name, implementation in implementations.items():
        own = [result for result in results if result.implementation == name]
        if any(result.verdict == "disagree" for result in own):
            with Console(stderr=True).status(f"what is wrong with {name}"):
                diagnosis.diagnose(implementation, own)


def exit_code(results: Sequence[Result]) -> int:
    """0 where something was compared and all of it agrees, 1 where something does not, 5 where nothing was."""
    verdicts = {result.verdict for result in results}
    if verdicts & {"disagree", "variant", "error"}:
        return DISAGREE
    return AGREE if "agree" in verdicts else NOTHING
