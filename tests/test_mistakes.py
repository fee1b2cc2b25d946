"""Each known mistake, planted in the NumPy twin, is found, in the tensor that it spoils, and only where it is made."""

from __future__ import annotations

from dataclasses import replace

import pytest

from numpy_impl.mistakes import MISTAKES
from reference.cases import CBOW, SGD, Case, Classifier, Dialogue, Drawn, Embedding, NegativeSampling, SkipGram
from reference.catalogue import catalogue
from reference.run import TWINS, Result, hold, load

SHORT = {case.id: replace(case, steps=min(case.steps, 15)) for case in catalogue()}

FOUND_IN = [
    # mistake, a case in which it is made, the stage and the tensors that are wrong first
    ("not-scattered", "embedding-small-sgd", "grads", {"embedding.weight"}),
    ("not-scattered", "classifier-dialogue-sgd", "grads", {"embedding.weight"}),
    ("not-scattered", "skipgram-pairs-sgd", "grads", {"center.weight"}),
    ("duplicates-overwritten", "embedding-duplicates-sgd", "grads", {"embedding.weight"}),
    ("duplicates-overwritten", "classifier-dialogue-sgd", "grads", {"embedding.weight"}),
    ("duplicates-overwritten", "skipgram-dialogue-epoch-sgd", "grads", {"center.weight"}),
    ("mean-undivided", "classifier-dialogue-sgd", "grads", {"embedding.weight"}),
    ("bias-not-summed", "linear-small-sgd", "grads", {"linear.bias"}),
    ("bias-not-summed", "classifier-dialogue-sgd", "grads", {"fc1.bias", "fc2.bias"}),
    ("logits-for-probabilities", "classifier-dialogue-sgd", "grads", set(Classifier(1, 1, (1,), 1).shapes)),
    ("logits-for-probabilities", "skipgram-dialogue-epoch-sgd", "grads", set(SkipGram(1, 1).shapes)),
    ("sign-turned", "classifier-dialogue-sgd", "grads", set(Classifier(1, 1, (1,), 1).shapes)),
    ("sign-turned", "skipgram-dialogue-epoch-sgd", "grads", set(SkipGram(1, 1).shapes)),
    ("log-of-shifted-probability", "skipgram-saturated-sgd", "loss", {"loss"}),
    ("one-context-subtracted", "skipgram-dialogue-epoch-sgd", "grads", set(SkipGram(1, 1).shapes)),
    # nasty cases 8, 17, 18 and 19
    ("mean-undivided", "cbow-lengths-sgd", "grads", {"context.weight"}),
    ("mean-undivided", "cbow-lengths-negatives-sgd", "grads", {"context.weight"}),
    ("log-of-one-minus-sigmoid", "skipgram-saturated-negatives-sgd", "loss", {"loss"}),
    ("log-of-one-minus-sigmoid", "skipgram-saturated-tree-sgd", "loss", {"loss"}),
    ("negatives-pulled", "cbow-lengths-negatives-sgd", "grads", {"center.weight", "context.weight"}),
    ("negatives-pulled", "skipgram-three-words-tree-sgd", "grads", {"center.weight", "nodes.weight"}),
    ("hits-masked-in-the-loss-alone", "skipgram-hits-mask-sgd", "grads", {"center.weight", "context.weight"}),
    ("hits-masked-in-the-loss-alone", "cbow-hits-mask-sgd", "grads", {"center.weight", "context.weight"}),
    ("vocabulary-too-small", "embedding-small-sgd", "error", {"IndexError"}),
    ("vocabulary-too-small", "classifier-dialogue-sgd", "error", {"IndexError"}),
    ("vocabulary-too-small", "skipgram-dialogue-epoch-sgd", "grads", {"center.weight"}),  # of another shape
]


def plant(mistake: str, case: Case) -> Result:
    return hold(case, {name: load(name) for name in TWINS} | {mistake: MISTAKES[mistake]})[mistake]


@pytest.mark.parametrize("layout", ["dense", "rows"])
@pytest.mark.parametrize("dtype", ["f64", "f32"])
@pytest.mark.parametrize(
    ("mistake", "case", "stage", "tensors"), FOUND_IN, ids=lambda v: v if isinstance(v, str) else ""
)
def test_planted_mistake_is_found(
    mistake: str, case: str, stage: str, tensors: set[str], dtype: str, layout: str
) -> None:
    if case.startswith("linear") and layout == "rows":
        layout = "dense"  # it has no table
    result = plant(mistake, SHORT[f"{case}-{layout}-{dtype}"])
    if stage == "error":
        assert result.verdict == "error"
        assert any(word in result.reason for word in tensors), result.reason
        return
    assert result.verdict == "disagree", result.reason
    assert result.first_divergence.stage == stage
    assert {d.tensor for d in result.divergences if d.stage == stage} == tensors


RIGHT_IN = [
    ("duplicates-overwritten", Case("distinct", Embedding(50, 3), SGD(), Drawn((2,)), seed=1)),
    ("mean-undivided", Case("single", Classifier(10, 5, (4,), 3), SGD(), Drawn((4, 1)))),
    ("one-context-subtracted", Case("mean", SkipGram(7, 3), SGD(), Drawn((1,)))),
    ("mean-undivided", Case("sum", CBOW(7, 3, "sum"), SGD(), Drawn((6, 4)))),
    (
        "hits-masked-in-the-loss-alone",
        Case("redraw", SkipGram(3, 4, NegativeSampling(7, "redraw")), SGD(), Drawn((9,))),
    ),
]


@pytest.mark.parametrize(("mistake", "case"), RIGHT_IN, ids=lambda value: value if isinstance(value, str) else "")
def test_a_mistake_that_is_not_made_is_not_found(mistake: str, case: Case) -> None:
    assert plant(mistake, case).verdict == "agree"


def test_the_right_twin_is_right_again_after_a_mistake() -> None:
    case = SHORT["classifier-dialogue-sgd-dense-f64"]
    for mistake in MISTAKES:
        plant(mistake, case)
    assert {result.verdict for result in hold(case, {name: load(name) for name in TWINS}).values()} == {"agree"}


def test_the_dialogues_rows_1_5_and_9_get_the_sum_of_two() -> None:
    case = SHORT["classifier-dialogue-sgd-rows-f64"]
    result = plant("duplicates-overwritten", replace(case, data=Dialogue()))
    wrong = next(d for d in result.divergences if d.stage == "grads")
    assert wrong.index is not None
    assert wrong.index[0] in (1, 5, 9)
