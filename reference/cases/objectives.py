"""The objectives of word2vec: the loss of a hidden vector (D,) and the word that it should predict.

The loss of a pair is the sum of its terms. The N pairs of a batch are summed or averaged, as the model's `reduction`
says.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
from numpy import ndarray

from reference.cases import validation
from reference.cases.batches import (
    Batch,
    BlockBatch,
    ContextBatch,
    ContextNegativesBatch,
    ContextPathsBatch,
    PairBatch,
    PairNegativesBatch,
    PairPathsBatch,
)
from reference.data.alias import AliasTable
from reference.data.huffman import huffman
from reference.data.stream import Stream
from reference.errors import BadInput


class _Objective:
    """The base class. pairs, contexts: the kinds of batches of skip-gram and of CBOW with this objective."""

    pairs: ClassVar[Any]
    contexts: ClassVar[Any]

    @property
    def nodes(self) -> bool:
        """Whether the table's rows are the inner nodes of a tree, one fewer than there are words."""
        return False

    @property
    def by_row(self) -> bool:
        """Whether the table is looked up by row."""
        return True

    def looked_up(self, batch: Any) -> ndarray | None:
        """The rows (N,) of the output table that the batch looks up; None if it reads all of them."""
        raise NotImplementedError

    def complete(self, batches: Iterator[Any], counts: ndarray, stream: Stream) -> Iterator[Batch]:
        """The batches with their negatives or paths. The pairs are the same for every objective."""
        raise NotImplementedError

    def check(self, batch: Any, num_embeddings: int) -> None:
        """Raise BadInput unless the negatives or paths are right."""

    def _needs_two(self, counts: ndarray) -> None:
        if np.count_nonzero(counts) < 2:
            raise BadInput(f"{type(self).__name__}: the data has one word; at least two are needed")


@dataclass(frozen=True)
class Softmax(_Objective):
    """Every word of the vocabulary competes: -log softmax(hidden @ table.T)[target] (Mikolov et al. 2013a, section 3).

    It reaches every row of the table, so the table's gradient is dense. https://arxiv.org/abs/1301.3781
    """

    pairs, contexts = PairBatch, ContextBatch
    by_row = False

    def looked_up(self, batch: Any) -> None:
        """None: every row is read."""
        return

    def complete(self, batches: Iterator[Any], counts: ndarray, stream: Stream) -> Iterator[Batch]:
        """The same batches; nothing else is drawn."""
        return batches


@dataclass(frozen=True)
class NegativeSampling(_Objective):
    """The word against K random ones: -log s(h @ t) - sum over k of log s(-h @ n_k), s the sigmoid, t and n_k rows.

    The negatives (N, K) are part of the batch. They are drawn with a probability proportional to count**power.
    accidental_hits: what happens to a negative that is the target itself. "keep": it counts, as in the formula. "mask":
    it counts neither in the loss nor in the gradient, as in word2vec.c. "redraw": it is drawn again until it is another
    word, so the batch has no such negative.

    Mikolov et al. 2013b, equation 4, https://arxiv.org/abs/1310.4546; Goldberg and Levy 2014,
    https://arxiv.org/abs/1402.3722.
    """

    num_negatives: int = 5
    accidental_hits: Literal["keep", "mask", "redraw"] = "keep"
    power: float = 0.75

    pairs, contexts = PairNegativesBatch, ContextNegativesBatch

    def looked_up(self, batch: PairNegativesBatch | ContextNegativesBatch) -> ndarray:
        """The targets and the negatives."""
        return np.concatenate([batch.targets, batch.negatives.reshape(-1)])

    def complete(
        self, batches: Iterator[PairBatch | ContextBatch], counts: ndarray, stream: Stream
    ) -> Iterator[PairNegativesBatch | ContextNegativesBatch]:
        """Each pair with its negatives, drawn by their counts."""
        self._needs_two(counts)
        table = AliasTable(counts**self.power)
        for batch in batches:
            negatives = table.draw(stream, (len(batch.targets), self.num_negatives))
            while self.accidental_hits == "redraw" and (hits := negatives == batch.targets[:, None]).any():
                negatives[hits] = table.draw(stream, (int(hits.sum()),))
            yield batch.with_negatives(negatives)

    def check(self, batch: PairNegativesBatch | ContextNegativesBatch, num_embeddings: int) -> None:
        """Raise BadInput unless there are num_negatives of them, and with redraw none is the target."""
        validation.ids("negatives", batch.negatives, num_embeddings, ndim=2)
        validation.shape("negatives", batch.negatives, (len(batch.targets), self.num_negatives))
        if self.accidental_hits == "redraw":
            hits = batch.negatives == batch.targets[:, None]
            what = "is the target itself; another word is needed under redraw"
            validation.where("negatives", batch.negatives, hits, what)


@dataclass(frozen=True)
class SharedNegatives(_Objective):
    """Negative sampling where all pairs of a block of text share their negatives, so everything is a matrix product.

    A block has T centres h_i, C words t_j that include their contexts, and S negatives n_s. The weight m_ij is 1 if
    word j is in the context of centre i, and 0 otherwise. The loss is
    -sum over i, j of m_ij * (log s(h_i @ t_j) + num_negatives / S * sum over s of log s(-h_i @ n_s)).
    This is the loss of `NegativeSampling`, except that each pair uses all S negatives of its block, each weighted by
    num_negatives / S. Skip-gram only; the batches are `BlockBatch`. shared: S. accidental_hits: with "mask", the pair
    i, j leaves out each negative that is the word j.

    Ji et al. 2016, https://arxiv.org/abs/1604.04661.
    """

    num_negatives: int = 5
    shared: int = 32
    accidental_hits: Literal["keep", "mask"] = "keep"
    power: float = 0.75

    pairs = BlockBatch

    def looked_up(self, batch: BlockBatch) -> ndarray:
        """The words of the blocks, and the negatives."""
        return np.concatenate([batch.contexts.reshape(-1), batch.negatives.reshape(-1)])

    def complete(self, batches: Iterator[Any], counts: ndarray, stream: Stream) -> Iterator[BlockBatch]:
        """Each block with its negatives, drawn by their counts."""
        self._needs_two(counts)
        table = AliasTable(counts**self.power)
        for block in batches:
            yield block.with_negatives(table.draw(stream, (len(block.centers), self.shared)))

    def check(self, batch: BlockBatch, num_embeddings: int) -> None:
        """Raise BadInput unless each block has `shared` negatives."""
        validation.ids("negatives", batch.negatives, num_embeddings, ndim=2)
        validation.shape("negatives", batch.negatives, (len(batch.centers), self.shared))


@dataclass(frozen=True)
class HierarchicalSoftmax(_Objective):
    """The word is reached by left and right turns down a Huffman tree: -sum over its path of log s(sign * h @ node).

    The tree is built from the words' counts (`reference.data.huffman`). Its V - 1 inner nodes are the rows of the table
    `nodes.weight`, in the order in which they are made, the root last. The batch has the paths: `nodes` and `signs`,
    (N, L).
    Morin and Bengio 2005, https://proceedings.mlr.press/r5/morin05a.html; Mikolov et al. 2013b, equation 3.
    """

    pairs, contexts = PairPathsBatch, ContextPathsBatch
    nodes = True

    def looked_up(self, batch: PairPathsBatch | ContextPathsBatch) -> ndarray:
        """The nodes of the paths."""
        return batch.nodes.reshape(-1)

    def complete(
        self, batches: Iterator[PairBatch | ContextBatch], counts: ndarray, stream: Stream
    ) -> Iterator[PairPathsBatch | ContextPathsBatch]:
        """Each pair with the path to its target."""
        self._needs_two(counts)
        tree = huffman(counts)
        return (batch.with_paths(*tree.paths(batch.targets)) for batch in batches)

    def check(self, batch: PairPathsBatch | ContextPathsBatch, num_embeddings: int) -> None:
        """Raise BadInput unless there is a path for each target, with a turn at each node."""
        validation.ids("nodes", batch.nodes, num_embeddings - 1, ndim=2, noun="inner nodes")
        validation.shape("nodes", batch.nodes, (len(batch.targets), batch.nodes.shape[1]))
        validation.ids("signs", batch.signs, 2, ndim=2, noun="turns", least=-1)
        validation.shape("signs", batch.signs, batch.nodes.shape)


Objective = Softmax | NegativeSampling | SharedNegatives | HierarchicalSoftmax
