"""What the cases in which an implementation agrees would have noticed."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

import numpy_impl
from reference.cases import Case
from reference.catalogue import select, without_text
from reference.checks.content import FEW, blindness
from reference.checks.findings import Findings
from reference.commands.cli import main
from reference.contract import Params
from reference.judge.result import Result
from reference.judge.run import hold
from reference.mistakes import MISTAKES
from reference.mistakes.blind import CORE, Coverage, covered
from tests.tools.readmes import MINE


def agreed(*patterns: str, methods: Sequence[str] = ("loss_and_grads", "step", "params", "state")) -> list[Result]:
    """The NumPy twin as somebody's implementation with these methods, in the cases that are asked for."""

    def build(case: Case, weights: Params) -> SimpleNamespace:
        trainer = numpy_impl.build(case, weights)
        return SimpleNamespace(**{name: getattr(trainer, name) for name in methods})

    cases = select(without_text(), patterns)
    results = [hold(case, {"mine": SimpleNamespace(build=build)}, {"right": numpy_impl})["mine"] for case in cases]
    assert {result.verdict for result in results} == {"agree"}
    return results


def test_one_case_of_ones_is_blind() -> None:
    """Finding of the field: two such cases, and an agreement."""
    found = covered(agreed("classifier-size-1-tanh-sgd-dense-*"))
    assert found.agreed == found.cases == 2
    assert set(found.core["classifier"]) >= {
        "duplicates-overwritten",
        "mean-undivided",
        "batch-mean-forgotten",
        "bias-not-summed",
    }
    assert set(found.unnoticed) >= {*found.core["classifier"], "weight-gradient-averaged"}
    assert not set(found.unnoticed) & set(found.noticed)
    assert {"sign-turned", "tanh-taken-twice", "not-scattered"} <= set(found.noticed)


@pytest.mark.parametrize(
    "pattern",
    ["classifier*-tanh-sgd-dense-*", "classifier-dialogue-sgd-dense*", "embedding-*-sgd-rows-f64", "cbow-primes-sgd*"],
)
def test_cases_with_duplicates_and_batches_are_not(pattern: str) -> None:
    assert covered(agreed(pattern)).core == {}


@pytest.mark.parametrize("pattern", ["embeddingbag-*-sum-sgd-dense-f64", "classifier-primes-summed-sgd-dense-f64"])
def test_what_makes_no_difference_by_nature_is_no_blindness(pattern: str) -> None:
    """Nobody divides the gradient of a sum."""
    found = covered(agreed(pattern))
    assert found.core == {}
    assert not {"mean-undivided" if "bag" in pattern else "batch-mean-forgotten"} & {*found.noticed, *found.unnoticed}


def test_each_model_sees_what_is_core_by_itself() -> None:
    found = covered(agreed("classifier-dialogue-sgd-dense-f64", "skipgram-one-sgd-dense-f64"))
    assert set(found.core) == {"skipgram"}
    assert "duplicates-overwritten" in found.core["skipgram"]
    assert "duplicates-overwritten" in found.unnoticed


def test_what_covers_everything_of_a_model_is_blind_to_nothing() -> None:
    for family in ("linear", "glove"):
        found = covered(agreed(f"{family}-*"))
        assert (found.unnoticed, found.core) == ((), {}), family


def test_of_gradients_alone_no_update_can_be_wrong() -> None:
    whole, alone = covered(agreed("linear-*-adam-*")), covered(agreed("linear-*-adam-*", methods=["loss_and_grads"]))
    by = {name: mistake.subject for name, mistake in MISTAKES.items()}
    assert "optimizers" in {by[name] for name in whole.noticed}
    assert "optimizers" not in {by[name] for name in (*alone.noticed, *alone.unnoticed)}
    assert alone.core == {}
    # of parameters and no state, what is wrong in the state alone goes unnoticed
    assert covered(agreed("linear-*-adam-*", methods=["loss_and_grads", "step", "params"])).noticed == whole.noticed


def test_what_was_not_compared_is_not_noticed() -> None:
    results = agreed("classifier-dialogue-sgd-dense-f64", methods=["loss_and_grads"])
    without = [replace(of, errors=tuple(e for e in of.errors if not e.tensor.endswith("bias"))) for of in results]
    assert "bias-not-summed" in covered(results).noticed
    assert covered(without).core == {"classifier": ("bias-not-summed",)}


def test_the_core_is_known() -> None:
    assert set(CORE) <= MISTAKES.keys()


# --- what is said of it ----------------------------------------------------------------------------------------------

SIX = tuple("abcdefg"[: FEW + 1])


def test_a_handful_is_named() -> None:
    assert list(blindness(Coverage(3, 3, ("x", "y"), (), {}))) == [
        "these 3 cases would notice 2 of 2 known mistakes that can be made here"
    ]
    assert list(blindness(Coverage(5, 3, ("x",), SIX, {"classifier": ("a",)}))) == [
        "the 3 small ones of 5 cases would notice 1 of 7 known mistakes that can be made here; "
        "not a, b, c, d, e and 1 more",
        "too little was covered: no case of classifier that agrees would notice a",
    ]


def test_nothing_is_said_where_nothing_was_made() -> None:
    """Of a model of one's own."""
    assert list(blindness(Coverage(3, 3, (), (), {}))) == []


def test_of_long_texts_alone_it_is_said_that_nothing_is_known() -> None:
    said = "what these cases would notice is not known; no small one agrees"
    assert list(blindness(Coverage(3, 0, (), (), {}))) == [said]


def test_the_outcome() -> None:
    (result,) = agreed("linear-one-sgd-dense-f64")
    blind = Coverage(1, 1, (), ("a",), {"linear": ("a",)})
    refused, wrong = replace(result, verdict="unsupported"), replace(result, verdict="disagree")
    assert Findings((result, refused)).outcome == "agree"
    assert Findings((result, refused), coverage=replace(blind, core={})).outcome == "agree"
    assert Findings((result, refused), coverage=blind).outcome == "too little covered"
    assert Findings((refused,)).outcome == "nothing covered"
    assert Findings((result, refused, wrong), coverage=blind).outcome == "disagree"


def test_a_candidate_that_covers_one_blind_case_has_not_passed(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    module = MINE.replace("np.maximum(pooled", "np.tanh(pooled").replace('["fc1.bias"], 0)', '["fc1.bias"])')
    module = module.replace("* (hidden > 0)", "* (1 - hidden**2)").replace("case.plain", 'case.name == "size-1"')
    # five mistakes, which bags of one word in a batch of one do not show
    module = module.replace(" / n\n", "\n").replace("/ length", "").replace("d.sum(axis=0)", "d[0]")
    module = module.replace(
        'np.add.at(g["embedding.weight"], ids, d[:, None])', 'g["embedding.weight"][ids] = d[:, None]'
    )
    (tmp_path / "mine.py").write_text(module, encoding="utf-8")
    run = ["verify", "classifier-size-1-tanh-sgd-dense", "--candidate", str(tmp_path / "mine.py")]
    assert main([*run, "--json", str(tmp_path / "x.json")]) == 5
    out = capsys.readouterr().out
    assert "2 cases: 2 agree" in out
    coverage = covered(agreed(run[1]))
    noticed, unnoticed = len(coverage.noticed), len(coverage.unnoticed)
    assert 0 < noticed < unnoticed + noticed
    told = f"these 2 cases would notice {noticed} of {noticed + unnoticed} known mistakes that can be made here"
    assert f"{told}; not duplicates-overwritten," in out
    assert "too little was covered: no case of classifier that agrees would notice duplicates-overwritten," in out
    whole = json.loads((tmp_path / "x.json").read_text())
    assert whole["verdict"] == "too little covered"
    assert whole["coverage"]["core"] == {"classifier": list(coverage.core["classifier"])}
    assert whole["coverage"]["unnoticed"] == list(coverage.unnoticed)


def test_the_readmes_own_is_blind_to_one_alone(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    (tmp_path / "mine.py").write_text(MINE, encoding="utf-8")
    run = ["verify", "classifier-*-sgd-dense-f*", "--not", "zipf", "--not", "text"]
    run += ["--candidate", str(tmp_path / "mine.py")]
    assert main([*run, "--json", str(tmp_path / "x.json")]) == 0
    # which it makes: it takes the logarithm of a softmax
    told = r"would notice (\d+) of (\d+) known mistakes that can be made here; not softmax-underflows\n"
    found = re.search(told, capsys.readouterr().out)
    assert found
    assert int(found[1]) == int(found[2]) - 1
    assert json.loads((tmp_path / "x.json").read_text())["verdict"] == "agree"


def test_the_twins_are_not_asked(capsys: pytest.CaptureFixture) -> None:
    assert main(["verify", "linear-one-sgd"]) == 0
    assert "known mistakes" not in capsys.readouterr().out
