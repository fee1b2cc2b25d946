"""The figures in the READMEs: written by the commands that they come from, between marks, never by hand.

    python -m tests.tools.figures            the quick ones, and those whose file a command has left in build/
    python -m tests.tools.figures --all      the slow ones too, which take some minutes
    python -m tests.tools.figures NAME...    these

A figure stands between two lines, `<!-- figures: NAME -->` and `<!-- end -->`. Exit code 2: a mark that names no known
figure, a known figure without a mark, or a command that did not print what was looked for; that README stays as it is.
"""

from __future__ import annotations

import argparse
import functools
import json
import os
import platform
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reference.catalogue import catalogue
from reference.commands.files import complain, write_whole
from reference.errors import BadInput
from reference.mistakes.known import known
from tests.tools.readmes import FUNCTION, KNOWN, LOST, MINE, ROOT, UNKNOWN, changed, readmes


@dataclass(frozen=True)
class Figure:
    """make: returns it, in Markdown; target: of make, which writes it or leaves it in a file."""

    make: Callable[[], str]
    target: str = "figures"
    file: Path | None = None


def main(arguments: Sequence[str] | None = None) -> int:
    """Write figures into the READMEs; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.tools.figures", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of these: {', '.join(FIGURES)}")
    parser.add_argument("--all", action="store_true", help="the slow ones too")
    options = parser.parse_args(arguments)
    try:
        names = chosen(FIGURES, options.names, slow=options.all)
        for path, written in refresh(ROOT, FIGURES, names):
            print(f"{path.relative_to(ROOT)}: {', '.join(written)}", flush=True)
    except BadInput as bad:
        complain(str(bad))
        return 2
    others = [f"{name} (make {figure.target})" for name, figure in FIGURES.items() if name not in names]
    if others and not options.names:
        print(f"left as they were: {', '.join(others)}")
    return 0


def chosen(figures: Mapping[str, Figure], names: Sequence[str], *, slow: bool = False) -> list[str]:
    """The names, if there are any; else the quick figures, or all, without those whose file is not there."""
    unknown = [name for name in names if name not in figures]
    if unknown:
        raise BadInput(f"{unknown[0]!r} is no figure; there are {', '.join(figures)}")
    return list(names) or [
        name
        for name, figure in figures.items()
        if (figure.file.is_file() if figure.file else slow or figure.target == "figures")
    ]


def refresh(root: Path, figures: Mapping[str, Figure], names: Sequence[str]) -> Iterator[tuple[Path, list[str]]]:
    """Write the named figures into the READMEs below a folder, file by file; yields each file with its figures.

    Raises:
        BadInput: the marks are not in order, or a figure could not be made. The file at hand stays as it is.
    """
    texts = {path: path.read_text(encoding="utf-8") for path in readmes(root)}
    wrong = [
        f"{path.relative_to(root)}:{line}: {what}"
        for path, text in texts.items()
        for line, what in out_of_order(text, figures)
    ]
    wrong += [f"no README has a mark for the figure {name}" for name in figures if name not in marked(texts.values())]
    if wrong:
        raise BadInput("\n".join(wrong))
    for path, text in texts.items():
        fresh = {name: private(name, figures[name].make()) for name in marked([text]) if name in names}
        if fresh:
            write_whole(path, filled(text, fresh))
            yield path, list(fresh)


# --- marks -----------------------------------------------------------------------------------------------------------

MARKED = re.compile(r"^<!-- figures: (\S+) -->\n(.*?)^<!-- end -->$", re.DOTALL | re.MULTILINE)


def marked(texts: Iterable[str]) -> list[str]:
    """The names of the figures that stand in texts."""
    return [at[1] for text in texts for at in MARKED.finditer(text)]


def out_of_order(text: str, figures: Mapping[str, Figure]) -> Iterator[tuple[int, str]]:
    """What is wrong with the marks of a text, each with its line."""
    begun, number = None, 0
    for number, line in enumerate(text.splitlines(), 1):
        if line == "<!-- end -->":
            if begun is None:
                yield number, "the end of a figure that has not begun"
            begun = None
        elif at := re.fullmatch(r"<!-- figures: (\S+) -->", line):
            if begun is not None:
                yield number, f"{at[1]} begins before {begun} has ended"
            if at[1] not in figures:
                yield number, f"{at[1]!r} is no figure; there are {', '.join(figures)}"
            begun = at[1]
        elif line.startswith("<!--"):
            yield number, "a comment that is no mark: <!-- figures: NAME --> or <!-- end -->"
    if begun is not None:
        yield number, f"{begun} never ends"


def filled(text: str, fresh: Mapping[str, str]) -> str:
    """The text with these figures in place of those that stand there."""

    def new(at: re.Match[str]) -> str:
        return f"<!-- figures: {at[1]} -->\n{fresh[at[1]]}\n<!-- end -->" if at[1] in fresh else at[0]

    return MARKED.sub(new, text)


def private(name: str, figure: str) -> str:
    """The figure. Raises BadInput if it has an absolute path or this machine's name in it."""
    path = re.search(r"""(?:^|[\s"'`(=])(/[\w.-]+/\S*)""", figure)
    host = re.search(rf"\b{re.escape(platform.node())}\b", figure) if platform.node() else None
    if path or host:
        raise BadInput(
            f"{name}: has {path[1] if path else platform.node()!r} in it, which says something of this machine"
        )
    return figure


# --- what figures are made of ----------------------------------------------------------------------------------------


@functools.cache
def output(*arguments: str, code: int = 0, module: str = "reference", mine: str = "") -> str:
    """What a command prints, without blanks at the ends of lines.

    mine: what stands in the file mine.py of the folder that the command runs in.

    Raises:
        BadInput: its exit code is another.
    """
    paths = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "mine.py").write_text(mine, encoding="utf-8")
        ran = subprocess.run(
            [sys.executable, "-m", module, *arguments],
            cwd=folder if mine else ROOT,
            env=os.environ | {"PYTHONPATH": paths, "COLUMNS": "200"},
            capture_output=True,
            text=True,
            check=False,
        )
    if ran.returncode != code:
        said = (ran.stderr or ran.stdout)[-2000:]
        raise BadInput(f"{module} {' '.join(arguments)}: exit code {ran.returncode}, not {code}\n{said}")
    return trimmed(ran.stdout)


def trimmed(text: str) -> str:
    """Lines without blanks at their ends, and no empty lines at the end."""
    return "\n".join(line.rstrip() for line in text.splitlines()).rstrip()


def cut(text: str, begin: str, end: str = "") -> str:
    """From the line that begins with one pattern to the one before that which begins with another, or to the last.

    Raises:
        BadInput: there are no such lines.
    """
    rest = rf"[\s\S]*?(?=^(?:{end}))" if end else r"[\s\S]*"
    found = re.search(rf"^(?:{begin}){rest}", text, re.MULTILINE)
    if not found:
        after = f", and then one that begins with {end!r}" if end else ""
        raise BadInput(f"no line was printed that begins with {begin!r}{after}")
    return found[0].rstrip()


def fenced(text: str, language: str = "") -> str:
    """A block of code."""
    return f"```{language}\n{text}\n```"


def left(name: str, target: str, cutting: Callable[[str], str] = trimmed) -> Figure:
    """The figure that `make TARGET` leaves in a file in build/."""
    path = ROOT / "build" / name

    def make() -> str:
        try:
            return fenced(cutting(trimmed(path.read_text(encoding="utf-8"))))
        except OSError as error:
            raise BadInput(f"build/{name}: cannot be read ({error.strerror}); `make {target}` writes it") from None

    return Figure(make, target, path)


# --- the figures -----------------------------------------------------------------------------------------------------

HELD = r"\d+ of \d+ compared with"
MET = "the largest error / √step"
LOOPS, GOALS = " *hot loop", " *what +against"
MISTAKES = "mistakes", "--diagnose"
SHOWN = (
    "duplicates-overwritten",
    "softmax-taken-twice",
    "bias-correction-forgotten",
    "padding-in-the-divisor",
    "max-ties-shared",
)
"""Some mistakes, as an example of the lines that each of them has."""


def verify() -> str:
    """The agreement of the twins, and what they were compared with."""
    printed = output("verify")
    return fenced(f"{cut(printed, '.*: the largest error', MET)}\n\n{cut(printed, HELD)}")


def tolerance() -> str:
    """The largest errors beside what is allowed."""
    return fenced(cut(output("verify"), MET, HELD))


def candidate() -> str:
    """The verdict on mine.py with a known mistake: the first case that fails, and the diagnosis."""
    verdict = _verdict(KNOWN)
    return fenced(f"{verdict.splitlines()[0]}\n...\n\n{cut(verdict, 'mistake ')}")


def described() -> str:
    """The verdict on mine.py with a mistake that has no name."""
    return fenced(cut(_verdict(UNKNOWN), "no known mistake"))


def blind() -> str:
    """What is said of mine.py where it is compared in two cases with bags of one id."""
    printed = output("verify", "classifier-one-sgd-dense", "--candidate", "mine.py", code=5, mine=MINE)
    return fenced(cut(printed, r"\d+ cases: ", "Python "))


def _verdict(line: tuple[str, str]) -> str:
    return cut(output("verify", "classifier", "--candidate", "mine.py", code=1, mine=changed(*line)), "disagree ", HELD)


def any_function() -> str:
    """What is said of the gradients in the example of the checks, with duplicates that are lost."""
    example: dict[str, Any] = {}
    exec(FUNCTION.replace(*LOST), example)
    try:
        example["test_my_gradients"]()
    except AssertionError as said:
        return fenced(trimmed(str(said)))
    raise BadInput("the wrong gradients of the example pass")


def counts() -> str:
    """How many cases, mistakes and so on there are."""
    collected = output("--collect-only", "-q", "-p", "no:benchmark", "--no-header", "-m", "", module="pytest")
    kinds = [found.kind for found in known().values()]
    rows = {
        "cases": len(catalogue()),
        "known mistakes": kinds.count("mistake"),
        "variants": kinds.count("variant"),
        "test vectors": len(list((ROOT / "reference/vectors/data").glob("*-*.json"))),
        "pages": len(list((ROOT / "reference/read/pairs").glob("*.toml"))),
        "tests": int(cut(collected, r"\d+ tests collected").split()[0]),
    }
    return "\n".join(["| | |", "| --- | ---: |", *(f"| {what} | {number:,} |" for what, number in rows.items())])


def results() -> str:
    """Of the smallest embedding with row gradients, the results of the first step, as a program would write them."""
    with tempfile.TemporaryDirectory() as folder:
        output("vectors", "write", folder, "embedding-*-sgd-rows-f64")
        vectors = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(Path(folder).glob("*-*.json"))]
    vector = min(vectors, key=lambda vector: len(json.dumps(vector["steps"][0])))
    step = {kind: vector["steps"][0][kind] for kind in ("loss", "grads", "params")}
    members = ",\n".join(f'   "{kind}": {json.dumps(value)}' for kind, value in step.items())
    head = [f' "version": {vector["version"]},', f' "case": "{vector["case"]["id"]}",']
    return fenced("\n".join(["{", *head, ' "steps": [', "  {", members, "  }", " ]", "}"]), "json")


def train() -> str:
    """What a training on Python's manual ends with, and the neighbours of its first words."""
    return fenced("\n".join(output("train", "skipgram").splitlines()[:4]))


def sensitivity() -> str:
    """How small an error is noticed."""
    return fenced(output("sensitivity", "--seed", "20261124"))


def subjects() -> str:
    """How many mistakes in each part of an implementation are caught, and what they are named."""
    return fenced(cut(output(*MISTAKES), "mistakes caught by the cases of each model", "Python "))


def some_mistakes() -> str:
    """The lines of some mistakes, with the head of their table."""
    title, _, *rows = cut(output(*MISTAKES), "cases that catch each mistake", "mistakes caught by").splitlines()
    shown = [row for row in rows if row.split()[:1] and row.split()[0] in SHOWN]
    if len(shown) < len(SHOWN):
        raise BadInput(f"twingrad mistakes has no line for some of {', '.join(SHOWN)}")
    return fenced("\n".join([title, "", *rows[:2], *shown]))


SLOW = "figures-all"

FIGURES = {
    "verify": Figure(verify),
    "tolerance": Figure(tolerance),
    "candidate": Figure(candidate),
    "described": Figure(described),
    "blind": Figure(blind),
    "any-function": Figure(any_function),
    "counts": Figure(counts),
    "results": Figure(results),
    "train": Figure(train, SLOW),
    "sensitivity": Figure(sensitivity, SLOW),
    "mistakes": Figure(subjects, SLOW),
    "mistakes-by-name": Figure(some_mistakes, SLOW),
    "mutants": left("mutants.txt", "mutants"),
    "gradient-checkers": left("gradient-checkers.txt", "third-parties"),
    "bench-goals": left("bench/bench.txt", "bench", lambda text: cut(text, GOALS, r"\d+ of \d+ goals")),
    "bench": left("bench/bench.txt", "bench", lambda text: cut(text, LOOPS, GOALS) + "\n\n" + cut(text, "◄")),
    "bench-peers": left("bench/bench-peers.txt", "bench-peers", lambda text: cut(text, LOOPS)),
}
"""Every figure, by the name in its mark."""

if __name__ == "__main__":
    sys.exit(main())
