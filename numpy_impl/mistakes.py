"""Implementations that are wrong in one known way, and right otherwise.

Each replaces one function of the NumPy twin. The suite must tell every one of them from the right one: that is the
proof that it can fail.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from numpy_impl import (
    cbow,
    classifier,
    embedding,
    embedding_bag,
    functional,
    linear,
    objectives,
    optimizers,
    rows,
    skipgram,
    trainer,
)
from reference.cases import Batch, Case
from reference.contract import Grads, Params, RowGrad, State, Trainer

PLACES = (
    rows,
    embedding,
    embedding_bag,
    linear,
    functional,
    objectives,
    classifier,
    skipgram,
    cbow,
    optimizers,
    trainer,
)


@dataclass(frozen=True)
class Mistake:
    """A wrong function in place of the right one of the same name; an implementation like any other.

    name: by which it is known. sentence: what is done, and what should be. wrong: what stands in for the function of
    its name.
    """

    name: str
    sentence: str
    wrong: Callable[..., Any]

    @contextmanager
    def planted(self) -> Iterator[None]:
        """The NumPy twin is wrong in this way, within."""
        function = self.wrong.__name__
        places = [place for place in PLACES if hasattr(place, function)]
        right = [getattr(place, function) for place in places]
        try:
            for place in places:
                setattr(place, function, self.wrong)
            yield
        finally:
            for place, original in zip(places, right, strict=True):
                setattr(place, function, original)

    def build(self, case: Case, weights: Params) -> Trainer:
        """The NumPy twin's trainer, wrong in this way."""
        with self.planted():
            return _Planted(self, trainer.build(case, weights))


class _Planted:
    """A trainer that is wrong while it works, and leaves the right one alone."""

    def __init__(self, mistake: Mistake, right: Trainer) -> None:
        self.mistake, self.trainer = mistake, right

    def loss_and_grads(self, batch: Batch) -> tuple[float, Grads]:
        with self.mistake.planted():
            return self.trainer.loss_and_grads(batch)

    def step(self) -> None:
        with self.mistake.planted():
            self.trainer.step()

    def params(self) -> Params:
        return self.trainer.params()

    def state(self) -> State:
        return self.trainer.state()


MISTAKES: dict[str, Mistake] = {}


def mistake(name: str, sentence: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Enter a function into the list, under the name of the mistake."""

    def enter(wrong: Callable[..., Any]) -> Callable[..., Any]:
        MISTAKES[name] = Mistake(name, sentence, wrong)
        return wrong

    return enter


right_rows_of, right_embedding, right_linear = rows.rows_of, embedding.embedding, linear.linear
right_embedding_bag, right_cross_entropy = embedding_bag.embedding_bag, functional.cross_entropy
right_log_sigmoid, right_decisions = functional.log_sigmoid, objectives.decisions
right_negative_sampling = objectives.negative_sampling


@mistake(
    "not-scattered", "the gradient of each position goes to the row of that number instead of to the row of its id"
)
def rows_of(ids, d, num_embeddings, source=None):
    d = d if source is None else d[source]
    n = min(len(d), num_embeddings)
    return RowGrad(np.arange(n), d[:n].copy(), (num_embeddings, d.shape[1]))


@mistake("duplicates-overwritten", "an id that occurs more than once keeps its last gradient instead of their sum")
def rows_of(ids, d, num_embeddings, source=None):
    right = right_rows_of(ids, d, num_embeddings, source)
    right.values[np.searchsorted(right.rows, ids)] = d if source is None else d[source]
    return right


@mistake("mean-undivided", "the forward pass divides by the length of the bag, the backward pass does not")
def embedding_bag(ids, weight, sparse, offsets=None, mode="mean", *options):
    pooled, _ = right_embedding_bag(ids, weight, sparse, offsets, mode, *options)
    return pooled, right_embedding_bag(ids, weight, sparse, offsets, "sum" if mode == "mean" else mode, *options)[1]


@mistake("bias-not-summed", "the bias gets the gradient of the first example instead of the sum over the batch")
def linear(x, weight, bias):
    output, right = right_linear(x, weight, bias)

    def backward(d):
        d_x, d_weight, _ = right(d)
        return d_x, d_weight, d[0]

    return output, backward


@mistake("logits-for-probabilities", "the gradient is logits - onehot where it should be probabilities - onehot")
def cross_entropy(logits, target, reduction="mean", **options):
    loss, _ = right_cross_entropy(logits, target, reduction=reduction, **options)

    def backward():
        d = logits.copy()
        d[np.arange(len(target)), target] -= 1
        return d / logits.dtype.type(len(target) if reduction == "mean" else 1)

    return loss, backward


@mistake("sign-turned", "the gradient is onehot - probabilities: it climbs instead of descending")
def cross_entropy(logits, target, reduction="mean", **options):
    loss, backward = right_cross_entropy(logits, target, reduction=reduction, **options)
    return loss, lambda: -backward()


@mistake("log-of-shifted-probability", "the loss is -log(p + 1e-9), which is not the -log(p) that is differentiated")
def cross_entropy(logits, target, reduction="mean", **options):
    _, backward = right_cross_entropy(logits, target, reduction=reduction, **options)
    p = np.exp(functional.log_softmax(logits))[np.arange(len(target)), target]
    losses = -np.log(p + logits.dtype.type(1e-9))
    return losses.mean() if reduction == "mean" else losses.sum(), backward


@mistake("one-context-subtracted", "of several contexts of a centre, the probabilities count for the first one only")
def cross_entropy(logits, target, reduction="mean", **options):
    loss, right = right_cross_entropy(logits, target, reduction=reduction, **options)

    def backward():
        d = right()
        if reduction == "sum":
            d[1:] = 0
            d[np.arange(1, len(target)), target[1:]] = -1
        return d

    return loss, backward


@mistake("vocabulary-too-small", "the table has fewer rows than there are ids")
def embedding(ids, weight, sparse):
    return right_embedding(ids, weight[:-2], sparse)


@mistake("log-of-one-minus-sigmoid", "the loss is log(1 - sigmoid(-x)), which is -inf where the sigmoid is saturated")
def log_sigmoid(x):
    _, backward = right_log_sigmoid(x)
    with np.errstate(divide="ignore", over="ignore"):
        return np.log(1 - 1 / (1 + np.exp(x))), backward


@mistake("negatives-pulled", "the gradient pulls the negatives near as if they were the target")
def decisions(hidden, table, ids, signs, reduction, sparse):
    loss, _ = right_decisions(hidden, table, ids, signs, reduction, sparse)
    return loss, right_decisions(hidden, table, ids, np.abs(signs), reduction, sparse)[1]


@mistake("hits-masked-in-the-loss-alone", "a negative that is the target is left out of the loss, not of the gradient")
def negative_sampling(hidden, table, batch, accidental_hits, reduction, sparse):
    loss, _ = right_negative_sampling(hidden, table, batch, accidental_hits, reduction, sparse)
    return loss, right_negative_sampling(hidden, table, batch, "keep", reduction, sparse)[1]
