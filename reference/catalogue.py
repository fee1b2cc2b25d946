"""The cases, listed once: pytest parametrizes over them, the command line walks them."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from itertools import product
from typing import Any, Literal

from reference.cases import (
    CBOW,
    SGD,
    Adagrad,
    Adam,
    AdamW,
    Case,
    Classifier,
    CrossEntropy,
    Dialogue,
    Drawn,
    Embedding,
    EmbeddingBag,
    HierarchicalSoftmax,
    Linear,
    MSELoss,
    NegativeSampling,
    Objective,
    Optimizer,
    RMSprop,
    SharedNegatives,
    SkipGram,
    Softmax,
    SparseAdam,
    Text,
)
from reference.data import text
from reference.errors import BadInput
from reference.pairwise import Row, pairwise


def catalogue(source: str = text.TOPICS) -> list[Case]:
    """Every case, with the text cases over the source: `pydoc_data.topics` or the path of a UTF-8 file.

    Raises:
        BadInput: the text cannot be read or has no two words.
    """
    return [*_without_text(), *_texts(source)]


@functools.cache
def _without_text() -> tuple[Case, ...]:
    return (
        *_layers(),
        *_bags(),
        *_classifiers(),
        *_classifier_options(),
        *_skipgrams(),
        *_optimizers(),
        *_word2vec(),
        *_telling(),
    )


def select(cases: Sequence[Case], pattern: str | None) -> list[Case]:
    """The cases whose id contains the pattern, or matches it as a whole where it has a `*`, `?` or `[`.

    Raises:
        BadInput: there is none.
    """
    named = {case.id: case for case in cases}
    chosen = [named[name] for name in matching(named, pattern)]
    if not chosen:
        raise BadInput(f"no case matches {pattern!r}; `twingrad verify --list` names all {len(cases)}")
    return chosen


def matching(names: Iterable[str], pattern: str | None) -> list[str]:
    """The names that contain the pattern, or match it as a whole where it has a `*`, `?` or `[`."""
    glob = pattern if pattern and any(sign in pattern for sign in "*?[") else f"*{pattern or ''}*"
    return [name for name in names if fnmatchcase(name, glob)]


def _spread(case: Case, *optimizers: Optimizer) -> list[Case]:
    """The case under SGD and Adam (or those given), with dense and row gradients, in float64 and float32."""
    found = []
    for optimizer in optimizers or (SGD(lr=0.1), Adam(lr=0.01)):
        for sparse in (False, True) if case.model.tables and isinstance(optimizer, SGD) else (False,):
            found.append(replace(case, optimizer=optimizer, sparse=sparse))
            found.append(replace(case, optimizer=optimizer, sparse=sparse, dtype="float32"))
    return found


OPTIMIZERS = (
    SGD(lr=0.1),
    SGD(lr=0.1, momentum=0.9),
    Adagrad(lr=0.1),
    RMSprop(lr=0.01),
    Adam(lr=0.01),
    AdamW(lr=0.01),
    SparseAdam(lr=0.01),
)
"""One of each, to be brought together with every option of the models."""


def _refused(row: Row, all_rows: bool) -> bool:
    """The row's optimizer does not take the row's gradients. all_rows: asked for rows, every parameter has them."""
    optimizer, sparse = row.get("optimizer"), row.get("sparse")
    if isinstance(optimizer, SparseAdam):
        return sparse is False or not all_rows
    return bool(sparse) and isinstance(optimizer, Adam | RMSprop)


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
    dialogue = Case("dialogue", Classifier(10, 5, (10,), 2), SGD(lr=0.01), Dialogue(), steps=10)
    cases = [
        Case("one", Classifier(2, 1, (3,), 2), SGD(), Drawn((2, 1)), seed=4),
        Case("size-1", Classifier(2, 1, (1,), 2, activation="tanh"), SGD(), Drawn((1, 1))),
        Case("primes", Classifier(101, 13, (7,), 5), SGD(), Drawn((11, 3), used=97), steps=5),
        Case("duplicates", Classifier(4, 5, (6,), 3), SGD(), Drawn((4, 10))),
        Case("zipf", Classifier(1009, 33, (17,), 4), SGD(), Drawn((16, 12), zipf=True), steps=5),
    ]
    found = _spread(dialogue, SGD(lr=0.01), Adam(lr=0.01))
    return found + [case for base in cases for case in _spread(base)]


def _bags() -> list[Case]:
    """Every two options of a bag together: pooling, padding, ragged bags, empty ones, weights, norms, id dtypes."""
    options = {
        "mode": ("mean", "sum", "max"),
        "padding_idx": (None, 2),
        "ragged": (False, True),
        "include_last_offset": (False, True),
        "weighted": (False, True),
        "max_norm": (None, 0.9),
        "norm_type": (2.0, 1.0),
        "ids_dtype": ("int64", "int32"),
        "sparse": (False, True),
        "dtype": ("float64", "float32"),
        "optimizer": OPTIMIZERS,
    }

    def possible(row: Row) -> bool:
        return not (
            (row.get("weighted") and row.get("mode") in ("mean", "max"))
            or (row.get("include_last_offset") and row.get("ragged") is False)
            or (row.get("norm_type") == 1 and "max_norm" in row and row["max_norm"] is None)
            or (row.get("sparse") and row.get("mode") == "max")
            or _refused(row, all_rows=True)
        )

    found = []
    for i, row in enumerate(pairwise(options, possible)):
        bag = {name: row[name] for name in ("mode", "padding_idx", "include_last_offset", "weighted", "max_norm")}
        data = Drawn((5, 4), used=11, ragged=row["ragged"], ids_dtype=row["ids_dtype"])
        run = {name: row[name] for name in ("sparse", "dtype", "optimizer")}
        found.append(Case(f"pair{i}", EmbeddingBag(13, 6, norm_type=row["norm_type"], **bag), data=data, **run))
    lookups = [
        # sources: pytorch#26302, #3506 and, above 768 ids, #28716; a batch of padding alone is in tests/test_nasty.py
        Case("padding", Embedding(10, 5, padding_idx=2), SGD(), Drawn((4, 3))),
        Case("padding-900", Embedding(7, 2, padding_idx=3), SGD(), Drawn((900,))),
        Case("max-norm", Embedding(10, 5, max_norm=1.0), SGD(), Drawn((4, 3))),  # pytorch#26596, #28959
        Case("max-norm-1", Embedding(10, 5, max_norm=1.5, norm_type=1.0), SGD(), Drawn((4, 3))),
        # wider than 768 rows and columns, odd sizes
        Case("wide", Embedding(811, 769), SGD(), Drawn((9, 5))),
        Case("int32", Embedding(10, 5), SGD(), Drawn((4, 3), ids_dtype="int32")),
    ]
    by_frequency = Case("by-frequency", Embedding(10, 5, scale_grad_by_freq=True), SGD(lr=0.1), Drawn((4, 6)))
    found += [case for base in lookups for case in _spread(base)]
    return [*found, by_frequency, replace(by_frequency, dtype="float32", optimizer=Adam(lr=0.01))]


def _classifier_options() -> list[Case]:
    """Every two options of a classifier together: pooling, depth, activation, dropout, loss."""
    weight = (0.5, 2.0, 1.25)
    options = {
        "mode": ("mean", "sum", "max"),
        "padding_idx": (None, 3),
        "ragged": (False, True),
        "hidden_features": ((5,), (4, 3), ()),
        "activation": ("relu", "tanh", "sigmoid", "gelu", "gelu_tanh"),
        "dropout": (0.0, 0.3),
        "loss": (
            CrossEntropy(),
            CrossEntropy(weight=weight),
            CrossEntropy(weight=weight, reduction="sum"),
            CrossEntropy(label_smoothing=0.1, ignore_index=1),  # pytorch#73205, #69339
            CrossEntropy(weight=weight, label_smoothing=0.2, ignore_index=2),  # pytorch#104776
            CrossEntropy(weight=weight, probabilities=True),  # divides by B: pytorch#107680
            CrossEntropy(label_smoothing=0.1, probabilities=True, reduction="sum"),
            MSELoss(),
            MSELoss(reduction="sum"),
        ),
        "sparse": (False, True),
        "dtype": ("float64", "float32"),
        "optimizer": OPTIMIZERS,
    }

    def possible(row: Row) -> bool:
        return not (
            (row.get("sparse") and row.get("mode") == "max")
            or (row.get("hidden_features") == () and row.get("dropout"))
            or _refused(row, all_rows=False)
        )

    found = []
    for i, row in enumerate(pairwise(options, possible)):
        kept = ("mode", "padding_idx", "hidden_features", "activation", "dropout", "loss")
        model = Classifier(11, 3, num_classes=3, **{name: row[name] for name in kept})
        run = {name: row[name] for name in ("sparse", "dtype", "optimizer")}
        found.append(Case(f"pair{i}", model, data=Drawn((5, 3), used=9, ragged=row["ragged"]), seed=7, **run))
    return found


def _skipgrams() -> list[Case]:
    words = 7
    epoch = 15  # one update for each word of the dialogue's corpus
    whole = Case("dialogue", SkipGram(words, 3, reduction="sum"), SGD(lr=0.1), Dialogue(), steps=1000 * epoch)
    cases = [
        Case("pairs", SkipGram(words, 3), SGD(), Drawn((6,)), steps=5),
        Case("one", SkipGram(2, 1), SGD(), Drawn((1,))),
        Case("primes", SkipGram(101, 13), SGD(), Drawn((17,), used=97), steps=5),
        Case("sum", SkipGram(11, 4, reduction="sum"), SGD(), Drawn((6,))),
        Case("zipf", SkipGram(1009, 33), SGD(), Drawn((32,), zipf=True), steps=5),
        # probabilities far under eps; with this seed no target's is so near to 1 that rounding alone is left of p - 1
        Case("saturated", SkipGram(9, 6), SGD(), Drawn((5,)), gain=4, seed=5),
    ]
    return [
        replace(whole, sparse=True),
        *_spread(replace(whole, name="dialogue-epoch", steps=epoch)),
        *(case for base in cases for case in _spread(base)),
    ]


OPTIONS: dict[type, dict[str, tuple[Any, ...]]] = {
    SGD: {
        "lr": (0.1,),
        "momentum": (0.0, 0.9),
        "dampening": (0.0, 0.5),
        "weight_decay": (0.0, 0.01),
        "nesterov": (False, True),
    },
    Adagrad: {
        "lr": (0.1,),
        "lr_decay": (0.0, 0.1),
        "weight_decay": (0.0, 0.01),
        "initial_accumulator_value": (0.0, 0.1),
        "eps": (1e-10, 1e-3),
    },
    RMSprop: {
        "lr": (0.01,),
        "alpha": (0.99, 0.5),
        "eps": (1e-8, 1e-3),
        "weight_decay": (0.0, 0.01),
        "momentum": (0.0, 0.9),
        "centered": (False, True),
    },
    Adam: {
        "lr": (0.01,),
        "betas": ((0.9, 0.999), (0.5, 0.9)),
        "eps": (1e-8, 1e-3),
        "weight_decay": (0.0, 0.01),
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
    models = (
        # this seed has rows that are looked up in the first step and not again, in several, twice in one, and never
        Case("options", Embedding(11, 3), SGD(), Drawn((4,), used=9), steps=5, seed=4),
        Case("options", Classifier(11, 3, (5,), 3), SGD(), Drawn((3, 2), used=9), steps=5, seed=4),
        Case("options", SkipGram(11, 3), SGD(), Drawn((4,), used=9), steps=5, seed=4),
    )
    # SparseAdam is not Adam: the moments of rows without a gradient stay (nasty case 20; pytorch#25560, #18404). Under
    # SGD with momentum such rows go on moving, under Adagrad they rest
    seldom = Case("seldom", Embedding(11, 3), SGD(), Drawn((2,), used=9), steps=8, seed=4)
    # gradients near 1e-3, so that an eps or an initial accumulator that another framework has elsewhere or as its
    # default shows (nasty cases 21 and 22; tensorflow#35102)
    small = Case("small-gradients", Embedding(7, 3), SGD(), Drawn((6,)), steps=5, max_norm=5e-3)
    return [
        *(case for kind in OPTIONS for case in _combined(kind, models)),
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


def _combined(kind: type, bases: tuple[Case, ...]) -> list[Case]:
    """Every two options of an optimizer together, with the model, the layout of the gradients, dtype and clipping."""
    own = OPTIONS[kind]
    run = {"sparse": (False, True), "dtype": ("float64", "float32"), "max_norm": (None, 0.3)}
    options = own | run | {"base": bases}

    def case(row: Row) -> Case:
        optimizer = kind(**{name: row[name] for name in own})
        return replace(row["base"], optimizer=optimizer, **{name: row[name] for name in run})

    def allowed(row: Row) -> bool:
        try:
            return not case(row).refusal
        except BadInput:  # nesterov without momentum
            return False

    rows = [row for values in product(*options.values()) if allowed(row := dict(zip(options, values, strict=True)))]
    return [case(row) for row in pairwise(options, lambda part: any(part.items() <= row.items() for row in rows))]


def _word2vec() -> list[Case]:
    """The objectives of word2vec, under skip-gram and CBOW."""
    hits: tuple[Literal["keep", "mask", "redraw"], ...] = ("keep", "mask", "redraw")
    options = {
        "mode": (None, "mean", "sum"),  # None: skip-gram
        "objective": (Softmax(), *(NegativeSampling(4, option) for option in hits), HierarchicalSoftmax()),
        "reduction": ("mean", "sum"),
        "sparse": (False, True),
        "dtype": ("float64", "float32"),
        "optimizer": OPTIMIZERS,
    }

    def possible(row: Row) -> bool:
        return not _refused(row, all_rows=not isinstance(row.get("objective"), Softmax))

    found = []
    for i, row in enumerate(pairwise(options, possible)):
        mode, run = row["mode"], {name: row[name] for name in ("sparse", "dtype", "optimizer")}
        if mode is None:
            skipgram = SkipGram(11, 4, row["objective"], row["reduction"])
            found.append(Case(f"pair{i}", skipgram, data=Drawn((7,), zipf=True), **run))
        else:
            cbow = CBOW(11, 4, mode, row["objective"], row["reduction"])
            found.append(Case(f"pair{i}", cbow, data=Drawn((6, 5), zipf=True), **run))
    tree = HierarchicalSoftmax()
    both: tuple[tuple[str, Objective], ...] = (("negatives", NegativeSampling()), ("tree", tree))
    cases = [
        # nasty case 18: accidental hits and negatives that occur twice, certain with 3 words and 7 negatives, where
        # numpy-ml's NCELoss returns what is not the derivative of its loss; pytorch-sgns#9, pytorch/text#1228
        *(Case(f"hits-{of}", SkipGram(3, 4, NegativeSampling(7, of)), SGD(), Drawn((5,))) for of in hits),
        *(Case(f"hits-{of}", CBOW(3, 4, "mean", NegativeSampling(7, of)), SGD(), Drawn((4, 4))) for of in hits),
        # nasty case 8: contexts of 1 to 9 words, many of them twice; who does not divide the gradient as the mean is
        # divided is found here: fastText#910, gensim#697, gensim#1873, arXiv 2012.15332
        Case("lengths", CBOW(4, 5), SGD(), Drawn((5, 9))),
        Case("lengths-negatives", CBOW(5, 4, "mean", NegativeSampling()), SGD(), Drawn((5, 9))),
        # nasty cases 17 and 19: scores of 30 and more, where log(1 - sigmoid(x)) is -inf in float32; gensim#2725 skips
        # them, fastText#370 lost a sign
        Case("saturated-negatives", SkipGram(9, 6, NegativeSampling()), SGD(), Drawn((5,)), gain=4, seed=9),
        Case("saturated-tree", SkipGram(9, 6, tree), SGD(), Drawn((5,), zipf=True), gain=4),
        # the smallest trees: one inner node, and two
        Case("two-words-tree", SkipGram(2, 3, tree), SGD(), Drawn((3,))),
        Case("three-words-tree", SkipGram(3, 5, tree), SGD(), Drawn((4,))),
        Case("three-words-tree", CBOW(3, 5, "sum", tree), SGD(), Drawn((4, 2))),
        Case("one", CBOW(2, 1), SGD(), Drawn((1, 1))),
        Case("dialogue", CBOW(7, 3), SGD(), Dialogue(window=2), steps=15),
        *(Case(f"dialogue-{name}", SkipGram(7, 3, of, "sum"), SGD(), Dialogue(), steps=15) for name, of in both),
        # rows that are never looked up, words that are never drawn, and nodes that are on no path
        *(Case(f"primes-{name}", SkipGram(101, 13, of), SGD(), Drawn((17,), used=61), steps=5) for name, of in both),
        *(Case(f"primes-{name}", CBOW(101, 13, "sum", of), SGD(), Drawn((17, 3), used=61)) for name, of in both),
        *(Case(f"zipf-{name}", SkipGram(1009, 33, of), SGD(), Drawn((32,), zipf=True)) for name, of in both),
    ]
    # shared negatives: every optimizer with every option; hits, certain with 3 words; rows that are never looked up
    found += _shared_negatives()
    # one case under every optimizer: AdamW's weight decay falls with the learning rate
    decay = Case("decay", SkipGram(7, 3, NegativeSampling()), SGD(), Drawn((5,)), steps=5, lr_decay_to=1e-4)
    found += _each(decay, *(kind(lr=0.1) for kind in OPTIONS))
    return found + [case for base in cases for case in _spread(base)]


def _telling() -> list[Case]:
    """The smallest cases that tell the remaining mistakes and variants apart (`twingrad mistakes`)."""
    sgd = SGD(lr=0.1)
    bag, relu = EmbeddingBag(7, 4, mode="max"), Classifier(7, 4, (4,), 3)
    weighted = EmbeddingBag(7, 4, mode="sum", padding_idx=2, weighted=True)
    pairs = SkipGram(7, 3, NegativeSampling(3))
    weights = CrossEntropy(weight=(0.5, 2.0, 1.25))
    every = replace(weights, ignore_index=1, label_smoothing=0.1)
    cases = [
        # equal maxima in several rows of a bag, and hidden units that are exactly 0: nasty cases 12 and 13
        Case("ties", bag, sgd, Drawn((5, 3)), grid=0.5),
        Case("zeros", relu, sgd, Drawn((6, 2)), grid=0.5),
        # a hidden layer as wide as its input does not notice a transposed weight
        Case("square", replace(relu, activation="sigmoid"), sgd, Drawn((5, 2))),
        Case("square", Linear(4, 4), sgd, Drawn((5,))),
        # every row has a gradient from the first step on
        Case("square", Linear(4, 4), SGD(lr=0.1, momentum=0.5, dampening=0.1), Drawn((5,))),
        # scores of a thousand and more: exp overflows in float64 too
        Case("overflow", SkipGram(7, 4), sgd, Drawn((5,)), gain=40, seed=3),
        # the largest of one row's is a thousand more than that of another
        Case("overflow", Classifier(7, 4, (), 3, loss=weights), sgd, Drawn((3, 2)), steps=2, gain=100, seed=13),
        # the rarer losses and activations, in both dtypes
        Case("smoothed", replace(relu, activation="tanh", loss=CrossEntropy(label_smoothing=0.1)), sgd, Drawn((5, 2))),
        Case("regression", replace(relu, activation="gelu", loss=MSELoss()), sgd, Drawn((5, 2))),
        Case("every", replace(relu, activation="gelu_tanh", dropout=0.3, loss=every), sgd, Drawn((7, 2))),
        # the weights of padding have no gradient
        Case("weights-of-padding", weighted, sgd, Drawn((4, 3))),
        # ids with gaps between them
        Case("by-frequency-gaps", Embedding(9, 3, scale_grad_by_freq=True), sgd, Drawn((2, 3))),
        # norms so small that what PyTorch adds to them shows, and a norm that need not be clipped
        Case("small-norms", Embedding(7, 3, max_norm=1e-4), sgd, Drawn((4,)), gain=1e-3),
        Case("small-norms", pairs, sgd, Drawn((4,)), gain=1e-3, max_norm=1e-4),
        Case("long-norm", pairs, sgd, Drawn((4,)), max_norm=100.0),
    ]
    decay = Case("decay", Embedding(7, 3), SGD(), Drawn((4,)), steps=4)
    # exp of one bag's logits overflows, and no probability is too small for the dtype
    overflow = Case("overflow-plain", Classifier(7, 4, (3,), 2), sgd, Drawn((2, 2)), steps=1, gain=14, seed=2648)
    return [
        overflow,
        replace(overflow, dtype="float32", gain=7),
        *(replace(case, dtype=dtype) for case in cases for dtype in ("float64", "float32")),
        # weight decay so strong that its order shows; momentum under a learning rate that falls
        *_each(decay, AdamW(lr=0.1, weight_decay=0.5), SGD(lr=0.1, momentum=0.9, nesterov=True)),
        *_each(replace(decay, lr_decay_to=1e-3), SGD(lr=0.1, momentum=0.9)),
    ]


def _shared_negatives() -> list[Case]:
    """Blocks of text that share their negatives: every two options together."""
    hits: tuple[Literal["keep", "mask"], ...] = ("keep", "mask")
    options = {
        "accidental_hits": hits,
        "shared": (1, 4),
        "reduction": ("mean", "sum"),
        "sparse": (False, True),
        "dtype": ("float64", "float32"),
        "optimizer": OPTIMIZERS,
        "ids_dtype": ("int64", "int32"),
    }
    found = []
    for i, row in enumerate(pairwise(options, lambda row: not _refused(row, all_rows=True))):
        model = SkipGram(11, 2, SharedNegatives(2, row["shared"], row["accidental_hits"]), row["reduction"])
        run = {name: row[name] for name in ("sparse", "dtype", "optimizer")}
        drawn = Drawn((2, 2), zipf=True, ids_dtype=row["ids_dtype"])
        found.append(Case(f"shared-pair{i}", model, data=drawn, steps=3, **run))
    cases = [
        Case("shared-hits", SkipGram(3, 2, SharedNegatives(2, 5, "mask")), SGD(), Drawn((2, 4))),
        Case("shared-one", SkipGram(2, 1, SharedNegatives(1, 1)), SGD(), Drawn((1, 2)), seed=2),
        Case("shared-primes", SkipGram(31, 3, SharedNegatives(3, 5)), SGD(), Drawn((2, 3), used=23)),
    ]
    return found + [case for base in cases for case in _spread(base, SGD(lr=0.1))]


def _texts(source: str) -> list[Case]:
    """Real text, mini-batched. Two hundred steps and more in float64.

    In float32 a hidden unit can fall on the other side of ReLU's kink by rounding alone, once in about 1e7 of them, and
    then both twins are right with different gradients; so the float32 classifier is short.
    """
    corpus = text.read(source)
    words = len(corpus.words)
    chapters = Case(
        "text", Classifier(words, 32, (16,), corpus.num_chapters), SGD(lr=0.5), Text(source, batch_size=32), steps=300
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
        replace(
            word2vec,
            name="text-shared",
            model=SkipGram(words, 16, SharedNegatives(5, 16, "mask")),
            data=replace(drawn, batch_size=4),
        ),
        replace(word2vec, name="text-negatives", model=CBOW(words, 16, "mean", negatives)),
        replace(word2vec, name="text-tree", model=CBOW(words, 16, "mean", tree), optimizer=Adam(lr=0.01), sparse=False),
    ]
