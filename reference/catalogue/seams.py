"""Where what is right elsewhere gives way: arrays in memory, arguments on a seam, rows that are small, no gradient."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal, get_args

from reference.cases import (
    CBOW,
    SGD,
    Adagrad,
    Adam,
    Case,
    Classifier,
    CrossEntropy,
    Drawn,
    Embedding,
    EmbeddingBag,
    HierarchicalSoftmax,
    Linear,
    Model,
    NegativeSampling,
    SharedNegatives,
    SkipGram,
)
from reference.cases.layout import Layout
from reference.catalogue.spread import OPTIMIZERS, each, in_both_dtypes


def layouts() -> list[Case]:
    """Weights and batches with the same values in each layout (NVIDIA/TransformerEngine#623, pytorch/FBGEMM#1553)."""
    sgd = SGD(lr=0.1)
    cases = [
        # of the vectors of one id the upstream gradients still differ
        Case("small", Embedding(7, 3), sgd, Drawn((4, 3))),
        Case("one-id", Embedding(7, 3), sgd, Drawn((4, 3), used=1), layout="broadcast"),
        Case("small", Linear(5, 3), sgd, Drawn((4,))),
        Case("small", SkipGram(7, 3, NegativeSampling(4)), sgd, Drawn((5,))),
        Case("small", EmbeddingBag(7, 3), sgd, Drawn((4, 3))),
        Case("small", Classifier(7, 3, (4,), 3), sgd, Drawn((5, 3))),
        Case("small", CBOW(7, 3), sgd, Drawn((5, 4))),
    ]
    kinds = [layout for layout in get_args(Layout) if layout not in ("contiguous", "broadcast")]
    return [
        both
        for case in cases
        for one in ([case] if case.layout == "broadcast" else [replace(case, layout=kind) for kind in kinds])
        for both in in_both_dtypes(one)
    ]


def kinks() -> list[Case]:
    """Arguments that lie exactly on the seam of a function that is written by cases.

    In integers many scores are exactly 0, as all are where word2vec begins, its output table zero (jax-ml/jax#2140,
    pytorch/pytorch#2298, FluxML/NNlib.jl#679). That maxima are equal, and relu's argument 0, is in `telling`.
    """
    sgd, negatives = SGD(lr=0.1), NegativeSampling(3)
    cases = [
        Case("zeros", SkipGram(7, 3, negatives), sgd, Drawn((5,)), grid=1.0),
        Case("zeros", SkipGram(7, 3, HierarchicalSoftmax()), sgd, Drawn((5,)), grid=1.0),
        Case("zeros", SkipGram(7, 3, SharedNegatives(2, 3)), sgd, Drawn((2, 2)), grid=1.0),
        Case("zeros", CBOW(7, 3, "sum", negatives), sgd, Drawn((4, 3)), grid=1.0),
        Case("zeros", Classifier(7, 4, (4,), 3, activation="gelu"), sgd, Drawn((6, 2)), grid=0.5, seed=2),
        Case("zeros", Classifier(7, 4, (4,), 3, activation="gelu_tanh"), sgd, Drawn((6, 2)), grid=0.5, seed=2),
    ]
    return [both for case in cases for both in in_both_dtypes(case)]


def limits() -> list[Case]:
    """Norms that are exactly their limit: of rows, which must stay as they are, and of all gradients together.

    The rows have two entries, as 3 and 4 units, with a unit so small that PyTorch's 1e-7 makes a difference. The
    gradients are scaled down all the same, since PyTorch adds 1e-6 to their norm.
    """
    unit, sgd = 2.0**-16, SGD(lr=0.1)
    lookup, pairs = Embedding(13, 2, max_norm=5 * unit), SkipGram(7, 3, NegativeSampling(3))
    cases = [
        Case("limit", lookup, sgd, Drawn((11,)), steps=1, gain=6 * unit, grid=unit, seed=30),
        Case("limit", pairs, sgd, Drawn((4,)), steps=1, gain=1e-4, max_norm=5.95997e-5),
    ]
    return [both for case in cases for both in in_both_dtypes(case)]


def subnormal() -> list[Case]:
    """Arguments of a maximum, of relu and of log sigmoid that are subnormal, 0.0 or -0.0; their sums are exact.

    Relu's are so in float64 alone. In float32, the gradients behind it would be subnormal too, and have few digits.
    """
    largest, pairs = EmbeddingBag(7, 4, mode="max"), SkipGram(7, 3, NegativeSampling(3))
    relu = Classifier(7, 4, (6,), 3)

    def case(model: Model, data: Drawn, gain: float, dtype: Literal["float64", "float32"]) -> Case:
        return Case("subnormal", model, SGD(lr=0.1), data, 1, dtype=dtype, seed=30, gain=gain, grid=gain / 4)

    # scores and sums are products of two numbers
    return [
        case(largest, Drawn((5, 3)), 2.0**-1023, "float64"),
        case(largest, Drawn((5, 3)), 2.0**-127, "float32"),
        case(pairs, Drawn((5,)), 2.0**-512, "float64"),
        case(pairs, Drawn((5,)), 2.0**-64, "float32"),
        case(relu, Drawn((5, 2)), 2.0**-512, "float64"),
    ]


def small_rows() -> list[Case]:
    """Every score is right, and saturated: 1 - σ(x) has lost its digits, and no row has a larger entry to hide it.

    The scores are from 19 to 40, and exact; all gradients are smaller than 1e-7 (pytorch/pytorch#195677).
    """
    model = SkipGram(3, 2, NegativeSampling(2, "redraw"))
    return in_both_dtypes(Case("small-rows", model, SGD(lr=0.1), Drawn((2,)), steps=1, gain=6, grid=0.5, seed=17566))


def silent() -> list[Case]:
    """No parameter has a gradient in the first and the third step: clipping must not divide by its norm, 0.

    Under SGD all stays bit for bit; other optimizers do what they do with a gradient of 0 (jax-ml/jax#2426,
    keras-team/keras#18985). Padding alone, under every optimizer; labels that are all ignored; no gradient upstream.
    """
    drawn = Drawn((3, 2), silent=(1, 3))
    padding = Case("silent", Embedding(5, 3, padding_idx=2), SGD(), drawn, max_norm=0.5)
    ignored = Classifier(5, 3, (3,), 3, loss=CrossEntropy(ignore_index=1, reduction="sum"))
    cases = [
        replace(padding, model=ignored),
        replace(padding, model=ignored, optimizer=Adam(lr=0.01)),
        replace(padding, model=Linear(3, 2), data=Drawn((4,), silent=(1, 3)), optimizer=SGD(lr=0.1, momentum=0.9)),
        replace(padding, model=EmbeddingBag(5, 3), optimizer=Adagrad(lr=0.1)),
    ]
    return [*each(padding, *OPTIMIZERS.values()), *(both for case in cases for both in in_both_dtypes(case))]


def many_rows() -> list[Case]:
    """Ids beyond 2**16, which no integer of 16 bits can hold; the table is one column wide, so it takes no memory."""
    drawn = Drawn((8,))
    lookup = Case("many-rows", Embedding(2**17 + 3, 1), SGD(lr=0.1), drawn, sparse=True)
    cases = [
        lookup,
        replace(lookup, data=replace(drawn, ids_dtype="int32")),
        replace(lookup, model=EmbeddingBag(2**17 + 3, 1), data=Drawn((4, 3))),
        replace(lookup, model=Classifier(2**17 + 3, 1, (3,), 3), data=Drawn((4, 3))),
    ]
    return [both for case in cases for both in in_both_dtypes(case)]


def seams() -> list[Case]:
    """All of them."""
    return [*layouts(), *kinks(), *limits(), *subnormal(), *small_rows(), *silent(), *many_rows()]
