"""The embedding lookup."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from numpy_impl.kernels.rows import rows_of
from reference import cases
from reference.contract import Grads, Params, RowGrad


def embedding(
    ids: Int[ndarray, "..."], weight: Float[ndarray, "V D"], sparse: bool
) -> tuple[Float[ndarray, "... D"], Callable]:
    """Look up weight[ids]. Backward: the gradient of the vectors (..., D) → of the table, as rows or (V, D)."""

    def backward(d: Float[ndarray, "... D"]) -> RowGrad | Float[ndarray, "V D"]:
        rows = rows_of(ids.reshape(-1), d.reshape(-1, d.shape[-1]), len(weight))
        return rows if sparse else rows.dense()

    return weight.take(ids, axis=0), backward


def renorm(weight: Float[ndarray, "V D"], ids: Int[ndarray, "..."], max_norm: float, norm_type: float) -> None:
    """Rescale, in place, the looked-up rows with a norm above max_norm to that norm."""
    rows = np.unique(ids)
    norms = np.linalg.norm(weight[rows], norm_type, axis=1)
    large = norms > max_norm
    weight[rows[large]] *= (max_norm / (norms[large] + 1e-7))[:, None]  # 1e-7: as in PyTorch


class Embedding:
    """A lookup alone, with a given upstream gradient."""

    def __init__(self, model: cases.Embedding, sparse: bool) -> None:
        self.model, self.sparse = model, sparse

    def forward(self, p: Params, batch: cases.LookupBatch) -> tuple[np.floating, Callable[[], Grads]]:
        model, weight = self.model, p["embedding.weight"]
        if model.max_norm is not None:
            renorm(weight, batch.ids, model.max_norm, model.norm_type)
        output, d_output = embedding(batch.ids, weight, self.sparse)
        loss = (output * batch.upstream).sum()

        def backward() -> Grads:
            gradient = without_row(d_output(batch.upstream), model.padding_idx)
            if model.scale_grad_by_freq and not isinstance(gradient, RowGrad):
                gradient = by_frequency(gradient, batch.ids)
            return {"embedding.weight": gradient}

        return loss, backward


def without_row(gradient: RowGrad | Float[ndarray, "V D"], padding_idx: int | None) -> RowGrad | Float[ndarray, "V D"]:
    """The gradient of a table, without that of the padding row."""
    if padding_idx is None:
        return gradient
    if isinstance(gradient, RowGrad):
        kept = gradient.rows != padding_idx
        return RowGrad(gradient.rows[kept], gradient.values[kept], gradient.shape)
    gradient[padding_idx] = 0
    return gradient


def by_frequency(gradient: Float[ndarray, "V D"], ids: Int[ndarray, "..."]) -> Float[ndarray, "V D"]:
    """Each row's gradient, divided by the number of times its id occurs."""
    counts = np.bincount(ids.reshape(-1), minlength=len(gradient))
    return gradient / np.maximum(counts, 1)[:, None].astype(gradient.dtype)
