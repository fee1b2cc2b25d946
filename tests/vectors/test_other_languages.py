"""An implementation in JavaScript: from the vectors to its results to the verdict, through files alone."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from reference.commands.cli import main
from reference.mistakes import MISTAKES
from reference.vectors.reading import HERE, files
from tests.tools.readmes import ROOT, blocks

NODE = shutil.which("node")
PROGRAM = ROOT / "tests" / "vectors" / "other_languages" / "classifier.mjs"
CLASSIFIERS = [path.stem for path in files([HERE]) if path.stem.startswith("classifier-")]

pytestmark = pytest.mark.skipif(
    not NODE, reason="Node is not installed: the round trip through JavaScript was not made"
)

Checked = Callable[..., tuple[int, str]]


@pytest.fixture
def checked(tmp_path: Path, capsys: pytest.CaptureFixture) -> Checked:
    """Run a program over the vectors of some cases, and hold what it writes against them."""

    def check(program: str, cases: Sequence[str] = CLASSIFIERS) -> tuple[int, str]:
        (tmp_path / "program.mjs").write_text(program, encoding="utf-8")
        (tmp_path / "vectors").mkdir()
        for case in cases:
            shutil.copy(HERE / f"{case}.json", tmp_path / "vectors")
        subprocess.run([str(NODE), "program.mjs", "vectors", "results"], cwd=tmp_path, check=True, timeout=60)
        code = main(["vectors", "check", str(tmp_path / "vectors"), "--results", str(tmp_path / "results")])
        return code, capsys.readouterr().out

    return check


def test_a_classifier_in_javascript_agrees(checked: Checked) -> None:
    code, out = checked(PROGRAM.read_text(encoding="utf-8"))
    assert code == 0, out
    assert f"{len(CLASSIFIERS)} agree" in out
    assert len(CLASSIFIERS) >= 15


def test_the_commands_of_the_readme(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    readme = (ROOT / "reference/vectors/README.md").read_text(encoding="utf-8")
    commands = blocks(readme, "")[0].splitlines()
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tests").symlink_to(ROOT / "tests")
    for command in commands:
        program, *arguments = command.split()
        if program == "node":
            subprocess.run([str(NODE), *arguments], check=True, timeout=60)
        else:
            assert program == ".venv/bin/twingrad"
            # fewer cases than the README's, to be quick
            assert main(["classifier-dialogue-sgd" if part == "classifier" else part for part in arguments]) == 0


WRONG = {
    # a right line of the program, a wrong one, and what is found first
    "duplicates overwritten": ("gradient[id][j] += d[b][j]", "gradient[id][j] = d[b][j]", "grads, embedding.weight["),
    "mean undivided": ("+= d[b][j] / divisor(ids)", "+= d[b][j]", "grads, embedding.weight["),
    "bias of the first": ("bias: bias.map((_, k) => sum(column(d, k)))", "bias: d[0]", "grads, fc"),
    "ignored labels count": ("label === options.ignore_index", "false", "step 1, loss"),
    "momentum dampened at first": (
        "? zip(buffers[name], update",
        "|| true ? zip(buffers[name] ?? update, update",
        ": st",
    ),
}


@pytest.mark.parametrize(("right", "wrong", "found"), WRONG.values(), ids=WRONG)
def test_a_wrong_line_in_it_is_found(
    checked: Checked, monkeypatch: pytest.MonkeyPatch, right: str, wrong: str, found: str
) -> None:
    monkeypatch.setattr("reference.checks.check.diagnose", lambda *_: {})
    program = PROGRAM.read_text(encoding="utf-8")
    assert program.count(right) == 1
    code, out = checked(program.replace(right, wrong))
    assert code == 1, out
    assert "disagree classifier-" in out
    assert found in out


def test_it_is_named_too(checked: Checked) -> None:
    right, wrong, _ = WRONG["duplicates overwritten"]
    dialogue = [case for case in CLASSIFIERS if "-dialogue-" in case]
    code, out = checked(PROGRAM.read_text(encoding="utf-8").replace(right, wrong), dialogue)
    assert code == 1
    assert MISTAKES["duplicates-overwritten"].sentence in out
