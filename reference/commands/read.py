"""Show the exact, the NumPy and the PyTorch form side by side: a pair in the terminal, or all of them as pages."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from rich.console import Console

from reference.data import text
from reference.errors import BadInput
from reference.read import terminal
from reference.read.align import PAIRS, read_pair


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of `read`."""
    add = parser.add_argument
    add("model", nargs="?", metavar="MODEL", help="pairs with this in their name (default: all)")
    add("--list", action="store_true", help="print the names of the pairs and stop")
    add("--html", metavar="FOLDER", type=Path, help="write all pairs as pages there, with numbers and evidence")
    add("--text", metavar="FILE", default=text.TOPICS, help="with --html: show the numbers of this UTF-8 text too")
    add(
        "--build",
        metavar="FOLDER",
        type=Path,
        default=Path("build"),
        help="with --html: where verify.json, bench.json and mistakes.json are (default: %(default)s)",
    )
    parser.set_defaults(run=read)


def read(options: argparse.Namespace) -> int:
    """Show exact, NumPy and PyTorch side by side, by what is computed: in the terminal, or as pages (--html)."""
    names = select(options.model)
    if options.list:
        print("\n".join(names))
    elif options.html is None:
        console = Console(width=None if sys.stdout.isatty() else 160)
        terminal.show([read_pair(name) for name in names], console)
    elif options.model:
        raise BadInput(f"--html writes all pairs; leave {options.model!r} out, or leave --html out")
    else:
        _pages(options)
    return 0


def select(model: str | None) -> list[str]:
    """The pair with that name, or all pairs with it in their name.

    Raises:
        BadInput: there is none.
    """
    wanted = (model or "").lower().replace("_", "-")
    found = [name for name in PAIRS if name == wanted]
    found = found or [name for name in PAIRS if wanted.replace("-", "") in name.replace("-", "")]
    if not found:
        raise BadInput(f"no pair is called {model!r}; there are {', '.join(PAIRS)}")
    return found


def _pages(options: argparse.Namespace) -> None:
    try:
        from reference.read import page  # noqa: PLC0415  (the terminal does without what the pages need)
    except ModuleNotFoundError as missing:
        needed = str(missing.name).partition(".")[0]
        raise BadInput(f"--html needs {needed}; pip install 'twingrad[read]' installs it") from None
    from reference.read import evidence, numbers  # noqa: PLC0415

    page.check_folder(options.html)
    found = evidence.collect(options.build)
    content = page.pages(numbers.stories(options.text), found)
    page.write(options.html, content, found["plots"])
    print(f"{len(content)} pages in {options.html}: open {options.html / 'index.html'}")
