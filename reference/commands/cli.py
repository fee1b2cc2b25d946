"""The command `twingrad`, which is also `python -m reference`.

Exit codes: 0 all agree, 1 a disagreement or an error, 2 wrong usage or bad input, 5 nothing was covered.
"""

from __future__ import annotations

import argparse
import io
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

from reference import __version__
from reference.commands import mistakes, read, repro, sensitivity, train, vectors, verify
from reference.commands.exit_codes import BAD_INPUT, DISAGREE, INTERRUPTED
from reference.commands.files import complain
from reference.errors import BadInput

COMMANDS = (
    ("verify", verify, "compare implementations, case by case"),
    ("repro", repro, "a failure as a script of one page"),
    ("train", train, "train a model on a text"),
    ("mistakes", mistakes, "show which cases catch which known mistake"),
    ("sensitivity", sensitivity, "show how small an error is noticed"),
    ("vectors", vectors, "exact values in files, for any language"),
    ("read", read, "show NumPy and PyTorch side by side"),
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # for an en dash in an ASCII terminal
    try:
        options = _parser().parse_args(arguments)
        return options.run(options)
    except BadInput as bad:
        complain(str(bad))
        return BAD_INPUT
    except BrokenPipeError:
        sys.stderr.close()
        return DISAGREE
    except KeyboardInterrupt:
        complain("interrupted; nothing was written")
        return INTERRUPTED


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise BadInput(f"{message}; `{self.prog} --help` lists what is allowed")

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """What stands behind -- is a command, for a parser with a default of `command`, and is left as it is."""
        if self.get_default("command") is not None and "--" in args:
            place = args.index("--")
            self.set_defaults(command=args[place + 1 :])
            args = args[:place]
        return super().parse_known_args(args, namespace)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="twingrad",
        description="Compare the gradients of embedding models with their exact values.",
        epilog="exit codes: 0 all agree, 1 a disagreement or an error, 2 bad usage or input, 5 nothing was covered",
    )
    parser.add_argument("--version", action="version", version=f"twingrad {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, module, what in COMMANDS:
        module.add_options(commands.add_parser(name, help=what, description=module.__doc__))
    return parser
