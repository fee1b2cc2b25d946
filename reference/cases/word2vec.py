"""What skip-gram and CBOW share, and how a text becomes their examples."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from itertools import cycle
from typing import Any

import numpy as np
from numpy import ndarray

from reference.cases.batches import Batch
from reference.cases.data import Dialogue, Drawn, Text
from reference.cases.model import Model, Shapes
from reference.cases.objectives import Objective
from reference.data import text
from reference.data.stream import Stream
from reference.data.text import Corpus
from reference.errors import BadInput


class Word2Vec(Model):
    """The base class of skip-gram and CBOW: words are looked up in one table, and another table predicts."""

    num_embeddings: int
    embedding_dim: int
    objective: Objective
    given: str
    predicted: str

    @property
    def output(self) -> str:
        """The table that the objective compares the hidden vector with."""
        return "nodes.weight" if self.objective.nodes else self.predicted

    @property
    def shapes(self) -> Shapes:
        """The parameters' shapes, by name."""
        V, D = self.num_embeddings, self.embedding_dim
        return {self.given: (V, D), self.output: (V - self.objective.nodes, D)}

    @property
    def tables(self) -> tuple[str, ...]:
        """The tables that can have row gradients. A softmax reads every row of the output table."""
        return (self.given, self.output) if self.objective.by_row else (self.given,)

    @property
    def embeddings(self) -> tuple[str, ...]:
        """Both tables."""
        return self.given, self.output

    def given_ids(self, batch: Any) -> ndarray:
        """The input words."""
        raise NotImplementedError

    def looked_up(self, batch: Any) -> dict[str, ndarray]:
        """The input words, and the rows that the objective looks up."""
        rows = self.objective.looked_up(batch)
        given = {self.given: self.given_ids(batch).reshape(-1)}
        return given if rows is None else given | {self.output: rows}

    def around(self, centers: ndarray, contexts: ndarray) -> Batch:
        """The batch of the pairs (N,) of one centre."""
        raise NotImplementedError

    def dialogue(self, data: Dialogue) -> Iterator[Batch]:
        """What is around one centre per step, starting again after the last one."""
        steps = []
        for sentence in data.corpus.sentences:
            centers, contexts, positions = data.corpus.pairs(sentence, data.window)
            for position in np.unique(positions):
                here = positions == position
                steps.append(self.around(centers[here], contexts[here]))
        return map(deepcopy, cycle(steps))

    def complete(self, batches: Iterator[Any], data: Dialogue | Drawn | Text, stream: Stream) -> Iterator[Batch]:
        """The batches with the negatives or the paths of the objective."""
        return self.objective.complete(batches, data.counts(self.num_embeddings), stream)


def pairs(corpus: Corpus, data: Text, stream: Stream) -> tuple[ndarray, ndarray, ndarray]:
    """The pairs of one pass: centres, contexts, and the position of each centre in the text, (N,) each."""
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


def blocks(corpus: Corpus, data: Text, stream: Stream) -> tuple[ndarray, ndarray, ndarray]:
    """One pass in blocks of `length` words: the centres, the words at and around them, and which is context of which.

    The sentences follow one another. No context reaches into another sentence.
    """
    words = np.concatenate(corpus.sentences)
    sentence = np.arange(len(corpus.sentences)).repeat([len(ids) for ids in corpus.sentences])
    if data.subsample is not None:
        stay = stream.uniform(words.shape) < text.kept(corpus.counts, data.subsample)[words]
        words, sentence = words[stay], sentence[stay]
    length, window = data.length, data.window
    own = 1 + stream.ids(words.shape, window) if data.dynamic_window else np.full(words.shape, window)
    number = -(-len(words) // length)

    def cut(of: ndarray, around: int, outside: int) -> ndarray:
        padded = np.pad(of, (around, around + number * length - len(of)), constant_values=outside)
        return padded[np.arange(number)[:, None] * length + np.arange(length + 2 * around)]

    apart = abs(np.arange(length + 2 * window) - window - np.arange(length)[:, None])
    inside = (apart > 0) & (apart <= cut(own, 0, 0)[:, :, None])
    inside &= cut(sentence, 0, -1)[:, :, None] == cut(sentence, window, -2)[:, None]
    if not inside.any():
        raise BadInput(f"subsample {data.subsample}: no two words of {data.source} are left side by side")
    return cut(words, 0, 0), cut(words, window, 0), inside
