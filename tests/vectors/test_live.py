"""`vectors run`: programs that answer, and programs that do not, each told in one sentence."""

from __future__ import annotations

import json
import os
import select
import sys
import time
from collections.abc import Callable
from pathlib import Path

import jsonschema
import pytest
import referencing

from reference.commands import vectors
from reference.commands.cli import main
from reference.errors import Failed
from reference.vectors import live, process
from reference.vectors.process import Process
from reference.vectors.reading import HERE
from reference.vectors.schema import SCHEMA, VERSION, protocol

CASE = "skipgram-overflow-sgd-dense-f64"
GLOVE = ["glove-adam-dense-f64", "glove-adamw-dense-f64", "glove-sparseadam-rows-f32", "glove-int32-rmsprop-dense-f32"]

RIGHT = f"""
import json, os, signal, sys, time
def say(line): print(line if isinstance(line, str) else json.dumps(line), flush=True)
def cry(line): print(line, file=sys.stderr, flush=True)
say(json.loads(sys.stdin.readline()))
for line in sys.stdin:
    request = json.loads(line)
    case = request["case"]["id"]
    with open(f"{HERE}/{{case}}.json") as file:
        answer = {{"version": 2, "case": case, "steps": json.load(file)["steps"]}}
    #
    say(answer)
"""

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(tmp_path: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a program in Python, the right one with some lines more, on cases."""
    monkeypatch.setattr(process, "GRACE", 0.2)
    monkeypatch.setattr(live, "GRACE", 0.2)
    monkeypatch.chdir(tmp_path)

    def run(lines: str = "", *arguments: str, program: str = RIGHT) -> tuple[int, str, str]:
        more = "\n    ".join(["#", *lines.splitlines()])
        Path("program.py").write_text(program.replace("#", more), encoding="utf-8")
        command = [sys.executable, "-I", "-S", "program.py"]
        code = main(["vectors", "run", *(arguments or [CASE]), "--", *command])
        return code, *capsys.readouterr()

    return run


def test_right_answers_agree(run: Run) -> None:
    """Also without the last line break, with a carriage return, and with blanks; the files told as in `check`."""
    code, out, err = run('answer = json.dumps(answer) + "  \\r"', CASE, "skipgram-hits-*-mask-adam-dense-f64", *GLOVE)
    assert (code, err) == (0, ""), out
    assert "6 of 6 compared with vectors\n" in out
    assert "6 cases: 6 agree\n" in out
    assert " known mistakes that can be made here" in out


def test_too_little_is_told_as_for_a_candidate(run: Run) -> None:
    code, out, _ = run("", "glove-one-sgd-dense-f32", "--json", "found.json")
    assert code == 5
    assert "too little was covered: no case of glove that agrees would notice duplicates-overwritten" in out
    found = json.loads(Path("found.json").read_text(encoding="utf-8"))
    assert (found["verdict"], found["summary"]["agree"]) == ("too little covered", 1)


def test_a_refusal_is_told(run: Run) -> None:
    code, out, _ = run('answer = {"version": 2.0, "case": case, "unsupported": "no\\n softmax"}')
    assert code == 5
    assert "1 of 1: no softmax\n" in out
    assert "1 cases: 1 unsupported\n" in out


FAILURES = {
    # lines of the program, and what is told of it
    "ends": ("cry('no memory'); sys.exit(3)", 'ended with exit code 3 without an answer; it last wrote "no memory"'),
    "raises": ("{}['x']", "ended with exit code 1 without an answer; it last wrote \"KeyError: 'x'\""),
    "crashes": ("os.kill(os.getpid(), signal.SIGSEGV)", "was ended by SIGSEGV without an answer"),
    "closes its output": ("os.close(1); time.sleep(9)", "closed its standard output without an answer"),
    "hangs": ("cry('step 1'); time.sleep(9)", 'gave no answer within 0.3 s; it last wrote "step 1"'),
    "hangs within a line": (
        "sys.stdout.write('{\"ver'); sys.stdout.flush(); time.sleep(9)",
        'gave no answer within 0.3 s; it last wrote "{"ver"',
    ),
    "babbles to standard error": ("while True: cry('y' * 9)", 'gave no answer within 0.3 s; it last wrote "yyyyyyyyy"'),
    "is no JSON": (
        "answer = 'loss: 3'",
        'wrote "loss: 3" for an answer: line 1, column 1: is not JSON (Expecting value)',
    ),
    "is empty": ("answer = ''", 'wrote "" for an answer: is empty; JSON is needed'),
    "is no UTF-8": (
        "os.write(1, b'\\xff\\x1b[2J\\n'); continue",
        'wrote "\ufffd\ufffd[2J" for an answer: is not UTF-8 at byte 0; JSON in UTF-8 is needed',
    ),
    "lacks something": ("del answer['steps']", f'wrote "{{"version": 2, "case": "{CASE}"}}" for an answer: $: has no'),
    "has another version": ("answer['version'] = 3", "$.version: is 3; 2 is needed"),
    "has bare NaN": (
        "answer['steps'][0]['loss'] = float('nan')",
        'has NaN, which JSON does not; results may have the string "NaN"',
    ),
    "does not fit": (
        "answer['steps'] *= 4",
        "gave an answer that does not fit: $.steps: has 12 items; the vector has 3 steps",
    ),
    "is for another case": ("answer['case'] = 'mine'", 'answered for "mine", which is another case'),
    "has two lines": (
        "answer = json.dumps(answer) + '\\ndone'",
        'wrote more than one line for an answer; it last wrote "done"',
    ),
    "has a line too much": ("say(answer); time.sleep(0.1); answer = 'done'", 'wrote "done" after its last answer'),
    "has no end": ("while True: os.write(1, b'x' * 4096)", 'wrote more than 1 MiB for an answer; it last wrote "xxx'),
}


@pytest.mark.parametrize(("lines", "says"), FAILURES.values(), ids=FAILURES)
def test_a_failure_is_told_in_one_sentence(run: Run, monkeypatch: pytest.MonkeyPatch, lines: str, says: str) -> None:
    monkeypatch.setattr(process, "LARGEST", 2**20)
    code, out, _ = run(lines, CASE, "--timeout", "0.3")
    assert code == 1
    (line,) = (line for line in out.splitlines() if line.startswith(f"error {CASE}, "))
    said = f"program.py: {says}" if not says.startswith(("$.", "has ")) else f" for an answer: {says}"
    assert said in line
    assert len(line) < 500
    assert "1 cases: 1 error\n" in out


def test_after_a_failure_it_is_started_anew(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Here after every second case."""
    monkeypatch.setattr(live, "FAILURES", 2)
    code, out, _ = run("open('asked', 'a').write('x')\nif os.path.getsize('asked') % 2: sys.exit(1)", *GLOVE)
    assert code == 1
    assert "4 cases: 2 error, 2 agree\n" in out or "4 cases: 2 agree, 2 error\n" in out


def test_it_is_not_asked_for_ever(run: Run) -> None:
    code, out, _ = run("open('asked', 'a').write('x'); sys.exit(1)", *GLOVE)
    assert code == 1
    assert "1 of 4: not asked, as it failed 3 times in a row\n" in out
    assert "4 cases: 1 unsupported, 3 error\n" in out
    assert Path("asked").read_text(encoding="utf-8") == "xxx"


def test_what_does_not_repeat_itself_is_told_so(run: Run) -> None:
    code, out, _ = run("n = globals().get('n', 0) + 1\nanswer['steps'][0]['loss'] = n")
    assert code == 1
    assert "program.py: does not repeat itself: step 1, loss: 1.0, then 2.0\n" in out


def test_a_second_answer_that_fails_is_told_so(run: Run) -> None:
    _, out, _ = run("if 'n' in globals(): sys.exit(4)\nn = answer['steps'][0]['loss'] = 1")
    assert "does not repeat itself: the second time, ended with exit code 4 without an answer\n" in out


def test_standard_error_is_passed_on_up_to_a_bound(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "PASSED_ON", 40)
    _, _, err = run("cry('one'); cry('é' * 30); cry('three')")
    assert err.startswith("one\n" + "é" * 18)
    assert err.count("writes from here on is left out") == 1
    assert "three" not in err


START = {
    "is not there": (["./nowhere"], "./nowhere: cannot be started (No such file or directory)"),
    "may not be run": (["/dev/null"], "/dev/null: cannot be started (Permission denied)"),
    "has a NUL": (["a\0b"], "'a\0b': cannot be started (embedded null byte)"),
    "ends": (
        ["sh", "-c", "echo no >&2; exit 7"],
        'exit 7\': ended with exit code 7 without an answer; it last wrote "no"',
    ),
    "greets": (
        ["sh", "-c", "echo Hello; cat > /dev/null"],
        'wrote "Hello" for a hello: line 1, column 1: is not JSON (Expecting value)',
    ),
    "is silent": (["cat", "/dev/null"], "cat /dev/null: ended with exit code 0 without an answer"),
    "hangs": (["sleep", "9"], "sleep 9: gave no answer within 0.2 s"),
    "speaks another version": (
        ["sh", "-c", 'echo \'{"protocol": "twingrad", "version": 3}\'; cat > /dev/null'],
        "$.version: is 3; 2 is",
    ),
}


@pytest.mark.parametrize(("command", "says"), START.values(), ids=START)
def test_what_does_not_start_is_bad_input(
    command: list[str], says: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setattr(live, "STARTUP", 0.2)
    code = main(["vectors", "run", CASE, "--", *command])
    out, err = capsys.readouterr()
    assert (code, out) == (2, "")
    assert says in err.splitlines()[-1]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([CASE], "vectors run: a command is needed behind --"),
        ([CASE, "--"], "vectors run: a command is needed behind --"),
        (["nothing", "--", "cat"], "nothing"),
        ([CASE, "--timeout", "0", "--", "cat"], "argument --timeout: '0' is not a number of seconds above 0"),
        ([CASE, "--timeout", "nan", "--", "cat"], "argument --timeout: 'nan' is not a number"),
        ([CASE, "--json", "no/where", "--", "cat"], "--json no/where: the folder no does not exist"),
        (
            ["linear-small-offset-sgd-dense-f32", "--", "cat"],
            "has a vector; too large, about memory, or without a gradient",
        ),
        (["embedding-wide-sgd-rows-f64", "--", "cat"], "has a vector; too large, about memory, or without a gradient"),
    ],
)
def test_wrong_usage(arguments: list[str], says: str, capsys: pytest.CaptureFixture) -> None:
    assert main(["vectors", "run", *arguments]) == 2
    assert says in capsys.readouterr().err


def test_options_behind_the_dashes_are_the_programs(run: Run) -> None:
    code, out, _ = run("", CASE, "--not", "f32")
    assert "1 cases: 1 agree\n" in out
    assert main(["vectors", "run", CASE, "--", sys.executable, "program.py", "--", "--json", "--timeout"]) == code
    assert not Path("--timeout").exists()


CHILD = (
    'alive = os.open("alive", os.O_WRONLY); os.write(alive, b"x")\nif os.fork() == 0: time.sleep(99)\nos.close(alive)'
)
"""Lines of a program: it leaves a child, which has its three pipes and a fourth."""


@pytest.mark.parametrize("how", ["at the end", "after a failure", "when interrupted"])
def test_its_children_end_with_it(run: Run, monkeypatch: pytest.MonkeyPatch, how: str) -> None:
    os.mkfifo("alive")
    reader = os.open("alive", os.O_RDONLY | os.O_NONBLOCK)
    if how == "when interrupted":
        asked = live.Program.ask

        def ask(*arguments: object) -> object:
            asked(*arguments)
            raise KeyboardInterrupt

        monkeypatch.setattr(live.Program, "ask", ask)
    begin = time.monotonic()
    code, _, _ = run(CHILD + "\nsys.exit(1)" * (how == "after a failure"))
    assert code == {"at the end": 0, "after a failure": 1, "when interrupted": 130}[how]
    assert time.monotonic() - begin < 9
    assert os.read(reader, 9) == b"x"
    select.select([reader], [], [], 9)
    assert os.read(reader, 9) == b"", "nobody has the other end any more"
    os.close(reader)


def test_it_may_end_by_itself(run: Run) -> None:
    """When its input ends."""
    assert run(program=RIGHT + "time.sleep(0.01)\nopen('ended', 'w')\n")[0] == 0
    assert Path("ended").exists()


def test_full_pipes_do_not_stop_it() -> None:
    """It writes much before it reads, and between the parts of what it reads."""
    code = """
import os
os.write(1, b" " * 10**6)
n = 0
while n <= 10**6:
    n += len(os.read(0, 9999))
    os.write(2, b"e" * 10**5)
print(n)
"""
    heard = bytearray()
    program = Process([sys.executable, "-I", "-S", "-c", code], heard.extend)
    try:
        assert program.exchange(b"x" * 10**6, 9).strip() == b"1000001"
        assert len(heard) >= 10**7
        with pytest.raises(Failed, match="ended with exit code 0 without an answer"):
            program.exchange(b"again", 9)
    finally:
        program.end()


def test_a_line_that_nobody_asked_for_is_told() -> None:
    program = Process(["sh", "-c", "read line; echo one; sleep 0.05; echo two; read line"], lambda _: None)
    try:
        assert program.exchange(b"", 9) == b"one"
        select.select([program.output], [], [], 9)
        with pytest.raises(Failed, match='wrote "two" before it was asked'):
            program.exchange(b"", 9)
    finally:
        program.end()


def test_the_schema_of_the_protocol_is_that_of_the_lines(run: Run) -> None:
    """What is asked and answered, and no other line, in the eyes of another validator."""
    resource = referencing.Resource.from_contents(SCHEMA)
    registry = referencing.Registry().with_resource("schema.json", resource)
    lines = jsonschema.Draft202012Validator(protocol(), registry=registry)
    assert run("open('lines', 'a').write(line + json.dumps(answer) + '\\n')")[0] == 0
    asked, answered = map(json.loads, Path("lines").read_text(encoding="utf-8").splitlines())
    refusal = {"version": VERSION, "case": CASE, "unsupported": ""}
    for line in (asked, answered, refusal, live.HELLO):
        lines.validate(line)
        assert not lines.is_valid(line | {"more": 1})
    assert asked.keys() == {"version", "case", "weights", "batches"}
    answered["steps"][0]["loss"] = "NaN"
    lines.validate(answered)
    answered["steps"][0]["loss"] = "nan"
    assert not lines.is_valid(answered)


def test_a_system_without_process_groups_is_told(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "killpg")
    assert run()[::2] == (
        2,
        "twingrad: vectors run: needs Linux or macOS; `vectors check` takes files on every system\n",
    )


def test_all_vectors_are_asked_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr(vectors, "vector_of", lambda case: case.id)
    monkeypatch.setattr(vectors, "run", lambda found, *_: asked.extend(found) or ([], None, ""))
    monkeypatch.setattr(vectors, "_tell", lambda *_: 0)
    assert main(["vectors", "run", "--", "cat"]) == 0
    manifest = json.loads((HERE / "manifest.json").read_text(encoding="utf-8"))
    assert sorted(asked) == sorted(entry["case"] for entry in manifest["files"].values())
