"""The walls of the house: what a linter of imports does not see."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from reference.commands.cli import COMMANDS, main

ROOT = Path(__file__).parents[2]
FILES = sorted(path for room in ("reference", "numpy_impl", "torch_impl") for path in (ROOT / room).rglob("*.py"))
LOADER = ROOT / "reference" / "judge" / "load.py"
BY_STRING = {"import_module", "__import__", "exec_module", "module_from_spec", "run_module", "run_path", "load_module"}


def by_string(source: str) -> list[str]:
    """The names in it that import a module whose name is a string."""
    nodes = list(ast.walk(ast.parse(source)))
    names = [node.id for node in nodes if isinstance(node, ast.Name)]
    names += [node.attr for node in nodes if isinstance(node, ast.Attribute)]
    names += [alias.name for node in nodes if isinstance(node, ast.ImportFrom) for alias in node.names]
    return [name for name in names if name in BY_STRING]


def hides_imports(source: str) -> bool:
    """Whether it imports something for the type checker alone, by which a circle could close."""
    nodes = list(ast.walk(ast.parse(source)))
    return any(
        (isinstance(node, ast.Name) and node.id == "TYPE_CHECKING")
        or (isinstance(node, ast.Attribute) and node.attr == "TYPE_CHECKING")
        for node in nodes
    )


def test_only_what_a_user_names_is_imported_by_a_string() -> None:
    assert len(FILES) > 80
    assert [path for path in FILES if by_string(path.read_text("utf-8"))] == [LOADER]


@pytest.mark.parametrize(
    "source",
    [
        "import importlib\nimportlib.import_module('numpy_impl')",
        "from importlib import import_module as get",
        "twin = __import__('numpy_impl')",
        "import runpy\nrunpy.run_module('numpy_impl')",
    ],
)
def test_an_import_by_a_string_is_seen(source: str) -> None:
    assert by_string(source)


def test_nothing_is_imported_for_the_type_checker_alone() -> None:
    assert [path for path in FILES if hides_imports(path.read_text("utf-8"))] == []
    for source in ("if TYPE_CHECKING:\n    import numpy_impl", "import typing\nif typing.TYPE_CHECKING:\n    x = 1"):
        assert hides_imports(source)


WITHOUT_TORCH = [
    ["--help"],
    ["read", "--list"],
    ["read", "sgd"],
    ["verify", "--list"],
    ["verify", "linear-one-sgd-dense-f64", "--candidate", "numpy_impl"],
    ["mistakes", "--list"],
    ["train", "skipgram", "--help"],
]


def test_commands_that_do_not_need_torch_do_not_import_it() -> None:
    """It takes a second or more."""
    program = f"""
import contextlib, sys
from reference.commands.cli import main
for arguments in {WITHOUT_TORCH}:
    with contextlib.suppress(SystemExit):
        assert main(arguments) == 0, arguments
    assert "torch" not in sys.modules, arguments
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", [name for name, *_ in COMMANDS])
def test_the_help_of_a_command_says_in_a_sentence_what_it_does(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main([name, "--help"])
    _, what, *_ = capsys.readouterr().out.split("\n\n")
    assert what[0].isupper()
    assert what.rstrip().endswith(".")
    assert "`" not in what
