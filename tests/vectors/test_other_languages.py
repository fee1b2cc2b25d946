"""Implementations in JavaScript and in C: they agree, and what is wrong in them is found and named."""

from __future__ import annotations

import shlex
import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from reference.commands.cli import main
from reference.mistakes import MISTAKES
from reference.vectors.reading import HERE, files
from tests.tools.readmes import ROOT, blocks

PROGRAMS = ROOT / "tests" / "vectors" / "other_languages"
NODE, CC = shutil.which("node"), shutil.which("cc")
CLASSIFIERS = [path.stem for path in files([HERE]) if path.stem.startswith("classifier-")]
NEGATIVES = ["skipgram-dialogue-negatives-*", "skipgram-hits-negatives-*mask-sgd-*"]

Run = Callable[..., tuple[int, str]]


@pytest.fixture
def run(tmp_path: Path, capsys: pytest.CaptureFixture) -> Run:
    """Run a program, with a line of it changed, on some cases, and compare what it answers."""

    def program(name: str, cases: Sequence[str], right: str = "", wrong: str = "") -> tuple[int, str]:
        source = (PROGRAMS / name).read_text(encoding="utf-8")
        assert not right or source.count(right) == 1
        file = tmp_path / name
        file.write_text(source.replace(right, wrong) if right else source, encoding="utf-8")
        if name.endswith(".c"):
            if not CC:
                pytest.skip("there is no C compiler, cc: the round trip through C was not made")
            command = [str(file.with_suffix(""))]
            subprocess.run([CC, "-o", *command, str(file), "-lm"], check=True, timeout=60)
        else:
            if not NODE:
                pytest.skip("Node is not installed: the round trip through JavaScript was not made")
            command = [NODE, str(file)]
        return main(["vectors", "run", *cases, "--", *command]), capsys.readouterr().out

    return program


def test_a_classifier_in_javascript_agrees(run: Run) -> None:
    """Among all vectors that come with twingrad; it refuses the others."""
    code, out = run("classifier.mjs", [])
    assert code == 0, out
    others = len(files([HERE])) - len(CLASSIFIERS)
    assert f"{len(CLASSIFIERS)} agree, {others} unsupported" in out
    assert f"{others} of {others + len(CLASSIFIERS)}: classifiers only\n" in out
    assert len(CLASSIFIERS) >= 15


def test_skip_gram_in_c_agrees(run: Run) -> None:
    code, out = run("skipgram.c", NEGATIVES)
    assert code == 0, out
    assert "8 agree" in out
    assert ": plain SGD only\n" in out


def test_the_commands_of_the_readme(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    readme = (ROOT / "reference/vectors/README.md").read_text(encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tests").symlink_to(ROOT / "tests")
    (tmp_path / "build").mkdir()
    quick = {"classifier": "classifier-dialogue-sgd", "skipgram*-negatives-*": "skipgram-dialogue-negatives-*"}
    for program, *arguments in map(shlex.split, filter(None, "\n".join(blocks(readme, "")).splitlines())):
        if program == ".venv/bin/twingrad":
            assert main([quick.get(part, part) for part in arguments]) == 0
        elif not shutil.which(program):
            pytest.skip(f"{program} is not installed: the commands of the README were not tried")
        else:
            subprocess.run([program, *arguments], check=True, timeout=60)


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
    run: Run, monkeypatch: pytest.MonkeyPatch, right: str, wrong: str, found: str
) -> None:
    monkeypatch.setattr("reference.checks.check.diagnose", lambda *_: {})
    code, out = run("classifier.mjs", CLASSIFIERS, right, wrong)
    assert code == 1, out
    assert "disagree classifier-" in out
    assert found in out


NAMED = {
    # a program, its cases, a right line, a wrong one, and the mistake that is named
    "duplicates in JavaScript": (
        "classifier.mjs",
        [case for case in CLASSIFIERS if "-dialogue-" in case],
        *WRONG["duplicates overwritten"][:2],
        "duplicates-overwritten",
    ),
    "a mean in C": (
        "skipgram.c",
        NEGATIVES,
        "(1 + exp(sign * score)) / divisor",
        "(1 + exp(sign * score))",
        "pair-mean-",
    ),
}


@pytest.mark.parametrize(("program", "cases", "right", "wrong", "name"), NAMED.values(), ids=NAMED)
def test_a_mistake_is_named(run: Run, program: str, cases: list[str], right: str, wrong: str, name: str) -> None:
    code, out = run(program, cases, right, wrong)
    assert code == 1
    (sentence,) = (mistake.sentence for mistake in MISTAKES.values() if mistake.name.startswith(name))
    assert sentence in out, out


def test_what_is_not_finite_comes_through(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reference.checks.check.diagnose", lambda *_: {})
    right, wrong = "const largest = Math.max(...row);", "const largest = 0;"
    code, out = run("classifier.mjs", ["classifier-overflow-sgd-dense-f64"], right, wrong)
    assert code == 1
    assert "step 1, loss, loss: expected 355.8550889599829, got nan\n" in out
