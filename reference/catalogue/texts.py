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
    # a tiny text would have no words left
    drawn = Text(source, 64, window=5, dynamic_window=True, subsample=1e-3 if corpus.counts.sum() > 10_000 else None)
    word2vec = Case("text", SkipGram(words, 16), SGD(lr=0.5), drawn, 200, sparse=True, lr_decay_to=1e-4)
    negatives, tree = NegativeSampling(5, "mask"), HierarchicalSoftmax()
    shared, blocks = SharedNegatives(5, 16, "mask"), replace(drawn, batch_size=4)
    windows = Case("text", SkipGram(words, 16), SGD(lr=0.5), Text(source, batch_size=64), steps=200)
    return [
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
        replace(word2vec, model=CBOW(words, 16, "mean", tree), optimizer=Adam(lr=0.01), sparse=False),
    ]
