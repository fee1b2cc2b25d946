"""The cases, listed once: pytest parametrizes over them, the command line walks them."""

from __future__ import annotations

from dataclasses import replace

from reference import text
from reference.cases import SGD, Adam, Case, Classifier, Dialogue, Drawn, Embedding, Linear, Optimizer, SkipGram, Text


def catalogue(source: str = text.TOPICS) -> list[Case]:
    """Every case, with the text cases over the source: `pydoc_data.topics` or the path of a UTF-8 file.

    Raises:
        BadInput: the text cannot be read or has no two words.
    """
    return [
        *_layers(),
        *_classifiers(),
        *_skipgrams(),
        *_texts(source),
    ]


def _spread(case: Case, *optimizers: Optimizer) -> list[Case]:
    """The case under SGD and Adam (or those given), with dense and row gradients, in float64 and float32."""
    found = []
    for optimizer in optimizers or (SGD(lr=0.1), Adam(lr=0.01)):
        for sparse in (False, True) if case.model.tables and isinstance(optimizer, SGD) else (False,):
            found.append(replace(case, optimizer=optimizer, sparse=sparse))
            found.append(replace(case, optimizer=optimizer, sparse=sparse, dtype="float32"))
    return found


def _layers() -> list[Case]:
    cases = [
        # V, D, shape of the ids: the dialogue's own, ones, primes, many duplicates, wider than a vector register
        Case("small", Embedding(10, 5), SGD(), Drawn((4, 3))),
        Case("one", Embedding(2, 1), SGD(), Drawn((1,))),
        Case("primes", Embedding(101, 13), SGD(), Drawn((7, 11), used=97)),
        Case("duplicates", Embedding(3, 4), SGD(), Drawn((50,))),
        Case("zipf", Embedding(1009, 33), SGD(), Drawn((8, 16), zipf=True)),
        Case("small", Linear(5, 3), SGD(), Drawn((4,))),
        Case("one", Linear(1, 1), SGD(), Drawn((2,))),
        Case("primes", Linear(31, 17), SGD(), Drawn((13,))),
        Case("single", Linear(7, 5), SGD(), Drawn((1,))),
    ]
    return [case for base in cases for case in _spread(base)]


def _classifiers() -> list[Case]:
    dialogue = Case("dialogue", Classifier(10, 5, 10, 2), SGD(lr=0.01), Dialogue(), steps=10)
    cases = [
        Case("one", Classifier(2, 1, 3, 2), SGD(), Drawn((2, 1)), seed=4),
        Case("primes", Classifier(101, 13, 7, 5), SGD(), Drawn((11, 3), used=97), steps=5),
        Case("duplicates", Classifier(4, 6, 8, 3), SGD(), Drawn((5, 20)), steps=5),
        Case("zipf", Classifier(1009, 33, 17, 4), SGD(), Drawn((16, 12), zipf=True), steps=5),
    ]
    found = _spread(dialogue, SGD(lr=0.01), Adam(lr=0.01))
    return found + [case for base in cases for case in _spread(base)]


def _skipgrams() -> list[Case]:
    words = 7
    epoch = 15  # one update for each word of the dialogue's corpus
    whole = Case("dialogue", SkipGram(words, 3, reduction="sum"), SGD(lr=0.1), Dialogue(), steps=1000 * epoch)
    cases = [
        Case("pairs", SkipGram(words, 3), SGD(), Drawn((6,)), steps=5),
        Case("one", SkipGram(2, 1), SGD(), Drawn((1,))),
        Case("primes", SkipGram(101, 13), SGD(), Drawn((17,), used=97), steps=5),
        Case("sum", SkipGram(23, 8, reduction="sum"), SGD(), Drawn((12,)), steps=5),
        Case("zipf", SkipGram(1009, 33), SGD(), Drawn((32,), zipf=True), steps=5),
        # probabilities down to 1e-60: log(softmax) is -inf in float32, log_softmax is not
        Case("saturated", SkipGram(13, 8), SGD(), Drawn((9,)), gain=6),
    ]
    return [
        replace(whole, sparse=True),
        *_spread(replace(whole, name="dialogue-epoch", steps=epoch)),
        *(case for base in cases for case in _spread(base)),
    ]


def _texts(source: str) -> list[Case]:
    """Real text, mini-batched. Two hundred steps and more in float64.

    In float32 a hidden unit can fall on the other side of ReLU's kink by rounding alone, once in about 1e7 of them, and
    then both twins are right with different gradients; so the float32 classifier is short.
    """
    corpus = text.read(source)
    words = len(corpus.words)
    chapters = Case(
        "text", Classifier(words, 32, 16, corpus.num_chapters), SGD(lr=0.5), Text(source, batch_size=32), steps=300
    )
    windows = Case("text", SkipGram(words, 16), SGD(lr=0.5), Text(source, batch_size=64), steps=300)
    return [
        chapters,
        replace(chapters, sparse=True),
        replace(chapters, optimizer=Adam(lr=0.01)),
        replace(chapters, sparse=True, dtype="float32", steps=20),
        windows,
        replace(windows, sparse=True),
        replace(windows, optimizer=Adam(lr=0.01)),
        replace(windows, sparse=True, dtype="float32"),
    ]
