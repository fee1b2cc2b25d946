"""Models, shapes and batches that nobody thought of: Hypothesis draws them from the dataclasses of the catalogue.

A disagreement is shrunk to the smallest case and printed as the line that reproduces it.
"""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, Phase, example, given, note, settings
from hypothesis import strategies as st

from reference.cases import (
    ACTIVATIONS,
    CBOW,
    SGD,
    Adagrad,
    Adam,
    AdamW,
    Case,
    Classifier,
    Conv1d,
    CrossEntropy,
    Drawn,
    Embedding,
    EmbeddingBag,
    GloVe,
    HierarchicalSoftmax,
    Linear,
    MSELoss,
    NegativeSampling,
    RMSprop,
    SharedNegatives,
    SkipGram,
    Softmax,
    SparseAdam,
    TextCNN,
)
from reference.checks.twins import twins
from reference.errors import BadInput
from reference.judge.run import hold
from reference.mistakes import MISTAKES

TWINS = twins()

size = st.integers(1, 9)
words = st.integers(2, 30)
flag = st.booleans()
mode = st.sampled_from(["mean", "sum", "max"])
padding = st.none() | st.integers(0, 1)
reduction = st.sampled_from(["mean", "sum"])
objectives = st.one_of(
    st.just(Softmax()),
    st.builds(NegativeSampling, st.integers(1, 6), st.sampled_from(["keep", "mask", "redraw"])),
    st.just(HierarchicalSoftmax()),
)
shared = st.builds(SharedNegatives, st.integers(1, 6), st.integers(1, 6), st.sampled_from(["keep", "mask"]))


@st.composite
def losses(draw: st.DrawFn, classes: int) -> CrossEntropy | MSELoss:
    if draw(flag):
        return MSELoss(draw(reduction))
    weight = draw(st.none() | st.tuples(*[st.sampled_from([0.5, 1.0, 3.0])] * classes))
    probabilities, smoothing = draw(flag), draw(st.sampled_from([0.0, 0.1, 0.5]))
    ignored = -100 if probabilities else draw(st.sampled_from([-100, 0]))
    return CrossEntropy(weight, ignored, draw(reduction), smoothing, probabilities)


@st.composite
def classifiers(draw: st.DrawFn) -> Classifier:
    classes, hidden = draw(st.integers(2, 5)), draw(st.lists(size, max_size=3).map(tuple))
    # without relu: a unit within rounding of its kink may fall on either side, and both twins are right
    activation = draw(st.sampled_from(sorted(set(ACTIVATIONS) - {"relu"})))
    dropout = draw(st.sampled_from([0.0, 0.25])) if hidden else 0.0
    loss = draw(losses(classes))
    return Classifier(draw(words), draw(size), hidden, classes, draw(mode), draw(padding), activation, dropout, loss)


@st.composite
def bags(draw: st.DrawFn) -> EmbeddingBag:
    weighted = draw(flag)
    kept = {"weighted": weighted, "mode": "sum" if weighted else draw(mode), "padding_idx": draw(padding)}
    norm = st.none() | st.sampled_from([0.5, 1.5])
    return EmbeddingBag(
        draw(words), draw(size), max_norm=draw(norm), norm_type=draw(st.sampled_from([1.0, 2.0])), **kept
    )


@st.composite
def convolutions(draw: st.DrawFn) -> Conv1d | TextCNN:
    stride, dilation, width = draw(st.integers(1, 3)), draw(st.integers(1, 2)), st.integers(1, 4)
    windows = {"stride": stride, "dilation": dilation, "padding": draw(st.integers(0, 2))}
    if stride == 1 and draw(flag):
        windows["padding"] = "same"
    if draw(flag):
        return Conv1d(draw(size), draw(size), draw(width), **windows)
    classes, widths = draw(st.integers(2, 5)), tuple(draw(st.lists(width, min_size=1, max_size=3)))
    activation = draw(st.sampled_from(sorted(set(ACTIVATIONS) - {"relu"})))
    kept = {"padding_idx": draw(padding), "activation": activation, "dropout": draw(st.sampled_from([0.0, 0.25]))}
    how = draw(st.sampled_from(["max", "mean"]))
    return TextCNN(draw(words), draw(size), 2, widths, classes, mode=how, loss=draw(losses(classes)), **windows, **kept)


models = st.one_of(
    st.builds(Embedding, words, size, padding, st.none() | st.sampled_from([0.5, 1.5]), st.sampled_from([1.0, 2.0])),
    bags(),
    st.builds(Linear, size, size),
    classifiers(),
    convolutions(),
    st.builds(SkipGram, words, size, objectives | shared, reduction),
    st.builds(CBOW, words, size, st.sampled_from(["mean", "sum"]), objectives, reduction),
    st.builds(GloVe, words, size, st.sampled_from([100.0, 0.5]), st.sampled_from([0.75, 0.0, 2.0]), reduction),
)
optimizers = st.sampled_from(
    [
        SGD(lr=0.1),
        SGD(lr=0.1, momentum=0.9, nesterov=True),
        Adagrad(lr=0.1),
        RMSprop(centered=True, momentum=0.5, eps=1e-3),
        Adam(lr=0.01, amsgrad=True, eps=1e-3),
        AdamW(lr=0.01, eps=1e-3),
        SparseAdam(lr=0.01, eps=1e-3),
    ]
)


@st.composite
def cases(draw: st.DrawFn) -> Case:
    model, batch, length = draw(models), draw(size), draw(size)
    in_blocks = isinstance(getattr(model, "objective", None), SharedNegatives)
    one_axis = isinstance(model, Linear | SkipGram | GloVe) and not in_blocks
    ragged = isinstance(model, EmbeddingBag | Classifier | TextCNN) and draw(flag)
    data = Drawn((batch,) if one_axis else (batch, length), zipf=draw(flag), ragged=ragged)
    sparse, seed = draw(flag) and bool(model.tables), draw(st.integers(0, 99))
    return Case("drawn", model, draw(optimizers), data, steps=3, sparse=sparse, seed=seed)


def verdict(case: Case, name: str, module: object) -> str:
    """That of an implementation; a case that proves nothing (a gradient of zeros) counts as unsupported."""
    with pytest.MonkeyPatch.context() as patch:
        # nobody chose these cases so that sums do not cancel: 1e5 eps of float64 are 2e-11 of a row's largest entry
        patch.setattr("reference.judge.runner.tolerance", lambda *_: 1e5)
        try:
            result = hold(case, {name: module}, TWINS)[name]
        except BadInput:
            return "unsupported"
    first = result.first_divergence
    if first and [str(first.expected), str(first.got)] == ["nan", "nan"]:
        return "unsupported"  # all labels are ignored
    if result.verdict in ("disagree", "error"):
        note(f"hold({case!r}, twins): {result.first_divergence or result.reason}")
    return result.verdict


@settings(max_examples=120, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
@given(cases())
@example(Case("drawn", Classifier(5, 2, (), 2, "max", 0), SGD(), Drawn((3, 2), ragged=True)))
# found here: bags of nothing but padding, with weights, divided by zero
@example(
    Case("drawn", EmbeddingBag(5, 5, "sum", 0, weighted=True), SGD(), Drawn((5, 1), ragged=True), sparse=True, seed=72)
)
def test_twins_agree_on_whatever_is_drawn(case: Case) -> None:
    assert verdict(case, "numpy_impl", TWINS["numpy_impl"]) in ("agree", "unsupported")


def test_a_mistake_does_not_survive_it() -> None:
    """The same search finds a planted mistake, so it can fail."""

    @settings(max_examples=60, deadline=None, derandomize=True, database=None, phases=[Phase.generate])
    @given(cases())
    def search(case: Case) -> None:
        plain = replace(case, optimizer=SGD(lr=0.1), steps=1)
        assert verdict(plain, "mistake", MISTAKES["duplicates-overwritten"]) in ("agree", "unsupported")

    with pytest.raises(AssertionError):
        search()
