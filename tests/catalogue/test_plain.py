"""Every option occurs alone, and its plain cases catch every mistake that can be made there."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from types import SimpleNamespace

import numpy as np
import pytest

from reference.cases import MODELS, Case, LabelledBatch
from reference.cases.model import options
from reference.catalogue import select, without_text
from reference.catalogue.optimizers import OPTIONS
from reference.catalogue.plain import plain
from reference.catalogue.spread import OPTIMIZERS
from reference.commands import mistakes
from reference.errors import Unsupported
from reference.judge.result import Result
from reference.judge.run import judge
from reference.mistakes import MISTAKES
from reference.mistakes.diagnosis import diagnose
from reference.mistakes.needs import NEEDS, differs

# exp overflows, or nothing is left of a difference, only where scores are large: in the cases named saturated, overflow
LARGE = {"softmax-overflows", "log-of-shifted-probability", "log-of-one-minus-sigmoid", "saturated-skipped"}
LARGE |= {"sigmoid-minus-one", "softmax-underflows", "log-of-shifted-sigmoid"}
LARGE |= {"loss-of-shifted-probability", "loss-of-shifted-sigmoid"}
# 1e-8 and 1e-10 are less than what float32 has of the roots that they are added to
DIGITS = {"eps-forgotten", "eps-of-its-own"}


PLAIN = plain()


def nameless(case: Case) -> str:
    """Its options."""
    return replace(case, name="").id


def groups(dtype: str) -> dict[str, list[Case]]:
    """The plain cases and no other, by their options."""
    found: dict[str, list[Case]] = {}
    for case in mistakes.small(PLAIN):
        if case.dtype == dtype:
            found.setdefault(nameless(case), []).append(case)
    return found


KNOWN = set(map(nameless, PLAIN))
GROUPS = {dtype: groups(dtype) for dtype in ("float64", "float32")}
FAMILIES = [model.__name__.lower() for model in MODELS]


def test_every_plain_case_is_in_the_catalogue_once() -> None:
    """Itself, or one of the same id that was there before."""
    ids = [case.id for case in without_text()]
    assert len(set(ids)) == len(ids)
    assert {case.id for case in PLAIN} <= set(ids)


@pytest.mark.parametrize("model", MODELS)
def test_every_option_of_every_model_occurs_alone(model: type) -> None:
    """Or with the one that it needs, as norm_type with max_norm. In each dtype, with primes and with duplicates."""
    cases = [case for case in PLAIN if type(case.model) is model and case.optimizer == OPTIMIZERS["sgd"]]
    for option in options(model):
        others = [case for case in cases if getattr(case.model, option.name) != option.default and not case.sparse]
        found = {(case.name, case.dtype) for case in others if len(options_of(case)) <= 2}
        if (model.__name__, option.name) != ("EmbeddingBag", "scale_grad_by_freq"):  # see plain.py
            wanted = set(product(("primes", "duplicates"), ("float64", "float32")))
            assert wanted <= found, option.name


def options_of(case: Case) -> list[str]:
    """The options of its model that are not the default."""
    return [o.name for o in options(type(case.model)) if getattr(case.model, o.name) != o.default]


def test_every_option_of_every_optimizer_occurs_alone() -> None:
    for kind, values in OPTIONS.items():
        optimizers = [(case.optimizer, case.dtype) for case in PLAIN if type(case.optimizer) is kind]
        for name, (default, *others) in values.items():
            found = {dtype for optimizer, dtype in optimizers if getattr(optimizer, name) != default}
            assert len(found) == 2 * bool(others), name


@pytest.mark.parametrize("optimizer", OPTIONS)
@pytest.mark.parametrize("model", MODELS)
def test_every_optimizer_occurs_under_every_plain_model(model: type, optimizer: type) -> None:
    """With dense gradients, and with rows, wherever it takes them."""
    base = next(case for case in PLAIN if type(case.model) is model)
    for sparse in (False, True):
        for dtype in ("float64", "float32"):
            case = replace(base, optimizer=optimizer(), sparse=sparse, dtype=dtype)
            assert case.refusal or nameless(case) in KNOWN


def missed(cases: list[Case], steps: int) -> set[str]:
    """The mistakes that can be made in this many steps of these cases, and that none of them catches."""
    left: dict[str, bool] = {}
    for case in sorted(cases, key=lambda case: case.name != "duplicates"):
        unknown = {name: of for name, of in MISTAKES.items() if differs(name, case) and left.get(name, True)}
        for name, result in mistakes.make(replace(case, steps=min(case.steps, steps)), unknown).items():
            left[name] = result.verdict == "agree"
    return {name for name, alone in left.items() if alone}


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("dtype", GROUPS)
def test_the_plain_cases_of_an_option_catch_every_mistake(family: str, dtype: str) -> None:
    """Under every optimizer and layout; of the models' options, under SGD with dense gradients."""
    by_nature = LARGE | (DIGITS if dtype == "float32" else set())
    chosen = {name: of for name, of in GROUPS[dtype].items() if of[0].family == family}
    assert any("-sgd-dense-" in name for name in chosen)
    assert {name: found for name, of in chosen.items() if (found := missed(of, 5) - by_nature)} == {}


@pytest.mark.parametrize("family", FAMILIES)
def test_what_is_not_asked_of_an_option_makes_no_difference_there(family: str) -> None:
    """Or the cases above might miss what somebody with this option can get wrong."""
    for case in (case for of in GROUPS["float64"].values() for case in of if case.family == family):
        without = {name: mistake for name, mistake in MISTAKES.items() if not differs(name, case)}
        results = mistakes.make(replace(case, steps=min(case.steps, 2)), without)
        assert {name for name, result in results.items() if result.verdict != "agree"} == set(), case.id


def test_what_is_needed_is_said_of_known_mistakes() -> None:
    named = [mistake for several in NEEDS.values() for mistake in several]
    assert set(named) <= MISTAKES.keys()
    assert len(set(named)) == len(named)


# --- the commonest lesson: one hidden layer of tanh, softmax, SGD -----------------------------------------------------


class Tanh:
    """It makes the mistakes by these names."""

    def __init__(self, case: Case, weights: dict, *wrong: str) -> None:
        self.p, self.lr, self.wrong = weights, case.optimizer.lr, wrong

    def loss_and_grads(self, batch: LabelledBatch) -> tuple[float, dict]:
        p, (n, length) = self.p, batch.ids.shape
        pooled = p["embedding.weight"][batch.ids].mean(axis=1)
        hidden = np.tanh(pooled @ p["fc1.weight"].T + p["fc1.bias"])
        logits = hidden @ p["fc2.weight"].T + p["fc2.bias"]
        exp = np.exp(logits - logits.max(axis=1, keepdims=True))
        probabilities = exp / exp.sum(axis=1, keepdims=True)
        d = probabilities - np.eye(logits.shape[1], dtype=logits.dtype)[batch.labels]
        d = d if "batch-mean-forgotten" in self.wrong else d / n
        g = {}
        for name, x in (("fc2", hidden), ("fc1", pooled)):
            g[f"{name}.weight"] = d.T @ x / (n if "weight-gradient-averaged" in self.wrong else 1)
            g[f"{name}.bias"] = d[0] if "bias-not-summed" in self.wrong else d.sum(axis=0)
            d = d @ p[f"{name}.weight"]
            d = d * (1 - hidden**2) if name == "fc2" else d
        d = np.repeat((d if "mean-undivided" in self.wrong else d / length)[:, None], length, axis=1)
        g["embedding.weight"] = np.zeros_like(p["embedding.weight"])
        if "duplicates-overwritten" in self.wrong:
            g["embedding.weight"][batch.ids] = d
        else:
            np.add.at(g["embedding.weight"], batch.ids, d)
        self.g = g
        return -np.log(probabilities[range(n), batch.labels]).mean(), g

    def step(self) -> None:
        self.p = {name: value - self.lr * self.g[name] for name, value in self.p.items()}

    def params(self) -> dict:
        return self.p


def held(*wrong: str) -> tuple[object, list[Result]]:
    """A module that does this and nothing else, and how it did in all cases that it covers."""

    def build(case: Case, weights: dict) -> Tanh:
        if not replace(case, model=replace(case.model, activation="relu")).plain or case.model.activation != "tanh":
            raise Unsupported("the plain classifier with tanh, with dense gradients and SGD")
        return Tanh(case, weights, *wrong)

    module = SimpleNamespace(build=build)
    cases = select(without_text(), ["classifier*-tanh-sgd-dense-f*"])
    results = [judge(case, {"mine": module}, {})["mine"] for case in cases]
    return module, [result for result in results if result.verdict != "unsupported"]


def test_a_plain_tanh_classifier_is_held_in_more_than_a_case_of_ones() -> None:
    _, results = held()
    assert {result.case.name for result in results} == {"size-1", "primes", "duplicates"}
    assert {result.verdict for result in results} == {"agree"}


FIVE = (
    "duplicates-overwritten",
    "mean-undivided",
    "batch-mean-forgotten",
    "bias-not-summed",
    "weight-gradient-averaged",
)


@pytest.mark.parametrize("wrong", FIVE)
def test_each_mistake_of_a_plain_tanh_classifier_is_caught_and_named(wrong: str) -> None:
    module, results = held(wrong)
    explanations = diagnose(module, results)
    caught = [result for result in results if result.verdict == "disagree"]
    assert {result.case.dtype for result in caught} == {"float64", "float32"}
    assert {tuple(cause.name for cause in explanations[result].causes) for result in caught} == {(wrong,)}


def test_all_five_at_once_are_caught() -> None:
    _, results = held(*FIVE)
    assert {result.verdict for result in results if result.case.name != "size-1"} == {"disagree"}
