"""Write a failure of your implementation as a script of one page, to paste into a bug report.

It has the weights and batches, what is expected and what came, and needs only NumPy and your module. Of several cases
the smallest that fails is taken.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import threadpoolctl

from reference.catalogue import catalogue, select
from reference.checks.repro import repro
from reference.commands.exit_codes import AGREE
from reference.commands.files import check_apart, check_writable, write_whole
from reference.judge.load import load


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of `repro`."""
    add = parser.add_argument
    add("case", metavar="CASE", help="a case that fails, or a pattern of such cases")
    add("candidate", metavar="PATH|MODULE", help="your implementation: a .py file, a folder or a module")
    add("-o", "--output", metavar="FILE", type=Path, help="write the script there (default: print it)")
    parser.set_defaults(run=write_repro)


def write_repro(options: argparse.Namespace) -> int:
    """Find the smallest failing case, and write the script."""
    cases = select(catalogue(), [options.case])
    if options.output:
        check_writable(options.output, "-o")
        check_apart(options, ("candidate",), ("output",))
    implementation = load(options.candidate)
    with threadpoolctl.threadpool_limits(1):
        script = repro(options.candidate, implementation, cases)
    if options.output:
        write_whole(options.output, script)
    else:
        print(script, end="")
    return AGREE
