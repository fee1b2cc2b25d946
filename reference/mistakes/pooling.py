"""What goes wrong when bags of vectors are pooled."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from numpy_impl.embedding import without_row
from numpy_impl.embedding_bag import flat
from numpy_impl.kernels.rows import rows_of
from reference.mistakes.planting import mistake


def sizes(ids, weight, sparse, offsets=None, mode="mean", padding_idx=None, include_last_offset=False):
    """The number of ids in each bag, and the number of them that count, (B, 1) each."""
    all_ids, bag, bags = flat(ids, offsets, include_last_offset)
    counted = np.bincount(bag[all_ids != padding_idx], minlength=bags)
    return tuple(number[:, None].astype(weight.dtype) for number in (np.bincount(bag, minlength=bags), counted))


# --- the mean --------------------------------------------------------------------------------------------------------


@mistake(
    "embedding_bag",
    "the gradient of a mean that is not divided by the length of the bag",
    wrong="d_vectors = np.repeat(d[:, None], L, axis=1)",
    right="d_vectors = np.repeat(d[:, None] / L, L, axis=1)",
    sources=("facebookresearch/fastText#910", "piskvorky/gensim#697", "https://arxiv.org/abs/2012.15332"),
)
def mean_undivided(right: Callable) -> Callable:
    def wrong(ids, weight, sparse, offsets=None, mode="mean", *options):
        pooled, _ = right(ids, weight, sparse, offsets, mode, *options)
        return pooled, right(ids, weight, sparse, offsets, "sum" if mode == "mean" else mode, *options)[1]

    return wrong


@mistake(
    "embedding_bag",
    "the gradient of a mean that is divided by the length of the bag twice",
    wrong="d = d / L; d_vectors = np.repeat(d[:, None] / L, L, axis=1)",
    right="d_vectors = np.repeat(d[:, None] / L, L, axis=1)",
)
def mean_divided_twice(right: Callable) -> Callable:
    def wrong(*given):
        pooled, backward = right(*given)
        return pooled, lambda d: backward(d / np.maximum(sizes(*given)[1], 1) if mode_of(*given) == "mean" else d)

    return wrong


def mode_of(ids, weight, sparse, offsets=None, mode="mean", *options):
    return mode


@mistake(
    "embedding_bag",
    "the gradient that counts an id once in each bag, however often it occurs there",
    wrong="for bag, d in zip(ids, d_pooled): table_grad[bag] += d / len(bag)",
    right="for bag, d in zip(ids, d_pooled): np.add.at(table_grad, bag, d / len(bag))",
    sources=("https://github.com/ddbourgin/numpy-ml/blob/master/numpy_ml/neural_nets/layers/layers.py",),
)
def duplicates_lost_within_a_bag(right: Callable) -> Callable:
    def wrong(ids, weight, sparse, offsets=None, mode="mean", padding_idx=None, include_last_offset=False):
        given = ids, weight, sparse, offsets, mode, padding_idx, include_last_offset
        pooled, backward = right(*given)
        if mode == "max":
            return pooled, backward
        all_ids, bag, _ = flat(ids, offsets, include_last_offset)
        bag, all_ids = np.unique(np.stack([bag, all_ids])[:, all_ids != padding_idx], axis=1)
        divisor = np.maximum(sizes(*given)[1], 1) if mode == "mean" else 1

        def once(d):
            rows = rows_of(all_ids, d / divisor, len(weight), bag)
            return rows if sparse else rows.dense()

        return pooled, once

    return wrong


def divided_by(divisor: Callable) -> Callable:
    """A plant: means divided by divisor(sizes of the bags, numbers of ids that count), in both passes."""

    def plant(right: Callable) -> Callable:
        def wrong(*given):
            pooled, backward = right(*given)
            if mode_of(*given) != "mean":
                return pooled, backward
            every, counted = sizes(*given)
            factor = np.maximum(counted, 1) / np.maximum(divisor(every, counted), 1)
            return pooled * factor, lambda d: backward(d * factor)

        return wrong

    return plant


@mistake(
    "embedding_bag",
    "the pooled mean that divides every bag by the length of the longest",
    wrong="pooled = vectors.sum(axis=1) / vectors.shape[1]",
    right="pooled = vectors.sum(axis=1) / lengths[:, None]",
)
def mean_over_the_longest(right: Callable) -> Callable:
    return divided_by(lambda every, counted: np.full_like(counted, counted.max()))(right)


@mistake(
    "embedding_bag",
    "the pooled mean that leaves padding out of the sum but counts it in the divisor",
    wrong="pooled = (vectors * mask).sum(axis=1) / mask.shape[1]",
    right="pooled = (vectors * mask).sum(axis=1) / mask.sum(axis=1)",
    sources=("keras-team/keras#10895", "CyberZHG/keras-bert#34"),
)
def padding_in_the_divisor(right: Callable) -> Callable:
    return divided_by(lambda every, counted: every)(right)


@mistake(
    "embedding_bag",
    "the pooled vector that includes padding, although padding gets no gradient",
    wrong="pooled = weight[ids].mean(axis=1)",
    right="pooled = weight[ids[ids != padding_idx]].mean(axis=0)",
)
def padding_pooled(right: Callable) -> Callable:
    def wrong(ids, weight, sparse, offsets=None, mode="mean", padding_idx=None, *options):
        pooled, backward = right(ids, weight, sparse, offsets, mode, None, *options)
        return pooled, lambda d: without_row(backward(d), padding_idx)

    return wrong


@mistake(
    "embedding_bag",
    "the mean of an empty bag as 0 / 0",
    wrong="pooled = sums / lengths[:, None]",
    right="pooled = sums / np.maximum(lengths, 1)[:, None]",
    sources=("pytorch/pytorch#11739", "pytorch/pytorch#21400"),
)
def empty_bag_nan(right: Callable) -> Callable:
    def wrong(*given):
        pooled, backward = right(*given)
        if mode_of(*given) == "mean":
            pooled[sizes(*given)[1][:, 0] == 0] = np.nan
        return pooled, backward

    return wrong


# --- the maximum -----------------------------------------------------------------------------------------------------


@mistake(
    "embedding_bag",
    "the maximum of an empty bag as -inf",
    wrong="pooled = np.full((B, D), -np.inf); np.maximum.at(pooled, bag, vectors)",
    right="pooled[lengths == 0] = 0",
)
def empty_bag_infinite(right: Callable) -> Callable:
    def wrong(*given):
        pooled, backward = right(*given)
        if mode_of(*given) == "max":
            pooled[sizes(*given)[1][:, 0] == 0] = -np.inf
        return pooled, backward

    return wrong


@mistake(
    "embedding_bag",
    "the gradient of a maximum that reaches every vector of the bag",
    wrong="d_vectors = np.repeat(d[:, None], L, axis=1)",
    right="d_vectors = d[:, None] * (np.arange(L)[:, None] == vectors.argmax(axis=1)[:, None])",
)
def max_to_all(right: Callable) -> Callable:
    def wrong(ids, weight, sparse, offsets=None, mode="mean", *options):
        pooled, backward = right(ids, weight, sparse, offsets, mode, *options)
        return pooled, right(ids, weight, sparse, offsets, "sum", *options)[1] if mode == "max" else backward

    return wrong


@mistake(
    "embedding_bag",
    "the gradient of a maximum that goes whole to each equal entry, even to one id twice in a bag",
    wrong="d_vectors = d[:, None] * (vectors == pooled[:, None])",
    right="d_vectors = d[:, None] * (np.arange(L)[:, None] == vectors.argmax(axis=1)[:, None])",
    sources=("Theano/Theano#5248", "Theano/Theano#5404"),
)
def max_to_each_equal(right: Callable) -> Callable:
    def wrong(ids, weight, sparse, offsets=None, mode="mean", padding_idx=None, include_last_offset=False):
        pooled, backward = right(ids, weight, sparse, offsets, mode, padding_idx, include_last_offset)
        if mode != "max":
            return pooled, backward
        all_ids, bag, _ = flat(ids, offsets, include_last_offset)
        all_ids, bag = all_ids[all_ids != padding_idx], bag[all_ids != padding_idx]
        equal = weight[all_ids] == pooled[bag]
        return pooled, lambda d: rows_of(all_ids, equal * d[bag], len(weight)).dense()

    return wrong


@mistake(
    "embedding_bag",
    "the gradient of a maximum for which 0.0 is larger than -0.0, as for Java's Math.max",
    wrong="winner = np.lexsort((~np.signbit(vectors), vectors), axis=0)[-1]",
    right="winner = vectors.argmax(axis=0)",
    sources=("https://docs.oracle.com/en/java/javase/21/docs/api/java.base/java/lang/Math.html",),
)
def max_above_minus_zero(right: Callable) -> Callable:
    def wrong(ids, weight, sparse, offsets=None, mode="mean", *options):
        given = sparse, offsets, mode, *options
        pooled, backward = right(ids, weight, *given)
        if mode != "max" or not (weight == 0).any():
            return pooled, backward
        above = np.where((weight == 0) & ~np.signbit(weight), np.nextafter(weight.dtype.type(0), 1), weight)
        return pooled, right(ids, above, *given)[1]

    return wrong


# --- numbers that are too small --------------------------------------------------------------------------------------


def flushed(x):
    """The array with 0 for what is smaller than the smallest normal number."""
    return np.where(np.abs(x) < np.finfo(x.dtype).tiny, 0, x).astype(x.dtype)


@mistake(
    "embedding_bag",
    "that of subnormal numbers flushed to zero, as by set_flush_denormal(True), -ffast-math and XLA",
    wrong="torch.set_flush_denormal(True)",
    right="torch.set_flush_denormal(False)",
    sources=(
        "clearlinux/distribution#2809",
        "https://docs.pytorch.org/docs/stable/generated/torch.set_flush_denormal.html",
    ),
    also={"relu": lambda right: lambda x: right(flushed(x))},
)
def subnormals_flushed(right: Callable) -> Callable:
    return lambda ids, weight, *given: right(ids, flushed(weight), *given)


# --- offsets ---------------------------------------------------------------------------------------------------------


@mistake(
    "embedding_bag",
    "the pooled vectors without the last bag, since no offset follows it",
    wrong="bags = zip(offsets[:-1], offsets[1:])",
    right="bags = zip(offsets, [*offsets[1:], len(ids)])",
    sources=("pytorch/pytorch#167974",),
)
def last_bag_dropped(right: Callable) -> Callable:
    def wrong(ids, weight, sparse, offsets=None, mode="mean", padding_idx=None, include_last_offset=False):
        if offsets is not None and not include_last_offset:
            ids = ids[: offsets[-1]]
        return right(ids, weight, sparse, offsets, mode, padding_idx, include_last_offset)

    return wrong


@mistake(
    "embedding_bag",
    "the pooled vectors without the last id of each bag, as if offsets pointed at last ids",
    wrong="bag = ids[offsets[b] : offsets[b + 1] - 1]",
    right="bag = ids[offsets[b] : offsets[b + 1]]",
)
def last_id_of_a_bag_dropped(right: Callable) -> Callable:
    def wrong(ids, weight, sparse, offsets=None, mode="mean", padding_idx=None, include_last_offset=False):
        if offsets is not None:
            _, bag, bags = flat(ids, offsets, include_last_offset)
            ids = ids[:-1][bag[1:] == bag[:-1]]
            lengths = np.maximum(np.bincount(bag, minlength=bags) - 1, 0)
            offsets = np.concatenate([[0], np.cumsum(lengths)])[: len(offsets)].astype(offsets.dtype)
        return right(ids, weight, sparse, offsets, mode, padding_idx, include_last_offset)

    return wrong


# --- weights ---------------------------------------------------------------------------------------------------------


@mistake(
    "weighted_bag",
    "the gradient without per_sample_weights in the backward pass",
    wrong="d_vectors = d[bag]",
    right="d_vectors = per_sample_weights[:, None] * d[bag]",
)
def weights_forgotten_in_the_backward(right: Callable) -> Callable:
    def wrong(ids, weight, per_sample_weights, *options):
        pooled, backward = right(ids, weight, per_sample_weights, *options)
        unweighted = right(ids, weight, np.ones_like(per_sample_weights), *options)[1]
        return pooled, lambda d: (unweighted(d)[0], backward(d)[1])

    return wrong


@mistake(
    "weighted_bag",
    "the gradient of per_sample_weights that is never computed",
    wrong="return d_table, np.zeros_like(per_sample_weights)",
    right="return d_table, (vectors * d[bag]).sum(axis=1)",
)
def weight_gradient_forgotten(right: Callable) -> Callable:
    def wrong(ids, weight, per_sample_weights, *options):
        pooled, backward = right(ids, weight, per_sample_weights, *options)
        return pooled, lambda d: (backward(d)[0], np.zeros_like(per_sample_weights))

    return wrong


@mistake(
    "weighted_bag",
    "the gradient of per_sample_weights that is not zero for padding",
    wrong="d_weights = (weight[ids] * d[bag]).sum(axis=1)",
    right="d_weights = (weight[ids] * d[bag]).sum(axis=1) * (ids != padding_idx)",
)
def padding_weight_gradient_kept(right: Callable) -> Callable:
    def wrong(ids, weight, per_sample_weights, sparse, offsets=None, padding_idx=None, *options):
        pooled, backward = right(ids, weight, per_sample_weights, sparse, offsets, padding_idx, *options)
        every = right(ids, weight, per_sample_weights, sparse, offsets, None, *options)[1]
        return pooled, lambda d: (backward(d)[0], every(d)[1])

    return wrong
