"""`twingrad.check`: an implementation of one's own, held from Python."""

from __future__ import annotations

import json
import unittest
import warnings
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

import numpy_impl
import twingrad
from reference.commands.cli import main
from tests.tools.readmes import KNOWN, MINE, changed

DIALOGUE = "classifier-dialogue-sgd-dense-f64"
WRONG = changed(*KNOWN)
NAMED = "duplicates-overwritten"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("mine.py").write_text(MINE, encoding="utf-8")
    Path("wrong.py").write_text(WRONG, encoding="utf-8")
    return tmp_path


# --- the report ------------------------------------------------------------------------------------------------------


def test_what_agrees(folder: Path) -> None:
    report = twingrad.check("mine.py", "classifier-*-sgd-dense-*", exclude=["zipf", "text"])
    report.raise_if_wrong()
    assert report
    assert report.outcome == "agree"
    assert {result.verdict for result in report.results} == {"agree", "unsupported"}
    assert report.coverage
    assert NAMED in report.coverage.noticed


def test_what_is_wrong_is_raised_with_its_cause_and_the_line_to_look_for(folder: Path) -> None:
    report = twingrad.check("wrong.py", DIALOGUE)
    assert not report  # or `assert twingrad.check(...)` would be a check that cannot fail
    with pytest.raises(AssertionError) as raised:
        report.raise_if_wrong()
    message = str(raised.value)
    assert message.startswith(f"wrong.py: disagree\ndisagree {DIALOGUE}, wrong.py: step 1, grads, embedding.weight[")
    assert f"mistake {NAMED} explains 1 of 1\n" in message
    assert "  look for  table_grad[ids] = d\n  expected  np.add.at(table_grad, ids, d)" in message
    assert [cause.name for explanation in report.explanations.values() for cause in explanation.causes] == [NAMED]


def test_a_changed_input_is_told_before_what_comes_of_it(folder: Path) -> None:
    logits = 'logits = hidden @ p["fc2.weight"].T'
    Path("changes.py").write_text(changed(logits, f"labels[:] = 0; {logits}"), encoding="utf-8")
    told = f"disagree {DIALOGUE}, changes.py: changed its input labels in step 1; step 1, loss, loss: expected "
    assert told in str(twingrad.check("changes.py", DIALOGUE))


def test_what_covers_nothing_or_too_little_is_raised(folder: Path) -> None:
    with pytest.raises(AssertionError, match=r"mine.py: nothing covered\n"):
        twingrad.check("mine.py", "linear-one").raise_if_wrong()
    with pytest.raises(AssertionError, match="too little covered") as raised:
        twingrad.check("mine.py", "classifier-one-sgd-dense-f64").raise_if_wrong()
    assert "too little was covered: no case of classifier that agrees would notice " in str(raised.value)


def test_the_text_is_that_of_the_command(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for module in ("mine.py", "wrong.py"):
        report = twingrad.check(module, DIALOGUE)
        main(["verify", DIALOGUE, "--candidate", module])
        printed = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
        assert str(report).splitlines() == printed
    assert f"mistake {NAMED} explains 1 of 1" in printed


def test_at_a_prompt_it_is_one_line(folder: Path) -> None:
    assert repr(twingrad.check("wrong.py", DIALOGUE)) == "<Report of wrong.py: disagree, 1 cases: 1 disagree>"


def test_a_notebook_shows_a_table(folder: Path) -> None:
    Path("<b>.py").write_text(WRONG, encoding="utf-8")
    shown = twingrad.check("<b>.py", DIALOGUE)._repr_html_()
    whole = ElementTree.fromstring(f"<all>{shown}</all>")  # well-formed, too
    head, row = whole.iterfind(".//tr")
    cells = [cell.text for cell in row]
    assert [cell.text for cell in head] == ["case", "steps", "loss", "grads", "params", "state", "verdict"]
    assert (cells[0], cells[1], cells[-1]) == (DIALOGUE, "1", "disagree")
    assert "<b>.py" in "".join(whole.find(".//caption").itertext())
    assert f"mistake {NAMED}" in [part.text for part in whole.iterfind(".//b")]


def test_files(folder: Path) -> None:
    report = twingrad.check("wrong.py", DIALOGUE, "classifier-one-*")
    assert json.loads(report.to_json())["verdict"] == "disagree"
    assert report.to_markdown().startswith("### wrong.py: disagree\n")
    assert f"| {DIALOGUE} | 1 |" in report.to_markdown()
    assert report.to_html().startswith("<!doctype html>\n")
    assert "http" not in report.to_html()
    suite = ElementTree.fromstring(report.to_junit()).find("testsuite")
    assert {key: suite.get(key) for key in ("tests", "failures", "skipped", "errors")} == {
        "tests": "8",
        "failures": "3",
        "skipped": "4",
        "errors": "0",
    }
    failure = suite.find("testcase/failure")
    assert "look for  table_grad[ids] = d" in failure.text


def test_a_file_of_junit_fails_where_nothing_was_covered(folder: Path) -> None:
    suite = ElementTree.fromstring(twingrad.check("mine.py", "linear-one").to_junit()).find("testsuite")
    assert [test.get("name") for test in suite if test.find("failure") is not None] == ["coverage"]


def test_a_report_keeps_xml_well_formed(folder: Path) -> None:
    source = "from twingrad import Unsupported\ndef build(case, weights): raise Unsupported('a\\x00<&>\\x1b')\n"
    Path("odd.py").write_text(source, encoding="utf-8")
    report = twingrad.check("odd.py", DIALOGUE)
    skipped = ElementTree.fromstring(report.to_junit()).find(".//skipped")
    assert skipped.get("message") == "a�<&>�"


class Unit(unittest.TestCase):
    """In unittest, too."""

    def test_mine(self) -> None:
        twingrad.check(numpy_impl, "linear-primes-sgd-*").raise_if_wrong()


# --- what fails ------------------------------------------------------------------------------------------------------


def by_dtype(case: Any, weights: Any) -> Any:
    """Right in float64, and wrong in float32."""
    trainer = numpy_impl.build(case, weights)
    if case.dtype == "float32":
        right = trainer.loss_and_grads
        trainer.loss_and_grads = lambda batch: (right(batch)[0] * np.float32(1.01), right(batch)[1])
    return trainer


LINEAR = "linear-primes-sgd-dense-f*"


@pytest.mark.parametrize(
    ("failures", "strict", "outcome", "told"),
    [
        ({}, False, "disagree", "1 agree, 1 disagree"),
        ({"*-f32": "later"}, True, "agree", "1 of 2 fail as expected: later"),
        (
            {"linear*": "later"},
            False,
            "agree",
            "1 of 2 agree, although a failure is expected: linear-primes-sgd-dense-f64",
        ),
        ({"linear*": "later"}, True, "not as expected", "1 agree, 1 expected"),
        ({"f32": "later", "gone": "x"}, False, "agree", "expected failures that match no case: gone"),
        ({"f32": "later", "gone": "x"}, True, "not as expected", "expected failures that match no case: gone"),
    ],
)
def test_expected_failures(failures: Mapping[str, str], strict: bool, outcome: str, told: str) -> None:
    candidate = SimpleNamespace(build=by_dtype)
    report = twingrad.check(candidate, LINEAR, expected_failures=failures, strict=strict)
    assert report.outcome == outcome
    assert told in str(report)


def test_a_tolerance_is_told_and_what_it_lets_pass_is_not_covered(folder: Path) -> None:
    """Whoever allows anything is told that nothing would be noticed."""
    args = "wrong.py", "classifier-dialogue-sgd-dense-f*"
    assert twingrad.check(*args).outcome == "disagree"
    report = twingrad.check(*args, tolerance=dict.fromkeys(("loss", "grads", "params"), 1e20))
    assert report.outcome == "too little covered"
    assert "tolerance of your own: loss 1e+20 eps, grads 1e+20 eps, params 1e+20 eps in step 1" in str(report)
    assert "no case of classifier that agrees would notice duplicates-overwritten" in str(report)
    assert json.loads(report.to_json())["results"][0]["tolerance"] == {"loss": 1e20, "grads": 1e20, "params": 1e20}


def test_a_tolerance_may_be_tighter(folder: Path) -> None:
    report = twingrad.check("mine.py", DIALOGUE, tolerance={"grads": 1e-3})
    assert report.results[0].first_divergence.stage == "grads"


def test_what_a_candidate_warns_of_is_shown_and_no_error(folder: Path) -> None:
    source = MINE.replace("        g = {", "        np.log(np.zeros(1))\n        g = {")
    Path("warns.py").write_text(f"import warnings\nwarnings.warn('loaded')\n{source}", encoding="utf-8")
    with warnings.catch_warnings(record=True) as shown:
        warnings.simplefilter("error")
        report = twingrad.check("warns.py", DIALOGUE)
    assert report.results[0].verdict == "agree"
    assert {"loaded", "divide by zero encountered in log"} == {str(one.message) for one in shown}


WRONG_INPUT: dict[str, tuple[tuple, dict[str, Any], str]] = {
    "no such file": (("nope.py",), {}, "implementation nope.py: there is no such file"),
    "no such module": (("nope",), {}, "implementation nope: there is no such module"),
    "a folder with nothing in it": (("empty",), {}, "a folder; one with an __init__.py, or else a build.py, is needed"),
    "a number": ((3,), {}, "implementation int: has no function build"),
    "a module without build": ((json,), {}, "implementation json: has no function build"),
    "no such case": (("mine.py", "nothing"), {}, "no case matches 'nothing'"),
    "nothing excluded": (("mine.py", "linear"), {"exclude": ["nothing"]}, "no case matches 'nothing'"),
    "all excluded": (("mine.py", "linear"), {"exclude": "linear"}, "no case is left"),
    "no such stage": (("mine.py",), {"tolerance": {"gradients": 3}}, "the stage is one of loss, grads, params, state"),
    "any tolerance": (("mine.py",), {"tolerance": {"grads": float("inf")}}, "a finite number of eps above 0"),
    "no tolerance": (("mine.py",), {"tolerance": {"grads": 0}}, "a finite number of eps above 0"),
    "no text": (("mine.py",), {"text": "nope.txt"}, "nope.txt: cannot be read"),
    "no model": (("mine.py",), {"model": "nope.py"}, "model nope.py: there is no such file"),
}


@pytest.mark.parametrize(("args", "options", "says"), WRONG_INPUT.values(), ids=WRONG_INPUT)
def test_wrong_input(folder: Path, args: tuple, options: dict[str, Any], says: str) -> None:
    Path("empty").mkdir()
    with pytest.raises(twingrad.BadInput) as bad:
        twingrad.check(*args, **options)
    assert says in str(bad.value)
    assert "\n" not in str(bad.value)


def test_an_error_where_a_row_has_always_been_zero_is_no_number(folder: Path) -> None:
    def build(case: Any, weights: Any) -> Any:
        trainer = numpy_impl.build(case, weights)
        right = trainer.loss_and_grads

        def ones(batch: Any) -> Any:
            loss, grads = right(batch)
            return loss, {name: np.ones_like(gradient) for name, gradient in grads.items()}

        trainer.loss_and_grads = ones
        return trainer

    told = str(twingrad.check(SimpleNamespace(build=build), "embedding-primes-sgd-dense-f64"))
    assert "(where all of the row has always been 0)" in told
    assert " inf " in told
    assert "e+3" not in told
