"""How small an error is noticed is measured by planting errors, and the measurement can fail."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from reference import exact
from reference.catalogue import catalogue
from reference.commands.cli import main
from reference.judge import tolerance

CASES = {case.id: case for case in catalogue()}


def planted(tmp_path: Path, pattern: str, seed: int = 0) -> tuple[int, list[dict]]:
    file = tmp_path / "out.json"
    code = main(["sensitivity", pattern, "--seed", str(seed), "--json", str(file)])
    return code, json.loads(file.read_text("utf-8"))["plants"]


@pytest.mark.parametrize(("dtype", "aim"), [("f64", 1e-12), ("f32", 1e-4)])
def test_small_errors_are_noticed_in_every_tensor(tmp_path: Path, dtype: str, aim: float) -> None:
    code, plants = planted(tmp_path, f"*-one-sgd-*-{dtype}")
    assert code == 0
    assert {plant["tensor"] for plant in plants} >= {"embedding.weight", "linear.weight", "input", "context.weight"}
    assert all(0 < plant["noticed"] <= aim for plant in plants if plant["step"] == 1)


def test_what_is_noticed_is_what_the_tolerance_and_the_entry_say(tmp_path: Path) -> None:
    case = CASES["linear-primes-sgd-dense-f64"]
    _, grads = exact.build(case, case.weights()).loss_and_grads(next(case.batches()))
    _, plants = planted(tmp_path, case.id)
    for plant in (plant for plant in plants if plant["step"] == 1):
        gradient = grads[plant["tensor"]]
        entry, row = (
            gradient[tuple(plant["index"])],
            np.atleast_2d(gradient)[plant["index"][0] if gradient.ndim > 1 else 0],
        )
        assert abs(entry) >= 0.09 * np.abs(row).max()
        # 96 eps of the row's largest entry, up to the twin's own rounding and the distance between two sizes
        expected = tolerance.TOLERANCE["float64"]["grads"] * case.eps * np.abs(row).max() / abs(entry)
        assert expected / 1.1 <= plant["noticed"] <= expected * 1.5


def test_an_error_in_a_gradient_that_has_all_but_vanished_is_noticed_in_another_step(tmp_path: Path) -> None:
    """In the step itself no error is: beside what the row's gradient was, only rounding is left of it."""
    case = CASES["skipgram-overflow-sgd-dense-f64"]
    _, plants = planted(tmp_path, case.id)
    trainer, grads = exact.build(case, case.weights()), []
    for batch in case.batches():
        grads.append(trainer.loss_and_grads(batch)[1])
        trainer.step()
    vanished = [plant for plant in plants if plant["seen"] < plant["step"]]
    assert vanished
    for plant in vanished:
        then, now = (np.abs(grads[plant[at] - 1][plant["tensor"]][plant["index"][0]]).max() for at in ("seen", "step"))
        assert 0 < now < 1e-14 * then
    assert max(plant["noticed"] for plant in plants) < 1e-12


def test_a_comparison_that_notices_too_little_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(tolerance.TOLERANCE["float64"], "grads", 1e5)
    code, plants = planted(tmp_path, "linear-small-sgd-dense-f64")
    assert code == 1
    assert max(plant["noticed"] for plant in plants) > 1e-12


def test_the_same_seed_draws_the_same_entries(tmp_path: Path) -> None:
    first, second, other = (planted(tmp_path, "linear-small-sgd-dense-f64", seed)[1] for seed in (3, 3, 4))
    assert first == second != other


def test_wrong_input(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sensitivity", "nothing-of-the-kind"]) == 2
    assert "no case matches 'nothing-of-the-kind'" in capsys.readouterr().err
    assert main(["sensitivity", "--seed", "x"]) == 2
