"""Working with what fails: expected failures, a tolerance of one's own, and files of each kind."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import pytest

import twingrad
from reference.commands.cli import main
from tests.tools.readmes import KNOWN, MINE, changed

CASES = "classifier-dialogue-sgd-dense*"
F64, F32 = (f"classifier-dialogue-sgd-dense-{dtype}" for dtype in ("f64", "f32"))

Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def verify(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    monkeypatch.chdir(tmp_path)
    Path("mine.py").write_text(MINE, encoding="utf-8")
    Path("wrong.py").write_text(changed(*KNOWN), encoding="utf-8")
    Path("all.txt").write_text(f"# what is left to do\n\n{F64}   # duplicates, next week\n*-f32#the same\n", "utf-8")
    Path("one.txt").write_text(f"{F64} # duplicates", "utf-8")
    Path("stale.txt").write_text("one-*-old # renamed", "utf-8")

    def run(*arguments: str) -> tuple[int, str, str]:
        try:
            code = main(["verify", *arguments])
        except SystemExit as ended:
            code = int(ended.code or 0)
        return code, *capsys.readouterr()

    return run


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["wrong.py", "--expected", "one.txt"], 1, ["1 of 2 fail as expected: duplicates", f"disagree {F32}"]),
        # all that is left agrees, but nothing is left
        (["wrong.py", "--expected", "all.txt"], 5, ["1 of 2 fail as expected: duplicates, next week", "2 expected"]),
        (["mine.py", "--expected", "one.txt"], 0, [f"1 of 2 agree, although a failure is expected: {F64}", "2 agree"]),
        (["mine.py", "--expected", "one.txt", "--expected-strict"], 1, ["1 of 2 agree, although"]),
        (["mine.py", "--expected", "stale.txt"], 0, ["expected failures that match no case: one-*-old"]),
        (["mine.py", "--expected", "stale.txt", "--expected-strict"], 1, ["match no case: one-*-old"]),
        (["mine.py", "--tolerance", "grads=1e-3"], 1, ["tolerance of your own: grads 0.001 eps in step 1"]),
        (
            ["mine.py", "--tolerance", "grads=200", "--tolerance", "loss=50"],
            0,
            ["tolerance of your own: loss 50 eps, grads 200 eps in step 1"],
        ),
        (
            ["wrong.py", *(f"--tolerance={stage}=1e20" for stage in ("loss", "grads", "params"))],
            5,
            ["2 agree", "too little was covered: no case of classifier"],
        ),
        (["mine.py", "--exclude", "f32"], 0, ["1 cases: 1 agree"]),
    ],
)
def test_what_is_expected_and_allowed(verify: Command, arguments: list[str], code: int, says: list[str]) -> None:
    ended, out, err = verify(CASES, "--candidate", *arguments)
    assert (ended, err) == (code, "")
    for words in says:
        assert words in out


def test_an_expected_failure_is_not_told_as_a_failure(verify: Command) -> None:
    _, out, _ = verify(CASES, "--candidate", "wrong.py", "--expected", "one.txt")
    assert f"{F64}, wrong.py" not in out
    assert "explains 1 of 1" in out


def test_files(verify: Command) -> None:
    names = {"json": "out.json", "junitxml": "out.xml", "markdown": "out.md", "html": "out.html"}
    options = [f"--{option}={name}" for option, name in names.items()]
    assert verify(CASES, "--candidate", "wrong.py", *options)[0] == 1
    assert json.loads(Path("out.json").read_text("utf-8"))["verdict"] == "disagree"
    assert ElementTree.parse("out.xml").getroot().find("testsuite").get("failures") == "2"
    assert Path("out.md").read_text("utf-8").startswith("### wrong.py: disagree\n")
    page = Path("out.html").read_text("utf-8")
    assert "<title>wrong.py: disagree</title>" in page
    assert "duplicates-overwritten" in page


REFUSED = {
    "no such file": (["--expected", "nope.txt"], "--expected nope.txt: cannot be read (No such file or directory)"),
    "a folder": (["--expected", "."], "--expected .: cannot be read (Is a directory)"),
    "a device": (["--expected", "/dev/zero"], "--expected /dev/zero: is a device, a pipe or a socket"),
    "binary": (["--expected", "binary.txt"], "binary.txt: is not UTF-8"),
    "long": (["--expected", "long.txt"], "long.txt: is larger than 1 MiB"),
    "no reason": (["--expected", "bare.txt"], "bare.txt, line 2: 'linear-*'; `PATTERN  # reason` is needed"),
    "two patterns": (["--expected", "two.txt"], "two.txt, line 1: 'a b # c'"),
    "nothing in it": (["--expected", "empty.txt"], "empty.txt: has no pattern"),
    "nothing to be strict about": (["--expected-strict"], "--expected-strict: needs --expected FILE"),
    "no stage": (["--tolerance", "200"], "--tolerance 200: STAGE=EPS is needed"),
    "another stage": (["--tolerance", "all=200"], "the stage is one of loss, grads, params, state"),
    "no number": (["--tolerance", "grads=x"], "--tolerance grads=x: STAGE=EPS is needed"),
    "nothing is wrong": (["--tolerance", "grads=inf"], "a finite number of eps above 0"),
    "below nothing": (["--tolerance", "grads=-1"], "a finite number of eps above 0"),
    "twice": (["--tolerance", "grads=1", "--tolerance", "grads=2"], "grads is given twice"),
    "in no folder": (["--html", "nowhere/x.html"], "--html nowhere/x.html: the folder nowhere does not exist"),
    "no file": (["--json", "-"], "--json -: is no file"),
    "in the place of the candidate": (["--html", "./mine.py"], "--html mine.py: is what --candidate names"),
    "in one another's place": (
        ["--html", "x", "--json", "x"],
        "--html x: is what --json names; another file is needed",
    ),
    "a list runs nothing": (["--list"], "--candidate: --list runs nothing"),
}


@pytest.mark.parametrize(("arguments", "says"), REFUSED.values(), ids=REFUSED)
def test_refused(verify: Command, arguments: list[str], says: str) -> None:
    Path("binary.txt").write_bytes(b"\xff\xfe")
    Path("long.txt").write_bytes(b"#" * (2**20 + 1))
    Path("bare.txt").write_text("# of rows\nlinear-*\n", "utf-8")
    Path("two.txt").write_text("a b # c", "utf-8")
    Path("empty.txt").write_text("# nothing\n", "utf-8")
    code, out, err = verify(CASES, "--candidate", "mine.py", *arguments)
    assert (code, out, err.count("\n")) == (2, "", 1), err
    assert says in err
    assert "def build" in Path("mine.py").read_text("utf-8")


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out == f"twingrad {twingrad.__version__}\n"
