"""Initial weights and batches, the same for every implementation, on every machine, in every version of NumPy."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from itertools import chain, count, cycle, islice, repeat
from typing import assert_never

import numpy as np

from reference import text
from reference.cases import (
    BagBatch,
    Batch,
    Case,
    Classifier,
    CrossEntropy,
    DenseBatch,
    Dialogue,
    Drawn,
    Embedding,
    EmbeddingBag,
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
            table = name.removesuffix(".weight") in ("embedding", "center", "context")
            bound = 1.0 if table else 1 / math.sqrt(shape[-1])
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
    stream = Stream(case.seed, BATCHES)
    return (_draw(case, stream, step) for step in count(1))


def _draw(case: Case, stream: Stream, step: int) -> Batch:
    assert isinstance(case.data, Drawn)
    model, data, shape = case.model, case.data, case.data.shape
    if isinstance(model, Linear):
        inputs, upstream = stream.signed((*shape, model.in_features)), stream.signed((*shape, model.out_features))
        return DenseBatch(inputs.astype(case.dtype), upstream.astype(case.dtype))
    used = data.used or model.num_embeddings
    ids = stream.ids(shape, used, data.zipf).astype(data.ids_dtype)
    match model:
        case Embedding():
            if model.padding_idx is not None:
                ids[0] = model.padding_idx
            return LookupBatch(ids, stream.signed((*shape, model.embedding_dim)).astype(case.dtype))
        case EmbeddingBag():
            bags = _bags(case, ids, stream, step)
            weights = stream.signed(bags.ids.shape).astype(case.dtype) if model.weighted else None
            upstream = stream.signed((shape[0], model.embedding_dim)).astype(case.dtype)
            return replace(bags, per_sample_weights=weights, upstream=upstream)
        case Classifier():
            n, classes, loss = shape[0], model.num_classes, model.loss
            bags = _bags(case, ids, stream, step)
            if not isinstance(loss, CrossEntropy):
                labels = stream.signed((n, classes)).astype(case.dtype)
            elif loss.probabilities:
                labels = stream.uniform((n, classes))
                labels = (labels / labels.sum(axis=1, keepdims=True)).astype(case.dtype)
            else:
                labels = stream.ids((n,), classes)
            keep = stream.uniform((n, sum(model.hidden_features))) >= model.dropout if model.dropout else None
            return replace(bags, labels=labels, keep=keep)
        case SkipGram():
            return PairBatch(ids, stream.ids(shape, used, data.zipf))
        case _:
            assert_never(model)


def _bags(case: Case, ids: np.ndarray, stream: Stream, step: int) -> BagBatch:
    """The ids (B, L) as bags: ragged where the data is, the first of padding alone where the model has padding."""
    assert isinstance(case.data, Drawn)
    assert isinstance(case.model, EmbeddingBag | Classifier)
    if case.model.padding_idx is not None:
        ids[0] = case.model.padding_idx
    if not case.data.ragged:
        return BagBatch(ids)
    bags, length = ids.shape
    lengths = stream.ids((bags,), length + 1)
    lengths[0], lengths[-1] = length, 0 if step % 2 else length
    last = isinstance(case.model, EmbeddingBag) and case.model.include_last_offset
    offsets = np.concatenate([[0], np.cumsum(lengths)])[: None if last else -1].astype(ids.dtype)
    return BagBatch(ids[np.arange(length) < lengths[:, None]], offsets=offsets)


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
