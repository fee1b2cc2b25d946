"""Bags of embeddings, pooled: what they are, and their batches."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy import ndarray

from reference.cases import validation
from reference.cases.batches import BagBatch, Bags, RaggedBagBatch, RaggedWeightedBagBatch, WeightedBagBatch
from reference.cases.data import Drawn
from reference.cases.embedding import FREQ_REFUSED
from reference.cases.model import Model, Shapes
from reference.data.stream import Stream


@dataclass(frozen=True)
class EmbeddingBag(Model):
    """Each bag of vectors pooled into one vector, with a given upstream gradient: loss = sum(pooled * upstream).

    Batch: `BagBatch`, or `RaggedBagBatch` of ids (N,) with offsets. mode: how a bag is pooled; the gradient of a
    maximum goes to the first of equal entries. An empty bag is zero and has no gradient. So is a bag with nothing but
    padding, because padding_idx is left out of the pooling and of the mean's divisor. include_last_offset: the offsets
    end with the number of ids. weighted (mode sum only): each vector is first multiplied by its weight in the batch's
    per_sample_weights. These weights get a gradient under that name. The batch is then a `WeightedBagBatch` or a
    `RaggedWeightedBagBatch`. max_norm, norm_type, scale_grad_by_freq: as in `Embedding`.
    https://docs.pytorch.org/docs/stable/generated/torch.nn.EmbeddingBag.html
    """

    num_embeddings: int
    embedding_dim: int
    mode: Literal["mean", "sum", "max"] = "mean"
    padding_idx: int | None = None
    include_last_offset: bool = False
    weighted: bool = False
    max_norm: float | None = None
    norm_type: float = 2.0
    scale_grad_by_freq: bool = False

    @property
    def shapes(self) -> Shapes:
        """The parameters' shapes, by name."""
        return {"embedding.weight": (self.num_embeddings, self.embedding_dim)}

    tables = ("embedding.weight",)

    @property
    def input_gradients(self) -> tuple[str, ...]:
        """The weights, if the bags are weighted."""
        return ("per_sample_weights",) if self.weighted else ()

    @property
    def rows_refused(self) -> str:
        """PyTorch has no row gradients with mode max or scale_grad_by_freq."""
        if self.mode == "max":
            return MAX_REFUSED
        return FREQ_REFUSED if self.scale_grad_by_freq else ""

    def looked_up(self, batch: Bags) -> dict[str, ndarray]:
        """The ids that the batch looks up."""
        return {"embedding.weight": batch.ids.reshape(-1)}

    def draw(self, data: Drawn, stream: Stream, dtype: str, step: int) -> Bags:
        """Bags (ragged if the data is), a random upstream gradient and, if weighted, random weights."""
        ids, offsets = drawn_bags(self, data, stream, step, self.include_last_offset)
        weights = stream.signed(ids.shape).astype(dtype) if self.weighted else None
        upstream = stream.signed((data.shape[0], self.embedding_dim)).astype(dtype)
        if offsets is None:
            return BagBatch(ids, upstream) if weights is None else WeightedBagBatch(ids, weights, upstream)
        if weights is None:
            return RaggedBagBatch(ids, offsets, upstream)
        return RaggedWeightedBagBatch(ids, offsets, weights, upstream)

    def check(self, batch: Bags, dtype: str) -> None:
        """Raise BadInput unless the ids, offsets, weights and upstream gradient are valid."""
        weighted, unweighted = (WeightedBagBatch, RaggedWeightedBagBatch), (BagBatch, RaggedBagBatch)
        validation.kind(batch, *(weighted if self.weighted else unweighted))
        bags = validation.bags(batch.ids, batch.offsets, self.num_embeddings, self.include_last_offset)
        if self.weighted:
            validation.floats("per_sample_weights", batch.per_sample_weights, batch.ids.shape, dtype)
        validation.floats("upstream", batch.upstream, (bags, self.embedding_dim), dtype)


MAX_REFUSED = "mode max has dense gradients only; use sparse=False, or mode mean or sum"


def drawn_bags(
    model: Any, data: Drawn, stream: Stream, step: int, include_last_offset: bool = False
) -> tuple[ndarray, ndarray | None]:
    """The ids of random bags: (B, L), or (N,) with their offsets if the data is ragged.

    model: any model with num_embeddings and padding_idx. If it has a padding_idx, the first bag is all padding.
    """
    ids = stream.ids(data.shape, data.used or model.num_embeddings, data.zipf).astype(data.ids_dtype)
    if model.padding_idx is not None:
        ids[0] = model.padding_idx
    if not data.ragged:
        return ids, None
    bags, length = ids.shape
    lengths = stream.ids((bags,), length + 1)
    lengths[-1], lengths[0] = 0 if step % 2 else length, length  # the first is full, even if it is the last too
    offsets = np.concatenate([[0], np.cumsum(lengths)])[: None if include_last_offset else -1].astype(ids.dtype)
    return ids[np.arange(length) < lengths[:, None]], offsets
