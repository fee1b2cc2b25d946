"""Where what is right elsewhere gives way: arrays in memory, arguments on a seam, rows that are small, no gradient."""

from __future__ import annotations

from dataclasses import replace
from typing import get_args

from reference.cases import (
    SGD,
    Case,
    Drawn,
    Embedding,
    Linear,
    NegativeSampling,
    SkipGram,
)
from reference.cases.layout import Layout
from reference.catalogue.spread import in_both_dtypes


def layouts() -> list[Case]:
    """Weights and batches with the same values in each layout (NVIDIA/TransformerEngine#623, pytorch/FBGEMM#1553)."""
    sgd = SGD(lr=0.1)
    cases = [
        # of the vectors of one id the upstream gradients still differ
        Case("small", Embedding(7, 3), sgd, Drawn((4, 3))),
        Case("one-id", Embedding(7, 3), sgd, Drawn((4, 3), used=1), layout="broadcast"),
        Case("small", Linear(5, 3), sgd, Drawn((4,))),
        Case("small", SkipGram(7, 3, NegativeSampling(4)), sgd, Drawn((5,))),
    ]
    kinds = [layout for layout in get_args(Layout) if layout not in ("contiguous", "broadcast")]
    return [
        both
        for case in cases
        for one in ([case] if case.layout == "broadcast" else [replace(case, layout=kind) for kind in kinds])
        for both in in_both_dtypes(one)
    ]


def seams() -> list[Case]:
    """All of them."""
    return layouts()
