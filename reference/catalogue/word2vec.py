"""Skip-gram and CBOW, with the objectives of word2vec."""

from __future__ import annotations

from dataclasses import replace

from reference.cases import (
    CBOW,
    SGD,
    Case,
    Dialogue,
    Drawn,
    HierarchicalSoftmax,
    NegativeSampling,
    Objective,
    SharedNegatives,
    SkipGram,
    Softmax,
)
from reference.catalogue.optimizers import OPTIONS
from reference.catalogue.pairwise import Table, values
from reference.catalogue.spread import RUN, each, part, refused, spread

OBJECTIVES: dict[str, Objective] = {
    "softmax": Softmax(),
    "negatives": NegativeSampling(4),
    "negatives mask": NegativeSampling(4, "mask"),
    "negatives redraw": NegativeSampling(4, "redraw"),
    "tree": HierarchicalSoftmax(),
}
WORD2VEC = Table(
    "word2vec",
    {
        "mode": {"skipgram": None, "mean": "mean", "sum": "sum"},
        "objective": OBJECTIVES,
        "reduction": values("mean", "sum"),
        **RUN,
    },
    lambda row: not refused(row, all_rows=not isinstance(row.get("objective"), Softmax)),
)
SHARED = Table(
    "shared",
    {
        "accidental_hits": values("keep", "mask"),
        "shared": values(1, 4),
        "reduction": values("mean", "sum"),
        **RUN,
        "ids_dtype": values("int64", "int32"),
    },
    lambda row: not refused(row, all_rows=True),
)


def skipgrams() -> list[Case]:
    """Skip-gram with the full softmax: different shapes, ids and widths."""
    words = 7
    epoch = 15  # one update for each word of the dialogue's corpus
    whole = Case("dialogue", SkipGram(words, 3, reduction="sum"), SGD(lr=0.1), Dialogue(), steps=1000 * epoch)
    cases = [
        Case("pairs", SkipGram(words, 3), SGD(), Drawn((6,)), steps=5),
        Case("one", SkipGram(2, 1), SGD(), Drawn((1,))),
        Case("primes", SkipGram(101, 13), SGD(), Drawn((17,), used=97), steps=5),
        Case("pairs", SkipGram(11, 4, reduction="sum"), SGD(), Drawn((6,))),
        Case("zipf", SkipGram(1009, 33), SGD(), Drawn((32,), zipf=True)),
        # probabilities far below eps; with this seed, no target's is so close to 1 that p - 1 is only rounding
        Case("saturated", SkipGram(9, 6), SGD(), Drawn((5,)), gain=4, seed=5),
    ]
    return [
        replace(whole, sparse=True),
        *spread(replace(whole, name="dialogue-epoch", steps=epoch)),
        *(case for base in cases for case in spread(base)),
    ]


def word2vec() -> list[Case]:
    """The objectives of word2vec, with skip-gram and CBOW."""
    negatives, tree = NegativeSampling(), HierarchicalSoftmax()
    hits = tuple(of.accidental_hits for of in OBJECTIVES.values() if isinstance(of, NegativeSampling))
    both: tuple[Objective, ...] = (negatives, tree)
    cases = [
        # nasty case 18: accidental hits and repeated negatives, which 3 words and 7 negatives always give; the gradient
        # of numpy-ml's NCELoss is not the derivative of its loss; pytorch-sgns#9, pytorch/text#1228
        *(Case("hits", SkipGram(3, 4, NegativeSampling(7, of)), SGD(), Drawn((5,))) for of in hits),
        *(Case("hits", CBOW(3, 4, "mean", NegativeSampling(7, of)), SGD(), Drawn((4, 4))) for of in hits),
        # nasty case 8: contexts of 1 to 9 words, many of them twice; this finds a gradient that is not divided as the
        # mean is: fastText#910, gensim#697, gensim#1873, arXiv 2012.15332
        Case("lengths", CBOW(4, 5), SGD(), Drawn((5, 9))),
        Case("lengths", CBOW(5, 4, "mean", negatives), SGD(), Drawn((5, 9))),
        # nasty cases 17 and 19: scores of 30 and more, where log(1 - sigmoid(x)) is -inf in float32; gensim#2725 skips
        # them, fastText#370 lost a sign
        Case("saturated", SkipGram(9, 6, negatives), SGD(), Drawn((5,)), gain=4, seed=9),
        Case("saturated", SkipGram(9, 6, tree), SGD(), Drawn((5,), zipf=True), gain=4),
        # the smallest trees: one inner node, and two
        Case("two-words", SkipGram(2, 3, tree), SGD(), Drawn((3,))),
        Case("three-words", SkipGram(3, 5, tree), SGD(), Drawn((4,))),
        Case("three-words", CBOW(3, 5, "sum", tree), SGD(), Drawn((4, 2))),
        Case("one", CBOW(2, 1), SGD(), Drawn((1, 1))),
        Case("dialogue", CBOW(7, 3), SGD(), Dialogue(window=2), steps=15),
        *(Case("dialogue", SkipGram(7, 3, of, "sum"), SGD(), Dialogue(), steps=15) for of in both),
        # rows that are never looked up, words that are never drawn, and nodes that are on no path
        *(Case("primes", SkipGram(101, 13, of), SGD(), Drawn((17,), used=61), steps=5) for of in both),
        *(Case("primes", CBOW(101, 13, "sum", of), SGD(), Drawn((17, 3), used=61)) for of in both),
        *(Case("zipf", SkipGram(1009, 33, of), SGD(), Drawn((32,), zipf=True)) for of in both),
    ]
    # one case with every optimizer: AdamW's weight decay falls with the learning rate
    falling = Case("", SkipGram(7, 3, negatives), SGD(), Drawn((5,)), steps=5, lr_decay_to=1e-4)
    return [
        *_paired(),
        *_shared_negatives(),
        *each(falling, *(kind(lr=0.1) for kind in OPTIONS)),
        *(case for base in cases for case in spread(base)),
    ]


def _paired() -> list[Case]:
    """Every pair of skip-gram's and CBOW's options: pooling, objective, reduction."""
    found = []
    for row in WORD2VEC.rows():
        mode, own, run = row["mode"], part(row, "objective", "reduction"), part(row, *RUN)
        if mode is None:
            found.append(Case("", SkipGram(11, 4, **own), data=Drawn((7,), zipf=True), **run))
        else:
            found.append(Case("", CBOW(11, 4, mode, **own), data=Drawn((6, 5), zipf=True), **run))
    return found


def _shared_negatives() -> list[Case]:
    """Blocks of text with shared negatives: every pair of options, accidental hits (3 words suffice), unused rows."""
    found = []
    for row in SHARED.rows():
        model = SkipGram(11, 2, SharedNegatives(2, row["shared"], row["accidental_hits"]), row["reduction"])
        found.append(Case("", model, data=Drawn((2, 2), zipf=True, ids_dtype=row["ids_dtype"]), **part(row, *RUN)))
    cases = [
        Case("hits", SkipGram(3, 2, SharedNegatives(2, 5, "mask")), SGD(), Drawn((2, 4))),
        Case("one", SkipGram(2, 1, SharedNegatives(1, 1)), SGD(), Drawn((1, 2)), seed=2),
        Case("primes", SkipGram(31, 3, SharedNegatives(3, 5)), SGD(), Drawn((2, 3), used=23)),
    ]
    return found + [case for base in cases for case in spread(base, SGD(lr=0.1))]
