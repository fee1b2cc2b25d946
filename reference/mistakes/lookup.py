"""What goes wrong in a lookup, and in the gradients of the rows that were looked up."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from reference.contract import RowGrad
from reference.mistakes.planting import mistake

# --- rows ------------------------------------------------------------------------------------------------------------


@mistake(
    "rows_of",
    "the gradient with the i-th position's gradient in row i, instead of that of id i",
    wrong="table_grad[:len(d)] = d",
    right="np.add.at(table_grad, ids, d)",
)
def not_scattered(right: Callable) -> Callable:
    def wrong(ids, d, num_embeddings, source=None):
        d = d if source is None else d[source]
        n = min(len(d), num_embeddings)
        return RowGrad(np.arange(n), d[:n].copy(), (num_embeddings, d.shape[1]))

    return wrong


@mistake(
    "rows_of",
    "the gradient that overwrites duplicate ids instead of summing them",
    wrong="table_grad[ids] = d",
    right="np.add.at(table_grad, ids, d)",
    sources=("piskvorky/gensim#242", "HIPS/autograd#136", "pymc-devs/pytensor#2242", "numpy/numpy#16790"),
)
def duplicates_overwritten(right: Callable) -> Callable:
    def wrong(ids, d, num_embeddings, source=None):
        last = len(ids) - 1 - np.unique(ids[::-1], return_index=True)[1]
        return with_one_of(right(ids, d, num_embeddings, source), ids, last, d, source)

    return wrong


@mistake(
    "rows_of",
    "the gradient that keeps the first of duplicate ids instead of summing them",
    wrong="rows, first = np.unique(ids, return_index=True); table_grad[rows] = d[first]",
    right="np.add.at(table_grad, ids, d)",
)
def duplicates_first_kept(right: Callable) -> Callable:
    def wrong(ids, d, num_embeddings, source=None):
        first = np.unique(ids, return_index=True)[1]
        return with_one_of(right(ids, d, num_embeddings, source), ids, first, d, source)

    return wrong


def with_one_of(grad, ids, places, d, source):
    """The gradient that takes one place for each row: places (U,), one for each distinct id, in order."""
    places = places[np.isin(ids[places], grad.rows)]
    grad.values[np.searchsorted(grad.rows, ids[places])] = d[places if source is None else source[places]]
    return grad


@mistake(
    "rows_of",
    "the gradient in which each row that was looked up has the sum over all positions, not over its own",
    wrong="for i in range(len(d)): table_grad[ids] += d[i]",
    right="np.add.at(table_grad, ids, d)",
)
def every_position_to_every_id(right: Callable) -> Callable:
    def wrong(ids, d, num_embeddings, source=None):
        grad = right(ids, d, num_embeddings, source)
        total = (d if source is None else d[source]).sum(axis=0)
        return replace(grad, values=np.tile(total, (len(grad.rows), 1)))

    return wrong


@mistake(
    "rows_of",
    "the gradient that is scattered anew for each position, and so too large by their number",
    wrong="for i in range(len(d)): np.add.at(table_grad, ids, d)",
    right="np.add.at(table_grad, ids, d)",
)
def scattered_for_each_position(right: Callable) -> Callable:
    def wrong(ids, d, *given):
        grad = right(ids, d, *given)
        return replace(grad, values=grad.values * d.dtype.type(len(ids)))

    return wrong


@mistake(
    "rows_of",
    "the gradient with rows shifted by one, as if ids began at 1",
    wrong="np.add.at(table_grad, ids + 1, d)",
    right="np.add.at(table_grad, ids, d)",
)
def rows_shifted(right: Callable) -> Callable:
    def wrong(ids, d, num_embeddings, source=None):
        return right((ids + 1) % num_embeddings, d, num_embeddings, source)

    return wrong


@mistake(
    "rows_of",
    "the gradient without row 0, as if id 0 were padding",
    wrong="np.add.at(table_grad, ids[ids > 0], d[ids > 0])",
    right="np.add.at(table_grad, ids, d)",
)
def row_0_dropped(right: Callable) -> Callable:
    def wrong(ids, d, num_embeddings, source=None):
        grad = right(ids, d, num_embeddings, source)
        kept = grad.rows > 0
        return RowGrad(grad.rows[kept], grad.values[kept], grad.shape)

    return wrong


@mistake(
    "without_row",
    "the gradient that reaches the row of padding_idx too",
    wrong="np.add.at(table_grad, ids, d)",
    right="np.add.at(table_grad, ids, d); table_grad[padding_idx] = 0",
    sources=("pytorch/pytorch#26302", "pytorch/pytorch#28716", "pytorch/pytorch#3506"),
)
def padding_row_kept(right: Callable) -> Callable:
    return lambda gradient, padding_idx: gradient


@mistake(
    "by_frequency",
    "the gradient not divided by the ids' frequencies, despite scale_grad_by_freq",
    wrong="return table_grad",
    right="return table_grad / np.maximum(np.bincount(ids, minlength=V), 1)[:, None]",
)
def frequency_forgotten(right: Callable) -> Callable:
    return lambda gradient, ids: gradient


@mistake(
    "by_frequency",
    "the gradient divided by another id's frequency: indexed by place among the distinct ids, not by id",
    wrong="_, counts = np.unique(ids, return_counts=True); table_grad[:len(counts)] /= counts[:, None]",
    right="table_grad /= np.maximum(np.bincount(ids, minlength=V), 1)[:, None]",
    sources=("pytorch/pytorch#190063",),
)
def frequency_of_another_id(right: Callable) -> Callable:
    def wrong(gradient, ids):
        counts = np.unique(ids, return_counts=True)[1]
        divisor = np.ones(len(gradient), gradient.dtype)
        divisor[: len(counts)] = counts
        return gradient / divisor[:, None]

    return wrong


@mistake(
    ("embedding", "embedding_bag"),
    "the table with fewer rows than there are ids",
    wrong="nn.Embedding(len(vocabulary) - 2, D)",
    right="nn.Embedding(len(vocabulary), D)",
    sources=("boathit/t2vec#17",),
)
def vocabulary_too_small(right: Callable) -> Callable:
    return lambda ids, weight, *options: right(ids, weight[:-2], *options)


# --- max_norm --------------------------------------------------------------------------------------------------------


@mistake(
    ("Embedding.forward", "EmbeddingBag.forward"),
    "the table without max_norm, which rescaled only a copy for the output",
    wrong="rows = renorm(weight[ids], max_norm)",
    right="weight[rows] = renorm(weight[rows], max_norm); rows = weight[ids]",
    sources=("pytorch/pytorch#26596",),
)
def max_norm_on_a_copy(right: Callable) -> Callable:
    return lambda self, p, batch: right(self, {name: param.copy() for name, param in p.items()}, batch)


@mistake(
    "renorm",
    "the table with all rows rescaled to max_norm, not only the looked-up ones",
    wrong="renorm(weight, np.arange(len(weight)), max_norm, norm_type)",
    right="renorm(weight, ids, max_norm, norm_type)",
)
def max_norm_of_every_row(right: Callable) -> Callable:
    return lambda weight, ids, *norm: right(weight, np.arange(len(weight)), *norm)


@mistake(
    "renorm",
    "the table with rows that are not rescaled, despite max_norm",
    wrong="rows = weight[ids]",
    right="renorm(weight, ids, max_norm, norm_type); rows = weight[ids]",
)
def max_norm_forgotten(right: Callable) -> Callable:
    return lambda *given: None


@mistake(
    "renorm",
    "the table with rows rescaled whose norm is exactly max_norm, which must stay as they are",
    wrong="large = norms >= max_norm",
    right="large = norms > max_norm",
)
def max_norm_at_the_limit(right: Callable) -> Callable:
    def wrong(weight, ids, max_norm, norm_type):
        rows = np.unique(ids)
        equal = np.linalg.norm(weight[rows], norm_type, axis=1) == max_norm
        right(weight, ids, max_norm, norm_type)
        weight[rows[equal]] *= max_norm / (max_norm + 1e-7)

    return wrong


@mistake(
    "renorm",
    "the table with rows rescaled by their 2-norm, despite norm_type",
    wrong="norms = np.linalg.norm(weight[rows], axis=1)",
    right="norms = np.linalg.norm(weight[rows], norm_type, axis=1)",
)
def norm_type_forgotten(right: Callable) -> Callable:
    return lambda weight, ids, max_norm, norm_type: right(weight, ids, max_norm, 2.0)


@mistake(
    "renorm",
    "the table with short rows scaled up to max_norm",
    wrong="weight[rows] *= max_norm / norms",
    right="weight[rows] *= np.minimum(max_norm / norms, 1)",
)
def max_norm_scales_up(right: Callable) -> Callable:
    def wrong(weight, ids, max_norm, norm_type):
        right(weight, ids, max_norm, norm_type)
        rows = np.unique(ids)
        norms = np.linalg.norm(weight[rows], norm_type, axis=1)
        short = norms < max_norm * (1 - 1e-6)
        weight[rows[short]] *= (max_norm / (norms[short] + 1e-7))[:, None]

    return wrong
