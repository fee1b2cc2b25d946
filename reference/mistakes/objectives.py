"""What goes wrong in skip-gram and CBOW: their objectives, their two tables, and the words that they are given."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace

import numpy as np

from numpy_impl.embedding import embedding
from numpy_impl.functional import log_sigmoid, log_softmax
from reference.cases import PairBatch, PairPathsBatch
from reference.contract import RowGrad
from reference.mistakes.layers import added
from reference.mistakes.planting import in_backward, mistake

# --- the full softmax ------------------------------------------------------------------------------------------------


@mistake(
    "softmax",
    "the gradient with the probabilities counted once for each centre, not for each of its contexts",
    wrong="d = p; d[contexts] -= 1",
    right="d = len(contexts) * p; d[contexts] -= 1",
)
def one_context_subtracted(right: Callable) -> Callable:
    def wrong(hidden, table, batch, reduction):
        loss, backward = right(hidden, table, batch, reduction)
        if not isinstance(batch, PairBatch):
            return loss, backward
        logits = hidden @ table.T
        later = np.ones(len(hidden), bool)
        later[first_of(batch.centers)] = False
        d = -np.exp(log_softmax(logits)) * later[:, None] / divisor_of(hidden, reduction)

        def without():
            d_hidden, d_table = backward()
            return d_hidden + d @ table, d_table + d.T @ hidden

        return loss, without

    return wrong


# --- yes or no -------------------------------------------------------------------------------------------------------


def answered(hidden, table, ids, d, sparse):
    """The backward pass of `decisions`, from the gradient d (N, K) of the scores."""
    rows, d_rows = embedding(ids, table, sparse)
    return np.einsum("nk,nkd->nd", d, rows), d_rows(np.einsum("nk,nd->nkd", d, hidden))


def scores_of(hidden, table, ids):
    return np.einsum("nd,nkd->nk", hidden, table[ids])


def divisor_of(hidden, reduction):
    return hidden.dtype.type(len(hidden) if reduction == "mean" else 1)


@mistake(
    "decisions",
    "the gradient that pulls negatives near as if they were targets",
    wrong="d = sigmoid(scores) - 1",
    right="d = np.where(is_target, -sigmoid(-scores), sigmoid(scores))",
)
def negatives_pulled(right: Callable) -> Callable:
    def wrong(hidden, table, ids, signs, reduction, sparse):
        loss, _ = right(hidden, table, ids, signs, reduction, sparse)
        return loss, right(hidden, table, ids, np.abs(signs), reduction, sparse)[1]

    return wrong


@mistake(
    "decisions",
    "the gradient sigmoid(score) of a target, without subtracting 1",
    wrong="d = sigmoid(scores)",
    right="d = np.where(is_target, -sigmoid(-scores), sigmoid(scores))",
)
@in_backward
def target_1_not_subtracted(gradients, hidden, table, ids, signs, reduction, sparse):
    _, d_log_p = log_sigmoid(-scores_of(hidden, table, ids))
    return answered(hidden, table, ids, d_log_p(np.abs(signs) / divisor_of(hidden, reduction)), sparse)


@mistake(
    "decisions",
    "the gradient multiplied by the sigmoid's slope, which log(sigmoid) cancels",
    wrong="d = (sigmoid(scores) - is_target) * sigmoid(scores) * (1 - sigmoid(scores))",
    right="d = np.where(is_target, -sigmoid(-scores), sigmoid(scores))",
)
@in_backward
def sigmoid_slope_too_many(gradients, hidden, table, ids, signs, reduction, sparse):
    _, d_log_p = log_sigmoid(signs * scores_of(hidden, table, ids))
    d = d_log_p(-np.abs(signs) / divisor_of(hidden, reduction))
    slope = np.exp(log_sigmoid(signs * scores_of(hidden, table, ids))[0]) * d_log_p(np.ones_like(d))
    return answered(hidden, table, ids, signs * d * slope, sparse)


@mistake(
    "decisions",
    "the gradient of the summed loss, although the loss is a mean over the pairs",
    wrong="d = sigmoid(scores) - is_target",
    right="d = np.where(is_target, -sigmoid(-scores), sigmoid(scores)) / N",
)
def pair_mean_forgotten(right: Callable) -> Callable:
    def wrong(hidden, table, ids, signs, reduction, sparse):
        loss, _ = right(hidden, table, ids, signs, reduction, sparse)
        return loss, right(hidden, table, ids, signs, "sum", sparse)[1]

    return wrong


@mistake(
    "decisions",
    "the gradient sigmoid(score) - 1 of a target, of which nothing is left where the sigmoid is saturated",
    wrong="d = sigmoid(scores) - is_target",
    right="d = np.where(is_target, -sigmoid(-scores), sigmoid(scores))",
    sources=("pytorch/pytorch#195677",),
)
@in_backward
def sigmoid_minus_one(gradients, hidden, table, ids, signs, reduction, sparse):
    scores, counted = scores_of(hidden, table, ids), np.abs(signs) / divisor_of(hidden, reduction)
    no = -log_sigmoid(-scores)[1](-counted)
    return answered(hidden, table, ids, np.where(signs > 0, (1 / (1 + np.exp(-scores)) - 1) * counted, no), sparse)


@mistake(
    "log_sigmoid",
    "the loss -log(sigmoid(score) + {}), although the gradient is of -log(sigmoid(score))",
    wrong="loss = -np.log(sigmoid(sign * scores) + {}).sum()",
    right="loss = -log_sigmoid(sign * scores).sum()",
    sources=("slryou41/AnchorLoss#2",),
    number=1e-9,
)
def log_of_shifted_sigmoid(right: Callable, shift: float) -> Callable:
    def wrong(x):
        log_p, backward = right(x)
        return np.log(np.exp(log_p) + x.dtype.type(shift)), backward

    return wrong


@mistake(
    "log_sigmoid",
    "the loss -log(sigmoid(score) + {}), with its own gradient",
    wrong="loss = -torch.log(torch.sigmoid(sign * scores) + {}).sum()",
    right="loss = -F.logsigmoid(sign * scores).sum()",
    number=1e-9,
)
def loss_of_shifted_sigmoid(right: Callable, shift: float) -> Callable:
    def wrong(x):
        log_p, backward = right(x)
        p = np.exp(log_p)
        shifted = p + x.dtype.type(shift)
        return np.log(shifted), lambda d: backward(d) * p / shifted

    return wrong


@mistake(
    "log_sigmoid",
    "the gradient of max(-x, 0) + log(1 + exp(-|x|)) piece by piece, which is 0 where the score is exactly 0",
    wrong="d = -(x < 0) - sign(x) * sigmoid(-abs(x))",
    right="d = -sigmoid(-x)",
    sources=("jax-ml/jax#2140", "pytorch/pytorch#2298", "FluxML/NNlib.jl#679"),
)
@in_backward
def kink_at_0(gradient, d, x):
    return np.where(x == 0, 0, gradient)


@mistake(
    "log_sigmoid",
    "the loss log(1 - sigmoid(-x)), which is -inf where the sigmoid is saturated",
    wrong="loss = -np.log(1 - sigmoid(scores))",
    right="loss = -log_sigmoid(-scores)",
)
def log_of_one_minus_sigmoid(right: Callable) -> Callable:
    def wrong(x):
        return np.log(1 - 1 / (1 + np.exp(x))), right(x)[1]

    return wrong


@mistake(
    "log_sigmoid",
    "the gradient that is zero for scores of 6 and more, where the sigmoid is saturated",
    wrong="if abs(score) >= 6: continue",
    right="d = -sigmoid(-score) if is_target else sigmoid(score)",
    sources=("piskvorky/gensim#2725",),
)
@in_backward
def saturated_skipped(gradient, d, x):
    return gradient * (np.abs(x) < 6)


@mistake(
    "decisions",
    "the gradient that counts a word once among those of one pair, however often it was drawn",
    wrong="for n in range(N): table_grad[ids[n]] += d[n][:, None] * hidden[n]",
    right="for n in range(N): np.add.at(table_grad, ids[n], d[n][:, None] * hidden[n])",
    sources=("ZacBi/CS224n-2019-solutions#5",),
)
@in_backward
def duplicates_lost_within_a_pair(gradients, hidden, table, ids, signs, reduction, sparse):
    counted = np.abs(signs)
    _, d_log_p = log_sigmoid(signs * scores_of(hidden, table, ids))
    again = (ids[:, :, None] == ids[:, None, :]) & (counted[:, None, :] > 0) & ~np.tri(ids.shape[1], dtype=bool)
    d = signs * d_log_p(-counted / divisor_of(hidden, reduction)) * ~again.any(axis=2)
    return gradients[0], answered(hidden, table, ids, d, sparse)[1]


# --- negative sampling -----------------------------------------------------------------------------------------------


@mistake(
    "negative_sampling",
    "the gradient with accidental hits, which the loss leaves out",
    wrong="loss = masked(losses).sum(); d = sigmoid(scores) - is_target",
    right="loss = masked(losses).sum(); d = masked(np.where(is_target, -sigmoid(-scores), sigmoid(scores)))",
)
def hits_masked_in_the_loss_alone(right: Callable) -> Callable:
    def wrong(hidden, table, batch, accidental_hits, **options):
        loss, _ = right(hidden, table, batch, accidental_hits=accidental_hits, **options)
        return loss, right(hidden, table, batch, accidental_hits="keep", **options)[1]

    return wrong


@mistake(
    "negative_sampling",
    "the gradient without accidental hits, which the loss includes",
    wrong="loss = losses.sum(); d = masked(sigmoid(scores) - is_target)",
    right="loss = losses.sum(); d = np.where(is_target, -sigmoid(-scores), sigmoid(scores))",
)
def hits_masked_in_the_gradient_alone(right: Callable) -> Callable:
    def wrong(hidden, table, batch, accidental_hits, **options):
        loss, _ = right(hidden, table, batch, accidental_hits="keep", **options)
        return loss, right(hidden, table, batch, accidental_hits="mask", **options)[1]

    return wrong


@mistake(
    "negative_sampling",
    "the gradient without that of a target which is also among its negatives",
    wrong="d[ids == ids[accidental]] = 0",
    right="d = np.where(is_target, -sigmoid(-scores), sigmoid(scores))",
    sources=("https://github.com/ddbourgin/numpy-ml/blob/master/numpy_ml/neural_nets/losses/losses.py",),
)
def hits_delete_the_target(right: Callable) -> Callable:
    def wrong(hidden, table, batch, accidental_hits, reduction, sparse):
        loss, _ = right(hidden, table, batch, accidental_hits=accidental_hits, reduction=reduction, sparse=sparse)
        targets = batch.targets[:, None]
        ids, hits = np.concatenate([targets, batch.negatives], axis=1), batch.negatives == targets
        signs = np.full(ids.shape, -1, hidden.dtype)
        signs[:, 0] = ~hits.any(axis=1)
        signs[:, 1:][hits & (accidental_hits == "mask")] = 0
        _, d_log_p = log_sigmoid(signs * scores_of(hidden, table, ids))
        d = signs * d_log_p(-np.abs(signs) / divisor_of(hidden, reduction))
        return loss, lambda: answered(hidden, table, ids, d, sparse)

    return wrong


@mistake(
    "decisions",
    "the loss that counts a negative only once if it was drawn several times",
    wrong="negatives = set(negatives)",
    right="negatives = list(negatives)",
)
def negatives_counted_once(right: Callable) -> Callable:
    def wrong(hidden, table, ids, signs, *options):
        drawn = ids[:, 1:]
        again = (drawn[:, :, None] == drawn[:, None, :]) & np.tri(drawn.shape[1], k=-1, dtype=bool)
        signs = signs.copy()
        signs[:, 1:][again.any(axis=2)] = 0
        return right(hidden, table, ids, signs, *options)

    return wrong


@mistake(
    "negative_sampling",
    "the loss that averages over the K negatives instead of summing",
    wrong="loss = -(log_sigmoid(score) + log_sigmoid(-negative_scores).mean(axis=1))",
    right="loss = -(log_sigmoid(score) + log_sigmoid(-negative_scores).sum(axis=1))",
)
def negatives_averaged(right: Callable) -> Callable:
    def wrong(hidden, table, batch, **options):
        K = hidden.dtype.type(batch.negatives.shape[1])
        loss, backward = right(hidden, table, batch, **options)
        of_targets = replace(batch, negatives=batch.negatives[:, :0])
        loss_of_targets, d_targets = right(hidden, table, of_targets, **options)

        def averaged():
            both = zip(backward(), d_targets(), strict=True)
            return tuple(added(times(every, 1 / K), times(of_target, 1 - 1 / K)) for every, of_target in both)

        return loss / K + (1 - 1 / K) * loss_of_targets, averaged

    return wrong


@mistake(
    "negative_sampling",
    "the loss that sums the scores of the negatives before the sigmoid instead of after",
    wrong="loss = -(log_sigmoid(score) + log_sigmoid(-negative_scores.sum(axis=1)))",
    right="loss = -(log_sigmoid(score) + log_sigmoid(-negative_scores).sum(axis=1))",
    sources=("DSKSD/DeepNLP-models-Pytorch#15",),
)
def negatives_summed_before_the_sigmoid(right: Callable) -> Callable:
    def wrong(hidden, table, batch, accidental_hits, reduction, sparse):
        of_targets = replace(batch, negatives=batch.negatives[:, :0])
        options = {"accidental_hits": accidental_hits, "reduction": reduction, "sparse": sparse}
        loss, d_targets = right(hidden, table, of_targets, **options)
        drawn = batch.negatives
        counted = (drawn != batch.targets[:, None]) | (accidental_hits != "mask")
        score = (counted * scores_of(hidden, table, drawn)).sum(axis=1, keepdims=True)
        log_p, d_log_p = log_sigmoid(-score)
        divisor = divisor_of(hidden, reduction)

        def summed():
            d = d_log_p(np.ones_like(score)) * counted / divisor
            both = zip(d_targets(), answered(hidden, table, drawn, d, sparse), strict=True)
            return tuple(added(of_target, of_negatives) for of_target, of_negatives in both)

        return loss - log_p.sum() / divisor, summed

    return wrong


def times(gradient, factor):
    return replace(gradient, values=gradient.values * factor) if isinstance(gradient, RowGrad) else gradient * factor


# --- hierarchical softmax --------------------------------------------------------------------------------------------


@mistake(
    "hierarchical_softmax",
    "the loss with turns the wrong way round: left where the code says right",
    wrong="sign = 2 * code - 1",
    right="sign = 1 - 2 * code",
)
def turns_turned(right: Callable) -> Callable:
    return lambda hidden, table, batch, **options: right(hidden, table, replace(batch, signs=-batch.signs), **options)


@mistake(
    "hierarchical_softmax",
    "the loss with turns the wrong way round, although the gradient has them right",
    wrong="sign = (-1) ** code; loss = -log_sigmoid(-sign * score); d = (1 - code - sigmoid(score))",
    right="sign = (-1) ** code; loss = -log_sigmoid(sign * score); d = (1 - code - sigmoid(score))",
    sources=("https://github.com/piskvorky/gensim/blob/3.8.3/gensim/models/word2vec.py",),
)
def turns_turned_in_the_loss_alone(right: Callable) -> Callable:
    def wrong(hidden, table, batch, **options):
        loss, _ = right(hidden, table, replace(batch, signs=-batch.signs), **options)
        return loss, right(hidden, table, batch, **options)[1]

    return wrong


@mistake(
    "hierarchical_softmax",
    "the loss of a path without its root",
    wrong="nodes, codes = path[1:], code[1:]",
    right="nodes, codes = path, code",
)
def root_left_out(right: Callable) -> Callable:
    def wrong(hidden, table, batch, **options):
        signs = batch.signs.copy()
        signs[:, 0] = 0
        return right(hidden, table, replace(batch, signs=signs), **options)

    return wrong


@mistake(
    "hierarchical_softmax",
    "the loss with each turn taken one node too late",
    wrong="score = h @ nodes[i + 1]; sign = signs[i]",
    right="score = h @ nodes[i]; sign = signs[i]",
)
def turns_one_node_late(right: Callable) -> Callable:
    def wrong(hidden, table, batch, **options):
        return right(hidden, table, replace(batch, nodes=np.roll(batch.nodes, -1, axis=1)), **options)

    return wrong


# --- the two tables --------------------------------------------------------------------------------------------------


@mistake(
    ("SkipGram.forward", "CBOW.forward"),
    "the gradient of the other table",
    wrong="center_grad, context_grad = context_grad, center_grad",
    right="grads = {'center.weight': center_grad, 'context.weight': context_grad}",
)
def tables_swapped(right: Callable) -> Callable:
    def wrong(self, p, batch):
        loss, backward = right(self, p, batch)
        first, second = p
        alike = p[first].shape == p[second].shape

        def swapped():
            g = backward()
            if alike and type(g[first]) is type(g[second]):
                g[first], g[second] = g[second], g[first]
            return g

        return loss, swapped

    return wrong


@mistake(
    ("SkipGram.forward", "CBOW.forward"),
    "the loss of words compared with the table where they were looked up: the two tables are tied",
    wrong="scores = hidden @ center.T",
    right="scores = hidden @ context.T",
    sources=("udacity/deep-learning-v2-pytorch#199",),
)
def tables_tied(right: Callable) -> Callable:
    def wrong(self, p, batch):
        given, output = (name for name in p if name != self.output), self.output
        table = p[next(given)]
        return right(self, p | {output: table} if table.shape == p[output].shape else p, batch)

    return wrong


@mistake(
    "SkipGram.forward",
    "the centre's gradient from one of its contexts only",
    wrong="for context in contexts: center_grad = d @ table",
    right="for context in contexts: center_grad += d @ table",
)
def centre_of_one_context(right: Callable) -> Callable:
    def wrong(self, p, batch):
        loss, backward = right(self, p, batch)
        if not isinstance(batch, PairBatch):
            return loss, backward
        last = np.sort(len(batch.centers) - 1 - first_of(batch.centers[::-1]))
        _, d_last = right(self, p, pairs(batch, last))
        factor = len(last) / len(batch.centers) if self.objective.keywords["reduction"] == "mean" else 1.0

        def one():
            return backward() | {"center.weight": times(d_last()["center.weight"], loss.dtype.type(factor))}

        return loss, one

    return wrong


# --- the words -------------------------------------------------------------------------------------------------------


@mistake(
    "SkipGram.forward",
    "the loss of the centre given its context, word2vec.c's way, instead of the context given its centre",
    wrong="pairs = [(context, center), ...]",
    right="pairs = [(center, context), ...]",
    sources=("piskvorky/gensim#2579",),
)
def centre_and_context_swapped(right: Callable) -> Callable:
    def wrong(self, p, batch):
        # not with paths, which lead to the contexts, and not in blocks
        if isinstance(batch, PairBatch) and not isinstance(batch, PairPathsBatch):
            batch = replace(batch, centers=batch.contexts, contexts=batch.centers)
        return right(self, p, batch)

    return wrong


@mistake(
    "SkipGram.forward",
    "the loss without the last word of each context: the window ends one word early",
    wrong="context = words[i - window : i] + words[i + 1 : i + window]",
    right="context = words[i - window : i] + words[i + 1 : i + window + 1]",
    sources=("Andras7/word2vec-pytorch#4", "Andras7/word2vec-pytorch#10"),
    also={"CBOW.forward": lambda right: lambda self, p, batch: right(self, p, without_last_words(batch))},
)
def window_one_short(right: Callable) -> Callable:
    def wrong(self, p, batch):
        if not isinstance(batch, PairBatch):
            return right(self, p, batch)
        kept = np.ones(len(batch.centers), bool)
        repeated = np.unique(batch.centers, return_counts=True)[1] > 1
        kept[(len(kept) - 1 - first_of(batch.centers[::-1]))[repeated]] = False
        return right(self, p, pairs(batch, kept))

    return wrong


@mistake(
    "CBOW.forward",
    "the loss of contexts that include their centre",
    wrong="context = words[i - window : i + window + 1]",
    right="context = words[i - window : i] + words[i + 1 : i + window + 1]",
    sources=("dalinvip/pytorch_word2vec#4",),
)
def centre_in_its_context(right: Callable) -> Callable:
    def wrong(self, p, batch):
        found = contexts(batch)
        with_centres = [np.append(words, centre) for words, centre in zip(found, batch.centers, strict=True)]
        return right(self, p, with_contexts(batch, with_centres))

    return wrong


@mistake(
    "CBOW.forward",
    "the loss with the context of a word's first occurrence for all its occurrences",
    wrong="i = words.index(word)",
    right="for i, word in enumerate(words)",
)
def first_occurrence(right: Callable) -> Callable:
    def wrong(self, p, batch):
        found = contexts(batch)
        first = {centre: place for place, centre in reversed(list(enumerate(batch.centers.tolist())))}
        return right(self, p, with_contexts(batch, [found[first[centre]] for centre in batch.centers.tolist()]))

    return wrong


def first_of(words):
    """The first position of each distinct word."""
    return np.unique(words, return_index=True)[1]


def pairs(batch, kept):
    """Some of the pairs of a batch."""
    return replace(batch, **{part.name: getattr(batch, part.name)[kept] for part in fields(batch)})


def contexts(batch):
    return np.split(batch.ids, batch.offsets[1:])


def with_contexts(batch, found):
    lengths = [len(words) for words in found]
    offsets = np.cumsum([0, *lengths[:-1]]).astype(batch.offsets.dtype)
    return replace(batch, ids=np.concatenate(found).astype(batch.ids.dtype), offsets=offsets)


def without_last_words(batch):
    return with_contexts(batch, [words[:-1] if len(words) > 1 else words for words in contexts(batch)])


@mistake(
    "shared_negatives",
    "the loss with weight 1 for each shared negative of a pair, instead of num_negatives / shared",
    wrong="noes = log_sigmoid(-scores).sum()",
    right="noes = num_negatives / shared * log_sigmoid(-scores).sum()",
)
def shared_negatives_whole(right: Callable) -> Callable:
    def wrong(hidden, table, batch, num_negatives, *options, **more):
        return right(hidden, table, batch, batch.negatives.shape[1], *options, **more)

    return wrong
