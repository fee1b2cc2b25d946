"""The folder of pages: converts Markdown, formulas and code to HTML. Everything is escaped."""

from __future__ import annotations

import json
import shutil
import tempfile
import tomllib
from functools import cache, partial
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import jinja2
from latex2mathml.converter import convert
from markdown_it import MarkdownIt
from markupsafe import Markup, escape
from pygments.lexers import PythonLexer
from pygments.token import Comment, Keyword, Name, Number, String

from reference.errors import BadInput
from reference.read.align import PAIRS, Pair, read_pair

HERE = Path(__file__).parent
STATIC = ("style.css", "script.js")
MARK = '<meta name="generator" content="twingrad">'
"""Identifies a folder of pages, so that no other folder is ever replaced."""

COLOURED = ((Comment, "c"), (Keyword, "k"), (String, "s"), (Number, "m"), (Name.Function, "f"), (Name.Class, "f"))


def pages(numbers: dict[str, Any], evidence: dict[str, Any]) -> dict[str, str]:
    """The pages by file name.

    numbers: what `numbers.stories` returns. evidence: what `evidence.collect` returns.
    """
    pairs = [read_pair(name) for name in PAIRS]
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"markdown": markdown, "inline": inline, "math": math, "json": as_json}
    environment.globals |= {"pairs": pairs, "groups": _groups(pairs), "references": _toml("sources")}

    def page(template: str, **given: Any) -> str:
        return environment.get_template(template).render(**given)

    specimen = next(row for row in pairs[0].parts[0].rows if row.title == "Back to the rows")
    code = partial(highlighted, symbols={})
    found = {"index.html": page("index.html", here="index", specimen=specimen, code=code, nodes=_toml("grad_fn"))}
    for before, pair, after in zip([None, *pairs], pairs, [*pairs[1:], None], strict=False):
        found[f"{pair.name}.html"] = page(
            "pair.html",
            here=pair.name,
            pair=pair,
            before=before,
            after=after,
            code=partial(highlighted, symbols=_names(pair)),
            marks=frozenset((_letter(symbol), symbol) for symbol in pair.symbols),
            nodes=_toml("grad_fn"),
        )
    found["numbers.html"] = page("numbers.html", here="numbers", numbers=numbers)
    found["evidence.html"] = page("evidence.html", here="evidence", evidence=evidence)
    return found


def write(folder: Path, content: dict[str, str], plots: list[Path]) -> None:
    """Write the pages in one move, replacing earlier pages.

    plots: pictures that the pages show; they are copied too.

    Raises:
        BadInput: something else is there, or the folder cannot be written.
    """
    folder = check_folder(folder)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}-") as passing:
            new, old = Path(passing, "new"), Path(passing, "old")
            new.mkdir()
            for name, text in content.items():
                Path(new, name).write_text(text, encoding="utf-8")
            for file in [*(HERE / name for name in STATIC), *plots]:
                shutil.copyfile(file, new / file.name)
            if folder.exists():
                folder.rename(old)
            try:
                new.rename(folder)
            except OSError:
                if old.exists():
                    old.rename(folder)
                raise
    except OSError as error:
        raise BadInput(f"--html {folder}: cannot be written ({error.strerror})") from None


def check_folder(folder: Path) -> Path:
    """The full path of the folder. Raises BadInput if something else is there than a folder of pages."""
    folder, index = folder.resolve(), folder / "index.html"
    try:
        ours = index.is_file() and MARK in index.read_text(encoding="utf-8", errors="replace")
        if folder.exists() and not ours and (not folder.is_dir() or any(folder.iterdir())):
            raise BadInput(f"--html {folder}: is there and is no folder of such pages; another name is needed")
    except OSError as error:
        raise BadInput(f"--html {folder}: cannot be read ({error.strerror})") from None
    return folder


def _groups(pairs: list[Pair]) -> dict[str, list[Pair]]:
    groups: dict[str, list[Pair]] = {}
    for pair in pairs:
        groups.setdefault(pair.group, []).append(pair)
    return groups


@cache
def _toml(name: str) -> dict[str, Any]:
    return tomllib.loads((HERE / f"{name}.toml").read_text(encoding="utf-8"))


def as_json(value: Any) -> Markup:
    """JSON that is safe in a script element: nothing in it can end the element."""
    text = json.dumps(value, separators=(",", ":"), allow_nan=False)
    return Markup(text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e"))


# --- formulas --------------------------------------------------------------------------------------------------------

MathML = ElementTree.Element


@cache
def math(latex: str, display: str = "inline", marks: frozenset[tuple[str, str]] = frozenset()) -> Markup:
    """LaTeX as MathML. Letters that are symbols of the page are marked with their names.

    marks: for each symbol, its letter in MathML and its LaTeX.
    """
    root = ElementTree.fromstring(
        convert(latex, display=display).replace(' xmlns="http://www.w3.org/1998/Math/MathML"', "")
    )
    symbols = dict(marks)
    for bar in root.iter("mo"):
        if bar.text in ("‖", "|"):
            bar.attrib.setdefault("stretchy", "false")  # by default they are as tall as the line
    for element in root.iter("mi"):
        if element.text in symbols:
            element.set("class", "symbol")
            element.set("data-symbol", symbols[element.text])
    return Markup(ElementTree.tostring(root, encoding="unicode"))


@cache
def _letter(latex: str) -> str:
    """The letter of a symbol in MathML."""
    found = ElementTree.fromstring(convert(latex)).iter("{http://www.w3.org/1998/Math/MathML}mi")
    return "".join(element.text or "" for element in found)


# --- prose -----------------------------------------------------------------------------------------------------------


def _code_inline(marks: frozenset[tuple[str, str]], content: str) -> str:
    if content.startswith("$") and content.endswith("$") and len(content) > 2:
        return str(math(content[1:-1], "inline", marks))
    return f"<code>{escape(content)}</code>"


@cache
def _parser(marks: frozenset[tuple[str, str]]) -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": False})
    parser.add_render_rule("code_inline", lambda self, tokens, at, *_: _code_inline(marks, tokens[at].content))
    return parser


def markdown(text: str, marks: frozenset[tuple[str, str]] = frozenset()) -> Markup:
    """Markdown as HTML. A code span `$...$` is a formula. HTML in the text is escaped."""
    return Markup(_parser(marks).render(text))


def inline(text: str, marks: frozenset[tuple[str, str]] = frozenset()) -> Markup:
    """One line of Markdown as HTML, without a paragraph around it."""
    return Markup(_parser(marks).renderInline(text.strip()))


# --- code ------------------------------------------------------------------------------------------------------------


def _names(pair: Pair) -> dict[str, str]:
    """The symbol of each name in the code."""
    return {name: letter for letter, symbol in pair.symbols.items() for name in symbol["code"]}


def highlighted(code: str, symbols: dict[str, str]) -> Markup:
    """Python as HTML, with symbols marked. Each line is an element, so that a long line can wrap with an indent."""
    line, lines = Markup(), []
    for kind, value in PythonLexer(ensurenl=False).get_tokens(code):
        for at, piece in enumerate(value.split("\n")):
            if at:
                lines.append(line)
                line = Markup()
            line += _token(kind, piece, symbols)
    found = Markup()
    for text, html in zip(code.split("\n"), [*lines, line], strict=True):
        found += Markup('<span class="line" style="--indent:{}">{}</span>\n').format(
            len(text) - len(text.lstrip()), html.lstrip()
        )
    return found


def _token(kind: Any, value: str, symbols: dict[str, str]) -> Markup:
    name = value.strip("\"'")
    if name in symbols and (kind in Name or kind in String):
        return Markup('<span class="symbol" data-symbol="{}">{}</span>').format(symbols[name], value)
    css = next((css for group, css in COLOURED if kind in group), "")
    return Markup('<span class="{}">{}</span>').format(css, value) if css and value.strip() else escape(value)
