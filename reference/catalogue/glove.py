"""GloVe, with its options."""

from __future__ import annotations

from dataclasses import replace

from reference.cases import SGD, Adagrad, Case, Dialogue, Drawn, GloVe, Text
from reference.catalogue.pairwise import Table, values
from reference.catalogue.spread import OPTIMIZERS, RUN, each, in_both_dtypes, part, refused
from reference.catalogue.texts import fitting
from reference.data import text

GLOVE = Table(
    "glove",
    {
        "x_max": values(100.0, 0.7),
        "alpha": values(0.75, 0.5),
        "reduction": values("mean", "sum"),
        **RUN,
        "ids_dtype": values("int64", "int32"),
    },
    lambda row: not refused(row, all_rows=True),
)


def glove() -> list[Case]:
    """Every pair of options, different shapes, and cases that tell the mistakes apart."""
    adagrad = Adagrad(lr=0.05)  # the optimizer and the learning rate of the paper
    found = []
    for row in GLOVE.rows():
        model = GloVe(7, 3, **part(row, "x_max", "alpha", "reduction"))
        data = Drawn((9,), used=6, ids_dtype=row["ids_dtype"])
        found.append(Case("", model, data=data, seed=2, **part(row, *RUN)))
    cases = [
        Case("one", GloVe(1, 1), SGD(), Drawn((1,))),
        # most words are in one pair; with small scores no prediction is right by chance, so no difference cancels
        Case("primes", GloVe(101, 13), SGD(), Drawn((17,), used=97), steps=5, gain=0.1),
        Case("duplicates", GloVe(3, 4), SGD(), Drawn((50,))),
        Case("zipf", GloVe(1009, 33), SGD(), Drawn((64,), zipf=True), gain=0.1),
        Case("dialogue", GloVe(7, 3, reduction="sum"), SGD(), Dialogue(window=2), steps=15, seed=3),
    ]
    every = Case("every", GloVe(11, 4), SGD(), Drawn((13,), used=9), steps=5, seed=3)
    return [
        *found,
        *(case for base in cases for case in each(base, adagrad, SGD(lr=0.05))),
        *each(every, *OPTIMIZERS.values()),
    ]


def glove_texts(source: str) -> list[Case]:
    """The co-occurrences of a text: each word with the ten words before and after it, as in the paper.

    Only words that occur fifty times are used, if there are any. The gradients of their biases are sums in which large
    counts dominate. For rare words, these sums are of logarithms of both signs, which may cancel until only rounding is
    left. For the same reason the initial weights are as small as in glove.c, and the seed leaves room in the manuals of
    Python 3.11 to 3.13.
    """
    often = 50
    words = int((text.read(source).counts >= often).sum())
    if words < 50:
        return []
    data = Text(source, batch_size=1024, window=10, min_count=often)
    base = Case("text", GloVe(words, 16, reduction="sum"), Adagrad(lr=0.05), data, steps=100, seed=10, gain=1 / 32)
    case = fitting(base)
    return [*in_both_dtypes(replace(case, sparse=True)), case]
