"""An error of a candidate is told with the line of the user's own code."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from reference.errors import BadInput, raised
from reference.judge.load import load


def told(folder: Path, source: str) -> str:
    """What is said of the error that `build` of a file raises."""
    (folder / "mine.py").write_text(source)
    module = load(str(folder / "mine.py"))
    try:
        module.build(None, None)
    except Exception as error:
        return raised(error)
    raise AssertionError("it raised nothing")


SOURCES = {
    "its own line": (
        "def build(case, weights):\n    x = 1\n    raise ValueError('no\\nrow')\n",
        "raised in mine.py, line 3: ValueError: no row",
    ),
    "within a library": (
        "import numpy as np\ndef build(case, weights):\n    np.stack([np.ones(2), np.ones(3)])\n",
        "raised in mine.py, line 3: ValueError: all input arrays must have the same shape",
    ),
    "within the standard library": (
        "import json\ndef build(case, weights):\n    json.loads('')\n",
        "raised in mine.py, line 3: JSONDecodeError: Expecting value: line 1 column 1 (char 0)",
    ),
    "within this package": (
        "from reference.cases import SGD, Case, Drawn, Linear\n\n\ndef build(case, weights):\n"
        "    Case('x', Linear(2, 2), SGD(), Drawn((2,)), max_norm=-1)\n",
        "raised in mine.py, line 5: BadInput: case linear-x-sgd-clip-dense-f64: max_norm is -1; "
        "a number above 0, or None, is needed",
    ),
}


@pytest.mark.parametrize(("source", "says"), SOURCES.values(), ids=SOURCES)
def test_an_error_has_the_line_of_the_users_own_code(tmp_path: Path, source: str, says: str) -> None:
    assert told(tmp_path, source) == says


def test_the_line_may_be_in_another_file_of_theirs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "my_layers.py").write_text("def forward():\n    return 1 / 0\n")
    monkeypatch.syspath_prepend(tmp_path)
    says = told(tmp_path, "import my_layers\ndef build(case, weights):\n    my_layers.forward()\n")
    sys.modules.pop("my_layers")
    assert says == "raised in my_layers.py, line 2: ZeroDivisionError: division by zero"


def test_an_error_while_it_is_imported_has_its_line_too(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("import numpy as np\n\nnp.zeros(-1)\n")
    with pytest.raises(BadInput, match=r"importing it raised in mine.py, line 3: ValueError: negative dim"):
        load(str(tmp_path / "mine.py"))


def test_without_a_line_of_theirs_there_is_none() -> None:
    assert raised(ValueError("two\nlines")) == "raised ValueError: two lines"
