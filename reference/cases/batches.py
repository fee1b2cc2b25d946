"""Batches: what an implementation is given in one step."""

from __future__ import annotations

from dataclasses import dataclass

from jaxtyping import Bool, Float, Int
from numpy import ndarray


@dataclass(frozen=True, eq=False)
class LookupBatch:
    """Ids of any rank, and the gradient that reaches each vector looked up."""

    ids: Int[ndarray, "..."]
    upstream: Float[ndarray, "... D"]


@dataclass(frozen=True, eq=False)
class DenseBatch:
    """Input rows, and the gradient that reaches each output row."""

    input: Float[ndarray, "B D"]
    upstream: Float[ndarray, "B C"]


@dataclass(frozen=True, eq=False)
class BagBatch:
    """B bags of ids, and what they should become.

    ids: (B, L), or all bags one after the other, (N,), with the offsets at which each begins (and, if the model says
    so, the number of ids as a last one). labels: the class of each bag, or (B, C) numbers, as the loss wants them.
    per_sample_weights: shaped as the ids. upstream: the gradient that reaches each pooled vector, for an
    `EmbeddingBag` alone. keep: which units of all hidden layers side by side dropout leaves alone, (B, H1 + H2 + ...).
    """

    ids: Int[ndarray, "B L"] | Int[ndarray, " N"]
    labels: Int[ndarray, " B"] | Float[ndarray, "B C"] | None = None
    offsets: Int[ndarray, " B"] | None = None
    per_sample_weights: Float[ndarray, "*ids"] | None = None
    upstream: Float[ndarray, "B D"] | None = None
    keep: Bool[ndarray, "B H"] | None = None


@dataclass(frozen=True, eq=False)
class PairBatch:
    """Pairs of a centre word and one word of its context. A centre with several contexts stands in several pairs.

    negatives: those of `NegativeSampling`. nodes, signs: of `HierarchicalSoftmax`, the paths to the contexts,
    the longest of L nodes: +1 where the code is 0, -1 where it is 1; after its end, the root with the sign 0.
    """

    centers: Int[ndarray, " N"]
    contexts: Int[ndarray, " N"]
    negatives: Int[ndarray, "N K"] | None = None
    nodes: Int[ndarray, "N L"] | None = None
    signs: Int[ndarray, "N L"] | None = None

    @property
    def targets(self) -> Int[ndarray, " N"]:
        """The words to be predicted."""
        return self.contexts


@dataclass(frozen=True, eq=False)
class BlockBatch:
    """N blocks of running text, for `SharedNegatives`: T centres, and C words among which their contexts are.

    inside: whether contexts[n, j] is in the context of centers[n, i]. negatives: S for each block. At the end of a text
    a block may have places that are in no context.
    """

    centers: Int[ndarray, "N T"]
    contexts: Int[ndarray, "N C"]
    inside: Bool[ndarray, "N T C"]
    negatives: Int[ndarray, "N S"] | None = None


@dataclass(frozen=True, eq=False)
class ContextBatch:
    """Contexts, one after the other, none of them empty, and the centre word of each.

    ids: those of all contexts. offsets: where each begins, the first at 0, as nn.EmbeddingBag takes them. negatives,
    nodes, signs: as in `PairBatch`, of the centres.
    """

    ids: Int[ndarray, " I"]
    offsets: Int[ndarray, " N"]
    centers: Int[ndarray, " N"]
    negatives: Int[ndarray, "N K"] | None = None
    nodes: Int[ndarray, "N L"] | None = None
    signs: Int[ndarray, "N L"] | None = None

    @property
    def targets(self) -> Int[ndarray, " N"]:
        """The words to be predicted."""
        return self.centers


Batch = LookupBatch | DenseBatch | BagBatch | PairBatch | BlockBatch | ContextBatch
