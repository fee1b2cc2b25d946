"""What is wrong is named where it is known, and nothing else ever is."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from rich.console import Console

import numpy_impl
from reference.cases import Adam, Case
from reference.catalogue import catalogue
from reference.checks.findings import Findings
from reference.checks.terminal import show
from reference.checks.twins import twins
from reference.commands import mistakes
from reference.commands.cli import main
from reference.contract import Implementation, RowGrad
from reference.judge.result import Divergence, Result
from reference.judge.run import judge
from reference.mistakes import MISTAKES, together
from reference.mistakes.diagnosis import diagnose
from reference.mistakes.explanation import Cause, Explanation
from reference.mistakes.search import compared, finite, made
from reference.mistakes.variants import VARIANTS
from tests.tools.readmes import MINE

CASES = {case.id: case for case in catalogue()}
CLASSIFIERS = [f"classifier-{name}-sgd-dense-f64" for name in ("dialogue", "one", "zeros")]
SEVERAL = [
    "classifier-dialogue-sgd-rows-f64",
    "skipgram-pairs-sgd-dense-f32",
    "embedding-small-adam-dense-f64",
]


@dataclass(frozen=True)
class Told:
    """A verdict, and what explains it; of one that agrees nothing is explained."""

    verdict: str
    causes: tuple[Cause, ...]
    observed: tuple[str, ...]


def diagnosed(candidate: Implementation, cases: Sequence[str]) -> list[Told]:
    results = [judge(CASES[case], {"mine": candidate}, twins())["mine"] for case in cases]
    explanations = diagnose(candidate, results)
    assert set(explanations) == {result for result in results if result.verdict == "disagree"}
    told = [(result.verdict, explanations.get(result, Explanation())) for result in results]
    return [Told(verdict, explanation.causes, explanation.observed) for verdict, explanation in told]


def names(told: Sequence[Told | Explanation]) -> set[str]:
    return {cause.name for one in told for cause in one.causes}


def module(source: str) -> ModuleType:
    mine = ModuleType("mine")
    exec(source, vars(mine))
    return mine


def changed(*changes: tuple[str, str]) -> ModuleType:
    """The README's module with these lines instead."""
    source = MINE
    for right, wrong in changes:
        assert source.count(right), right
        source = source.replace(right, wrong)
    return module(source)


OVERWRITES = ('np.add.at(g["embedding.weight"], ids, d[:, None])', 'g["embedding.weight"][ids] = d[:, None]')
FIRST_BIAS = ("d.sum(axis=0)", "d[0]")
UNDIVIDED = ('d @ p["fc1.weight"] / length', 'd @ p["fc1.weight"]')


@pytest.mark.parametrize(
    ("line", "name", "tensors"),
    [
        (OVERWRITES, "duplicates-overwritten", ("embedding.weight",)),
        (FIRST_BIAS, "bias-not-summed", ("fc1.bias", "fc2.bias")),
        (UNDIVIDED, "mean-undivided", ("embedding.weight",)),
        (("d = (probabilities - np.eye", "d = (logits - np.eye"), "logits-for-probabilities", None),
        # in a case with exact zeros, nothing but rounding is left of some rows
        (
            ('d = (d @ p["fc2.weight"]) * (hidden > 0)', 'd = d @ p["fc2.weight"]; d = d * (d > 0)'),
            "relu-of-the-gradient",
            None,
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_mistake_in_a_module_of_ones_own_is_named(
    line: tuple[str, str], name: str, tensors: tuple[str, ...] | None
) -> None:
    results = diagnosed(changed(line), CLASSIFIERS)
    assert names(results) == {name}
    found = results[0].causes[0]
    assert tensors is None or found.tensors == tensors
    assert found.sentence.startswith(f"{', '.join(found.tensors)}: equals {MISTAKES[name].sentence}")


class OneStep:
    """A mistake by somebody who has gradients alone, no update: only the first batch can be compared."""

    def __init__(self, name: str) -> None:
        self.mistake = MISTAKES[name]

    def build(self, case: Case, weights: dict[str, np.ndarray]) -> Any:
        trainer = self.mistake.build(case, weights)
        return type("Gradients", (), {"loss_and_grads": staticmethod(trainer.loss_and_grads)})()


@pytest.mark.parametrize(
    ("name", "case"),
    [
        ("bias-averaged", "linear-small-sgd-dense-f64"),
        ("duplicates-overwritten", "embedding-duplicates-sgd-rows-f32"),
        ("square-slope-without-2", "glove-dialogue-summed-adagrad-rows-f64"),
    ],
)
def test_a_mistake_is_named_where_there_is_no_update(name: str, case: str) -> None:
    (result,) = diagnosed(OneStep(name), [case])
    assert (result.verdict, names([result])) == ("disagree", {name})


OVERFLOWS = "classifier-overflow-sgd-dense-f64", "classifier-overflow-sgd-dense-f32"
STABLE = "logits - logits.max(axis=1, keepdims=True)"


@pytest.mark.filterwarnings("ignore:overflow encountered", "ignore:invalid value encountered")
def test_a_mistake_that_leaves_nothing_finite_is_named() -> None:
    """Though NaN goes on into what one module masks by a product, and another one leaves out."""
    results = diagnosed(changed((STABLE, "logits")), [*CLASSIFIERS, *OVERFLOWS])
    assert [result.verdict for result in results] == ["agree"] * 3 + ["disagree"] * 2
    for result in results[3:]:
        assert names([result]) == {"softmax-overflows"}
        assert result.causes[0].sentence == f"loss: equals {MISTAKES['softmax-overflows'].sentence}"


RETURNED = "return -np.log(probabilities[range(n), labels]).mean(), g"
LOST = {
    "the loss alone": [(RETURNED, "return float('nan'), g")],
    "the loss, by an infinity": [
        (RETURNED, "return (np.log(np.exp(logits).sum(axis=1)) - logits[range(n), labels]).mean(), g")
    ],
    "more than what is known": [
        (OVERWRITES[0], OVERWRITES[0] + '; g["embedding.weight"][np.setdiff1d(range(7), ids)] = 1'),
        (STABLE, "logits"),
    ],
}


@pytest.mark.filterwarnings("ignore:overflow encountered", "ignore:invalid value encountered")
@pytest.mark.parametrize("what", LOST)
def test_not_everything_that_is_not_finite_is_the_known_one(what: str) -> None:
    """Where exp(logits) overflows, there are other ways to lose what comes of it."""
    results = diagnosed(changed(*LOST[what]), OVERFLOWS)
    assert {result.verdict for result in results} == {"disagree"}
    assert not names(results)


@pytest.mark.filterwarnings("ignore:overflow encountered", "ignore:invalid value encountered")
def test_what_is_not_finite_elsewhere_too_is_not_taken_for_what_overflows() -> None:
    divided = "exp / exp.sum(axis=1, keepdims=True)"
    lost = (divided, f"{divided} * (np.nan if n == 6 else 1)")
    results = diagnosed(changed(lost, (STABLE, "logits")), [CLASSIFIERS[0], CLASSIFIERS[2], OVERFLOWS[0]])
    assert [result.verdict for result in results] == ["agree", "disagree", "disagree"]
    assert not names(results)


def test_beside_a_mistake_that_is_named_what_is_not_finite_is_named_only_if_it_is_known_as_well() -> None:
    """Adam's bias correction, taken a step behind, leaves nothing but NaN, as much else does."""
    overwrites, candidate = MISTAKES["duplicates-overwritten"], ModuleType("mine")

    def build(case: Case, weights: dict) -> Any:
        trainer = overwrites.build(case, weights)
        if isinstance(case.optimizer, Adam):
            params = trainer.params
            trainer.params = lambda: {name: np.full_like(param, np.nan) for name, param in params().items()}
        return trainer

    candidate.build = build
    results = diagnosed(candidate, [f"embedding-duplicates-{name}-dense-f64" for name in ("sgd", "adam")])
    assert [names([result]) for result in results] == [{"duplicates-overwritten"}, set()]


def test_the_sentence_names_the_row_and_how_often_its_id_occurs() -> None:
    found = diagnosed(changed(OVERWRITES), CLASSIFIERS)[0].causes[0]
    sentence = "the gradient that overwrites duplicate ids instead of summing them"
    assert found.sentence in [
        f"embedding.weight: equals {sentence} (row {row}, which occurs 2 times)" for row in (1, 5, 9)
    ]


@pytest.mark.parametrize("draw", range(8))
def test_a_known_mistake_is_named_where_it_is_caught(draw: int) -> None:
    """A sample, drawn anew in each run; where another one looks the same in the case, it is named beside it."""
    name = random.choice(sorted(MISTAKES | VARIANTS))
    planted = (MISTAKES | VARIANTS)[name]
    small = mistakes.small(catalogue())
    made = (mistakes.make(case, {name: planted}).get(name) for case in random.sample(small, len(small)))
    case = next(result.case for result in made if result and result.verdict == "disagree")
    said = told(name, case)
    assert said is None or any(name in words for words in said), f"{name} in {case.id}: {said}"


def told(name: str, case: Case) -> list[str] | None:
    """What is said of a known mistake in a case; None where rounding, NaN or another form is all that tells it."""
    planted = (MISTAKES | VARIANTS)[name]
    result = judge(case, {"mine": planted}, twins())["mine"]
    explanation = diagnose(planted, [result]).get(result)
    rounding = compared(case, {(): numpy_impl}, planted)[()].verdict == "agree"
    if not result.divergences or rounding or not finite(result) or result.divergences[0].index is None:
        return None
    return [*names([explanation]), *explanation.observed]


def test_two_mistakes_at_once_are_each_named_in_their_own_tensor() -> None:
    results = diagnosed(changed(OVERWRITES, FIRST_BIAS), CLASSIFIERS)
    found = {cause.name: cause.tensors for cause in results[0].causes}
    assert found == {"bias-not-summed": ("fc1.bias", "fc2.bias"), "duplicates-overwritten": ("embedding.weight",)}


def test_two_mistakes_in_different_cases_are_each_named_where_they_are_made() -> None:
    both = together(MISTAKES["update-added"], MISTAKES["bias-correction-forgotten"])
    cases = "embedding-small-sgd-dense-f64", "embedding-adam-clip-dense-f64", "linear-small-adam-dense-f64"
    results = diagnosed(both, [case for case in cases if case in CASES])
    assert [sorted(names([result])) for result in results][:1] == [["update-added"]]
    assert "bias-correction-forgotten" in names(results[-1:])


def test_what_is_wrong_of_one_optimizer_or_model_need_not_be_wrong_of_others() -> None:
    """Three faults, no two of them made in the same group of cases but in the last case, which has two."""
    wrong = "betas-swapped", "squares-not-accumulated", "tanh-taken-twice"
    small = mistakes.small(CASES.values())
    chosen = {
        (wrong[0],): [case for case in small if case.family == "linear" and "adam-" in case.id],
        (wrong[1],): [case for case in small if case.id.startswith("embedding-seldom-adagrad-")],
        (wrong[2],): [case for case in small if case.id.startswith("classifier-size-1-tanh-sgd-")],
        (wrong[0], wrong[2]): [case for case in small if case.id.startswith("classifier-size-1-tanh-adam-")],
    }
    cases = [case.id for of in chosen.values() for case in of]
    told = dict(zip(cases, diagnosed(together(*(MISTAKES[name] for name in wrong)), cases), strict=True))
    for expected, of in chosen.items():
        results = [told[case.id] for case in of if told[case.id].verdict == "disagree"]
        assert len(results) > 1
        assert all(names([result]) == set(expected) for result in results), expected


class Imprecise:
    """A mistake by somebody who has the gradients of one case in fewer digits."""

    def __init__(self, name: str, case: str, digits: float) -> None:
        self.mistake, self.case, self.digits = MISTAKES[name], case, digits

    def build(self, case: Case, weights: dict) -> Any:
        trainer = self.mistake.build(case, weights)
        right = trainer.loss_and_grads

        def loss_and_grads(batch: Any) -> tuple:
            loss, grads = right(batch)
            return loss, {name: grad * (1 + self.digits) for name, grad in grads.items()}

        if case.id == self.case:
            trainer.loss_and_grads = loss_and_grads
        return trainer


def test_an_exception_that_is_a_matter_of_digits_does_not_withhold_a_name() -> None:
    small = [case for case in mistakes.small(CASES.values()) if case.id.endswith("-sgd-dense-f64")]
    made = [mistakes.make(case, {"bias-averaged": MISTAKES["bias-averaged"]}) for case in small]
    cases = [result.case.id for held in made for result in held.values() if result.verdict == "disagree"][:5]
    results = diagnosed(Imprecise("bias-averaged", cases[4], 1e-2), cases)
    assert [names([result]) for result in results] == [{"bias-averaged"}] * 4 + [set()]
    assert "but for digits" not in results[4].observed[0]
    results = diagnosed(Imprecise("bias-averaged", cases[4], 1e-8), cases)
    assert [names([result]) for result in results] == [{"bias-averaged"}] * 4 + [set()]
    sentence = MISTAKES["bias-averaged"].sentence
    assert results[4].observed[0] == f"but for digits it equals {sentence} (bias-averaged)"


class Altered:
    """The NumPy twin with gradients, or parameters, that are changed in some way that nobody has a name for."""

    def __init__(self, change: Callable[[np.ndarray], np.ndarray], stage: str = "grads") -> None:
        self.change, self.stage = change, stage

    def build(self, case: Case, weights: dict) -> Altered:
        fresh = Altered(self.change, self.stage)
        fresh.twin = numpy_impl.build(case, weights)
        return fresh

    def loss_and_grads(self, batch: Any) -> tuple:
        loss, grads = self.twin.loss_and_grads(batch)
        return loss * 1.001 if self.stage == "loss" else loss, self.changed("grads", grads)

    def step(self) -> None:
        self.twin.step()

    def params(self) -> dict:
        return self.changed("params", self.twin.params())

    def state(self) -> dict:
        return self.twin.state()

    def changed(self, stage: str, tensors: dict) -> dict:
        return {name: self.of(value) for name, value in tensors.items()} if stage == self.stage else tensors

    def of(self, value: np.ndarray | RowGrad) -> np.ndarray | RowGrad:
        if isinstance(value, RowGrad):
            return RowGrad(value.rows, self.change(value.values), value.shape)
        return self.change(value)


def one_entry(tensor: np.ndarray) -> np.ndarray:
    tensor = tensor.copy()
    tensor.flat[np.abs(tensor).argmax()] *= 1.0001
    return tensor


NAMELESS = {
    "scaled": Altered(lambda tensor: tensor * tensor.dtype.type(0.97)),
    "one entry": Altered(one_entry),
    "shifted": Altered(lambda tensor: tensor + tensor.dtype.type(1e-3)),
    "noise": Altered(
        lambda tensor: tensor * (1 + 1e-3 * np.cos(np.arange(tensor.size))).reshape(tensor.shape).astype(tensor.dtype)
    ),
    "turned round": Altered(lambda tensor: tensor[::-1].copy()),
    "squared": Altered(lambda tensor: tensor * tensor),
    "nothing": Altered(np.zeros_like),
    "not finite": Altered(lambda tensor: np.where(tensor == tensor.max(), np.nan, tensor).astype(tensor.dtype)),
    "no parameter is a number": Altered(lambda tensor: np.full_like(tensor, np.nan), "params"),
    "loss": Altered(np.copy, "loss"),
    "parameters": Altered(lambda tensor: tensor * tensor.dtype.type(1.001), "params"),
    "threshold": changed(("(hidden > 0)", "(hidden > 0.1)")),
    "length + 1": changed((" / length", " / (length + 1)")),
    "two rows": changed(("d = d @ p", "d = d[::-1] @ p")),
}


@pytest.mark.parametrize("wrong", NAMELESS)
def test_what_is_not_in_the_catalogue_gets_no_name(wrong: str) -> None:
    mine = isinstance(NAMELESS[wrong], ModuleType)
    results = diagnosed(NAMELESS[wrong], CLASSIFIERS[:2] if mine else SEVERAL)
    assert any(result.verdict == "disagree" for result in results)
    assert not names(results)
    for result in results:
        assert not result.observed or "known mistakes" not in result.observed[0]
        assert result.observed or result.verdict != "disagree"


def test_what_only_rounding_parts_from_the_right_one_gets_no_name() -> None:
    """Far off in a row that is small beside the others, where mistakes that are not made are as near."""

    def off_in_the_smallest_row(tensor: np.ndarray) -> np.ndarray:
        tensor, largest = tensor.copy(), np.abs(tensor).max(axis=1)
        row = np.where(largest > 0, largest, np.inf).argmin()
        if largest[row] < 0.1 * largest.max():
            tensor[row] += 50 * np.finfo(tensor.dtype).eps * largest.max()
        return tensor

    (result,) = diagnosed(Altered(off_in_the_smallest_row), ["skipgram-saturated-sgd-dense-f64"])
    assert result.verdict == "disagree"
    assert not result.causes
    assert "known mistakes" not in result.observed[0]


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (Altered(lambda tensor: tensor * tensor.dtype.type(0.97)), "got is 0.97 times what is expected"),
        (changed((" / length", " / (length + 1)")), "got is 0.75 times what is expected in every entry that is off"),
        (
            changed((" / length", " / (length + 1)")),
            "step 1, grads: off in embedding.weight; right in fc1.weight, fc1.bias, fc2.weight, fc2.bias",
        ),
        (NAMELESS["not finite"], "1 of 50 entries are not finite"),
        (
            changed((OVERWRITES[0], OVERWRITES[0] + "; g['embedding.weight'][[1, 5, 9]] = np.nan")),
            "not finite in rows 1, 5, 9 of 10, exactly those that occur more than once",
        ),
        (
            changed((OVERWRITES[0], OVERWRITES[0] + "; g['embedding.weight'][[1, 5, 9]] *= 1.5")),
            "off in rows 1, 5, 9 of 10, exactly those that occur more than once",
        ),
        (
            changed((OVERWRITES[0], OVERWRITES[0] + "; g['embedding.weight'][0] = 1")),
            "exactly those that were not looked up",
        ),
    ],
)
def test_what_can_be_seen_is_said(wrong: Implementation, says: str) -> None:
    (result,) = diagnosed(wrong, ["classifier-dialogue-sgd-dense-f64"])
    assert not result.causes
    assert says in " | ".join(result.observed)


def observed(wrong: Implementation, case: str) -> tuple[str, ...]:
    (result,) = diagnosed(wrong, [case])
    assert not result.causes
    return result.observed


def test_a_ratio_is_said_only_where_it_is_that_of_every_entry() -> None:
    """To within the tolerance, which in float32 is wide where little is off."""
    noise = lambda tensor: tensor * (1 + 2e-3 * np.cos(np.arange(tensor.size))).reshape(tensor.shape)  # noqa: E731
    for change, said in ((lambda tensor: tensor * 0.97, True), (noise, False)):
        wrong = Altered(lambda tensor: change(tensor).astype(tensor.dtype))  # noqa: B023
        lines = observed(wrong, "skipgram-pairs-sgd-dense-f32")
        assert any("0.97 times what is expected" in line for line in lines) == said
        assert any("times" in line for line in lines) == said


UPDATE = "value - self.lr * self.g[name]"


def test_of_parameters_the_ratio_is_that_of_the_update() -> None:
    wrong = UPDATE.replace("-", "- (0.75 if value.ndim > 1 else 1) *")
    lines = observed(changed((UPDATE, wrong)), CLASSIFIERS[0])
    for tensor in ("embedding.weight", "fc1.weight", "fc2.weight"):
        assert f"{tensor}: the update is 0.75 times what is expected in every entry that is off" in lines


def test_a_ratio_near_1_is_said_of_many_entries() -> None:
    wrong = UPDATE.replace("-", "- (1.0002 if value.ndim > 1 else 1) *")
    lines = observed(changed((UPDATE, wrong)), CLASSIFIERS[0])
    assert "embedding.weight: the update is 1.0002 times what is expected in every entry that is off" in lines


NUMBERS = [
    # the changed module; the mistake, and the number in it; cases
    ("- self.lr *", "- 0.0123 *", "lr-of-its-own", "0.0123", CLASSIFIERS),
    ("- self.lr *", "- 1.0002 * self.lr *", "lr-scaled", "1.0002", CLASSIFIERS),
    ("np.log(probabilities[range(n), labels])", "np.log(probabilities[range(n), labels] + 1e-10)",
     "log-of-shifted-probability", "1e-10", CLASSIFIERS),
    ("np.log(probabilities[range(n), labels])", "np.log(probabilities[range(n), labels] + 4.5e-6)",
     "log-of-shifted-probability", "4.5e-06", CLASSIFIERS),
]  # fmt: skip


@pytest.mark.parametrize(("right", "wrong", "name", "number", "cases"), NUMBERS, ids=lambda v: v if "." in v else "")
def test_a_number_in_a_mistake_is_solved_for(right: str, wrong: str, name: str, number: str, cases: list) -> None:
    results = diagnosed(changed((right, wrong)), cases)
    for result in results:
        assert name in names([result])
        assert all(number in cause.wrong for cause in result.causes if cause.name == name)


def test_a_number_that_another_case_has_not_is_still_that_of_the_first() -> None:
    wrong = changed(("np.log(probabilities[range(n), labels])", "np.log(probabilities[range(n), labels].clip(1e-7))"))
    results = diagnosed(wrong, [f"classifier-overflow-sgd-dense-{dtype}" for dtype in ("f64", "f32")])
    assert [names([result]) for result in results] == [{"probabilities-clipped"}] * 2
    assert not any(result.observed for result in results)  # the loss is all that is off, and it is explained


class Own:
    """The NumPy twin with an eps of its own for each optimizer, whatever is asked for, and perhaps a mistake."""

    def __init__(self, eps: dict[str, float], mistake: Implementation = numpy_impl) -> None:
        self.eps, self.mistake = eps, mistake

    def build(self, case: Case, weights: dict) -> Any:
        optimizer = case.optimizer
        if type(optimizer).__name__ in self.eps:
            optimizer = replace(optimizer, eps=self.eps[type(optimizer).__name__])
        return self.mistake.build(replace(case, optimizer=optimizer), weights)


@pytest.mark.parametrize("beside", [None, "bias-averaged"])
def test_each_optimizer_has_its_own_eps(beside: str | None) -> None:
    """Also beside a mistake in the gradients."""
    small = [case.id for case in mistakes.small(CASES.values()) if case.family in ("linear", "classifier")]
    adam, adagrad = ([name for name in small if f"-{kind}-dense-f64" in name][:3] for kind in ("adam", "adagrad"))
    wrong = MISTAKES[beside] if beside else numpy_impl
    results = diagnosed(Own({"Adam": 1e-7, "Adagrad": 4.5e-5}, wrong), [*adam, *adagrad])
    expected = {"eps-of-its-own", beside} - {None}
    for result, eps in zip(results, ["1e-07"] * len(adam) + ["4.5e-05"] * len(adagrad), strict=True):
        assert names([result]) == expected
        assert f"an eps of {eps}," in next(c.sentence for c in result.causes if c.name == "eps-of-its-own")


def test_the_state_is_described_before_the_parameters_that_come_of_it() -> None:
    candidate = ModuleType("mine")

    def build(case: Case, weights: dict) -> Any:
        trainer = numpy_impl.build(case, weights)
        state, params = trainer.state, trainer.params
        trainer.state = lambda: state() | {"exp_avg": {name: 10 * value for name, value in state()["exp_avg"].items()}}
        trainer.params = lambda: {name: np.sin(value) for name, value in params().items()}
        return trainer

    candidate.build = build
    lines = observed(candidate, "linear-small-adam-dense-f64")
    said = "exp_avg.linear.weight: got is 10 times what is expected in every entry that is off"
    assert said in lines
    assert not any(line.startswith("linear.weight: ") for line in lines)
    assert lines[2].startswith("step 1, state: off in exp_avg.linear.weight, exp_avg.linear.bias;")


def test_of_equal_sets_of_rows_the_plainest_is_named() -> None:
    """Where every id that was looked up occurs once, those whose ids occur once are those that were looked up."""
    case = next(case for case in mistakes.small(CASES.values()) if once_each(case))
    lines = observed(
        Altered(lambda tensor: tensor + (tensor != 0) * np.cos(np.arange(tensor.size)).reshape(tensor.shape)), case.id
    )
    assert any("exactly those that were looked up" in line for line in lines)


def once_each(case: Case) -> bool:
    """Some rows of a table of float64 are looked up, each of them once."""
    ids = case.model.looked_up(next(case.batches())).get("embedding.weight")
    once = ids is not None and len(ids) == len(np.unique(ids)) < case.model.shapes["embedding.weight"][0]
    return once and case.dtype == "float64" and not case.row_tables


def test_what_is_computed_in_float32_is_said() -> None:
    lines = observed(Altered(lambda tensor: tensor.astype("f").astype("d")), CLASSIFIERS[0])
    back = [*reversed(CASES[CLASSIFIERS[0]].model.shapes)]  # from the loss
    assert [line.split(":")[0] for line in lines if "every number is one of float32" in line] == back
    assert [line.split(":")[0] for line in lines if re.search(r"off by at most \de-0[789] of", line)] == back


def test_a_number_of_every_dtype_is_none_of_float32() -> None:
    wrong = changed(("return -np.log(probabilities[range(n), labels]).mean(), g", "return 0.5, g"))
    assert "loss: every number is one of float32" not in observed(wrong, CLASSIFIERS[0])


def test_how_little_is_off_is_said_and_no_cause_of_it() -> None:
    """Finite differences, and numbers that were printed with too few digits."""
    lines = observed(
        Altered(lambda tensor: tensor * (1 + 1e-9 * np.cos(np.arange(tensor.size))).reshape(tensor.shape)),
        CLASSIFIERS[0],
    )
    assert any(
        re.fullmatch(r"fc2.weight: off by at most \de-(09|10) of the largest entry in the row", line) for line in lines
    )
    assert not any("float32" in line or "digits" in line for line in lines)
    printed = np.vectorize(lambda number: float(f"{number:.6g}"))
    lines = observed(Altered(printed), CLASSIFIERS[0])
    assert "fc2.weight: every number has 6 digits; 17 are needed for a float64" in lines
    assert not any("float32" in line for line in lines)


def test_where_the_loss_is_off_the_gradients_are_looked_at_too() -> None:
    mean = ("labels]).mean(), g", "labels]).sum(), {name: n * grad for name, grad in g.items()}")
    lines = observed(changed(mean), CLASSIFIERS[0])
    for tensor in ("loss", *CASES[CLASSIFIERS[0]].model.shapes):
        everywhere = "" if tensor == "loss" else " in every entry that is off"
        assert f"{tensor}: got is 4 times what is expected{everywhere}" in lines


def test_what_was_right_before_is_said() -> None:
    def stale(case: Case, weights: dict) -> Any:
        trainer = numpy_impl.build(case, weights)
        right, first = trainer.loss_and_grads, []

        def loss_and_grads(batch: Any) -> tuple:
            loss, grads = right(batch)
            first.append(grads["fc1.weight"].copy())
            return loss, grads | {"fc1.weight": first[0]}

        trainer.loss_and_grads = loss_and_grads
        return trainer

    candidate = ModuleType("mine")
    candidate.build = stale
    assert [*observed(candidate, CLASSIFIERS[0])][:3] == [
        "before step 2: right",
        "step 2, loss: right",
        "step 2, grads: off in fc1.weight; right in embedding.weight, fc1.bias, fc2.weight, fc2.bias",
    ]


def test_a_tensor_that_is_a_known_mistake_by_itself_is_said_beside_one_that_is_not() -> None:
    """It is no name: that is for what explains everything."""
    strange = ('g |= {"fc1.weight": d.T @ pooled', 'g |= {"fc1.weight": 0.9 * d.T @ pooled')
    results = diagnosed(changed(OVERWRITES, strange), CLASSIFIERS)
    assert not names(results)
    sentence = MISTAKES["duplicates-overwritten"].sentence
    words = f"this tensor alone equals {sentence} (duplicates-overwritten), which does not explain everything wrong"
    assert [line for line in results[0].observed if "this tensor alone" in line] == [f"embedding.weight: {words}"]


def test_a_form_that_is_wrong_later_does_not_hide_what_is_wrong_first() -> None:
    of_shape = ("        return self.p\n", "        return {name: value[:-1] for name, value in self.p.items()}\n")
    (result,) = diagnosed(changed(OVERWRITES, of_shape), CLASSIFIERS[:1])
    assert names([result]) == {"duplicates-overwritten"}
    beside, loss, grads, *rest = result.observed
    assert beside == "beside the right update of the same gradients:"
    assert (loss, grads) == ("step 1, loss: right", "step 1, grads: right")
    assert any(line.startswith("step 1, params: embedding.weight: float64 of shape (10, 5)") for line in rest)


def test_the_gradients_and_the_update_are_each_named_though_the_other_is_not() -> None:
    """Nobody has a name for the sine of the update, or for gradients that grow by a tenth in each column."""
    unknown = ("value - self.lr * self.g[name]", "value - np.sin(self.lr * self.g[name])")
    results = diagnosed(changed(OVERWRITES, unknown), CLASSIFIERS)
    assert names(results) == {"duplicates-overwritten"}
    assert all(result.observed for result in results)
    odd = ('g |= {"fc1.weight": d.T @ pooled', 'g |= {"fc1.weight": (d.T @ pooled) * 1.1 ** np.arange(pooled.shape[1])')
    update = ("value - self.lr * self.g[name]", "value + self.lr * self.g[name]")
    results = diagnosed(changed(odd, update), CLASSIFIERS)
    assert names(results) == {"update-added"}
    results = diagnosed(changed(odd), CLASSIFIERS[:1])
    assert "the update is right, of these gradients" in results[0].observed


def test_the_loss_and_each_table_are_searched_by_themselves() -> None:
    """The gradient of the sum in one weight alone has no name, but that weight has."""
    several = [
        (RETURNED, "return -np.log(probabilities[range(n), labels] + 1e-10).mean(), g"),
        OVERWRITES,
        ('"fc1.weight": d.T @ pooled', '"fc1.weight": n * d.T @ pooled'),
    ]
    results = diagnosed(changed(*several), CLASSIFIERS)
    assert {"log-of-shifted-probability", "duplicates-overwritten", "batch-mean-forgotten"} <= names(results[:1])
    assert {cause.tensors for cause in results[0].causes} == {("loss",), ("embedding.weight",), ("fc1.weight",)}


def test_what_has_the_form_of_a_known_mistake_is_named() -> None:
    cases = ["embedding-adagrad-accumulator-dense-f64", "classifier-primes-mse-sgd-dense-f32"]
    results = diagnosed(MISTAKES["vocabulary-too-small"], cases)
    assert [names([result]) for result in results] == [{"vocabulary-too-small"}] * 2
    assert not names(diagnosed(changed((", g\n", ", g | {'fc1.weight': g['fc1.weight'][:-1]}\n")), CLASSIFIERS[:1]))


def test_a_mistake_is_named_whatever_the_form_is() -> None:
    single = ("        return self.p\n", "        return {name: value.astype('f') for name, value in self.p.items()}\n")
    assert names(diagnosed(changed(OVERWRITES, single), CLASSIFIERS[:1])) == {"duplicates-overwritten"}


def test_what_was_not_compared_is_no_known_mistake_by_itself() -> None:
    """Of a mistake whose centre table has another shape, the other table's gradient is not compared with anything."""
    case, candidate = "skipgram-primes-sgd-dense-f64", ModuleType("mine")

    def build(case: Case, weights: dict) -> Any:
        trainer = Altered(np.copy).build(case, weights)
        trainer.changed = lambda stage, of: (
            of | {"context.weight": 0.9 * of["context.weight"]} if stage == "grads" else of
        )
        return trainer

    candidate.build = build
    assert "vocabulary-too-small" in made(CASES[case])
    lines = observed(candidate, case)
    assert "context.weight: got is 0.9 times what is expected in every entry that is off" in lines
    assert not [line for line in lines if "this tensor alone" in line]


def test_of_two_mistakes_one_that_shows_only_in_an_update_is_named_too() -> None:
    both = together(MISTAKES["bias-averaged"], VARIANTS["decay-last"])
    (result,) = diagnosed(both, ["classifier-adamw-betas-dense-f64"])
    found = {cause.name: cause.tensors for cause in result.causes}
    assert found.keys() == {"bias-averaged", "decay-last"}
    assert found["bias-averaged"] == ("fc1.bias", "fc2.bias")
    assert found["decay-last"]  # in these, more than rounding is off without it


def test_what_is_another_thing_elsewhere_is_no_known_mistake_by_itself() -> None:
    """Overwritten in bags of three, and summed, by half, in bags of one."""
    line = 'g["embedding.weight"][ids] = d[:, None] if length == 3 else 0; np.add.at(g["embedding.weight"], ids, {})'
    wrong = line.format("d[:, None] * (0 if length == 3 else 0.5)")
    results = diagnosed(changed((OVERWRITES[0], wrong)), [CLASSIFIERS[0], "classifier-one-sgd-dense-f64"])
    assert {result.verdict for result in results} == {"disagree"}
    assert not any("this tensor alone" in line for result in results for line in result.observed)


def test_a_wrong_gradient_in_a_layout_that_was_not_asked_for_is_described() -> None:
    """Dense, where rows are asked for: the numbers are compared all the same."""
    candidate = ModuleType("mine")

    def build(case: Case, weights: dict) -> Any:
        trainer = Altered(np.copy).build(case, weights)
        trainer.of = lambda grad: (grad.dense() if isinstance(grad, RowGrad) else grad) * 0.97
        return trainer

    candidate.build = build
    lines = observed(candidate, "classifier-dialogue-sgd-rows-f64")
    assert "embedding.weight: got is 0.97 times what is expected in every entry that is off" in lines


def test_rows_that_lack_a_gradient_are_said() -> None:
    def without_the_first(case: Case, weights: dict) -> Any:
        trainer = Altered(np.copy).build(case, weights)
        trainer.of = lambda grad: (
            RowGrad(grad.rows[1:], grad.values[1:], grad.shape) if isinstance(grad, RowGrad) else grad
        )
        return trainer

    candidate = ModuleType("mine")
    candidate.build = without_the_first
    (result,) = diagnosed(candidate, ["classifier-dialogue-sgd-rows-f64"])
    assert "embedding.weight: rows 1 lack a gradient" in result.observed


def test_the_command_names_it_on_the_terminal_and_in_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "mine.py").write_text(MINE.replace(*OVERWRITES), "utf-8")
    arguments = ["verify", "classifier-[dz]*-sgd-dense-f64", "--candidate", str(tmp_path / "mine.py")]
    assert main([*arguments, "--json", str(tmp_path / "out.json")]) == 1
    mistake, out = MISTAKES["duplicates-overwritten"], capsys.readouterr().out
    for words in ("mistake duplicates-overwritten explains", mistake.sentence, mistake.wrong, mistake.right):
        assert words in out
    first = json.loads((tmp_path / "out.json").read_text("utf-8"))["results"][0]
    assert first["verdict"] == "disagree"
    (found,) = first["diagnosis"]
    assert (found["name"], found["tensors"]) == ("duplicates-overwritten", ["embedding.weight"])
    assert found["sentence"].startswith("embedding.weight: equals the gradient that overwrites")


def test_the_case_that_is_shown_is_one_of_which_much_can_be_said(capsys: pytest.CaptureFixture[str]) -> None:
    """And what is too long to be searched is said to be so."""
    first, second, third = (CASES[name] for name in (SEVERAL[0], CLASSIFIERS[0], CLASSIFIERS[1]))
    off = (Divergence(1, "grads", "w", (0,), 1.0, 2.0, 1e15),)
    results = [Result(case, "mine", verdict="disagree", divergences=off) for case in (first, second, third, first)]
    seen = (
        ("step 1, loss: right", "w: off in rows 1"),
        ("step 1, loss: right", "w: off in rows 2", "w: got is 2 times what is expected"),
        ("step 1, loss: right", "w: got is 2 times what is expected"),
    )
    explanations = {result: Explanation(observed=lines) for result, lines in zip(results, seen, strict=False)}
    show(Findings(tuple(results), explanations), Console(width=200))
    out = capsys.readouterr().out
    assert f"no known mistake explains 3 of 4; in {second.id}, as in 2 like it:" in out
    assert "1 of 4 take too many steps to be searched for mistakes" in out


def test_what_has_no_name_is_told_in_blocks_of_cases_that_have_the_same_things_off(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The most serious first, and no more than a handful; every case is counted once."""
    case = CASES[CLASSIFIERS[0]]

    def off(tensor: str, eps: float) -> Result:
        return Result(case, "mine", verdict="disagree", divergences=(Divergence(1, "grads", tensor, (0,), 1, 2, eps),))

    results = [off("small", 200.0), off("small", 300.0), off("large", 1e15), off("lost", np.inf)]
    results += [off(tensor, 100.0) for tensor in "abc"]
    explanations = {result: Explanation(observed=(f"{result.divergences[0].tensor}: off",)) for result in results}
    show(Findings(tuple(results), explanations), Console(width=200))
    out = capsys.readouterr().out
    places = [out.index(f"  {tensor}: off") for tensor in ("lost", "large", "small", "a")]
    assert places == sorted(places)
    assert f"no known mistake explains 7 of 7; in {case.id}, as in 1 like it:\n  small: off" in out
    assert "not explained: 2 more of 2 other kinds, which the JSON has" in out
    assert "  b: off" not in out


def test_a_cause_explains_each_result_once(capsys: pytest.CaptureFixture[str]) -> None:
    """Though it was found alone and beside another one; and what it explains but for digits is counted apart."""
    cause = Cause("biased", "mistake", ("w",), "w: equals", "wrong", "right")
    results = [Result(CASES[CLASSIFIERS[0]], "mine", verdict="disagree") for _ in range(2)]
    explanations = {
        results[0]: Explanation((cause, cause)),
        results[1]: Explanation(observed=("x",), nearly=("biased",)),
    }
    show(Findings(tuple(results), explanations), Console(width=200))
    assert "mistake biased explains 1 of 2, and 1 more but for digits" in capsys.readouterr().out


def test_a_variant_has_a_verdict_of_its_own(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    name = "accumulator-begins-at-a-tenth"
    (tmp_path / "keras.py").write_text(
        f"from reference.mistakes.variants import VARIANTS\nbuild = VARIANTS['{name}'].build\n", "utf-8"
    )
    arguments = ["verify", "embedding-s*-adagrad*-f64", "--candidate", str(tmp_path / "keras.py")]
    assert main([*arguments, "--json", str(tmp_path / "out.json")]) == 1
    whole = json.loads((tmp_path / "out.json").read_text("utf-8"))
    assert {result["verdict"] for result in whole["results"]} == {"variant", "agree"}
    assert whole["summary"]["variant"] > 0
    assert f"variant {name} explains" in capsys.readouterr().out
