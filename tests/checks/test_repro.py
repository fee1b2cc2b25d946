"""`twingrad repro`: a failure as a script, which ends with an error as long as the failure is there."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from reference.commands.cli import main
from tests.tools.readmes import KNOWN, MINE, ROOT, changed

Repro = Callable[..., tuple[int, str, str]]

PLAIN = """
import numpy as np

class Trainer:
    def __init__(self, case, weights):
        self.w = weights

    def loss_and_grads(self, batch):
        x, d, w = batch.input, batch.upstream, self.w["linear.weight"]
        grads = {"linear.weight": d.T @ x, "linear.bias": d.sum(axis=0), "input": d @ w}
        return ((x @ w.T + self.w["linear.bias"]) * d).sum(), grads

build = Trainer
"""
BENT = """
import numpy as np
from numpy_impl import build as right

def build(case, weights):
    trainer = right(case, weights)
    {given} = trainer.{given}
    def bent(*batch):
        found = {given}(*batch)
        {bend}
        return found
    trainer.{given} = bent
    return trainer
"""


@pytest.fixture
def repro(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Repro:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)

    def run(source: str, *arguments: str) -> tuple[int, str, str]:
        Path("mine.py").write_text(source, encoding="utf-8")
        return main(["repro", *arguments]), *capsys.readouterr()

    return run


def ended(script: str) -> str:
    """How the script ends: with an error, or with nothing."""
    sys.modules.pop("mine", None)
    sys.path.insert(0, os.getcwd())
    try:
        exec(compile(script, "script.py", "exec"), {"__name__": "__main__"})
    except (Exception, SystemExit) as error:
        return f"{type(error).__name__}: {error}"
    finally:
        sys.path.pop(0)
        sys.modules.pop("mine", None)
    return ""


def test_it_runs_in_a_process_of_its_own(repro: Repro) -> None:
    assert repro(changed(*KNOWN), "classifier-dialogue-sgd-dense-f64", "mine.py", "-o", "script.py")[0] == 0
    for module, code in ((changed(*KNOWN), 1), (MINE, 0)):
        Path("mine.py").write_text(module, encoding="utf-8")
        environ = os.environ | {"PYTHONPATH": str(ROOT)}
        run = subprocess.run([sys.executable, "script.py"], env=environ, capture_output=True, check=False)
        assert run.returncode == code


def test_it_fails_until_the_failure_is_mended(repro: Repro) -> None:
    code, script, err = repro(changed(*KNOWN), "classifier-dialogue-sgd-dense-f64", "mine.py")
    assert (code, err) == (0, "")
    assert "look for  table_grad[ids] = d" in ast.get_docstring(ast.parse(script))
    told = ended(script)
    assert told.startswith("AssertionError: ")
    first = script.splitlines()[0]
    for number in (first.split("expected ")[1].split(",")[0], first.split("got ")[1].split(" ")[0]):
        assert script.count(number) == 2  # where it is told, and where it is compared
        assert number[:9] in told
    Path("mine.py").write_text(MINE, encoding="utf-8")
    assert ended(script) == ""


def test_what_needs_no_class_of_ours_is_shown_with_numpy_alone(repro: Repro) -> None:
    code, script, _ = repro(PLAIN.replace("d.T @ x", "d.T @ x * 2"), "linear", "mine.py", "-o", "out.py")
    assert (code, script) == (0, "")
    script = Path("out.py").read_text(encoding="utf-8")
    nodes = list(ast.walk(ast.parse(script)))
    names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    names |= {str(node.module) for node in nodes if isinstance(node, ast.ImportFrom)}
    assert names == {"numpy", "mine", "types"}
    assert "Not equal to tolerance" in ended(script)
    Path("mine.py").write_text(PLAIN, encoding="utf-8")
    assert ended(script) == ""


@pytest.mark.parametrize(
    ("given", "bend", "case", "says"),
    [
        ("loss_and_grads", "found = found[0] * 1.001, found[1]", "linear-one-sgd-dense-f32", "step 1, loss"),
        (
            "loss_and_grads",
            "found[1]['embedding.weight'].values[0] += 1",
            "embedding-one-sgd-rows-f64",
            "step 1, grads",
        ),
        ("loss_and_grads", "found[1]['linear.weight'][:] = np.nan", "linear-one-sgd-dense-f64", "step 1, grads"),
        ("params", "found = {k: v * 1.1 for k, v in found.items()}", "linear-one-adam-dense-f64", "step 1, params"),
        (
            "state",
            "found['exp_avg']['linear.bias'] += 1",
            "linear-one-adam-dense-f64",
            "exp_avg.linear.bias",
        ),
        (
            "loss_and_grads",
            "found = found[0], found[1] | {'input': np.ones(3)}",
            "linear-primes-sgd-dense-f64",
            "of shape",
        ),
        ("loss_and_grads", "1 / 0", "linear-one-sgd-dense-f64", "ZeroDivisionError"),
        ("state", "[][0]", "linear-one-adam-dense-f64", "IndexError"),
    ],
)
def test_each_kind_of_failure(repro: Repro, given: str, bend: str, case: str, says: str) -> None:
    code, script, err = repro(BENT.format(given=given, bend=bend), case, "mine.py")
    assert (code, err) == (0, "")
    assert says in script.splitlines()[0]
    assert "from twingrad import cases" in script
    assert ended(script)
    Path("mine.py").write_text("from numpy_impl import build", encoding="utf-8")
    assert bool(ended(script)) == (says == "of shape")  # of another shape it is told, and not looked at again


def test_of_several_cases_the_smallest_that_fails_is_taken(repro: Repro) -> None:
    _, script, _ = repro(changed(*KNOWN), "classifier-[dpo]*-sgd-dense-f64", "mine.py")
    assert script.startswith('"""disagree classifier-one-sgd-dense-f64, mine.py: step 3')


@pytest.mark.parametrize(
    ("source", "arguments", "says"),
    [
        (MINE, ["classifier-dialogue-sgd-dense-f64", "mine.py"], "does not fail in the 1 cases that a script can show"),
        (MINE, ["nothing", "mine.py"], "no case matches 'nothing'"),
        (MINE, ["classifier", "nope.py"], "there is no such file"),
        (MINE, ["classifier", "mine.py", "-o", "nowhere/x.py"], "the folder nowhere does not exist"),
        (MINE, ["classifier", "mine.py", "-o", "mine.py"], "--output mine.py: is what --candidate names"),
        (changed(*KNOWN), ["classifier-zipf-sgd-dense-f64", "mine.py"], "at most 3,000 go on a page"),
        (
            BENT.format(given="loss_and_grads", bend="found = found[0] * np.random.default_rng().random(), found[1]"),
            ["linear-one-sgd-dense-f64", "mine.py"],
            "does not repeat itself",
        ),
    ],
    ids=[
        "right",
        "no such case",
        "no such file",
        "no such folder",
        "its own file",
        "too long",
        "another result each time",
    ],
)
def test_what_no_script_can_show(repro: Repro, source: str, arguments: list[str], says: str) -> None:
    code, out, err = repro(source, *arguments)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert says in err
