"""Batches: what an implementation gets in one step. Each kind is a class, and no field is optional.

Letters in shapes: B bags or sequences in a batch, L ids in a bag, T in a sequence, N pairs, V rows of a table, D its
width, H hidden units or features, C classes, K negatives, O output channels, S windows. Ids are int64 or int32, as
nn.Embedding takes them. The targets of a cross-entropy are int64. Floats have the case's dtype. Inside the PyTorch twin
the same kinds hold tensors: `LookupBatch[Tensor]`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Generic

from jaxtyping import Bool, Float, Int
from numpy import ndarray
from typing_extensions import TypeVar

Array = TypeVar("Array", default=ndarray)


@dataclass(frozen=True, eq=False)
class Batch(Generic[Array]):
    """The base class. indices: the fields that have the dtype of the ids."""

    indices: ClassVar[tuple[str, ...]] = ("ids", "offsets")


class _OneLength:
    """Bags of one length, which need no offsets."""

    @property
    def offsets(self) -> None:
        """None: bag b has the ids ids[b]."""
        return None


class _Unweighted:
    """Bags without weights."""

    @property
    def per_sample_weights(self) -> None:
        """None: there are no weights."""
        return None


# --- layers alone, with a random upstream gradient -------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class LookupBatch(Batch[Array]):
    """Ids of any rank, and the upstream gradient of each looked-up vector."""

    ids: Int[Array, "..."]
    upstream: Float[Array, "... D"]


@dataclass(frozen=True, eq=False)
class DenseBatch(Batch[Array]):
    """Input rows, and the upstream gradient of each output row."""

    input: Float[Array, "B D"]
    upstream: Float[Array, "B C"]


@dataclass(frozen=True, eq=False)
class ConvBatch(Batch[Array]):
    """Sequences of T steps in D channels, and the upstream gradient of each window of each output channel."""

    input: Float[Array, "B D T"]
    upstream: Float[Array, "B O S"]


@dataclass(frozen=True, eq=False)
class BagBatch(_OneLength, _Unweighted, Batch[Array]):
    """B bags of L ids each, and the upstream gradient of each pooled vector."""

    ids: Int[Array, "B L"]
    upstream: Float[Array, "B D"]


@dataclass(frozen=True, eq=False)
class RaggedBagBatch(_Unweighted, Batch[Array]):
    """Bags one after the other, with the offset at which each begins.

    If the model has include_last_offset, the number of ids comes as a last offset.
    """

    ids: Int[Array, " N"]
    offsets: Int[Array, " offsets"]
    upstream: Float[Array, "B D"]


@dataclass(frozen=True, eq=False)
class WeightedBagBatch(_OneLength, Batch[Array]):
    """Like `BagBatch`, with a weight for each vector."""

    ids: Int[Array, "B L"]
    per_sample_weights: Float[Array, "B L"]
    upstream: Float[Array, "B D"]


@dataclass(frozen=True, eq=False)
class RaggedWeightedBagBatch(Batch[Array]):
    """Like `RaggedBagBatch`, with a weight for each vector."""

    ids: Int[Array, " N"]
    offsets: Int[Array, " offsets"]
    per_sample_weights: Float[Array, " N"]
    upstream: Float[Array, "B D"]


# --- bags with a label -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class LabelledBatch(_OneLength, Batch[Array]):
    """B bags of L ids each, and their labels.

    labels: the class of each bag, or (B, C) numbers, as the loss needs them. keep: the units that dropout keeps, of all
    hidden layers side by side, (B, H1 + H2 + ...); without dropout, all of them.
    """

    ids: Int[Array, "B L"]
    labels: Int[Array, " B"] | Float[Array, "B C"]
    keep: Bool[Array, "B H"]


@dataclass(frozen=True, eq=False)
class RaggedLabelledBatch(Batch[Array]):
    """Like `LabelledBatch`, with the bags one after the other and the offset at which each begins."""

    ids: Int[Array, " N"]
    offsets: Int[Array, " B"]
    labels: Int[Array, " B"] | Float[Array, "B C"]
    keep: Bool[Array, "B H"]


@dataclass(frozen=True, eq=False)
class SequenceBatch(Batch[Array]):
    """B sequences of up to T ids each, and their labels.

    lengths: how many ids of each sequence count, int64; whatever stands beyond them does not. labels: as in
    `LabelledBatch`. keep: the pooled features that dropout keeps; without dropout, all of them.
    """

    ids: Int[Array, "B T"]
    lengths: Int[Array, " B"]
    labels: Int[Array, " B"] | Float[Array, "B C"]
    keep: Bool[Array, "B H"]


# --- word2vec --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class PairBatch(Batch[Array]):
    """Pairs of a centre word and one word of its context. A centre with several contexts is in several pairs."""

    indices: ClassVar[tuple[str, ...]] = ("centers",)

    centers: Int[Array, " N"]
    contexts: Int[Array, " N"]

    @property
    def targets(self) -> Int[Array, " N"]:
        """The words to be predicted."""
        return self.contexts

    def with_negatives(self, negatives: Int[Array, "N K"]) -> PairNegativesBatch[Array]:
        """The same pairs, for negative sampling."""
        return PairNegativesBatch(self.centers, self.contexts, negatives)

    def with_paths(self, nodes: Int[Array, "N L"], signs: Int[Array, "N L"]) -> PairPathsBatch[Array]:
        """The same pairs, for hierarchical softmax."""
        return PairPathsBatch(self.centers, self.contexts, nodes, signs)


@dataclass(frozen=True, eq=False)
class PairNegativesBatch(PairBatch[Array]):
    """Pairs, each with K negatives."""

    negatives: Int[Array, "N K"]


@dataclass(frozen=True, eq=False)
class PairPathsBatch(PairBatch[Array]):
    """Pairs, each with the path to its context. The longest path has L nodes.

    signs: +1 for code 0, -1 for code 1. After the end of a path comes the root, with the sign 0.
    """

    nodes: Int[Array, "N L"]
    signs: Int[Array, "N L"]


@dataclass(frozen=True, eq=False)
class ContextBatch(Batch[Array]):
    """Contexts one after the other, each with its centre word. No context is empty.

    ids: the words of all contexts. offsets: where each context begins, the first at 0, as nn.EmbeddingBag takes them.
    """

    ids: Int[Array, " I"]
    offsets: Int[Array, " N"]
    centers: Int[Array, " N"]

    @property
    def targets(self) -> Int[Array, " N"]:
        """The words to be predicted."""
        return self.centers

    def with_negatives(self, negatives: Int[Array, "N K"]) -> ContextNegativesBatch[Array]:
        """The same contexts, for negative sampling."""
        return ContextNegativesBatch(self.ids, self.offsets, self.centers, negatives)

    def with_paths(self, nodes: Int[Array, "N L"], signs: Int[Array, "N L"]) -> ContextPathsBatch[Array]:
        """The same contexts, for hierarchical softmax."""
        return ContextPathsBatch(self.ids, self.offsets, self.centers, nodes, signs)


@dataclass(frozen=True, eq=False)
class ContextNegativesBatch(ContextBatch[Array]):
    """Contexts, each with K negatives."""

    negatives: Int[Array, "N K"]


@dataclass(frozen=True, eq=False)
class ContextPathsBatch(ContextBatch[Array]):
    """Contexts, each with the path to its centre; see `PairPathsBatch`."""

    nodes: Int[Array, "N L"]
    signs: Int[Array, "N L"]


@dataclass(frozen=True, eq=False)
class Block(Batch[Array]):
    """N blocks of running text: T centres each, and C words that include their contexts.

    inside: whether contexts[n, j] is in the context of centers[n, i]. At the end of a text, a block may have positions
    that are in no context.
    """

    indices: ClassVar[tuple[str, ...]] = ("centers", "contexts")

    centers: Int[Array, "N T"]
    contexts: Int[Array, "N C"]
    inside: Bool[Array, "N T C"]

    def with_negatives(self, negatives: Int[Array, "N S"]) -> BlockBatch[Array]:
        """The same blocks, with shared negatives."""
        return BlockBatch(self.centers, self.contexts, self.inside, negatives)


@dataclass(frozen=True, eq=False)
class BlockBatch(Block[Array]):
    """Blocks, each with S negatives, for `SharedNegatives`."""

    negatives: Int[Array, "N S"]


# --- counts ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class CooccurrenceBatch(Batch[Array]):
    """Pairs of words, and how often they occur together. Counts are above 0; words further apart count less than 1."""

    indices: ClassVar[tuple[str, ...]] = ("centers", "contexts")

    centers: Int[Array, " N"]
    contexts: Int[Array, " N"]
    counts: Float[Array, " N"]


Bags = BagBatch[Array] | RaggedBagBatch[Array] | WeightedBagBatch[Array] | RaggedWeightedBagBatch[Array]
LabelledBags = LabelledBatch[Array] | RaggedLabelledBatch[Array]

BATCHES: tuple[type[Batch], ...] = (
    LookupBatch,
    DenseBatch,
    ConvBatch,
    BagBatch,
    RaggedBagBatch,
    WeightedBagBatch,
    RaggedWeightedBagBatch,
    LabelledBatch,
    RaggedLabelledBatch,
    SequenceBatch,
    PairBatch,
    PairNegativesBatch,
    PairPathsBatch,
    ContextBatch,
    ContextNegativesBatch,
    ContextPathsBatch,
    BlockBatch,
    CooccurrenceBatch,
)
"""Every kind that comes with twingrad."""
