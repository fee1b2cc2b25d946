"""Initial weights and batches, the same for every implementation, on every machine, in every version of NumPy."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from itertools import chain, cycle, islice, repeat
from typing import assert_never

import numpy as np

from reference import text
from reference.cases import (
    BagBatch,
    Batch,
    Case,
    Classifier,
    DenseBatch,
    Dialogue,
    Drawn,
    Embedding,
    Linear,
    LookupBatch,
    PairBatch,
    SkipGram,
    Text,
)
from reference.contract import Params

DIALOGUE_IDS = np.array([[1, 2, 3], [4, 5, 6], [7, 8, 9], [1, 5, 9]])
DIALOGUE_LABELS = np.array([0, 1, 0, 1])
DIALOGUE_CORPUS = "the cat sat on the mat\n\nthe dog barked\n\nthe dog sat on the mat"

WEIGHTS, BATCHES = 0, 1  # the two streams of a case's seed


class Stream:
    """Draws from raw PCG64 output, which NumPy promises never to change (NEP 19); its distributions may."""

    def __init__(self, *seed: int) -> None:
        self.bits = np.random.PCG64(np.random.SeedSequence(seed))

    def uniform(self, shape: tuple[int, ...]) -> np.ndarray:
        """Numbers in [0, 1) with 53 random bits each, of the shape."""
        raw = self.bits.random_raw(int(np.prod(shape, dtype=int)))
        return ((raw >> np.uint64(11)) * 2.0**-53).reshape(shape)

    def signed(self, shape: tuple[int, ...], bound: float = 1.0) -> np.ndarray:
        """Numbers in [-bound, bound), of the shape."""
        return (2 * self.uniform(shape) - 1) * bound

    def ids(self, shape: tuple[int, ...], n: int, zipf: bool = False) -> np.ndarray:
        """Ids in [0, n): uniform, or with a density that falls as 1/rank, as that of words does (Zipf 1949)."""
        u = self.uniform(shape)
        found = np.floor((n + 1.0) ** u) - 1 if zipf else np.floor(u * n)
        return np.minimum(found, n - 1).astype(np.int64)

    def order(self, n: int) -> np.ndarray:
        """A permutation of range(n)."""
        return np.argsort(self.bits.random_raw(n), kind="stable")


def weights(case: Case) -> Params:
    """Initial weights of a case, by name: tables uniform in ±1, layers in ±1/sqrt(fan in) as PyTorch's are."""
    stream = Stream(case.seed, WEIGHTS)
    drawn = {}
    bound = 1.0
    for name, shape in case.model.shapes.items():
        if name.endswith(".weight"):
            bound = 1.0 if name in ("embedding.weight", "center.weight", "context.weight") else 1 / math.sqrt(shape[-1])
        drawn[name] = stream.signed(shape, case.gain * bound).astype(case.dtype)
    return drawn


def batches(case: Case) -> Iterator[Batch]:
    """The batches of a case, one a step, in arrays of their own.

    Raises:
        BadInput: the text cannot be read or has no two words.
    """
    source = {Dialogue: _dialogue, Drawn: _drawn, Text: _text}[type(case.data)]
    return islice(source(case), case.steps)


def _dialogue(case: Case) -> Iterator[Batch]:
    if isinstance(case.model, Classifier):
        return (BagBatch(DIALOGUE_IDS.copy(), DIALOGUE_LABELS.copy()) for _ in repeat(None))
    assert isinstance(case.data, Dialogue)
    corpus = text.read_string(DIALOGUE_CORPUS, min_count=1)
    pairs = (corpus.pairs(sentence, case.data.window) for sentence in corpus.sentences)
    steps = []
    for centers, contexts, positions in pairs:
        for position in np.unique(positions):
            here = positions == position
            steps.append(PairBatch(centers[here], contexts[here]))
    return (PairBatch(step.centers.copy(), step.contexts.copy()) for step in cycle(steps))


def _drawn(case: Case) -> Iterator[Batch]:
    assert isinstance(case.data, Drawn)
    stream, model, shape = Stream(case.seed, BATCHES), case.model, case.data.shape
    make: Callable[[], Batch]
    if isinstance(model, Linear):

        def make() -> Batch:
            inputs, upstream = stream.signed((*shape, model.in_features)), stream.signed((*shape, model.out_features))
            return DenseBatch(inputs.astype(case.dtype), upstream.astype(case.dtype))
    else:
        used, zipf = case.data.used or model.num_embeddings, case.data.zipf

        def make() -> Batch:
            ids = stream.ids(shape, used, zipf)
            match model:
                case Embedding():
                    return LookupBatch(ids, stream.signed((*shape, model.embedding_dim)).astype(case.dtype))
                case Classifier():
                    return BagBatch(ids, stream.ids(shape[:1], model.num_classes))
                case SkipGram():
                    return PairBatch(ids, stream.ids(shape, used, zipf))
                case _:
                    assert_never(model)

    return (make() for _ in repeat(None))


def _text(case: Case) -> Iterator[Batch]:
    assert isinstance(case.data, Text)
    data, stream = case.data, Stream(case.seed, BATCHES)
    corpus = text.read(data.source)
    if isinstance(case.model, Classifier):
        first, second = corpus.bags(data.length)
        kind: type[BagBatch | PairBatch] = BagBatch
    else:
        first, second = corpus.all_pairs(data.window)
        kind = PairBatch
    n = len(first)
    order = chain.from_iterable(stream.order(n) for _ in repeat(None))
    while True:
        chosen = np.fromiter(islice(order, data.batch_size), int)
        yield kind(first[chosen], second[chosen])
