"""Lookups and dense layers alone, with a given upstream gradient."""

from __future__ import annotations

from dataclasses import replace

from reference.cases import SGD, Adam, Case, Drawn, Embedding, Linear
from reference.catalogue.spread import spread


def layers() -> list[Case]:
    """Different shapes, ids and widths."""
    cases = [
        # V, D, shape of the ids: the dialogue's, ones, primes, many duplicates, wider than a vector register
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
    return [case for base in cases for case in spread(base)]


def lookups() -> list[Case]:
    """The options of a lookup, and known failures."""
    cases = [
        # sources: pytorch#26302, #3506 and, above 768 ids, #28716; a batch of padding alone is in
        # tests/agreement/test_nasty.py
        Case("", Embedding(10, 5, padding_idx=2), SGD(), Drawn((4, 3))),
        Case("900-ids", Embedding(7, 2, padding_idx=3), SGD(), Drawn((900,))),
        Case("", Embedding(10, 5, max_norm=1.0), SGD(), Drawn((4, 3))),  # pytorch#26596, #28959
        Case("", Embedding(10, 5, max_norm=1.5, norm_type=1.0), SGD(), Drawn((4, 3))),
        # wider than 768 rows and columns, odd sizes
        Case("wide", Embedding(811, 769), SGD(), Drawn((5,))),
        Case("", Embedding(10, 5), SGD(), Drawn((4, 3), ids_dtype="int32")),
    ]
    by_frequency = Case("", Embedding(10, 5, scale_grad_by_freq=True), SGD(lr=0.1), Drawn((4, 6)))
    return [
        *(case for base in cases for case in spread(base)),
        by_frequency,
        replace(by_frequency, dtype="float32", optimizer=Adam(lr=0.01)),
    ]
