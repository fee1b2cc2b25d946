"""The cases, listed once: pytest parametrizes over them, the command line walks them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, replace
from itertools import chain, combinations, product
from typing import Any

from reference import text
from reference.cases import (
    SGD,
    Adagrad,
    Adam,
    AdamW,
    Case,
    Classifier,
    Dialogue,
    Drawn,
    Embedding,
    Linear,
    Optimizer,
    RMSprop,
    SkipGram,
    SparseAdam,
    Text,
)
from reference.contract import BadInput


def catalogue(source: str = text.TOPICS) -> list[Case]:
    """Every case, with the text cases over the source: `pydoc_data.topics` or the path of a UTF-8 file.

    Raises:
        BadInput: the text cannot be read or has no two words.
    """
    return [
        *_layers(),
        *_classifiers(),
        *_skipgrams(),
        *_optimizers(),
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
    whole = Case("dialogue", SkipGram(words, 3, "sum"), SGD(lr=0.1), Dialogue(), steps=1000 * epoch)
    cases = [
        Case("pairs", SkipGram(words, 3), SGD(), Drawn((6,)), steps=5),
        Case("one", SkipGram(2, 1), SGD(), Drawn((1,))),
        Case("primes", SkipGram(101, 13), SGD(), Drawn((17,), used=97), steps=5),
        Case("sum", SkipGram(23, 8, "sum"), SGD(), Drawn((12,)), steps=5),
        Case("zipf", SkipGram(1009, 33), SGD(), Drawn((32,), zipf=True), steps=5),
        # probabilities down to 1e-60: log(softmax) is -inf in float32, log_softmax is not
        Case("saturated", SkipGram(13, 8), SGD(), Drawn((9,)), gain=6),
    ]
    return [
        replace(whole, sparse=True),
        *_spread(replace(whole, name="dialogue-epoch", steps=epoch)),
        *(case for base in cases for case in _spread(base)),
    ]


OPTIONS: dict[type, dict[str, tuple[Any, ...]]] = {
    SGD: {
        "lr": (0.1,),
        "momentum": (0, 0.9),
        "dampening": (0, 0.5),
        "weight_decay": (0, 0.01),
        "nesterov": (False, True),
    },
    Adagrad: {
        "lr": (0.1,),
        "lr_decay": (0, 0.1),
        "weight_decay": (0, 0.01),
        "initial_accumulator_value": (0, 0.1),
        "eps": (1e-10, 1e-3),
    },
    RMSprop: {
        "lr": (0.01,),
        "alpha": (0.99, 0.5),
        "eps": (1e-8, 1e-3),
        "weight_decay": (0, 0.01),
        "momentum": (0, 0.9),
        "centered": (False, True),
    },
    Adam: {
        "lr": (0.01,),
        "betas": ((0.9, 0.999), (0.5, 0.9)),
        "eps": (1e-8, 1e-3),
        "weight_decay": (0, 0.01),
        "amsgrad": (False, True),
    },
    AdamW: {
        "lr": (0.01,),
        "betas": ((0.9, 0.999), (0.5, 0.9)),
        "eps": (1e-8, 1e-3),
        "weight_decay": (0.01, 0.1),
        "amsgrad": (False, True),
    },
    SparseAdam: {"lr": (0.01,), "betas": ((0.9, 0.999), (0.5, 0.9)), "eps": (1e-8, 1e-3)},
}
"""The values of the optimizers' options that `pairwise` brings together, PyTorch's default first."""


def _optimizers() -> list[Case]:
    """Every two options of an optimizer together, and where optimizers are known to part ways."""
    models = [
        # rows that are looked up in the first step and not again, in several steps, twice in one, and never
        Case("options", Embedding(11, 3), SGD(), Drawn((4,), used=9), steps=5),
        Case("options", Classifier(11, 3, 5, 3), SGD(), Drawn((3, 2), used=9), steps=5),
        Case("options", SkipGram(11, 3), SGD(), Drawn((4,), used=9), steps=5),
    ]
    # SparseAdam is not Adam: the moments of rows without a gradient stay (nasty case 20; pytorch#25560, #18404). Under
    # SGD with momentum such rows go on moving, under Adagrad they rest
    seldom = Case("seldom", Embedding(7, 3), SGD(), Drawn((2,)), steps=8)
    # gradients near 1e-3, so that an eps or an initial accumulator that another framework has elsewhere or as its
    # default shows (nasty cases 21 and 22; tensorflow#35102)
    small = Case("small-gradients", Embedding(7, 3), SGD(), Drawn((6,)), steps=5, max_norm=5e-3)
    return [
        *chain.from_iterable(pairwise(_combined(kind, models)) for kind in OPTIONS),
        *_each(seldom, Adam(lr=0.1), SparseAdam(lr=0.1), Adagrad(lr=0.1)),
        *_each(seldom, SGD(lr=0.1, momentum=0.9), SGD(lr=0.1, momentum=0.9, dampening=0.5)),
        *_each(small, Adam(lr=0.1, eps=1e-3), SparseAdam(lr=0.1, eps=1e-3), RMSprop(lr=0.1, eps=1e-3)),
        *_each(small, Adagrad(lr=0.1), Adagrad(lr=0.1, initial_accumulator_value=0.1)),
    ]


def _each(case: Case, *optimizers: Optimizer) -> list[Case]:
    """The case under each optimizer, with the gradients that it takes, in float64 and float32."""
    found = []
    for optimizer, sparse in product(optimizers, (False, True)):
        given = replace(case, optimizer=optimizer, sparse=sparse)
        found += [] if given.refusal else [given, replace(given, dtype="float32")]
    return found


def _combined(kind: type, models: Iterable[Case]) -> list[Case]:
    """The models under every combination of the optimizer's options, with and without clipping."""
    optimizers = []
    for values in product(*OPTIONS[kind].values()):
        try:
            optimizers.append(kind(*values))
        except BadInput:  # nesterov without momentum
            continue
    bases = [replace(model, max_norm=max_norm) for model in models for max_norm in (None, 0.3)]
    return list(chain.from_iterable(_each(base, *optimizers) for base in bases))


def pairwise(cases: list[Case]) -> list[Case]:
    """Few of the cases (chosen greedily), in which every two values occur together that do so in all of them."""

    def values(case: Case) -> Iterable[tuple[str, Any]]:
        options = asdict(case.optimizer) | {"model": case.family, "sparse": case.sparse}
        return (options | {"dtype": case.dtype, "max_norm": case.max_norm}).items()

    pairs = {case.id: set(combinations(values(case), 2)) for case in cases}
    missing, chosen = set().union(*pairs.values()), []
    while missing:
        chosen.append(max(cases, key=lambda case: len(pairs[case.id] & missing)))
        missing -= pairs[chosen[-1].id]
    return chosen


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
