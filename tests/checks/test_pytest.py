"""pytest in a project of one's own: `--twingrad`, and `twingrad.parametrize`."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import pytest

from reference.judge.tolerance import STAGES
from tests.tools.readmes import KNOWN, MINE, ROOT, changed

WRONG = changed(*KNOWN)
WARNS = MINE.replace("        g = {", "        np.log(np.zeros(1))\n        g = {")
DIALOGUE = "--twingrad-cases=classifier-dialogue-sgd-dense*"
F64 = "classifier-dialogue-sgd-dense-f64"
# the garbage of a whole suite takes a second to collect, and that plugin does so five times
PLAIN = "-p", "no:benchmark", "-p", "no:cacheprovider", "-p", "no:unraisableexception"

Run = Callable[..., tuple[int, str]]


@pytest.fixture
def ran(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """A pytest within this one, which has imported already what it needs, in a folder without any test."""
    monkeypatch.chdir(tmp_path)
    for name in ("PYTEST_XDIST_WORKER", "PYTEST_XDIST_WORKER_COUNT", "PYTEST_ADDOPTS"):
        monkeypatch.delenv(name, raising=False)
    Path("mine.py").write_text(MINE, encoding="utf-8")
    Path("wrong.py").write_text(WRONG, encoding="utf-8")
    Path("warns.py").write_text(WARNS, encoding="utf-8")
    Path("expected.txt").write_text("# not yet\nclassifier-*-f64  # rows that meet\n", encoding="utf-8")
    Path("stale.txt").write_text("gone-*  # an old name\n", encoding="utf-8")
    monkeypatch.setattr(sys, "dont_write_bytecode", True)

    def run(*arguments: str) -> tuple[int, str]:
        code = pytest.main([*PLAIN, *arguments])
        out, err = capsys.readouterr()
        return int(code), out + err

    return run


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["--twingrad=mine.py", DIALOGUE], 0, ["2 passed", "mine.py: these 2 cases would notice "]),
        (["--twingrad=wrong.py", DIALOGUE], 1, ["2 failed", f"disagree {F64}, wrong.py: step 1, grads, embedding"]),
        (["--twingrad=wrong.py", DIALOGUE], 1, ["duplicates-overwritten", "look for  table_grad[ids] = d"]),
        (["--twingrad=warns.py", DIALOGUE, "-W", "error"], 0, ["2 passed", "RuntimeWarning: divide by zero"]),
        (["--twingrad=mine.py", "-k", "dialogue-sgd-dense and f64"], 0, ["1 passed, 1 skipped", "deselected"]),
        (["--twingrad=mine.py", DIALOGUE, "--collect-only", "-q"], 0, [f"mine.py::{F64}", "2 tests collected"]),
        # what fails as expected, what passes in spite of it, and what is expected of nothing
        (["--twingrad=wrong.py", DIALOGUE, "--twingrad-xfail=expected.txt"], 1, ["1 failed, 1 xfailed"]),
        (["--twingrad=mine.py", DIALOGUE, "--twingrad-xfail=expected.txt"], 0, ["1 passed, 1 xpassed"]),
        (
            ["--twingrad=mine.py", DIALOGUE, "--twingrad-xfail=expected.txt", "--twingrad-xfail-strict"],
            1,
            ["1 failed, 1 passed", "[XPASS(strict)] rows that meet"],
        ),
        (["--twingrad=mine.py", DIALOGUE, "--twingrad-xfail=stale.txt"], 0, ["that match no case: gone-*"]),
        (
            ["--twingrad=mine.py", DIALOGUE, "--twingrad-xfail=stale.txt", "--twingrad-xfail-strict"],
            1,
            ["that match no case: gone-*"],
        ),
        # what makes nothing of nothing
        (["--twingrad=mine.py", "--twingrad-cases=linear-one"], 5, ["mine.py: nothing was covered"]),
        (["--twingrad=mine.py", "--twingrad-cases=classifier-one-sgd"], 5, ["too little was covered: no case of"]),
        (["--twingrad=mine.py", "-k", "nothing"], 5, ["deselected"]),
        (
            ["--twingrad=wrong.py", DIALOGUE, *(f"--twingrad-tolerance={stage}=1e20" for stage in STAGES)],
            5,
            ["2 passed", "would notice duplicates-overwritten"],
        ),
        (["--twingrad=nope.py"], 4, ["implementation nope.py: there is no such file"]),
        (["--twingrad=nope"], 4, ["implementation nope: there is no such module"]),
        (["--twingrad="], 4, ["implementation"]),
        (["--twingrad=mine.py", "--twingrad-cases=nothing"], 4, ["no case matches 'nothing'"]),
        (["--twingrad=mine.py", "--twingrad-exclude=nothing"], 4, ["no case matches 'nothing'"]),
        (["--twingrad=mine.py", "--twingrad-xfail=nope.txt"], 4, ["--twingrad-xfail nope.txt: cannot be read"]),
        (["--twingrad=mine.py", "--twingrad-tolerance=grads"], 4, ["STAGE=EPS is needed"]),
        (["--twingrad=mine.py", "--twingrad-text=nope.txt"], 4, ["nope.txt: cannot be read"]),
        (["--twingrad=mine.py", "--twingrad-xfail-strict"], 4, ["needs --twingrad-xfail=FILE"]),
        (["--twingrad=mine.py", "--twingrad=wrong.py"], 4, ["--twingrad is given 2 times"]),
        (["--twingrad-cases=linear"], 4, ["--twingrad-cases: needs --twingrad"]),
        (["--twingrad-xfail-strict"], 4, ["--twingrad-xfail-strict: needs --twingrad"]),
        (["--candidate=mine.py"], 4, ["unrecognized arguments: --candidate"]),
    ],
)
def test_an_option(ran: Run, arguments: list[str], code: int, says: list[str]) -> None:
    """In a folder without any test."""
    ended, out = ran(*arguments)
    assert ended == code, out
    for words in says:
        assert words in out


def test_beside_tests_of_ones_own(ran: Run) -> None:
    """They run too, and what passes of them covers nothing."""
    Path("test_own.py").write_text("def test_one(): pass\n", encoding="utf-8")
    code, out = ran("--twingrad=mine.py", DIALOGUE, "--junitxml=junit.xml")
    assert (code, "3 passed" in out) == (0, True)
    tests = ElementTree.parse("junit.xml").getroot().iter("testcase")
    assert (F64, "mine") in [(test.get("name"), test.get("classname")) for test in tests]
    code, out = ran("--twingrad=mine.py", "--twingrad-cases=linear-one-sgd")
    assert (code, "1 passed" in out, "nothing was covered" in out) == (5, True, True)
    assert ran()[0] == 0


PARAMETRIZED = """
import twingrad

@twingrad.parametrize("{module}", "{pattern}", expected_failures={failures})
def test_mine(case_check):
    case_check()
"""


@pytest.mark.parametrize(
    ("module", "pattern", "failures", "code", "says"),
    [
        ("mine.py", "classifier-dialogue-sgd-dense*", {}, 0, ["2 passed", "these 2 cases would notice "]),
        ("wrong.py", "classifier-dialogue-sgd-dense*", {}, 1, ["2 failed", "look for  table_grad[ids] = d"]),
        ("wrong.py", "classifier-dialogue-sgd-dense*", {"f32": "x"}, 1, ["1 failed, 1 xfailed"]),
        ("mine.py", "linear-one*", {}, 5, ["nothing was covered"]),
        ("mine.py", "classifier-one-sgd*", {}, 5, ["too little was covered"]),
        ("mine.py", "nothing", {}, 2, ["BadInput: no case matches 'nothing'"]),
        ("nope.py", "classifier", {}, 2, ["BadInput: implementation nope.py: there is no such file"]),
    ],
)
def test_parametrize(ran: Run, module: str, pattern: str, failures: dict, code: int, says: list[str]) -> None:
    """The file is beside the test file, wherever pytest is started."""
    (folder := Path("tests")).mkdir()
    for file in ("mine.py", "wrong.py"):
        Path(file).rename(folder / file)
    source = PARAMETRIZED.format(module=module, pattern=pattern, failures=failures)
    (folder / f"test_{Path.cwd().name}.py").write_text(source, encoding="utf-8")
    ended, out = ran("--import-mode=importlib")
    assert ended == code, out
    for words in says:
        assert words in out


def test_a_test_that_never_calls_its_check_covers_nothing(ran: Run) -> None:
    source = PARAMETRIZED.format(module="wrong.py", pattern="classifier-dialogue-sgd-dense*", failures={})
    Path(f"test_{Path.cwd().name}.py").write_text(source.replace("case_check()\n", "pass\n"), encoding="utf-8")
    code, out = ran("--import-mode=importlib")
    assert (code, "wrong.py: nothing was covered" in out) == (5, True)


def apart(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Pytest in a process of its own."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    return subprocess.run(
        [sys.executable, "-m", "pytest", *PLAIN, *arguments],
        env=environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=200,
    )


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["--twingrad=mine.py", DIALOGUE], 0, "mine.py: these 2 cases would notice "),
        (["--twingrad=mine.py", "--twingrad-cases=linear-one-sgd"], 5, "nothing was covered"),
    ],
)
def test_in_processes_of_their_own(ran: Run, arguments: list[str], code: int, says: str) -> None:
    """With xdist, what was covered comes from the workers."""
    run = apart("-n", "2", *arguments)
    assert run.returncode == code, run.stdout
    assert says in run.stdout


def test_without_an_option_nothing_is_imported(ran: Run) -> None:
    """A suite may have modules with the names of our packages, as long as it does not use us."""
    Path("reference").mkdir()
    Path("reference/__init__.py").write_text("mine = True\n")
    Path("test_own.py").write_text("import sys\nimport reference\n\ndef test_it():\n    assert reference.mine\n")
    assert apart("-q").returncode == 0
    run = apart("-q", "--twingrad=mine.py")
    assert run.returncode == 4
    assert f"Python finds {Path('reference').resolve()}; that must be renamed" in run.stderr
