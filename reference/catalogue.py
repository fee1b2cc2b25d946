"""The cases, listed once: pytest parametrizes over them, the command line walks them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import combinations, product
from typing import Any, Literal

from reference import text
from reference.cases import (
    CBOW,
    SGD,
    Adam,
    Case,
    Classifier,
    Dialogue,
    Drawn,
    Embedding,
    HierarchicalSoftmax,
    Linear,
    NegativeSampling,
    Objective,
    Optimizer,
    SkipGram,
    Softmax,
    Text,
)


def catalogue(source: str = text.TOPICS) -> list[Case]:
    """Every case, with the text cases over the source: `pydoc_data.topics` or the path of a UTF-8 file.

    Raises:
        BadInput: the text cannot be read or has no two words.
    """
    return [
        *_layers(),
        *_classifiers(),
        *_skipgrams(),
        *_word2vec(),
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


def pairwise(*options: Sequence[Any]) -> Iterator[tuple[Any, ...]]:
    """Combinations of one value of each option, few of them, in which every two values of two options meet."""
    every = list(product(*(range(len(values)) for values in options)))
    unmet = {pair for combination in every for pair in combinations(enumerate(combination), 2)}
    while unmet:
        best = max(every, key=lambda combination: len(unmet.intersection(combinations(enumerate(combination), 2))))
        unmet.difference_update(combinations(enumerate(best), 2))
        yield tuple(values[i] for values, i in zip(options, best, strict=True))


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


OBJECTIVES: dict[str, Objective] = {
    "softmax": Softmax(),
    "negatives-keep": NegativeSampling(4, "keep"),
    "negatives-mask": NegativeSampling(4, "mask"),
    "negatives-redraw": NegativeSampling(4, "redraw"),
    "tree": HierarchicalSoftmax(),
}


def _word2vec() -> list[Case]:
    """The objectives of word2vec, under skip-gram and CBOW."""
    found = []
    for model, objective, reduction, (optimizer, sparse), dtype in pairwise(
        ("skipgram", "mean", "sum"),
        tuple(OBJECTIVES),
        ("mean", "sum"),
        ((SGD(lr=0.1), False), (SGD(lr=0.1), True), (Adam(lr=0.01), False)),
        ("float64", "float32"),
    ):
        name = f"pairwise-{objective}" if model == "skipgram" else f"pairwise-{model}-{objective}"
        of = (
            SkipGram(23, 8, OBJECTIVES[objective], reduction)
            if model == "skipgram"
            else CBOW(23, 8, model, OBJECTIVES[objective], reduction)
        )
        data = Drawn((11,) if model == "skipgram" else (11, 5), zipf=True)
        found.append(Case(f"{name}-{reduction}", of, optimizer, data, steps=5, sparse=sparse, dtype=dtype))

    epoch = 15
    tree = HierarchicalSoftmax()
    both: tuple[tuple[str, Objective], ...] = (("negatives", NegativeSampling()), ("tree", tree))
    cases = [
        # nasty case 18: accidental hits and negatives that occur twice, certain with 3 words and 7 negatives, where
        # numpy-ml's NCELoss returns what is not the derivative of its loss; pytorch-sgns#9, pytorch/text#1228
        *(Case(f"hits-{hits}", SkipGram(3, 4, NegativeSampling(7, hits)), SGD(), Drawn((9,))) for hits in HITS),
        *(Case(f"hits-{hits}", CBOW(3, 4, "mean", NegativeSampling(7, hits)), SGD(), Drawn((5, 4))) for hits in HITS),
        # nasty case 8: contexts of 1 to 9 words, many of them twice; who does not divide the gradient as the mean is
        # divided is found here: fastText#910, gensim#697, gensim#1873, arXiv 2012.15332
        Case("lengths", CBOW(4, 6), SGD(), Drawn((7, 9)), steps=5),
        Case("lengths-negatives", CBOW(5, 6, "mean", NegativeSampling()), SGD(), Drawn((7, 9)), steps=5),
        # nasty cases 17 and 19: scores of 30 and more, where log(1 - sigmoid(x)) is -inf in float32; gensim#2725 skips
        # them, fastText#370 lost a sign
        Case("saturated-negatives", SkipGram(13, 8, NegativeSampling()), SGD(), Drawn((9,)), gain=4),
        Case("saturated-tree", SkipGram(13, 8, tree), SGD(), Drawn((9,), zipf=True), gain=4),
        # the smallest trees: one inner node, and two
        Case("two-words-tree", SkipGram(2, 3, tree), SGD(), Drawn((3,))),
        Case("three-words-tree", SkipGram(3, 5, tree), SGD(), Drawn((4,))),
        Case("three-words-tree", CBOW(3, 5, "sum", tree), SGD(), Drawn((4, 2))),
        Case("one", CBOW(2, 1), SGD(), Drawn((1, 1))),
        Case("dialogue", CBOW(7, 3), SGD(), Dialogue(window=2), steps=epoch),
        *(Case(f"dialogue-{name}", SkipGram(7, 3, of, "sum"), SGD(), Dialogue(), steps=epoch) for name, of in both),
        # rows that are never looked up, words that are never drawn, and nodes that are on no path
        *(Case(f"primes-{name}", SkipGram(101, 13, of), SGD(), Drawn((17,), used=61), steps=5) for name, of in both),
        *(Case(f"primes-{name}", CBOW(101, 13, "sum", of), SGD(), Drawn((17, 3), used=61)) for name, of in both),
        *(Case(f"zipf-{name}", SkipGram(1009, 33, of), SGD(), Drawn((32,), zipf=True)) for name, of in both),
        Case("decay", SkipGram(23, 8, NegativeSampling()), SGD(), Drawn((11,), zipf=True), steps=10, lr_decay_to=1e-4),
    ]
    return found + [case for base in cases for case in _spread(base)]


HITS: tuple[Literal["keep", "mask", "redraw"], ...] = ("keep", "mask", "redraw")


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
    # tiny texts would be left without a word
    drawn = Text(source, 64, window=5, dynamic_window=True, subsample=1e-3 if corpus.counts.sum() > 10_000 else None)
    word2vec = Case("text", SkipGram(words, 16), SGD(lr=0.5), drawn, 200, sparse=True, lr_decay_to=1e-4)
    negatives, tree = NegativeSampling(5, "mask"), HierarchicalSoftmax()
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
        replace(word2vec, name="text-negatives", model=SkipGram(words, 16, negatives)),
        replace(word2vec, name="text-tree", model=SkipGram(words, 16, tree)),
        replace(word2vec, name="text-negatives", model=CBOW(words, 16, "mean", negatives)),
        replace(word2vec, name="text-tree", model=CBOW(words, 16, "mean", tree), optimizer=Adam(lr=0.01), sparse=False),
    ]
