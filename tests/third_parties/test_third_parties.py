"""Three other libraries held against the suite, each by the forward passes of a file beside this one.

They know nothing of the twins, nor of each other, and agree with the exact values but where it is said below.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from reference.cases import ACTIVATIONS, SGD, Case, Classifier, EmbeddingBag
from reference.catalogue import catalogue
from reference.checks.twins import twins
from reference.judge.load import load
from reference.judge.result import Result
from reference.judge.run import judge
from reference.mistakes import flags
from reference.mistakes.diagnosis import diagnose

pytestmark = pytest.mark.third_party
LIBRARIES = ("autograd", "jax", "tinygrad")
libraries = pytest.mark.parametrize("library", LIBRARIES)


def implementation(library: str):
    return load(str(Path(__file__).parent / f"in_{library}.py"))


def plain_first(case: Case) -> bool:
    return case.optimizer != SGD(case.optimizer.lr)


def distinct() -> list[Case]:
    """Of the cases that differ by their optimizer alone, which is not theirs, the one with plain SGD; two steps."""
    found: dict[tuple, Case] = {}
    for case in sorted(catalogue(), key=plain_first):
        if not case.row_tables:
            found.setdefault((case.model, case.data, case.dtype, case.gain), replace(case, steps=min(case.steps, 2)))
    return list(found.values())


@pytest.fixture(scope="module", params=LIBRARIES)
def results(request: pytest.FixtureRequest) -> list[Result]:
    """What the library does not refuse, held against the exact values, or where a case is too large, both twins."""
    library = request.param
    every = [judge(case, {library: implementation(library)}, twins())[library] for case in distinct()]
    return [result for result in every if result.verdict != "unsupported"]


def ties(case: Case) -> bool:
    return flags.tied_maxima(flags.Seen(case, case.weights(), list(case.batches())))


def inexact(result: Result) -> bool:
    """In float64 the gelu of tinygrad is not gelu: see below."""
    case, model = result.case, result.case.model
    gelu = isinstance(model, Classifier) and model.activation == "gelu" and len(model.hidden_features) > 0
    return result.implementation == "tinygrad" and gelu and case.dtype == "float64"


def loses_digits(result: Result) -> bool:
    """JAX's gelu(approximate=True), where it is saturated: see below."""
    saturated = result.case.name == "saturated" and getattr(result.case.model, "activation", "") == "gelu_tanh"
    return result.implementation == "jax" and saturated


def test_agrees(results: list[Result]) -> None:
    expected = [result for result in results if not (ties(result.case) or inexact(result) or loses_digits(result))]
    assert [(r.case.id, r.reason, str(r.first_divergence)) for r in expected if r.verdict != "agree"] == []


def test_covers_every_model_and_option(results: list[Result]) -> None:
    """Counted from the list of models and options, not from what was found."""
    models = [result.case.model for result in results]
    least = {"embedding": 8, "linear": 4, "embeddingbag": 6, "classifier": 30, "skipgram": 20, "cbow": 15, "glove": 8}
    counted = Counter(result.case.family for result in results)
    assert {family: counted[family] >= number for family, number in least.items()} == dict.fromkeys(least, True)
    assert {result.case.dtype for result in results} == {"float64", "float32"}
    assert {m.mode for m in models if isinstance(m, EmbeddingBag)} == {"mean", "sum", "max"}
    assert {m.activation for m in models if isinstance(m, Classifier)} == set(ACTIVATIONS)
    objectives = {(type(m).__name__, type(m.objective).__name__) for m in models if hasattr(m, "objective")}
    assert len(objectives) == 4 + 3
    assert {getattr(m.objective, "accidental_hits", "") for m in models if hasattr(m, "objective")} >= {"keep", "mask"}
    assert any(getattr(m, "weighted", False) for m in models)
    assert any(getattr(m, "dropout", 0) for m in models)
    assert any(result.worst_of("params") is not None for result in results), "no update was compared"


# --- where they part ways --------------------------------------------------------------------------------------------


def test_equal_maxima_share_the_gradient(results: list[Result]) -> None:
    """PyTorch's bag, and so the exact values, gives all of it to the first (nasty case 12): a variant, and named so."""
    found = [result for result in results if ties(result.case)]
    assert {result.case.dtype for result in found} == {"float64", "float32"}
    for result in found:
        assert result.verdict == "disagree"
        explanation = diagnose(implementation(result.implementation), [result])[result]
        assert explanation.variants_alone
        assert [cause.name for cause in explanation.causes] == ["max-ties-shared"]


@pytest.mark.parametrize(("of", "slope"), [("relu", 0), ("maximum", 0.5)])
@libraries
def test_the_slope_of_relu_at_0(library: str, of: str, slope: float) -> None:
    """A relu has 0, as the twins have; the maximum of x and 0 has one half. jax#37821."""
    assert slope_at_0(library, of) == slope


def slope_at_0(library: str, of: str) -> float:
    module = implementation(library)
    relu = module.ACTIVATIONS["relu"]
    match library:
        case "autograd":
            from autograd import elementwise_grad  # noqa: PLC0415

            return float(elementwise_grad(relu if of == "relu" else lambda x: module.np.maximum(x, 0))(np.zeros(1))[0])
        case "jax":
            return float(module.jax.grad(relu if of == "relu" else lambda x: module.jnp.maximum(x, 0))(0.0))
        case _:
            x = module.Tensor([0.0])
            y = relu(x) if of == "relu" else x.maximum(module.Tensor([0.0]))
            return y.sum().gradient(x)[0].item()


def test_jaxs_gelu_loses_digits_where_it_is_saturated(results: list[Result]) -> None:
    """Hundreds of eps of the gradient, at arguments near -5. It turns red when JAX mends it."""
    if results[0].implementation != "jax":
        return
    found = [result for result in results if loses_digits(result)]
    assert {result.case.dtype for result in found} == {"float64", "float32"}
    assert all(result.verdict == "disagree" and result.first_divergence.stage == "grads" for result in found)
    assert all(96 < result.worst_of("grads") < 2000 for result in found)


def test_tinygrads_gelu_is_not_gelu(results: list[Result]) -> None:
    """Its erf is a formula of five terms (Abramowitz and Stegun 1964, 7.1.26), right to 1.5e-7. It has no name."""
    if results[0].implementation != "tinygrad":
        return
    found = [result for result in results if inexact(result)]
    assert {result.verdict for result in found} == {"disagree"}
    assert not any(explanation.causes for explanation in diagnose(implementation("tinygrad"), found).values())
    x = np.linspace(-3, 3, 101)
    error = np.abs(implementation("tinygrad").Tensor(x).erf().numpy() - np.vectorize(math.erf)(x)).max()
    assert 1e-8 < error <= 1.5e-7, "tinygrad has mended it"
