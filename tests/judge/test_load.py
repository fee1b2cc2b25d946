"""What a user may name: a file, files that import each other, a folder, a module beside them, an object."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace

import pytest

import twingrad
from reference.errors import BadInput
from reference.judge.load import OURS, load

CASE = "linear-primes-sgd-dense-f64"
LAYERS = "import numpy_impl\n\ndef right(case, weights):\n    return numpy_impl.build(case, weights)\n"
MINE = "from layers import right\n\ndef build(case, weights):\n    return right(case, weights)\n"
RELATIVE = MINE.replace("from layers", "from .layers")
LATE = "def build(case, weights):\n    from layers import right\n    return right(case, weights)\n"


def write(files: Mapping[str, str]) -> None:
    for name, source in files.items():
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_text(source, encoding="utf-8")


@pytest.fixture(autouse=True)
def _in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)


@pytest.mark.parametrize(
    ("candidate", "files"),
    [
        ("mine.py", {"mine.py": MINE, "layers.py": LAYERS}),
        ("sub/mine.py", {"sub/mine.py": MINE, "sub/layers.py": LAYERS}),
        ("mine.py", {"mine.py": LATE, "layers.py": LAYERS}),
        ("mine", {"mine.py": MINE, "layers.py": LAYERS}),
        ("mine", {"mine.py": LATE, "layers.py": LAYERS}),
        ("net.mine", {"net/__init__.py": "", "net/mine.py": RELATIVE, "net/layers.py": LAYERS}),
        ("net", {"net/__init__.py": RELATIVE, "net/layers.py": LAYERS}),
        ("net/", {"net/__init__.py": "from net.layers import right as build", "net/layers.py": LAYERS}),
        ("sub/net", {"sub/net/__init__.py": RELATIVE, "sub/net/layers.py": LAYERS}),
        ("net", {"net/build.py": MINE, "net/layers.py": LAYERS}),
        (".", {"build.py": MINE, "layers.py": LAYERS}),
    ],
)
def test_a_path_or_a_module(candidate: str, files: Mapping[str, str]) -> None:
    """Each in the same process, with other files of the same names before it; Python's path stays what it was."""
    write(files)
    before = list(sys.path)
    for named in (candidate, Path(candidate)) if "." not in candidate.removesuffix(".py") else (candidate,):
        (result,) = twingrad.check(named, CASE).results
        assert (result.verdict, result.reason, result.implementation) == ("agree", "", str(named))
    assert sys.path == before


def test_an_object_or_a_module_that_is_there() -> None:
    write({"mine.py": MINE, "layers.py": LAYERS})
    module = load("mine.py")
    for candidate in (module, SimpleNamespace(build=module.build)):
        assert [result.verdict for result in twingrad.check(candidate, CASE).results] == ["agree"]


def test_what_was_edited_is_read_again() -> None:
    """As in a notebook: of the file, and of one that it imports."""
    write({"mine.py": MINE, "layers.py": LAYERS})
    assert twingrad.check("mine.py", CASE).results[0].verdict == "agree"
    write({"layers.py": LAYERS.replace("return ", "raise KeyError('edited');")})
    assert "KeyError: 'edited'" in twingrad.check("mine.py", CASE).results[0].reason


def test_each_has_its_own_files_of_a_name() -> None:
    write({"a/mine.py": MINE, "a/layers.py": LAYERS})
    write({"b/mine.py": MINE, "b/layers.py": LAYERS.replace("return ", "raise KeyError('b');")})
    found = [twingrad.check(path, CASE).results[0].verdict for path in ("a/mine.py", "b/mine.py", "a/mine.py")]
    assert found == ["agree", "error", "agree"]


@pytest.mark.parametrize(
    ("candidate", "files", "says"),
    [
        ("mine.py", {"mine.py": MINE}, "mine.py, line 1 needs layers, which is neither installed nor beside it"),
        ("mine.py", {"mine.py": MINE, "layers.py": "1 / 0"}, "raised in layers.py, line 1: ZeroDivisionError"),
        ("net", {"net/other.py": MINE}, "is a folder; one with an __init__.py, or else a build.py, is needed"),
        ("net/", {"net/other.py": MINE}, "is a folder; one with an __init__.py, or else a build.py, is needed"),
        ("json", {"json/__init__.py": MINE}, "another module json is imported already; the folder must be renamed"),
        ("net", {"net/__init__.py": "build = 1"}, "has no function build(case, weights)"),
        ("mine", {"mine.py": "import lay_ers"}, "mine.py, line 1 needs lay_ers, which is neither installed nor"),
    ],
)
def test_what_cannot_be_loaded(candidate: str, files: Mapping[str, str], says: str) -> None:
    write(files)
    before = list(sys.path)
    with pytest.raises(BadInput) as bad:
        load(candidate)
    assert says in str(bad.value)
    assert sys.path == before


@pytest.mark.parametrize("name", OURS)
@pytest.mark.parametrize("place", ["{}.py", f"{{}}{os.sep}__init__.py"])
def test_a_file_or_folder_beside_it_with_the_name_of_ours_is_told(name: str, place: str) -> None:
    """Or else `from numpy_impl import build` would hold our own twin in the place of theirs, and agree."""
    write({"mine.py": f"from {name} import build", place.format(name): "def build(case, weights): ..."})
    for candidate in ("mine.py", "mine"):
        with pytest.raises(BadInput, match=f"has the name of twingrad's own package {name}; it must be renamed"):
            load(candidate)


def test_a_folder_that_hides_nothing_is_none_of_our_business() -> None:
    write({"mine.py": MINE, "layers.py": LAYERS, "reference/notes.md": "", "numpy_impl/old.py": ""})
    assert load("mine.py").build
