"""Each known mistake and each variant, planted in the NumPy twin, is caught; and `twingrad mistakes` says by what."""

from __future__ import annotations

import json
import math
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from itertools import permutations
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import numpy_impl
import torch_impl
from numpy_impl import functional, linear
from numpy_impl.kernels import rows
from reference.cases import CBOW, SGD, Case, Classifier, Dialogue, Drawn, Embedding, NegativeSampling, SkipGram
from reference.catalogue import catalogue
from reference.commands import mistakes
from reference.commands.cli import main
from reference.contract import Implementation
from reference.judge.result import Result
from reference.judge.run import hold
from reference.mistakes import MISTAKES, Mistake, blind, planting, together
from reference.mistakes.explanation import Cause, Explanation
from reference.mistakes.needs import differs
from reference.mistakes.variants import VARIANTS

EVERY = MISTAKES | VARIANTS
SHORT = {case.id: replace(case, steps=min(case.steps, 15)) for case in catalogue()}
TORCH = {"torch_impl": torch_impl}


# --- the suite catches them ------------------------------------------------------------------------------------------


def signature(result: Result) -> object:
    """What is seen of a mistake in a case: where it is furthest off, and what stands there."""
    return result.reason or sorted(
        (d.step, d.stage, d.tensor, d.index, f"{d.got:.8g}" if isinstance(d.got, float) else d.got)
        for d in result.divergences
    )


@cache
def seen(dtype: str, apart: bool) -> dict[str, list[object]]:
    """What is seen of each in the cases, the cheapest first, that it takes to catch them all, or to tell them apart."""
    found: dict[str, list[object]] = {name: [] for name in EVERY}
    cases = [case for case in mistakes.small(catalogue()) if case.dtype == dtype]
    for case in sorted(cases, key=lambda case: case.steps * len(case.model.shapes)):
        alike = Counter(map(repr, found.values()))
        unknown = {n for n in EVERY if not found[n] or (apart and alike[repr(found[n])] > 1)}
        if not unknown:
            break
        for name, result in mistakes.make(case, {n: EVERY[n] for n in unknown if differs(n, case)}).items():
            if result.verdict != "agree":
                found[name].append((case.id, signature(result)))
    return found


MEMORY = {
    "ids-sorted-in-place": r"changed its input \w+ in step 1",
    "gradient-buffer-reused": r"the gradient returned in step 1 for \w+\.weight changed in step 2",
}
"""Mistakes in whose numbers nothing is wrong, and what is said of them."""


seen_once = pytest.mark.xdist_group("seen")  # two processes would each make every mistake


@seen_once
@pytest.mark.parametrize(("dtype", "apart"), [("float64", True), ("float32", False)])
def test_every_one_is_caught(dtype: str, apart: bool) -> None:
    """By what it computes; the one whose table lacks rows may raise, and what is wrong with memory has a sentence."""
    wrong = [name for name, found in seen(dtype, apart).items() if any(isinstance(what, list) for _, what in found)]
    assert EVERY.keys() - set(wrong) <= {"vocabulary-too-small"} | MEMORY.keys()
    assert seen(dtype, apart)["vocabulary-too-small"]
    for name, sentence in MEMORY.items():
        assert seen(dtype, apart)[name]
        assert all(re.fullmatch(sentence, what) for _, what in seen(dtype, apart)[name])


@pytest.mark.long
def test_none_is_caught_because_it_breaks() -> None:
    """It is wrong, and does not raise; but for the one whose table lacks rows."""
    small = [replace(case, steps=1) for case in mistakes.small(catalogue()) if case.dtype == "float64"]
    results = (result for case in small for result in mistakes.make(case, EVERY).items())
    broken = {name: result.reason for name, result in results if result.verdict == "error"}
    assert broken.keys() == {"vocabulary-too-small"}, broken


@seen_once
def test_no_two_are_the_same() -> None:
    """Or a diagnosis could not tell which."""
    alike: dict[str, list[str]] = {}
    for name, found in seen("float64", True).items():
        alike.setdefault(repr(found), []).append(name)
    assert [names for names in alike.values() if len(names) > 1] == []


UNNAMED = {
    # their own verdict says what is wrong
    *MEMORY,
}


@pytest.mark.long
def test_every_one_is_named_by_a_diagnosis() -> None:
    """As if it were somebody's own implementation; and none by the name of another."""
    every = {name: mistakes.Kill(known) for name, known in mistakes.known().items()}
    mistakes.run(mistakes.small(catalogue()), every)
    for kill in every.values():
        mistakes.name(kill)
    assert {name: kill.named_wrongly for name, kill in every.items() if kill.named_wrongly} == {}
    assert {name for name, kill in every.items() if not kill.named_rightly} == UNNAMED


FOUND_IN = [
    # mistake, a case in which it is made, the stage and the tensors that are wrong first
    ("not-scattered", "embedding-small-sgd", "grads", {"embedding.weight"}),
    ("not-scattered", "classifier-dialogue-sgd", "grads", {"embedding.weight"}),
    ("not-scattered", "skipgram-pairs-sgd", "grads", {"center.weight"}),
    ("duplicates-overwritten", "embedding-duplicates-sgd", "grads", {"embedding.weight"}),
    ("duplicates-overwritten", "classifier-dialogue-sgd", "grads", {"embedding.weight"}),
    ("duplicates-overwritten", "skipgram-dialogue-epoch-summed-sgd", "grads", {"center.weight"}),
    ("mean-undivided", "classifier-dialogue-sgd", "grads", {"embedding.weight"}),
    ("bias-not-summed", "linear-small-sgd", "grads", {"linear.bias"}),
    ("bias-not-summed", "classifier-dialogue-sgd", "grads", {"fc1.bias", "fc2.bias"}),
    ("logits-for-probabilities", "classifier-dialogue-sgd", "grads", set(Classifier(1, 1, (1,), 1).shapes)),
    ("logits-for-probabilities", "skipgram-dialogue-epoch-summed-sgd", "grads", set(SkipGram(1, 1).shapes)),
    ("sign-turned", "classifier-dialogue-sgd", "grads", set(Classifier(1, 1, (1,), 1).shapes)),
    ("sign-turned", "skipgram-dialogue-epoch-summed-sgd", "grads", set(SkipGram(1, 1).shapes)),
    ("log-of-shifted-probability", "skipgram-saturated-sgd", "loss", {"loss"}),
    ("one-context-subtracted", "skipgram-dialogue-epoch-summed-sgd", "grads", set(SkipGram(1, 1).shapes)),
    # nasty cases 8, 17, 18 and 19
    ("mean-undivided", "cbow-lengths-sgd", "grads", {"context.weight"}),
    ("mean-undivided", "cbow-lengths-negatives-sgd", "grads", {"context.weight"}),
    ("log-of-one-minus-sigmoid", "skipgram-saturated-negatives-sgd", "loss", {"loss"}),
    ("log-of-one-minus-sigmoid", "skipgram-saturated-tree-sgd", "loss", {"loss"}),
    ("negatives-pulled", "cbow-lengths-negatives-sgd", "grads", {"center.weight", "context.weight"}),
    ("negatives-pulled", "skipgram-three-words-tree-sgd", "grads", {"center.weight", "nodes.weight"}),
    ("hits-masked-in-the-loss-alone", "skipgram-hits-negatives-mask-sgd", "grads", {"center.weight", "context.weight"}),
    ("hits-masked-in-the-loss-alone", "cbow-hits-negatives-mask-sgd", "grads", {"center.weight", "context.weight"}),
    ("vocabulary-too-small", "skipgram-dialogue-epoch-summed-sgd", "grads", {"center.weight"}),  # of another shape
]


def plant(mistake: Implementation, case: Case) -> Result:
    """The mistake, held against the twin in which it is not made."""
    return hold(case, {"mistake": mistake}, TORCH)["mistake"]


@pytest.mark.parametrize("run", ["dense-f64", "rows-f32"])
@pytest.mark.parametrize(
    ("mistake", "case", "stage", "tensors"), FOUND_IN, ids=lambda v: v if isinstance(v, str) else ""
)
def test_it_is_found_in_the_tensors_that_it_spoils(
    mistake: str, case: str, stage: str, tensors: set[str], run: str
) -> None:
    if case.startswith("linear"):
        run = run.replace("rows", "dense")  # it has no table
    result = plant(MISTAKES[mistake], SHORT[f"{case}-{run}"])
    assert result.verdict == "disagree", result.reason
    assert result.first_divergence.stage == stage
    assert {d.tensor for d in result.divergences if d.stage == stage} == tensors


@pytest.mark.parametrize("case", ["embedding-small-sgd-dense-f64", "classifier-dialogue-sgd-rows-f32"])
def test_a_table_that_is_too_small_raises(case: str) -> None:
    result = plant(MISTAKES["vocabulary-too-small"], SHORT[case])
    assert result.verdict == "error"
    assert "IndexError" in result.reason


def test_the_dialogues_rows_1_5_and_9_get_the_sum_of_two() -> None:
    case = SHORT["classifier-dialogue-sgd-rows-f64"]
    result = plant(MISTAKES["duplicates-overwritten"], replace(case, data=Dialogue()))
    wrong = next(d for d in result.divergences if d.stage == "grads")
    assert wrong.index is not None
    assert wrong.index[0] in (1, 5, 9)


# --- wrong in one way, right otherwise -------------------------------------------------------------------------------

RIGHT_IN = [
    ("duplicates-overwritten", Case("distinct", Embedding(50, 3), SGD(), Drawn((2,)), seed=1)),
    ("mean-undivided", Case("single", Classifier(10, 5, (4,), 3), SGD(), Drawn((4, 1)))),
    ("mean-undivided", Case("sum", CBOW(7, 3, "sum"), SGD(), Drawn((6, 4)))),
    ("one-context-subtracted", Case("once", SkipGram(7, 3), SGD(), Drawn((1,)))),
    ("weight-transposed", Case("oblong", Classifier(7, 3, (4,), 5), SGD(), Drawn((4, 2)))),
    ("batch-mean-forgotten", Case("sum", SkipGram(7, 3, reduction="sum"), SGD(), Drawn((4,)))),
    ("gradients-not-zeroed", Case("one-step", Embedding(7, 3), SGD(), Drawn((4,)), steps=1)),
    ("dampening-forgotten", Case("plain", Embedding(7, 3), SGD(lr=0.1, momentum=0.9), Drawn((4,)))),
    (
        "hits-masked-in-the-loss-alone",
        Case("redraw", SkipGram(3, 4, NegativeSampling(7, "redraw")), SGD(), Drawn((9,))),
    ),
]


@pytest.mark.parametrize(("mistake", "case"), RIGHT_IN, ids=lambda value: value if isinstance(value, str) else "")
def test_a_mistake_that_is_not_made_is_not_found(mistake: str, case: Case) -> None:
    assert plant(MISTAKES[mistake], case).verdict == "agree"


def test_only_where_a_function_is_called_can_a_mistake_be_made() -> None:
    """Every mistake is right in every case that does not call its functions: here those with the most of them."""
    for case_id in ("classifier-square-sigmoid-sgd-dense-f64", "skipgram-tiny-negatives-sgd-clip-dense-f64"):
        case = SHORT[case_id]
        made = mistakes.make(case, EVERY)
        others = {name: mistake for name, mistake in EVERY.items() if name not in made}
        results = hold(case, others, TORCH)
        assert len(others) > 50
        assert {results[name].verdict for name in others} == {"agree"}


def test_the_twin_is_right_again_after_a_mistake() -> None:
    before = [vars(module).copy() for module in planting.TWIN]
    classes = {value for module in before for value in module.values() if isinstance(value, type)}
    methods = {kind: dict(vars(kind)) for kind in classes}
    case = replace(SHORT["classifier-dialogue-sgd-dense-f64"], steps=2)
    results = hold(case, EVERY, TORCH)
    assert results["vocabulary-too-small"].verdict == "error"  # from within the twin
    assert [vars(module) for module in planting.TWIN] == before
    assert {kind: dict(vars(kind)) for kind in classes} == methods
    assert hold(case, {"numpy_impl": numpy_impl}, TORCH)["numpy_impl"].verdict == "agree"


# --- several at once -------------------------------------------------------------------------------------------------


def gradients(implementation: Implementation, case: Case) -> dict[str, np.ndarray]:
    trainer = implementation.build(case, case.weights())
    return dict(trainer.loss_and_grads(next(case.batches()))[1])


SQUARE = SHORT["classifier-square-sigmoid-sgd-dense-f64"]


@pytest.mark.parametrize(
    ("one", "tensor", "other", "elsewhere"),
    [
        ("duplicates-overwritten", "embedding.weight", "bias-averaged", "fc1.bias"),  # in two functions
        ("weight-gradient-averaged", "fc1.weight", "bias-averaged", "fc1.bias"),  # in one
    ],
)
def test_two_mistakes_show_where_each_shows_alone(one: str, tensor: str, other: str, elsewhere: str) -> None:
    first, second = MISTAKES[one], MISTAKES[other]
    right = gradients(numpy_impl, SQUARE)
    for both in (together(first, second), together(second, first)):
        got = gradients(both, SQUARE)
        np.testing.assert_array_equal(got[tensor], gradients(first, SQUARE)[tensor])
        np.testing.assert_array_equal(got[elsewhere], gradients(second, SQUARE)[elsewhere])
        assert not np.allclose(got[tensor], right[tensor])
        assert not np.allclose(got[elsewhere], right[elsewhere])


def test_the_later_of_two_is_planted_around_the_earlier() -> None:
    """The turned sign of the logits is not the logits for the turned sign."""
    logits, turned = MISTAKES["logits-for-probabilities"], MISTAKES["sign-turned"]
    alone = gradients(logits, SQUARE)["fc2.bias"]
    np.testing.assert_array_equal(gradients(together(logits, turned), SQUARE)["fc2.bias"], -alone)
    assert not np.allclose(gradients(together(turned, logits), SQUARE)["fc2.bias"], -alone)


@pytest.mark.parametrize(
    "case",
    [
        "cbow-hits-negatives-mask-sgd-rows-f64",
        "classifier-square-gelu_tanh-dropout-weight-ignore-smoothing-sgd-dense-f64",
        "embedding-seldom-sparseadam-rows-f64",
    ],
)
def test_any_two_in_one_function_can_be_planted_at_once(case: str) -> None:
    made = {name: EVERY[name] for name in mistakes.make(SHORT[case], EVERY) if name != "vocabulary-too-small"}
    pairs = {
        f"{one} + {other}": together(made[one], made[other])
        for one, other in permutations(made, 2)
        if made[one].plants.keys() & made[other].plants.keys()
    }
    results = hold(replace(SHORT[case], steps=1), pairs, TORCH)
    assert [results[pair].reason for pair in pairs if results[pair].verdict == "error"] == []


def test_none_at_once_is_the_twin() -> None:
    assert plant(together(), SQUARE).verdict == "agree"


def test_a_function_that_the_twin_has_not_is_said() -> None:
    lost = replace(MISTAKES["sign-turned"], plants={"cross_entropie": lambda right: right})
    with pytest.raises(LookupError, match="cross_entropie"):
        lost.build(SQUARE, SQUARE.weights())


# --- what is said of them --------------------------------------------------------------------------------------------


def test_what_is_said_of_them() -> None:
    for name, mistake in EVERY.items():
        assert mistake.name == name
        assert re.fullmatch(r"[a-z0-9-]+", name), name
        assert re.fullmatch(r"(the|half|that) .*[^.]", mistake.sentence), (
            name
        )  # completes "embedding.weight: equals ..."
        assert len({mistake.wrong, mistake.right, ""}) == 3, name
        for source in mistake.sources:
            assert re.fullmatch(r"[\w.-]+/[\w.-]+#\d+|https://\S+", source), source


def test_names_and_sentences_are_used_once() -> None:
    assert not MISTAKES.keys() & VARIANTS.keys()
    assert len({mistake.sentence for mistake in EVERY.values()}) == len(EVERY)


WHOSE = (
    *("JAX", "torch", "PyTorch", "Keras", "TensorFlow", "HIPS autograd", "Caffe", "Optax", "Hugging Face", "fairseq"),
    *("DGL", "FBGEMM", "CLIP", "MXNet"),
    *("scikit-learn", "word2vec.c", "glove.c", "a loop", "the formula"),
)


def test_a_variant_says_whose_it_is() -> None:
    for name, variant in VARIANTS.items():
        assert any(owner in variant.sentence for owner in WHOSE), name


rng = np.random.default_rng(0)
X, W, D = rng.normal(size=(4, 3)), rng.normal(size=(3, 3)), rng.normal(size=(4, 3))
IDS, KEEP, P, V = np.array([2, 0, 2, 4, 1, 2]), rng.random((4, 3)) > 0.3, 0.3, 6
D_IDS = rng.normal(size=(6, 3))


def cdf(x: np.ndarray) -> np.ndarray:
    return np.vectorize(lambda x: (1 + math.erf(x / math.sqrt(2))) / 2)(x)


def activation(of: Callable) -> dict[str, Any]:
    y, backward = of(X)
    return {"y": y, "dx": backward(D)}


def lookup(of: Callable) -> dict[str, Any]:
    return {"table_grad": of(IDS, D_IDS, V).dense()}


def dense(of: Callable) -> dict[str, Any]:
    y, backward = of(X, W, W[0])
    return {"y": y} | dict(zip(("dx", "dW", "db"), backward(D), strict=True))


def masked(of: Callable) -> dict[str, Any]:
    y, backward = of(X, KEEP, P)
    return {"y": y, "dx": backward(D)}


def squared(of: Callable) -> dict[str, Any]:
    loss, backward = of(X, D, reduction="mean")
    return {"loss": loss, "d": backward()}


def summed() -> dict[str, Any]:
    unique, counts = np.unique(IDS, return_counts=True)
    sums = np.array([D_IDS[row == IDS].sum(axis=0) for row in unique])
    return {"ids": IDS, "d": D_IDS, "rows": unique, "counts": counts, "sums": sums, "table_grad": np.zeros((V, 3))}


def logistic(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


INPUT = {"x": X, "d": D, "keep": KEEP, "p": P, "weight": W, "bias": W[0], "cdf": cdf, "sigmoid": logistic}
LINES: dict[str, tuple[Callable, Callable, Callable[[], dict[str, Any]]]] = {
    # function: the right one, what it gives by the names that the lines use, and what the lines begin with
    "rows_of": (rows.plain_rows_of, lookup, summed),
    "linear": (linear.linear, dense, lambda: INPUT),
    "relu": (functional.relu, activation, lambda: INPUT),
    "tanh": (functional.tanh, activation, lambda: INPUT | {"y": np.tanh(X)}),
    "sigmoid": (functional.sigmoid, activation, lambda: INPUT | {"y": logistic(X)}),
    "gelu": (
        functional.gelu,
        activation,
        lambda: INPUT | {"density": lambda x: np.exp(-x * x / 2) / math.sqrt(2 * math.pi)},
    ),
    "dropout": (functional.dropout, masked, lambda: INPUT),
    "mse_loss": (functional.mse_loss, squared, lambda: {"output": X, "target": D}),
}
SAID = [
    (name, side)
    for name, mistake in MISTAKES.items()
    for side in ("wrong", "right")
    if len(mistake.plants) == 1 and mistake.plants.keys() <= LINES.keys() and "slope_of" not in getattr(mistake, side)
    if name not in MEMORY
]


@pytest.mark.parametrize(("name", "side"), SAID)
def test_the_lines_do_what_they_say(name: str, side: str) -> None:
    """The wrong line gives what the mistake gives, the right line what the twin gives."""
    (function, plant), *_ = MISTAKES[name].plants.items()
    right, given, begins = LINES[function]
    wanted = given(plant(right) if side == "wrong" else right)
    found = {"np": np} | {
        key: value.copy() if isinstance(value, np.ndarray) else value for key, value in begins().items()
    }
    before = {key: np.copy(value) for key, value in found.items() if isinstance(value, np.ndarray)}
    exec(getattr(MISTAKES[name], side), found)
    changed = [key for key in wanted if key in found and not np.array_equal(found[key], before.get(key))]
    assert changed
    for key in changed:
        np.testing.assert_allclose(found[key], wanted[key], rtol=1e-12, atol=1e-14)


# --- the command -----------------------------------------------------------------------------------------------------

FEW = [
    SHORT[f"{name}-{dtype}"]
    for name in ("linear-square-sgd-dense", "embedding-small-sgd-rows")
    for dtype in ("f64", "f32")
]


@pytest.fixture
def command(capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[int, str, str]]:
    """`twingrad mistakes` over four cases, as it is where the output goes to a file."""
    for name in ("FORCE_COLOR", "TTY_COMPATIBLE", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(mistakes, "catalogue", lambda: FEW)

    def run(*arguments: object) -> tuple[int, str, str]:
        code = main(["mistakes", *map(str, arguments)])
        return code, *capsys.readouterr()

    return run


def test_the_matrix(command: Callable) -> None:
    code, out, err = command("bias-[ang]*")
    assert (code, err) == (0, "")
    line = next(line for line in out.splitlines() if "bias-not-summed" in line)
    assert line.split()[-5:] == ["2/2", "1/1", "1/1", "grads", "linear.bias"]
    assert "3 mistakes, 4 cases: each is caught in float64 and in float32" in out


def test_a_survivor_is_named_and_the_command_fails(command: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    nothing = Mistake("nothing", "the gradient as it should be", "", "", (), {"linear": lambda right: right})
    monkeypatch.setitem(MISTAKES, "nothing", nothing)
    code, out, _ = command("n*thing")
    assert code == 1
    assert "nothing survives in float64 and float32: no case catches the gradient as it should be" in out
    assert "1 mistake, 4 cases: 1 survive" in out


def test_a_mistake_that_survives_in_one_dtype_has_survived(command: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    def doubled(right: Callable) -> Callable:
        return lambda x, weight, bias: right(x, weight, bias * (1 + (x.dtype == "float64")))

    monkeypatch.setitem(MISTAKES, "in-one", Mistake("in-one", "the layer", "", "", (), {"linear": doubled}))
    code, out, _ = command("in-one")
    assert code == 1
    assert "in-one survives in float32: " in out


def test_a_mistake_that_no_case_makes_survives(command: Callable) -> None:
    code, out, _ = command("nesterov-forgotten")
    assert code == 1
    assert "nesterov-forgotten survives in float64 and float32" in out


def test_what_each_is_named(command: Callable, tmp_path: Path) -> None:
    code, out, _ = command("bias-[ang]*", "--diagnose", "--json", tmp_path / "matrix.json")
    assert code == 0
    assert "diagnosed in at most 12 cases each: 3 of 3 always get their own name alone; none gets a wrong name" in out
    for row in json.loads((tmp_path / "matrix.json").read_text())["mistakes"]:
        assert row["named"] == [[row["name"]]] * 2


NO_NAME = {
    "vocabulary-too-small": "is named in 0 of ",  # it raises
    "ids-sorted-in-place": "is told by its verdict\n",
}


@pytest.mark.parametrize("name", NO_NAME)
def test_what_gets_no_name_is_said(command: Callable, name: str) -> None:
    code, out, _ = command(name, "--diagnose")
    assert code == 0
    assert "diagnosed in at most 12 cases each: 0 of 1 always get their own name alone" in out
    assert f"  {name} {NO_NAME[name]}" in out


def test_two_at_once_are_named(command: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    code, out, _ = command("bias-[an]*", "--diagnose", "--seed", "1")
    assert code == 0
    assert "two at once" not in out  # both are in one function
    code, out, _ = command("[ub]*-a[dv]*ed", "--diagnose", "--seed", "1")
    assert code == 0
    assert re.search(
        r"two at once: (\d+) of \1 pairs get their names wherever they show, (\d+) of \2 results; none gets", out
    )
    wrong = Explanation((Cause("sign-turned", "mistake", (), "", "", ""),))
    monkeypatch.setattr(mistakes, "diagnose", lambda candidate, results: dict.fromkeys(results, wrong))
    code, out, _ = command("[ub]*-a[dv]*ed", "--diagnose", "--seed", "1")
    assert code == 1
    assert re.search(r"two at once: 0 of \d+ pairs get their names .*; \d+ pairs get a wrong", out)
    code, _, err = command("bias-not-summed", "--seed", "1")
    assert (code, err.strip()) == (2, "twingrad: --seed: is for --diagnose alone")


def test_a_name_that_is_not_its_own_fails(command: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    """And one beside its own, which no case tells apart, does not."""

    def named(*names: str) -> Callable:
        found = Explanation(tuple(Cause(name, "mistake", (), "", "", "") for name in names))
        return lambda candidate, results: dict.fromkeys(results, found)

    monkeypatch.setattr(mistakes, "diagnose", named("sign-turned"))
    code, out, _ = command("bias-not-summed", "--diagnose")
    assert code == 1
    assert "0 of 1 always get their own name alone; 1 of them get a wrong name" in out
    assert "  bias-not-summed is named in 0 of 2, in others as sign-turned" in out
    monkeypatch.setattr(mistakes, "diagnose", named("sign-turned", "bias-not-summed"))
    code, out, _ = command("bias-not-summed", "--diagnose")
    assert code == 0
    assert "  bias-not-summed is named in 2 of 2, in some with sign-turned" in out


def test_json(command: Callable, tmp_path: Path) -> None:
    file = tmp_path / "matrix.json"
    assert command("duplicates-overwritten", "--json", file)[0] == 0
    whole = json.loads(file.read_text())
    (row,) = whole["mistakes"]
    mistake = MISTAKES["duplicates-overwritten"]
    assert (row["name"], row["kind"], row["sentence"]) == (mistake.name, "mistake", mistake.sentence)
    assert (row["wrong"], row["right"], row["sources"]) == (mistake.wrong, mistake.right, list(mistake.sources))
    assert row["caught_by"] == {
        case: {"step": 1, "stage": "grads", "tensors": ["embedding.weight"]}
        for case in ("embedding-small-sgd-rows-f64", "embedding-small-sgd-rows-f32")
    }
    assert row["cases"] == 2  # no case of a dense layer makes it
    assert whole["environment"]["versions"]["numpy"]


def test_an_error_is_a_catch_too(command: Callable, tmp_path: Path) -> None:
    file = tmp_path / "matrix.json"
    assert command("vocabulary-too-small", "--json", file)[0] == 0
    caught = json.loads(file.read_text())["mistakes"][0]["caught_by"]
    assert {"step": 1, "stage": "error", "tensors": []} in caught.values()


def test_list(command: Callable) -> None:
    code, out, _ = command("--list")
    assert code == 0
    assert out.splitlines() == [f"{name}: {mistake.sentence}" for name, mistake in EVERY.items()]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["no-such"], r"^twingrad: no mistake matches 'no-such'; `twingrad mistakes --list` names all \d+\n$"),
        (["--json", "{tmp}/none/x.json"], r"^twingrad: --json .*/none/x.json: the folder .*/none does not exist\n$"),
        (["--jsn", "x"], r"^twingrad: .*--jsn.*\n$"),
    ],
)
def test_wrong_input(command: Callable, tmp_path: Path, arguments: list[str], message: str) -> None:
    code, out, err = command(*(part.replace("{tmp}", str(tmp_path)) for part in arguments))
    assert (code, out) == (2, "")
    assert re.match(message, err)
    assert not list(tmp_path.iterdir())


def test_a_process() -> None:
    run = [sys.executable, "-m", "reference", "mistakes", "momentum-lazy", "--list"]
    done = subprocess.run(run, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"momentum-lazy: {VARIANTS['momentum-lazy'].sentence}\n"


def test_only_small_cases_are_run() -> None:
    small = mistakes.small(catalogue())
    assert {case.family for case in small} == {case.family for case in catalogue()}
    assert max(case.steps for case in small) == blind.STEPS
    assert max(sum(map(math.prod, case.model.shapes.values())) for case in small) <= blind.PARAMETERS
    assert not any(case.name.startswith("text") for case in small)
