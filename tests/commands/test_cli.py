"""The command: exit codes, the choice of cases, the table, JSON, and a candidate."""

import io
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from reference.cases import Case, HierarchicalSoftmax
from reference.catalogue import catalogue, select
from reference.checks import check as command
from reference.checks.findings import Findings
from reference.checks.formats import as_json
from reference.checks.terminal import show
from reference.checks.twins import TWINS
from reference.commands.cli import main
from reference.errors import BadInput
from reference.exact.arithmetic import Proof
from reference.judge.result import Result

ONE = "classifier-one-sgd-dense-f64"
DIALOGUE = "classifier-dialogue-sgd-dense-f64"
IDS = [case.id for case in catalogue()]

MINE = """
import numpy as np
from reference import Unsupported
from reference.cases import SGD, Classifier

class Mine:
    def __init__(self, case, weights):
        self.p, self.lr = dict(weights), case.optimizer.lr

    def loss_and_grads(self, batch):
        table, w1, b1, w2, b2 = self.p.values()
        n, length = batch.ids.shape
        pooled = table[batch.ids].mean(axis=1)
        hidden = pooled @ w1.T + b1
        active = hidden * (hidden > 0)
        logits = active @ w2.T + b2
        shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
        p = shifted / shifted.sum(axis=1, keepdims=True)
        loss = -np.log(p[np.arange(n), batch.labels]).mean()
        d = (p - np.eye(len(b2))[batch.labels]) / n
        d_hidden = (d @ w2) * (hidden > 0)
        d_table = np.zeros_like(table)
        np.add.at(d_table, batch.ids, (d_hidden @ w1)[:, None] / length)
        found = d_table, d_hidden.T @ pooled, d_hidden.sum(axis=0), d.T @ active, d.sum(axis=0)
        self.g = dict(zip(self.p, found))
        return loss, self.g

    def step(self):
        self.p = {name: self.p[name] - self.lr * self.g[name] for name in self.p}

    def params(self):
        return self.p

def build(case, weights):
    if not isinstance(case.model, Classifier) or not isinstance(case.optimizer, SGD) or case.sparse:
        raise Unsupported("a dense classifier under SGD is all there is")
    return Mine(case, weights)
"""

BY_CASE = """
from reference import Unsupported
from numpy_impl import build as right

def build(case, weights):
    trainer = right(case, weights)
    given = trainer.loss_and_grads
    if case.optimizer.state:
        raise Unsupported("no Adam")
    if case.dtype == "float32":
        trainer.loss_and_grads = lambda batch: 1 / 0
    elif case.sparse:
        trainer.loss_and_grads = lambda batch: (float("nan"), given(batch)[1])
    return trainer
"""

Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def verify(capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch) -> Command:
    """`twingrad verify` as it is where the output goes to a file."""
    for name in ("FORCE_COLOR", "TTY_COMPATIBLE", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)

    def run(*arguments: object) -> tuple[int, str, str]:
        code = main(["verify", *map(str, arguments)])
        return code, *capsys.readouterr()

    return run


@pytest.fixture
def candidate(tmp_path: Path) -> Callable[[str], Path]:
    def write(source: str) -> Path:
        file = tmp_path / "mine.py"
        file.write_text(source)
        return file

    return write


def planted(right: str, wrong: str) -> str:
    assert MINE.count(right) == 1
    return MINE.replace(right, wrong)


def process(*arguments: str) -> subprocess.CompletedProcess:
    env = {name: value for name, value in os.environ.items() if name not in ("FORCE_COLOR", "TTY_COMPATIBLE")}
    command = [sys.executable, "-m", "reference", "verify", *arguments]
    return subprocess.run(command, capture_output=True, text=True, env=env, timeout=60, check=False)


def test_process_that_agrees() -> None:
    done = process(ONE)
    assert (done.returncode, done.stderr) == (0, "")
    assert re.search(rf"{ONE} .* agree", done.stdout)
    assert not re.search(r"[\x1b\r\b]", done.stdout)


def test_process_with_bad_input() -> None:
    done = process("no-such-case")
    assert (done.returncode, done.stdout) == (2, "")
    assert re.fullmatch(r"twingrad: no case matches 'no-such-case'; .*\n", done.stderr)


def ids(verify: Command, *arguments: str) -> list[str]:
    """The ids that are listed."""
    code, out, err = verify("--list", *arguments)
    assert (code, err) == (0, "")
    return [line.split()[0] for line in out.splitlines()]


def test_list(verify: Command) -> None:
    assert ids(verify) == IDS
    assert len(set(IDS)) == len(IDS) > 100


def test_list_says_what_a_case_has(verify: Command) -> None:
    """The id, two spaces or more, and the rest as Python writes it, without defaults."""
    clipped = "embedding-small-gradients-rmsprop-eps-clip-dense-f64"
    long = "skipgram-dialogue-tree-summed-sgd-dense-f64"
    _, out, _ = verify("--list", clipped, long)
    assert out.splitlines() == [
        f"{clipped}  Embedding(7, 3)  RMSprop(lr=0.1, eps=0.001)  Drawn((6,))  steps=5  max_norm=0.005",
        f"{long:<{len(clipped)}}  SkipGram(7, 3, objective=HierarchicalSoftmax(), reduction='sum')  "
        "SGD(lr=0.1)  Dialogue()  steps=15",
    ]


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("linear", r"linear-.*"),
        ("one", r".*one.*"),
        (ONE, ONE),
        ("*-f32", r".*-f32"),
        ("skipgram-*-rows-*", r"skipgram-.*-rows-.*"),
        ("classifier-???-*", r"classifier-...-.*"),
        ("[el]*-one-sgd-*", r"(embedding|linear)-one-sgd-.*"),
    ],
)
def test_pattern_is_a_part_or_a_glob(verify: Command, pattern: str, expected: str) -> None:
    chosen = [name for name in IDS if re.fullmatch(expected, name)]
    assert 0 < len(chosen) < len(IDS)
    assert ids(verify, pattern) == chosen


def test_patterns_add_up_and_not_takes_away(verify: Command) -> None:
    every = [name for name in IDS if ("gelu" in name or re.fullmatch("linear-.*-f32", name)) and "sgd" not in name]
    assert ids(verify, "gelu", "linear-*-f32", "--not", "sgd") == every
    left = [name for name in every if not name.endswith("64") and "gelu_tanh" not in name]
    assert 0 < len(left) < len(every)
    assert ids(verify, "gelu", "linear-*-f32", "--not", "sgd", "--not", "*64", "--not", "gelu_tanh") == left
    assert ids(verify, "--not", "[!c]*") == [name for name in IDS if name.startswith("c")]


@pytest.mark.parametrize("pattern", ["gelu", "classifier*dropout*", "nesterov", "amsgrad", "tree", "lastoffset"])
def test_an_option_is_a_pattern(verify: Command, pattern: str) -> None:
    """What has it, all of it, and nothing else: read off the cases, not off their ids."""
    has: dict[str, Callable[[Case], bool]] = {
        "gelu": lambda case: getattr(case.model, "activation", "").startswith("gelu"),
        "classifier*dropout*": lambda case: case.family == "classifier" and case.model.dropout > 0,
        "nesterov": lambda case: getattr(case.optimizer, "nesterov", False),
        "amsgrad": lambda case: getattr(case.optimizer, "amsgrad", False),
        "tree": lambda case: isinstance(getattr(case.model, "objective", None), HierarchicalSoftmax),
        "lastoffset": lambda case: getattr(case.model, "include_last_offset", False),
    }
    assert ids(verify, pattern) == [case.id for case in catalogue() if has[pattern](case)] != []


@pytest.mark.parametrize("pattern", ["one-*", "ONE", "*one", "linear?", "[x]*"])
def test_pattern_that_matches_nothing(pattern: str) -> None:
    for patterns, without in (([pattern], []), (["linear", pattern], []), (["linear"], ["f32", pattern])):
        with pytest.raises(BadInput, match=rf"no case matches '{re.escape(pattern)}'"):
            select(catalogue(), patterns, without)


def test_nothing_is_left() -> None:
    with pytest.raises(BadInput, match="no case is left; all 10 chosen cases are excluded"):
        select(catalogue(), ["linear*-adam-*"], ["linear-*64", "f32"])


def test_table_names_every_case_and_cuts_nothing(verify: Command) -> None:
    code, out, err = verify("skipgram-dialogue-epoch")
    assert (code, err) == (0, "")
    lines = [line.split() for line in out.splitlines()]
    shown = {line[0]: line for line in lines if line and line[0] in IDS}
    assert list(shown) == [name for name in IDS if name.startswith("skipgram-dialogue-epoch")]
    assert {line[-1] for line in shown.values()} == {"agree"}
    assert {line[1] for line in shown.values()} == {"15"}
    assert "…" not in out


@pytest.mark.long
def test_many_cases_are_judged_in_two_processes_with_the_same_results(monkeypatch: pytest.MonkeyPatch) -> None:
    cases = select(catalogue(), ["linear-one-sgd"])
    here = list(command.judge_twins(cases, {}))
    monkeypatch.setattr(command, "MANY", len(cases))
    apart = list(command.judge_twins(cases, {}))
    assert [[result.case.id for result in held.values()] for held in here] == [[case.id] * 2 for case in cases]
    one, other = (tuple(result for held in judged for result in held.values()) for judged in (here, apart))
    found = as_json(Findings(one))
    assert found == as_json(Findings(other))
    assert json.loads(found)["proof"]["numbers"] > 0


def test_how_many_exact_numbers_were_proved(verify: Command, tmp_path: Path) -> None:
    """Those of each case once, for both twins: loss, gradients, parameters and state of each step."""
    file = tmp_path / "out.json"
    code, out, _ = verify("linear-one-adam-dense-f*", "--json", file)
    assert code == 0
    numbers = 2 * 3 * (1 + (1 + 1 + 2) + 2 + 2 * 2)  # dtypes, steps; weight, bias and two inputs; two moments
    assert f"\n{numbers} exact numbers, each proved to be the nearest of its dtype\n" in out
    assert strict(file)["proof"] == {"numbers": numbers, "ties": 0, "bits": 128}


def test_what_was_settled_as_a_tie_is_counted() -> None:
    case = catalogue()[0]
    results = tuple(Result(case, name, proof=Proof(5000, 2, 2**14)) for name in TWINS)
    stream = io.StringIO()
    show(Findings(results), Console(file=stream, width=200))
    proved = "5,000 exact numbers, each proved to be the nearest of its dtype; 2 of them settled as ties"
    assert proved in stream.getvalue().splitlines()


def test_output_that_knows_ascii_only(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", stream)
    assert main(["verify", ONE]) == 0
    stream.flush()
    assert ONE.encode() in stream.buffer.getvalue()


def test_progress_bar_on_a_terminal_alone(verify: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = io.StringIO()
    terminal.isatty = lambda: True
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys, "stderr", terminal)
    code, out, _ = verify(ONE)
    assert code == 0
    assert "\x1b" not in out
    assert ONE in terminal.getvalue()
    assert "\x1b" in terminal.getvalue()


def test_candidate_that_is_right(verify: Command, candidate: Callable) -> None:
    assert len(MINE.splitlines()) <= 40
    code, out, err = verify(DIALOGUE, "--candidate", candidate(MINE))
    assert (code, err) == (0, "")
    assert re.search(rf"{DIALOGUE} +10 .* agree", out)
    assert re.search(r"1 agree\n", out)


def test_candidate_that_declines_some(verify: Command, candidate: Callable) -> None:
    code, out, _ = verify("*-duplicates-sgd-*-f64", "--candidate", candidate(MINE))
    assert code == 0
    assert re.search(r": 1 agree, \d+ unsupported\n", out)
    assert "a dense classifier under SGD is all there is" in out


def test_candidate_that_declines_all(verify: Command, candidate: Callable) -> None:
    code, out, _ = verify("linear-one-*", "--candidate", candidate(MINE))
    assert code == 5
    assert " agree" not in out


@pytest.mark.parametrize(
    ("right", "wrong", "found"),
    [
        ("return loss, self.g", "self.g['fc1.weight'][2, 1] += 1e-9; return loss, self.g", "grads, fc1.weight[2, 1]"),
        ("return loss, self.g", "self.g['fc2.bias'][1] += 1e-9; return loss, self.g", "grads, fc2.bias[1]"),
        ("return self.p", "return self.p | {'fc1.bias': self.p['fc1.bias'] + 1e-9 * np.eye(10)[7]}", "fc1.bias[7]"),
        (".mean()", ".sum()", "step 1, loss, loss"),
        ("[:, None] / length", "[:, None]", "step 1, grads, embedding.weight["),
    ],
)
def test_candidate_that_is_wrong(verify: Command, candidate: Callable, right: str, wrong: str, found: str) -> None:
    code, out, _ = verify(DIALOGUE, "--candidate", candidate(planted(right, wrong)))
    assert code == 1
    told = re.search(rf"^disagree {DIALOGUE}, \S+mine.py: (.*): expected (\S+), got (\S+) \(.* eps off\)$", out, re.M)
    assert found in told[1]
    assert float(told[2]) != float(told[3])


def test_candidate_in_a_folder_of_any_name(verify: Command, tmp_path: Path) -> None:
    file = tmp_path / "[" / "b] my models" / "mine.py"
    file.parent.mkdir(parents=True)
    file.write_text(MINE)
    code, out, _ = verify(DIALOGUE, "--candidate", file)
    assert code == 0
    assert "[/b]mymodels" in "".join(out.split())  # the title is folded where it is long


def test_candidate_by_module_name(verify: Command, tmp_path: Path) -> None:
    code, out, _ = verify(DIALOGUE, "--candidate", "numpy_impl", "--json", tmp_path / "out.json")
    assert code == 0
    assert out.startswith("numpy_impl: the largest error")
    results = strict(tmp_path / "out.json")["results"]
    assert [(result["implementation"], result["verdict"]) for result in results] == [("numpy_impl", "agree")]


def strict(file: Path) -> Any:
    """JSON as the standard has it, without the NaN and Infinity that Python's parser lets pass."""

    def refuse(literal: str) -> None:
        pytest.fail(f"{literal} is not JSON")

    return json.loads(file.read_bytes().decode("ascii"), parse_constant=refuse)


def test_json_of_the_twins(verify: Command, tmp_path: Path) -> None:
    file = tmp_path / "out.json"
    assert verify("classifier-one", "--json", file)[0] == 0
    whole = strict(file)
    assert list(whole) == ["results", "proof", "summary", "verdict", "coverage", "expected", "environment"]
    cases = [name for name in IDS if name.startswith("classifier-one")]
    found = [(result["case"], result["implementation"]) for result in whole["results"]]
    assert found == [(case, twin) for case in cases for twin in TWINS]
    for result in whole["results"]:
        assert (result["verdict"], result["first_divergence"], result["reason"]) == ("agree", None, "")
        assert 0 <= result["worst_eps"] < 1e4
    others = ("disagree", "form", "variant", "expected", "unsupported", "error")
    assert whole["summary"] == {"agree": 2 * len(cases)} | dict.fromkeys(others, 0)
    environment = whole["environment"]
    assert environment["versions"]["numpy"] == np.__version__
    assert environment["cpu"]
    assert environment["threads"] == 1
    assert all(blas["core_type"] for blas in environment["blas"])


def test_json_of_every_verdict(verify: Command, candidate: Callable, tmp_path: Path) -> None:
    file = tmp_path / "out.json"
    code, out, _ = verify("classifier-one", "--json", file, "--candidate", candidate(BY_CASE))
    assert code == 1
    whole = strict(file)
    results = {result["case"].removeprefix("classifier-one-"): result for result in whole["results"]}
    keys = {
        "case",
        "implementation",
        "verdict",
        "worst_eps",
        "first_divergence",
        "reason",
        "against",
        "diagnosis",
        "observed",
        "form",
        "tolerance",
    }
    assert {frozenset(result) for result in whole["results"]} == {frozenset(keys)}
    assert {case: result["verdict"] for case, result in results.items()} == {
        "sgd-dense-f64": "agree",
        "sgd-dense-f32": "error",
        "sgd-rows-f64": "disagree",
        "sgd-rows-f32": "error",
        "adam-dense-f64": "unsupported",
        "adam-dense-f32": "unsupported",
    }
    assert whole["summary"] == {
        "agree": 1,
        "disagree": 1,
        "form": 0,
        "variant": 0,
        "expected": 0,
        "unsupported": 2,
        "error": 2,
    }
    first = results["sgd-rows-f64"]["first_divergence"]
    assert list(first) == ["step", "stage", "tensor", "index", "expected", "got"]
    assert (first["step"], first["stage"], first["tensor"], first["got"]) == (1, "loss", "loss", "nan")
    assert isinstance(first["expected"], float)
    assert results["sgd-dense-f32"]["reason"] == (
        "step 1: loss_and_grads raised in mine.py, line 11: ZeroDivisionError: division by zero"
    )
    assert results["adam-dense-f64"] | {"case": ""} == {
        "case": "",
        "implementation": str(tmp_path / "mine.py"),
        "against": "exact values",
        "verdict": "unsupported",
        "worst_eps": None,
        "first_divergence": None,
        "diagnosis": [],
        "observed": [],
        "reason": "no Adam",
        "form": [],
        "tolerance": {},
    }
    assert "1 agree, 1 disagree, 2 unsupported, 2 error" in out


def test_json_names_the_entry(verify: Command, candidate: Callable, tmp_path: Path) -> None:
    file = tmp_path / "out.json"
    source = planted("return loss, self.g", "self.g['embedding.weight'][9, 4] += 1e-9; return loss, self.g")
    assert verify(DIALOGUE, "--json", file, "--candidate", candidate(source))[0] == 1
    first = strict(file)["results"][0]["first_divergence"]
    assert (first["step"], first["stage"], first["tensor"], first["index"]) == (1, "grads", "embedding.weight", [9, 4])
    assert first["got"] - first["expected"] == pytest.approx(1e-9, rel=1e-4)


def test_json_replaces_what_was_there(verify: Command, tmp_path: Path) -> None:
    file, link = tmp_path / "out.json", tmp_path / "link.json"
    file.write_text("before")
    try:
        link.symlink_to(file)
    except OSError:
        pytest.skip("no links on this system")
    assert verify(ONE, "--json", link)[0] == 0
    assert link.is_symlink()
    assert strict(file)["summary"]["agree"] == 2
    assert sorted(tmp_path.iterdir()) == [link, file]
