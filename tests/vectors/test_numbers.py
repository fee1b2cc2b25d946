"""Numbers as other languages write them: NaN, too few digits, a version that is a float."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from reference.commands.cli import main
from reference.mistakes import MISTAKES
from reference.vectors.reading import HERE, read_vector
from reference.vectors.writing import jsonable

F64, F32 = "embedding-gaps-byfreq-sgd-dense-f64", "embedding-gaps-byfreq-sgd-dense-f32"
OVERFLOW, SOFTMAX = "skipgram-overflow-sgd-dense-f64", "skipgram-sgd-momentum-decay-nesterov-dense-f64"
ONE, TWO = "linear-one-adam-dense-f64", "skipgram-small-rows-negatives-redraw-sgd-dense-f64"

Check = Callable[..., tuple[int, str]]


@pytest.fixture
def check(tmp_path: Path, capsys: pytest.CaptureFixture) -> Check:
    """Hold the steps of cases against their vectors, as they stand in files."""

    def run(steps: dict[str, Any], **more: Any) -> tuple[int, str]:
        for case, given in steps.items():
            answer = {"version": 2, "case": case, "steps": given} | more
            (tmp_path / f"{case}.json").write_text(json.dumps(answer, allow_nan=False), encoding="utf-8")
        vectors = [str(HERE / f"{case}.json") for case in steps]
        code = main(["vectors", "check", *vectors, "--results", str(tmp_path)])
        return code, capsys.readouterr().out

    return run


def right(case: str) -> Any:
    return json.loads((HERE / f"{case}.json").read_text(encoding="utf-8"))["steps"]


def mistaken(name: str, case: str) -> Any:
    """What a known mistake comes to."""
    found = read_vector(HERE / f"{case}.json").case
    trainer, steps = MISTAKES[name].build(found, found.weights()), []
    for batch in found.batches():
        with np.errstate(all="ignore"):
            loss, grads = trainer.loss_and_grads(batch)
            step = {"loss": float(loss), "grads": jsonable(dict(grads))}
            trainer.step()
            steps.append(step | {"params": jsonable(trainer.params())})
    return steps


def each(value: Any, number: Callable[[float], Any]) -> Any:
    """The same steps, where each number but ids is as the function writes it."""
    match value:
        case dict():
            return {name: part if name == "rows" else each(part, number) for name, part in value.items()}
        case list():
            return [each(part, number) for part in value]
    return number(value)


def rounded(digits: int) -> Callable[[float], float]:
    return lambda number: float(f"{number:.{digits}g}")


def named(number: float) -> float | str:
    """NaN and infinity as strings."""
    return number if np.isfinite(number) else "NaN" if np.isnan(number) else f"{'-' * (number < 0)}Infinity"


def test_the_version_may_be_a_float(check: Check) -> None:
    """As every number is in R and Lua."""
    assert check({F64: right(F64)}, version=2.0)[0] == 0


def test_what_is_not_finite_has_its_diagnosis(check: Check) -> None:
    """That of a case in which it makes no difference is needed as well, since much else ends in NaN."""
    steps = {case: each(mistaken("softmax-overflows", case), named) for case in (OVERFLOW, SOFTMAX)}
    assert '"NaN"' in json.dumps(steps[OVERFLOW])
    code, out = check(steps)
    assert code == 1
    assert ", got nan\n" in out
    assert "mistake softmax-overflows explains 1 of 1" in out


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", 1e39])
def test_a_number_that_is_not_finite_disagrees(check: Check, number: float | str) -> None:
    """In float32, what is beyond it too."""
    steps = right(F32)
    steps[1]["loss"] = number
    code, out = check({F32: steps})
    assert code == 1
    assert f"step 2, loss, loss: expected {np.float32(right(F32)[1]['loss'])!s:.6}" in out
    assert f", got {float(number if isinstance(number, str) else 'inf')}" in out


@pytest.mark.parametrize(("case", "digits", "needed"), [(F64, 15, 17), (F64, 4, 17), (F32, 6, 9), (F32, 3, 9)])
def test_too_few_digits_are_told(check: Check, case: str, digits: int, needed: int) -> None:
    """And not the rows without a gradient, which are no longer what they were."""
    code, out = check({case: each(right(case), rounded(digits))})
    assert code == 1
    dtype = "float64" if case == F64 else "float32"
    assert f"the numbers have {digits} digits; {needed} are needed to give a {dtype} back\n" in out
    assert "1 cases: 1 form" in out
    assert "bit for bit" not in out


def test_what_else_is_wrong_is_named_all_the_same(check: Check) -> None:
    code, out = check({F64: each(mistaken("duplicates-overwritten", F64), rounded(15))})
    assert code == 1
    assert "step 1, grads, embedding.weight[" in out
    assert "; the numbers have 15 digits; 17 are needed to give a float64 back\n" in out
    assert "mistake duplicates-overwritten explains 1 of 1" in out
    assert "bit for bit" not in out


def test_few_digits_are_no_reason_where_they_make_no_difference(check: Check) -> None:
    steps = each(right(ONE), rounded(15))
    steps[0]["loss"] *= 2
    code, out = check({ONE: steps})
    assert code == 1
    assert "the numbers have" not in out


def test_what_is_off_but_for_few_digits_is_described(check: Check) -> None:
    steps = each(right(TWO), rounded(4))
    steps[0]["grads"]["center.weight"] = each(steps[0]["grads"]["center.weight"], lambda x: rounded(4)(3 * x))
    code, out = check({TWO: steps})
    assert code == 1
    assert "; the numbers have 4 digits; 17 are needed to give a float64 back\n" in out
    assert "off in center.weight; right in context.weight\n" in out


def test_digits_that_are_there_are_not_missed(check: Check) -> None:
    code, out = check({F64: mistaken("duplicates-overwritten", F64)})
    assert code == 1
    assert "digits;" not in out
