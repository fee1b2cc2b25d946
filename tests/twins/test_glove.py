"""GloVe: its counts are those of the paper, and its loss and gradients those of a loop over the pairs."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from math import log

import numpy as np
import pytest

import numpy_impl
import torch_impl
from reference.cases import SGD, Case, Dialogue, Drawn, GloVe, Text
from reference.cases.glove import cooccurrences
from reference.contract import Implementation
from reference.data import text

twins = pytest.mark.parametrize("twin", [numpy_impl, torch_impl], ids=lambda twin: twin.__name__)


def counted(sentences: list[list[int]], window: int) -> Counter:
    """As the paper says it: two words that are d apart count 1/d, whichever of them is the centre."""
    counts: Counter = Counter()
    for words in sentences:
        for i, center in enumerate(words):
            for j, context in enumerate(words):
                if 0 < abs(i - j) <= window:
                    counts[center, context] += 1 / abs(i - j)
    return counts


@pytest.mark.parametrize("window", [1, 2, 3, 10])
def test_two_words_count_the_less_the_further_they_are_apart(window: int) -> None:
    corpus = text.read_string("a b a c a a\n\nb c d\n\nd e\n\na a", min_count=1)
    centers, contexts, counts = cooccurrences(corpus, window)
    expected = counted([ids.tolist() for ids in corpus.sentences], window)
    pairs = list(zip(centers.tolist(), contexts.tolist(), strict=True))
    assert pairs == sorted(expected)
    assert counts.tolist() == pytest.approx([expected[pair] for pair in pairs], rel=1e-15)


def test_the_dialogue_has_all_its_counts_in_every_step() -> None:
    first, second = Case("", GloVe(7, 3), SGD(), Dialogue(window=2), dtype="float32", steps=2).batches()
    sentences = [ids.tolist() for ids in Dialogue().corpus.sentences]
    assert first.counts.sum() == pytest.approx(sum(counted(sentences, 2).values()))
    for name in ("centers", "contexts", "counts"):
        assert getattr(first, name) is not getattr(second, name)
        assert np.array_equal(getattr(first, name), getattr(second, name))
    assert first.counts.dtype == "float32"


def test_a_pass_over_a_text_has_each_pair_once() -> None:
    data = Text("pydoc_data.topics", batch_size=1000)
    case = Case("", GloVe(len(data.corpus.words), 2), SGD(), data)
    case = replace(case, steps=case.examples // 1000)
    pairs = [pair for b in case.batches() for pair in zip(b.centers.tolist(), b.contexts.tolist(), strict=True)]
    assert len(set(pairs)) == len(pairs) == case.examples // 1000 * 1000


def test_drawn_counts_lie_far_below_1_at_the_cap_and_beyond_it() -> None:
    (batch,) = Case("", GloVe(5, 2), SGD(), Drawn((200,)), steps=1).batches()
    assert 0.09 < batch.counts.min() < 1
    assert 5 < (batch.counts == 100).sum() < 40
    assert 100 < batch.counts.max() < 400


@twins
@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("sparse", [False, True], ids=["dense", "rows"])
def test_loss_and_gradients_are_those_of_a_loop(twin: Implementation, reduction: str, sparse: bool) -> None:
    case = Case("", GloVe(5, 3, 7.0, 0.4, reduction), SGD(), Drawn((9,), used=4), sparse=sparse, seed=1)
    weights, batch = case.weights(), next(case.batches())
    w, c, b, d = weights.values()
    expected = {name: np.zeros_like(weight) for name, weight in weights.items()}
    loss, n = 0.0, len(batch.counts) if reduction == "mean" else 1
    for i, j, x in zip(batch.centers, batch.contexts, batch.counts.tolist(), strict=True):
        weight = (x / 7) ** 0.4 if x < 7 else 1
        difference = sum(w[i] * c[j]) + b[i, 0] + d[j, 0] - log(x)
        loss += weight * difference**2 / n
        slope = 2 * weight * difference / n
        expected["center.weight"][i] += slope * c[j]
        expected["context.weight"][j] += slope * w[i]
        expected["center_bias.weight"][i] += slope
        expected["context_bias.weight"][j] += slope
    got, grads = twin.build(case, weights).loss_and_grads(batch)
    assert got == pytest.approx(loss, rel=1e-13)
    for name, gradient in grads.items():
        dense = gradient.to_dense().numpy() if hasattr(gradient, "to_dense") else gradient
        dense = dense.dense() if hasattr(dense, "dense") else dense
        assert dense == pytest.approx(expected[name], rel=1e-12, abs=1e-13)
