"""The pairs, aligned by what is computed: a formula, its exact form, the NumPy lines, and the PyTorch lines or grad_fn.

A row names its lines by an anchor, a part of their text. The lines are shown as they are in the module. Each line of a
shown function must belong to exactly one row; if not, `Misaligned` says which row to fix.
"""

from __future__ import annotations

import ast
import importlib.util
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from textwrap import dedent
from typing import Any

from reference.errors import BadInput

PAIRS = (
    "embedding",
    "embedding-bag",
    "activations",
    "losses",
    "classifier",
    "convolution",
    "skip-gram",
    "cbow",
    "glove",
    "softmax",
    "negative-sampling",
    "shared-negatives",
    "hierarchical-softmax",
    "sgd",
    "adagrad",
    "rmsprop",
    "adam",
    "adamw",
    "sparse-adam",
)
"""The pairs, in the best reading order."""

FOLDER = Path(__file__).parent / "pairs"
COLUMNS = {"exact": "reference.exact/", "numpy": "numpy_impl.", "torch": "torch_impl."}
"""The prefix of the function names in each column."""


class Misaligned(BadInput):
    """A row does not fit the module that it shows. The message names the row and the problem."""


@dataclass(frozen=True)
class Lines:
    """Lines of a file, without their common indentation. first: the line number of the first."""

    file: str
    first: int
    code: str


@dataclass(frozen=True)
class Row:
    """One thing that is computed, and the lines that compute it.

    formula: LaTeX, one formula per line. text: Markdown. exact: the formula in scalars. own: PyTorch's own function
    for it. autograd: in a row of the backward pass, the grad_fn nodes that do it in PyTorch. ops: in a row of an
    optimizer, what `torch.optim` does.
    """

    title: str
    formula: str
    text: str
    exact: tuple[Lines, ...]
    numpy: tuple[Lines, ...]
    torch: tuple[Lines, ...]
    own: str
    autograd: tuple[str, ...]
    ops: str


@dataclass(frozen=True)
class Part:
    """Related functions. live: what the tests run to check its `autograd` and `ops`. text: Markdown."""

    title: str
    text: str
    live: str
    shown: tuple[str, ...]
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class Pair:
    """A page. group: its heading. symbols: by LaTeX, the meaning and the names in the code. text: Markdown."""

    name: str
    title: str
    group: str
    summary: str
    text: str
    symbols: dict[str, dict[str, Any]]
    parts: tuple[Part, ...]
    sources: tuple[str, ...]


@cache
def text_of(module: str) -> str:
    """The source of a module, read without importing it."""
    package, _, rest = module.partition(".")
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        raise BadInput(f"{package}: there is no such package; it comes with twingrad")
    return (Path(spec.origin).parent / f"{rest}.py").read_text(encoding="utf-8")


def read_pair(name: str, source: Callable[[str], str] = text_of) -> Pair:
    """A pair with the lines that it shows.

    source: returns the text of a module, given its name.

    Raises:
        Misaligned: a line is in no row or in two rows; an anchor matches no line or several lines; or a row of the
            backward pass has exact or PyTorch lines.
    """
    content = tomllib.loads((FOLDER / f"{name}.toml").read_text(encoding="utf-8"))
    parts = tuple(_part(f"pairs/{name}.toml, {part['title']}", part, source) for part in content.pop("parts"))
    sources = tuple(content.pop("sources", ()))
    return Pair(name=name, parts=parts, sources=sources, symbols=content.pop("symbols", {}), **content)


def _part(where: str, part: dict[str, Any], source: Callable[[str], str]) -> Part:
    for row in part["rows"]:
        if row.get("autograd") and (row.get("exact") or row.get("torch")):
            raise Misaligned(f"{where}, row {row['title']!r}: goes back, where neither exact nor torch has lines")
    cells = {column: _cells(where, part, column, source) for column in COLUMNS}
    rows = tuple(
        Row(
            title=row["title"],
            formula=row.get("formula", "").strip(),
            text=row.get("text", ""),
            **{column: cells[column][i] for column in COLUMNS},
            own=row.get("own", ""),
            autograd=tuple(row.get("autograd", ())),
            ops=row.get("ops", "").strip("\n"),
        )
        for i, row in enumerate(part["rows"])
    )
    shown = tuple(f"{COLUMNS[column]}{function}" for column in COLUMNS for function in part.get(column, ()))
    return Part(part["title"], part.get("text", ""), part.get("live", ""), shown, rows)


# --- anchors ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Chunk:
    """The lines of one statement, or the first lines of a compound statement."""

    file: str
    function: str
    first: int
    lines: tuple[str, ...]

    @property
    def indent(self) -> int:
        """The indentation of the first line."""
        return len(self.lines[0]) - len(self.lines[0].lstrip())

    @property
    def code(self) -> str:
        """The code in one line, with single spaces."""
        return " ".join(" ".join(self.lines).split())


def _cells(where: str, part: dict[str, Any], column: str, source: Callable[[str], str]) -> list[tuple[Lines, ...]]:
    """The lines of each row in a column.

    An anchor takes one statement; for a `def` or an `if`, only its first lines. `a … b` takes everything from a to b.
    `a …` takes the first lines and everything inside, except what other rows take.
    """
    chunks = [chunk for name in part.get(column, ()) for chunk in _chunks(f"{COLUMNS[column]}{name}", source)]
    owner: dict[int, int] = {}
    titles = [f"{where}, row {row['title']!r}" for row in part["rows"]]
    openings = []

    def take(at: int, row: int) -> None:
        if owner.setdefault(at, row) != row:
            raise Misaligned(f"{titles[row]}: takes {chunks[at].code!r}, which {titles[owner[at]]} has")

    for i, row in enumerate(part["rows"]):
        for anchor in row.get(column, ()):
            begin, range_, end = (" ".join(piece.split()) for piece in anchor.partition("…"))
            first = _find(titles[i], begin, chunks, column)
            last = _find(titles[i], end, chunks, column) if end else first
            for at in range(first, last + 1):
                take(at, i)
            if range_ and not end:
                openings.append((first, i))
    for first, i in sorted(openings, reverse=True):  # the innermost first
        for at in range(first + 1, len(chunks)):
            if chunks[at].function != chunks[first].function or chunks[at].indent <= chunks[first].indent:
                break
            owner.setdefault(at, i)
    for at, chunk in enumerate(chunks):
        if at not in owner:
            raise Misaligned(f"{where}: {chunk.file}, line {chunk.first}, is in no row: {chunk.code!r}")
    return [tuple(_joined(chunks, [at for at in sorted(owner) if owner[at] == i])) for i in range(len(titles))]


def _find(title: str, anchor: str, chunks: list[_Chunk], column: str) -> int:
    found = [at for at, chunk in enumerate(chunks) if anchor in chunk.code]
    if len(found) == 1:
        return found[0]
    functions = ", ".join(dict.fromkeys(chunk.function for chunk in chunks)) or "no function"
    many = " and ".join(f"line {chunks[at].first}" for at in found)
    raise Misaligned(f"{title}: {column} {anchor!r} is in {many or 'no line'} of {functions}; one is needed")


def _chunks(path: str, source: Callable[[str], str]) -> Iterator[_Chunk]:
    """The statements of a function, without its docstring: `numpy_impl.kernels/rows.rows_of`."""
    package, module, *names = path.split(".")
    content, file = source(f"{package}.{module}"), f"{package}/{module}.py"
    node: Any = ast.parse(content)
    for name in names:
        inside = [child for child in node.body if getattr(child, "name", None) == name]
        if not inside:
            raise Misaligned(f"{file}: has no {'.'.join(names)}, which is to be shown")
        node = inside[0]
    lines = content.splitlines()
    docstrings = {
        line
        for child in ast.walk(node)
        if isinstance(child, ast.FunctionDef | ast.ClassDef) and ast.get_docstring(child) is not None
        for line in range(child.body[0].lineno, (child.body[0].end_lineno or 0) + 1)
    }
    starts = {child.lineno for child in ast.walk(node) if isinstance(child, ast.stmt)}
    starts |= {child.pattern.lineno for child in ast.walk(node) if isinstance(child, ast.match_case)}
    collected: list[str] = []
    first, ahead = node.lineno, False  # ahead: so far there are only lines that precede a statement
    for number in range(node.lineno, node.end_lineno + 1):
        line = lines[number - 1]
        if number in docstrings or not line.strip():
            continue
        before = line.strip().startswith("#") or line.strip() in ("else:", "try:", "finally:")
        if collected and not ahead and (before or number in starts):
            yield _Chunk(file, ".".join(names), first, tuple(collected))
            collected = []
        if not collected:
            first = number
        ahead = before
        collected.append(line)
    yield _Chunk(file, ".".join(names), first, tuple(collected))


def _joined(chunks: list[_Chunk], taken: list[int]) -> Iterator[Lines]:
    """The taken chunks. Adjacent chunks of a function are joined."""
    while taken:
        piece = [taken.pop(0)]
        while taken and taken[0] == piece[-1] + 1 and chunks[taken[0]].function == chunks[piece[0]].function:
            piece.append(taken.pop(0))
        first = chunks[piece[0]]
        yield Lines(first.file, first.first, dedent("\n".join(line for at in piece for line in chunks[at].lines)))
