"""Initial weights and batches, the same for every implementation, on every machine, in every version of NumPy."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from copy import deepcopy
from dataclasses import replace
from itertools import count, cycle, islice, repeat
from typing import assert_never

import numpy as np

from reference.cases.batches import BagBatch, Batch, BlockBatch, ContextBatch, DenseBatch, LookupBatch, PairBatch
from reference.cases.case import Case
from reference.cases.cbow import CBOW
from reference.cases.classifier import Classifier
from reference.cases.data import Dialogue, Drawn, Recorded, Text
from reference.cases.embedding import Embedding
from reference.cases.embedding_bag import EmbeddingBag
from reference.cases.linear import Linear
from reference.cases.losses import CrossEntropy
from reference.cases.objectives import HierarchicalSoftmax, NegativeSampling, SharedNegatives
from reference.cases.skipgram import SkipGram
from reference.contract import Params
from reference.data import text
from reference.data.alias import AliasTable
from reference.data.dialogue import DIALOGUE_CORPUS, DIALOGUE_IDS, DIALOGUE_LABELS
from reference.data.huffman import huffman
from reference.data.stream import BATCHES, NEGATIVES, WEIGHTS, Stream
from reference.errors import BadInput

TABLES = ("embedding.weight", "center.weight", "context.weight", "nodes.weight")


def weights(case: Case) -> Params:
    """Initial weights of a case, by name: tables uniform in ±1, layers in ±1/sqrt(fan in) as PyTorch's are."""
    if isinstance(case.data, Recorded):
        return deepcopy(case.data.weights)
    stream = Stream(case.seed, WEIGHTS)
    drawn = {}
    bound = 1.0
    for name, shape in case.model.shapes.items():
        if name.endswith(".weight"):
            bound = 1.0 if name in TABLES else 1 / math.sqrt(shape[-1])
        values = stream.signed(shape, case.gain * bound)
        drawn[name] = (np.round(values / case.grid) * case.grid if case.grid else values).astype(case.dtype)
    return drawn


def batches(case: Case) -> Iterator[Batch]:
    """The batches of a case, one a step, in arrays of their own.

    Raises:
        BadInput: the text cannot be read or has no two words.
    """
    if isinstance(case.data, Recorded):
        return map(deepcopy, case.data.batches[: case.steps])
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
            return text.read(case.data.source, case.data.min_count).counts
    assert isinstance(case.data, Drawn)
    assert not isinstance(case.model, Linear)
    rank = np.arange(1, case.model.num_embeddings + 1)
    often = 1000 // rank if case.data.zipf else np.full_like(rank, 1000)
    return np.where(rank <= (case.data.used or len(rank)), np.maximum(often, 1), 0)


def _for_objective(case: Case, found: Iterator[Batch]) -> Iterator[Batch]:
    """The batches, with the negatives or the paths of the objective. The pairs are the same under each."""
    objective = getattr(case.model, "objective", None)
    if (
        isinstance(objective, NegativeSampling | SharedNegatives | HierarchicalSoftmax)
        and np.count_nonzero(counts(case)) < 2
    ):
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
        case SharedNegatives():
            table, stream = AliasTable(counts(case) ** objective.power), Stream(case.seed, NEGATIVES)
            for batch in found:
                assert isinstance(batch, BlockBatch)
                yield replace(batch, negatives=table.draw(stream, (len(batch.centers), objective.shared)))
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
    ids, lengths = np.concatenate(contexts), [len(ids) for ids in contexts]
    return ContextBatch(ids, np.cumsum([0, *lengths[:-1]], dtype=ids.dtype), np.array(centers))


def _dialogue(case: Case) -> Iterator[Batch]:
    if isinstance(case.model, Classifier):
        return (BagBatch(DIALOGUE_IDS.copy(), DIALOGUE_LABELS.copy()) for _ in repeat(None))
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
    return map(deepcopy, cycle(steps))


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
        case SkipGram(objective=SharedNegatives()):
            # each word is context of the one before and of the one after it, but for a tenth of these
            before, after = (stream.ids((shape[0], 1), used).astype(ids.dtype) for _ in range(2))
            apart = np.arange(shape[1] + 2) - np.arange(1, shape[1] + 1)[:, None]
            inside = (abs(apart) == 1) & (stream.uniform((*shape, shape[1] + 2)) < 0.9)
            inside[:, 0, 0] = True
            return BlockBatch(ids, np.concatenate([before, ids, after], axis=1), inside)
        case SkipGram():
            return PairBatch(ids, stream.ids(shape, used, data.zipf))
        case CBOW():
            lengths = 1 + stream.ids(shape[:1], shape[1])
            rows = [row[:length] for row, length in zip(ids, lengths, strict=True)]
            return _contexts(rows, stream.ids(shape[:1], used, data.zipf))
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
    lengths[-1], lengths[0] = 0 if step % 2 else length, length  # the first is full, also where it is the last
    last = isinstance(case.model, EmbeddingBag) and case.model.include_last_offset
    offsets = np.concatenate([[0], np.cumsum(lengths)])[: None if last else -1].astype(ids.dtype)
    return BagBatch(ids[np.arange(length) < lengths[:, None]], offsets=offsets)


def _text(case: Case) -> Iterator[Batch]:
    assert isinstance(case.data, Text)
    size, stream = case.data.batch_size, Stream(case.seed, BATCHES)
    kinds: dict[type, Callable[..., Batch]] = {Classifier: BagBatch, CBOW: _contexts, SkipGram: PairBatch}
    batch = BlockBatch if _in_blocks(case) else kinds[type(case.model)]
    rest: list[np.ndarray] = []
    for parts in _passes(case, stream):
        order = stream.order(len(parts[1]))
        found = [part[order] for part in parts]
        rest = [np.concatenate(both) for both in zip(rest, found, strict=True)] if rest else found
        while len(rest[1]) >= size:
            yield batch(*(part[:size] for part in rest))
            rest = [part[size:] for part in rest]


def examples(case: Case) -> int:
    """How many examples the first pass over the case's text has; of the other passes, random as they are, about."""
    return len(next(_passes(case, Stream(case.seed, BATCHES)))[1])


def _in_blocks(case: Case) -> bool:
    return isinstance(getattr(case.model, "objective", None), SharedNegatives)


def _passes(case: Case, stream: Stream) -> Iterator[tuple[np.ndarray, ...]]:
    """The examples of the text, anew for each pass: what is given and what is to be told, one line an example."""
    assert isinstance(case.data, Text)
    data, corpus = case.data, text.read(case.data.source, case.data.min_count)
    match case.model:
        case Classifier():
            return repeat(corpus.bags(data.length))
        case _ if _in_blocks(case):
            return (_blocks(corpus, data, stream) for _ in repeat(None))
        case CBOW():
            return (_by_center(*_pairs(corpus, data, stream)) for _ in repeat(None))
        case _:
            return (_pairs(corpus, data, stream)[:2] for _ in repeat(None))


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


def _blocks(corpus: text.Corpus, data: Text, stream: Stream) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """One pass in blocks of `length` words: the centres, the words on and around them, and which is context of which.

    The sentences lie one after the other; no context reaches into another sentence.
    """
    words = np.concatenate(corpus.sentences)
    sentence = np.arange(len(corpus.sentences)).repeat([len(ids) for ids in corpus.sentences])
    if data.subsample is not None:
        stay = stream.uniform(words.shape) < text.kept(corpus.counts, data.subsample)[words]
        words, sentence = words[stay], sentence[stay]
    length, window = data.length, data.window
    own = 1 + stream.ids(words.shape, window) if data.dynamic_window else np.full(words.shape, window)
    blocks = -(-len(words) // length)

    def cut(of: np.ndarray, around: int, outside: int) -> np.ndarray:
        padded = np.pad(of, (around, around + blocks * length - len(of)), constant_values=outside)
        return padded[np.arange(blocks)[:, None] * length + np.arange(length + 2 * around)]

    apart = abs(np.arange(length + 2 * window) - window - np.arange(length)[:, None])
    inside = (apart > 0) & (apart <= cut(own, 0, 0)[:, :, None])
    inside &= cut(sentence, 0, -1)[:, :, None] == cut(sentence, window, -2)[:, None]
    if not inside.any():
        raise BadInput(f"subsample {data.subsample}: no two words of {data.source} are left side by side")
    return cut(words, 0, 0), cut(words, window, 0), inside


def _by_center(centers: np.ndarray, contexts: np.ndarray, positions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The pairs of one pass by centre: the contexts of each, an array in an array, and the centres."""
    _, begin = np.unique(positions, return_index=True)
    return np.fromiter(np.split(contexts, begin[1:]), object, len(begin)), centers[begin]
