"""A model of one's own, one file outside of the tree: the example of `reference/cases/README.md`, right and wrong."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from reference.commands.cli import main

MODEL, MINE = re.findall(
    r"```python\n(.*?)```", (Path(__file__).parents[2] / "reference/cases/README.md").read_text("utf-8"), re.DOTALL
)
Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def verify(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> Command:
    monkeypatch.chdir(tmp_path)
    Path("two_tower.py").write_text(MODEL, encoding="utf-8")
    Path("mine.py").write_text(MINE, encoding="utf-8")

    def run(*arguments: str) -> tuple[int, str, str]:
        code = main(["verify", *arguments])
        return code, *capsys.readouterr()

    return run


def changed(file: str, right: str, wrong: str) -> None:
    source = Path(file).read_text(encoding="utf-8")
    assert right in source
    Path(file).write_text(source.replace(right, wrong), encoding="utf-8")


def test_it_agrees(verify: Command) -> None:
    code, out, _ = verify("--model", "two_tower.py", "--candidate", "mine.py", "--json", "out.json")
    assert code == 0
    assert "60 cases: 12 agree, 48 unsupported" in out
    assert "12 of 60 compared with exact values" in out
    agree = [r["case"] for r in json.loads(Path("out.json").read_text())["results"] if r["verdict"] == "agree"]
    assert "twotower-duplicates-sgd-rows-f32" in agree
    assert "twotower-cold-temperature-sgd-dense-f64" in agree


def test_what_is_wrong_is_described(verify: Command) -> None:
    changed("mine.py", " / n / t", " / t")
    code, out, _ = verify("--model", "two_tower.py", "--candidate", "mine.py")
    assert code == 1
    assert "  users.weight: got is 4 times what is expected in every entry that is off" in out
    shown = (Path(__file__).parents[2] / "reference/cases/README.md").read_text("utf-8")
    told = re.findall(r"```\n(no known mistake.*?)```", shown, re.DOTALL)[0]
    assert told in out


def test_row_gradients_have_the_rows_that_are_looked_up(verify: Command) -> None:
    changed("mine.py", "rows = np.unique(ids)", "rows = np.arange(len(table))")
    code, out, _ = verify("--model", "two_tower.py", "--candidate", "mine.py", "rows")
    assert code == 1
    assert "no gradient in this row, it was not looked up" in out


def test_both_may_stand_in_one_file(verify: Command) -> None:
    Path("both.py").write_text(MODEL + MINE.replace("from two_tower import TwoTower\n", ""), encoding="utf-8")
    code, out, _ = verify("--model", "both.py", "--candidate", "both.py", "small")
    assert (code, "4 agree" in out) == (0, True)


def test_list_and_choice(verify: Command) -> None:
    code, out, _ = verify("--model", "two_tower.py", "--list", "cold", "--not", "f32")
    ids = [line.split()[0] for line in out.splitlines()]
    assert code == 0
    assert len(ids) == 10
    assert ids[0] == "twotower-cold-temperature-sgd-dense-f64"
    assert "TwoTower(11, 13, 5, temperature=0.2)" in out


WRONG = {
    # what is changed in the model's file, and what is said
    "no cases": (("CASES = [", "TRIED = ["), "has no CASES; a list of at least one reference.cases.Case is needed"),
    "no formula": (("def exact_loss", "def loss"), "TwoTower has no method exact_loss(m, p, batch)"),
    "a formula that fails": (("m.log(", "m.lg("), ": AttributeError: 'Balls' object has no attribute 'lg'"),
    "a batch that it refuses": (
        ("self.num_users), stream", "99), stream"),
        "is out of range; 0 to 6 are allowed (7 rows of the table)",
    ),
    "no drawing": (("def draw", "def drawn"), "twotower: has no drawn batches"),
    "no lookup": (("def looked_up", "def read"), "looked_up lists no rows of users.weight"),
    "an error in it": (("@dataclass(frozen=True)\n", "1 / 0\n"), ": ZeroDivisionError: division by zero"),
    "too large": (("TwoTower(7, 5, 3), SGD(), Drawn((4,))", "TwoTower(9, 9, 99), SGD(), Drawn((999,))"), "too large"),
}


@pytest.mark.parametrize(("change", "says"), WRONG.values(), ids=WRONG)
def test_a_wrong_file_is_one_line(verify: Command, change: tuple[str, str], says: str) -> None:
    changed("two_tower.py", *change)
    code, out, err = verify("--model", "two_tower.py", "--candidate", "mine.py")
    assert (code, out, err.count("\n")) == (2, "", 1), err
    assert err.startswith("twingrad: model two_tower.py")
    assert says in err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--model", "two_tower.py"], "needs --candidate"),
        (["--model", "nowhere.py", "--candidate", "mine.py"], "model nowhere.py: there is no such file"),
        (["--model", "two_tower", "--candidate", "mine.py"], "the path of a .py file is needed"),
        (["--model", "two_tower.py", "--candidate", "mine.py", "--text", "x"], "is for the catalogue's cases"),
        (["--model", "two_tower.py", "--candidate", "mine.py", "gelu"], "no case matches 'gelu'"),
    ],
)
def test_wrong_use(verify: Command, arguments: list[str], says: str) -> None:
    code, out, err = verify(*arguments)
    assert (code, out) == (2, "")
    assert says in err
