"""Modules of strangers, which nobody of the house has planted: what is wrong gets its names, and what is right none.

They were written after descriptions of real code, before anybody looked at how the known mistakes are made. What each
of them must be told comes from what it was written to do.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from reference import Unsupported
from reference.catalogue import catalogue
from reference.checks.twins import twins
from reference.contract import Implementation
from reference.judge.result import Result
from reference.judge.run import judge
from reference.mistakes import diagnosis
from reference.mistakes.diagnosis import diagnose
from reference.mistakes.explanation import Explanation

STRANGERS = Path(__file__).parent / "strangers"
CASES = {case.id: case for case in catalogue()}


@dataclass(frozen=True)
class Told:
    """What a wrong module must be told, all in all.

    form: of the cases' ids. cases: what stands in the place of its star where something is wrong. names: of the
    mistakes that it makes, each of which is to be named in some case. also: names that are as true of it. words: what
    must be said of what has no name, in the verdict or in what is observed. agree: the cases where nothing is wrong.
    missing: why the diagnosis does not do it yet. hidden: why it does not in all cases together.
    """

    form: str
    cases: str
    names: str = ""
    also: str = ""
    words: tuple[str, ...] = ()
    agree: str = ""
    missing: str = ""
    hidden: str = ""

    def ids(self, parts: str) -> list[str]:
        return [self.form.replace("*", part) for part in parts.split()]


CLASSIFIER = "classifier-*-sgd-dense-f64"
SKIPGRAM = "skipgram-*-dense-f64"
CBOW = "cbow-*-dense-f64"
BAGS = "embeddingbag-*-sgd-dense-f64"
LOOKUP = "embedding-*-dense-f64"

WRONG = {
    "notebook_classifier": Told(
        CLASSIFIER, "dialogue primes duplicates", "duplicates-overwritten bias-averaged relu-passes-all"
    ),
    "overflowing_softmax": Told(CLASSIFIER, "dialogue primes overflow", "softmax-overflows weight-gradient-averaged"),
    "diagonal_softmax": Told(
        CLASSIFIER,
        "dialogue primes primes-tanh",
        "softmax-diagonal-alone",
    ),
    "careful_logarithm": Told(
        CLASSIFIER,
        "dialogue primes primes-tanh",
        "log-of-shifted-probability mean-undivided",
    ),
    "dialogue_skipgram": Told(
        SKIPGRAM,
        "pairs-sgd primes-sgd pairs-adam dialogue-epoch-summed-sgd",
        "log-of-shifted-probability duplicates-overwritten bias-correction-forgotten",
        # of a centre's contexts, the gradient of the last one stays; and one table has the gradient of the sum
        "centre-of-one-context batch-mean-forgotten",
        ("context.weight: got is 6 times what is expected",),  # of the case whose update is off, too
    ),
    "assignment_negatives": Told(
        SKIPGRAM,
        "primes-negatives-sgd hits-negatives-sgd duplicates-negatives-sgd",
        "duplicates-lost-within-a-pair",
    ),
    "turned_tree_loss": Told(
        SKIPGRAM,
        "primes-tree-sgd duplicates-tree-sgd three-words-tree-sgd",
        "turns-turned-in-the-loss-alone",
    ),
    "deleted_target": Told(
        SKIPGRAM,
        "primes-negatives-redraw-sgd hits-negatives-redraw-sgd hits-negatives-sgd duplicates-negatives-sgd",
        "pair-mean-forgotten",
        words=("step 1, grads: off in center.weight, context.weight",),
    ),
    "stale_view": Told(
        SKIPGRAM,
        "primes-negatives-sgd duplicates-negatives-sgd",
        words=("step 1, loss: right", "step 1, params: off in center.weight; right in context.weight"),
    ),
    "racing_threads": Told(
        SKIPGRAM, "primes-sgd duplicates-negatives-sgd", words=("does not repeat itself: step 1, center.weight[",)
    ),
    "generous_cbow": Told(
        CBOW,
        "dialogue-sgd dialogue-adam primes-sgd duplicates-sgd",
        "mean-undivided duplicates-lost-within-a-bag",
    ),
    "window_cbow": Told(
        CBOW, "lengths-sgd primes-sgd primes-negatives-sgd", "mean-over-the-longest", agree="dialogue-sgd"
    ),
    "every_maximum": Told(BAGS, "ties-max duplicates-max primes-max", "max-to-each-equal", agree="primes primes-sum"),
    "empty_bag": Told(
        BAGS,
        "primes-ragged duplicates-ragged",
        "empty-bag-nan",
        agree="primes duplicates",
        hidden="NaN in a padding row, from the same line, withholds the name",
    ),
    "counted_padding": Told(
        BAGS,
        "primes-padding duplicates-padding",
        "padding-in-the-divisor padding-row-kept",
        agree="primes",
        missing="the padding row of a bag's gradient is not among the known mistakes, and hides the divisor",
    ),
    "never_scattered": Told(CLASSIFIER, "dialogue primes", words=("scatter it to the rows of the table",)),
    "own_eps": Told(
        LOOKUP,
        "small-adam primes-adam primes-adagrad adagrad",
        "eps-of-its-own",
        agree="primes-sgd",
    ),
    "rounded_rate": Told(
        LOOKUP,
        "small-sgd primes-sgd sgd-momentum-nesterov",
        "lr-of-its-own",
        "lr-scaled",  # it is the same rate in each case
    ),
    "hasty_adam": Told(
        LOOKUP,
        "small-adam primes-adam seldom-adam",
        "bias-correction-forgotten eps-inside-the-root",
        agree="primes-sgd",
    ),
    "looking_ahead": Told(
        LOOKUP,
        "sgd-momentum-nesterov",
        "nesterov-of-the-new-velocity",
        agree="primes-sgd primes-sgd-momentum",
    ),
}

RIGHT = {
    "plain_loops": ("form", "classifier-{}-sgd-dense-{}", "dialogue primes duplicates zeros"),
    "double_einsum": ("agree", "classifier-{}-adam-dense-{}", "dialogue primes square"),
    "backwards": ("agree", "skipgram-{}-sgd-dense-{}", "dialogue-epoch-summed pairs primes saturated"),
    "five_sigmoids": (
        "agree",
        "skipgram-{}-dense-{}",
        "primes-negatives-sgd hits-negatives-mask-sgd saturated-negatives-sgd",
    ),
    "exact_sums": ("agree", "embeddingbag-{}-sgd-dense-{}", "primes primes-sum duplicates-padding primes-ragged"),
    "one_hot": ("agree", "cbow-{}-rmsprop-dense-{}", "primes"),
    "torch_by_hand": ("agree", "skipgram-{}-tree-sgd-dense-{}", "primes duplicates saturated zeros"),
    "big_endian": ("form", "embedding-{}-adagrad-dense-{}", "primes seldom"),
    "pairs_of_rows": ("agree", "skipgram-{}-sgd-rows-{}", "primes-negatives hits-negatives-mask saturated-negatives"),
    "only_updates": ("agree", "cbow-{}-sgd-dense-{}", "lengths-negatives hits-negatives-mask primes-sum-negatives"),
}
"""The verdict that each must get, and the cases in which it is held, in both dtypes."""

SHORT_OF = {"grads": ["only_updates"]}
"""What is not covered, by those who do not return it."""


def stranger(kind: str, name: str) -> Implementation:
    return importlib.import_module(f"tests.mistakes.strangers.{kind}.{name}")


def results_of(candidate: Implementation, cases: Sequence[str]) -> list[Result]:
    return [judge(CASES[case], {"mine": candidate}, twins())["mine"] for case in cases]


def names_in(explanations: Mapping[Result, Explanation]) -> set[str]:
    return {cause.name for one in explanations.values() for cause in one.causes}


def not_yet(name: str, reason: str) -> Any:
    return pytest.param(name, marks=[pytest.mark.xfail(strict=True, reason=reason)] if reason else [])


def said(results: Sequence[Result], explanations: Mapping[Result, Explanation]) -> list[str]:
    """Every line about them but the sentences of known mistakes."""
    lines = [line for result in results for line in (result.reason, *map(str, result.divergences))]
    return [*lines, *(line for one in explanations.values() for line in one.observed)]


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # of the modules' own, where they overflow
@pytest.mark.parametrize("name", [not_yet(name, expected.missing) for name, expected in WRONG.items()])
def test_what_a_stranger_does_wrong_gets_its_names(name: str) -> None:
    expected, candidate = WRONG[name], stranger("wrong", name)
    results = results_of(candidate, expected.ids(f"{expected.cases} {expected.agree}"))
    explanations = diagnose(candidate, results)
    wrong = [result for result in results if result.verdict == "disagree"]
    assert [result.case.id for result in wrong] == expected.ids(expected.cases)
    assert names_in(explanations) - set(expected.also.split()) == set(expected.names.split())
    # what has no name may be met in any of the cases
    assert expected.words or all(explanations[result].causes for result in wrong)
    lines = said(results, explanations)
    for words in expected.words:
        assert any(words in line for line in lines), (words, lines)


@pytest.mark.parametrize("name", RIGHT)
def test_what_a_stranger_does_right_is_right(name: str) -> None:
    verdict, form, cases = RIGHT[name]
    results = results_of(
        stranger("right", name), [form.format(part, dtype) for part in cases.split() for dtype in ("f64", "f32")]
    )
    for result in results:
        assert result.verdict == verdict, (result.case.id, result.reason, *map(str, result.divergences))
        assert result.reason == ("not covered: grads" if name in SHORT_OF["grads"] else "")


def test_where_mistakes_meet_each_is_said_of_tensors_that_it_changes() -> None:
    expected, candidate = WRONG["notebook_classifier"], stranger("wrong", "notebook_classifier")
    explanations = diagnose(candidate, results_of(candidate, expected.ids(expected.cases)))
    causes = {cause.name: cause for one in explanations.values() for cause in one.causes}
    assert set(causes["duplicates-overwritten"].tensors) == {"embedding.weight"}
    assert set(causes["relu-passes-all"].tensors) <= {"fc1.weight", "fc1.bias", "embedding.weight"}
    assert set(causes["bias-averaged"].tensors) <= {"fc1.bias", "fc2.bias"}
    assert "occurs once" not in causes["duplicates-overwritten"].sentence


@pytest.mark.xfail(strict=True, reason="what is added is rounded, although nothing is left of it in the exact row")
def test_what_rounding_leaves_of_terms_that_cancel_is_right() -> None:
    (result,) = results_of(stranger("right", "only_updates"), ["cbow-zeros-sum-negatives-sgd-dense-f32"])
    assert result.verdict == "agree"


def covered(candidate: Implementation) -> list[str]:
    """The ids of all cases that are quick to run and that it does not refuse."""
    quick = [case for case in CASES.values() if case.steps <= diagnosis.STEPS and not hasattr(case.data, "source")]
    found = []
    for case in quick:
        with suppress(Unsupported):
            candidate.build(case, case.weights())
            found.append(case.id)
    return found


@pytest.mark.long
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("name", [not_yet(name, each.missing or each.hidden) for name, each in WRONG.items()])
def test_in_all_cases_together_it_gets_the_same_names(name: str) -> None:
    expected, candidate = WRONG[name], stranger("wrong", name)
    explanations = diagnose(candidate, results_of(candidate, covered(candidate)))
    assert names_in(explanations) - set(expected.also.split()) == set(expected.names.split())


LOST = {
    # sigmoid(x) - 1, of which nothing is left where all of a row is as small
    "five_sigmoids": "skipgram-small-rows-",
    # see test_what_rounding_leaves_of_terms_that_cancel_is_right
    "only_updates": "cbow-zeros-sum-negatives-sgd-dense-f32",
}


@pytest.mark.long
@pytest.mark.parametrize("name", RIGHT)
def test_what_is_right_is_right_in_all_cases(name: str) -> None:
    verdict, candidate = RIGHT[name][0], stranger("right", name)
    cases = [case for case in covered(candidate) if not case.startswith(LOST.get(name, " "))]
    assert {result.verdict for result in results_of(candidate, cases)} == {verdict}


def test_every_stranger_is_heard() -> None:
    for kind, listed in (("wrong", WRONG), ("right", RIGHT)):
        assert {file.stem for file in (STRANGERS / kind).glob("*.py")} == set(listed)
