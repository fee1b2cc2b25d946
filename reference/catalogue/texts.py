"""Real text in mini-batches."""

from __future__ import annotations

from dataclasses import replace

from reference.cases import (
    CBOW,
    SGD,
    Adam,
    Case,
    Classifier,
    HierarchicalSoftmax,
    NegativeSampling,
    SharedNegatives,
    SkipGram,
    Text,
)
from reference.data import text

SHORT = 10_000
"""Up to this many words, a text is not subsampled, since tiny ones would have no words left."""


def texts(source: str) -> list[Case]:
    """At least two hundred steps in float64.

    In float32, rounding puts about one hidden unit in 1e7 on the other side of ReLU's kink. Then both twins are right
    and have different gradients. So the float32 classifier is short.
    """
    corpus = text.read(source)
    words = len(corpus.words)
    chapters = Case(
        "text", Classifier(words, 32, (16,), corpus.num_chapters), SGD(lr=0.5), Text(source, batch_size=32), steps=200
    )
    drawn = Text(source, 64, window=5, dynamic_window=True, subsample=1e-3 if corpus.counts.sum() > SHORT else None)
    word2vec = Case("text", SkipGram(words, 16), SGD(lr=0.5), drawn, 200, sparse=True, lr_decay_to=1e-4)
    negatives, tree = NegativeSampling(5, "mask"), HierarchicalSoftmax()
    shared, blocks = SharedNegatives(5, 16, "mask"), replace(drawn, batch_size=4)
    windows = Case("text", SkipGram(words, 16), SGD(lr=0.5), Text(source, batch_size=64), steps=200)
    cases = [
        chapters,
        replace(chapters, sparse=True),
        replace(chapters, optimizer=Adam(lr=0.01)),
        replace(chapters, sparse=True, dtype="float32", steps=20),
        windows,
        replace(windows, sparse=True),
        replace(windows, optimizer=Adam(lr=0.01)),
        replace(windows, sparse=True, dtype="float32"),
        replace(word2vec, model=SkipGram(words, 16, negatives)),
        replace(word2vec, model=SkipGram(words, 16, tree)),
        replace(word2vec, model=SkipGram(words, 16, shared), data=blocks),
        replace(word2vec, model=CBOW(words, 16, "mean", negatives)),
        # Adam divides by what is left of sums that cancel; the seed leaves room in the manuals of Python 3.11 to 3.13
        replace(word2vec, model=CBOW(words, 16, "mean", tree), optimizer=Adam(lr=0.01), sparse=False, seed=3),
    ]
    return list(map(fitting, cases))


def fitting(case: Case) -> Case:
    """The case; with smaller batches if its text is so short that it has fewer examples than a batch."""
    data = case.data
    assert isinstance(data, Text)
    if data.corpus.counts.sum() > SHORT:
        return case
    return replace(case, data=replace(data, batch_size=min(data.batch_size, case.examples)))
