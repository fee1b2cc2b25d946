"""Initial weights and batches, the same for every implementation, on every machine, in every version of NumPy."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import cycle, islice, repeat
from typing import Any, assert_never

import numpy as np

from reference import text
from reference.alias import AliasTable
from reference.cases import (
    CBOW,
    BagBatch,
    Batch,
    Case,
    Classifier,
    ContextBatch,
    DenseBatch,
    Dialogue,
    Drawn,
    Embedding,
    HierarchicalSoftmax,
    Linear,
    LookupBatch,
    NegativeSampling,
    PairBatch,
    SkipGram,
    Text,
)
from reference.contract import BadInput, Params
from reference.huffman import huffman

DIALOGUE_IDS = np.array([[1, 2, 3], [4, 5, 6], [7, 8, 9], [1, 5, 9]])
DIALOGUE_LABELS = np.array([0, 1, 0, 1])
DIALOGUE_CORPUS = "the cat sat on the mat\n\nthe dog barked\n\nthe dog sat on the mat"

WEIGHTS, BATCHES, NEGATIVES = 0, 1, 2  # the streams of a case's seed
TABLES = ("embedding.weight", "center.weight", "context.weight", "nodes.weight")


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
            bound = 1.0 if name in TABLES else shape[-1] ** -0.5
        drawn[name] = stream.signed(shape, case.gain * bound).astype(case.dtype)
    return drawn


def batches(case: Case) -> Iterator[Batch]:
    """The batches of a case, one a step, in arrays of their own.

    Raises:
        BadInput: the text cannot be read or has no two words.
    """
    source = {Dialogue: _dialogue, Drawn: _drawn, Text: _text}[type(case.data)]
    return islice(_for_objective(case, source(case)), case.steps)


def counts(case: Case) -> np.ndarray:
    """How often each word (V,) occurs: by this, negatives are drawn and a Huffman tree is built.

    In the case's text; or, of words that are drawn, 1000 times each or 1000/rank, and those that are not used never.
    """
    match case.data:
        case Dialogue():
            return text.read_string(DIALOGUE_CORPUS, min_count=1).counts
        case Text():
            return text.read(case.data.source).counts
    assert not isinstance(case.model, Linear)
    rank = np.arange(1, case.model.num_embeddings + 1)
    often = 1000 // rank if case.data.zipf else np.full_like(rank, 1000)
    return np.where(rank <= (case.data.used or len(rank)), np.maximum(often, 1), 0)


def _for_objective(case: Case, found: Iterator[Batch]) -> Iterator[Batch]:
    """The batches, with the negatives or the paths of the objective. The pairs are the same under each."""
    objective = getattr(case.model, "objective", None)
    if isinstance(objective, NegativeSampling | HierarchicalSoftmax) and np.count_nonzero(counts(case)) < 2:
        raise BadInput(f"case {case.id}: has one word; {type(objective).__name__} needs at least two")
    match objective:
        case NegativeSampling():
            table = AliasTable(counts(case) ** objective.power)
            stream = Stream(case.seed, NEGATIVES)
            redraw = objective.accidental_hits == "redraw"
            for batch in found:
                assert isinstance(batch, PairBatch | ContextBatch)
                negatives = table.draw(stream, (len(batch.targets), objective.num_negatives))
                while redraw and (hits := negatives == batch.targets[:, None]).any():
                    negatives[hits] = table.draw(stream, (int(hits.sum()),))
                yield replace(batch, negatives=negatives)
        case HierarchicalSoftmax():
            tree = huffman(counts(case))
            for batch in found:
                assert isinstance(batch, PairBatch | ContextBatch)
                nodes, signs = tree.paths(batch.targets)
                yield replace(batch, nodes=nodes, signs=signs)
        case _:
            yield from found


def _contexts(contexts: Sequence[np.ndarray], centers: Sequence[int] | np.ndarray) -> ContextBatch:
    """A batch of contexts, an array of ids each, and their centres."""
    ends = np.cumsum([len(ids) for ids in contexts])
    return ContextBatch(np.concatenate(contexts), np.append(0, ends[:-1]), np.array(centers))


def _dialogue(case: Case) -> Iterator[Batch]:
    if isinstance(case.model, Classifier):
        return repeat(BagBatch(DIALOGUE_IDS, DIALOGUE_LABELS))
    assert isinstance(case.data, Dialogue)
    corpus = text.read_string(DIALOGUE_CORPUS, min_count=1)
    pairs = (corpus.pairs(sentence, case.data.window) for sentence in corpus.sentences)
    steps: list[Batch] = []
    for centers, contexts, positions in pairs:
        for position in np.unique(positions):
            here = positions == position
            if isinstance(case.model, CBOW):
                steps.append(_contexts([contexts[here]], centers[here][:1]))
            else:
                steps.append(PairBatch(centers[here], contexts[here]))
    return cycle(steps)


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
                case CBOW():
                    lengths = 1 + stream.ids(shape[:1], shape[1])
                    contexts = [row[:length] for row, length in zip(ids, lengths, strict=True)]
                    return _contexts(contexts, stream.ids(shape[:1], used, zipf))
                case _:
                    assert_never(model)

    return (make() for _ in repeat(None))


def _text(case: Case) -> Iterator[Batch]:
    assert isinstance(case.data, Text)
    data, stream = case.data, Stream(case.seed, BATCHES)
    corpus = text.read(data.source)
    passes: Iterator[tuple[Any, Any]]
    batch: Callable[[Sequence, Sequence], Batch]
    match case.model:
        case Classifier():
            passes, batch = repeat(corpus.bags(data.length)), _stacked(BagBatch)
        case CBOW():
            passes, batch = (_by_center(*_pairs(corpus, data, stream)) for _ in repeat(None)), _contexts
        case _:
            passes, batch = (_pairs(corpus, data, stream)[:2] for _ in repeat(None)), _stacked(PairBatch)
    examples = ((first[i], second[i]) for first, second in passes for i in stream.order(len(second)))
    while True:
        yield batch(*zip(*islice(examples, data.batch_size), strict=True))


def _stacked(kind: type[BagBatch | PairBatch]) -> Callable[[Sequence, Sequence], Batch]:
    return lambda first, second: kind(np.array(first), np.array(second))


def _pairs(corpus: text.Corpus, data: Text, stream: Stream) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The pairs of one pass: centres, contexts, and which word of the text the centre is, (N,) each."""
    keep = None if data.subsample is None else text.kept(corpus.counts, data.subsample)
    found, before = [], 0
    for ids in corpus.sentences:
        if keep is not None:
            ids = ids[stream.uniform(ids.shape) < keep[ids]]
        own = 1 + stream.ids(ids.shape, data.window) if data.dynamic_window else None
        centers, contexts, positions = corpus.pairs(ids, data.window, own)
        found.append((centers, contexts, before + positions))
        before += len(ids)
    centers, contexts, positions = (np.concatenate(parts) for parts in zip(*found, strict=True))
    if not len(centers):
        raise BadInput(f"subsample {data.subsample}: no two words of {data.source} are left side by side")
    return centers, contexts, positions


def _by_center(centers: np.ndarray, contexts: np.ndarray, positions: np.ndarray) -> tuple[list[np.ndarray], np.ndarray]:
    """The pairs of one pass by centre: the contexts of each, and the centres."""
    _, begin = np.unique(positions, return_index=True)
    return np.split(contexts, begin[1:]), centers[begin]
