"""The smallest cases that tell the remaining mistakes and variants apart (`twingrad mistakes`)."""

from __future__ import annotations

from dataclasses import replace

from reference.cases import (
    SGD,
    AdamW,
    Case,
    Classifier,
    CrossEntropy,
    Drawn,
    Embedding,
    EmbeddingBag,
    Linear,
    MSELoss,
    NegativeSampling,
    SkipGram,
)
from reference.catalogue.spread import each, in_both_dtypes


def telling() -> list[Case]:
    """Each case, with a comment on what it is for."""
    sgd = SGD(lr=0.1)
    bag, relu = EmbeddingBag(7, 4, mode="max"), Classifier(7, 4, (4,), 3)
    weighted = EmbeddingBag(7, 4, mode="sum", padding_idx=2, weighted=True)
    pairs = SkipGram(7, 3, NegativeSampling(3))
    weights = CrossEntropy(weight=(0.5, 2.0, 1.25))
    every = replace(weights, ignore_index=1, label_smoothing=0.1)
    cases = [
        # equal maxima in several rows of a bag, and hidden units of exactly 0: nasty cases 12 and 13
        Case("ties", bag, sgd, Drawn((5, 3)), grid=0.5),
        Case("zeros", relu, sgd, Drawn((6, 2)), grid=0.5),
        # a hidden layer as wide as its input does not notice a transposed weight
        Case("square", replace(relu, activation="sigmoid"), sgd, Drawn((5, 2))),
        Case("square", Linear(4, 4), sgd, Drawn((5,))),
        # every row has a gradient from the first step on
        Case("square", Linear(4, 4), SGD(lr=0.1, momentum=0.5, dampening=0.1), Drawn((5,))),
        # scores of a thousand and more: exp overflows in float64 too
        Case("overflow", SkipGram(7, 4), sgd, Drawn((5,)), gain=40, seed=3),
        # the largest scores of two rows differ by a thousand
        Case("overflow", Classifier(7, 4, (), 3, loss=weights), sgd, Drawn((3, 2)), steps=2, gain=100, seed=13),
        # rarer losses and activations, in both dtypes
        Case("square", replace(relu, activation="tanh", loss=CrossEntropy(label_smoothing=0.1)), sgd, Drawn((5, 2))),
        Case("square", replace(relu, activation="gelu", loss=MSELoss()), sgd, Drawn((5, 2))),
        Case("square", replace(relu, activation="gelu_tanh", dropout=0.3, loss=every), sgd, Drawn((7, 2))),
        # the weights of padding have no gradient
        Case("small", weighted, sgd, Drawn((4, 3))),
        # ids with gaps between them
        Case("gaps", Embedding(9, 3, scale_grad_by_freq=True), sgd, Drawn((2, 3))),
        # norms so small that PyTorch's 1e-6 or 1e-7 makes a difference, and a norm that is not clipped
        Case("tiny", Embedding(7, 3, max_norm=1e-4), sgd, Drawn((4,)), gain=1e-3),
        Case("tiny", pairs, sgd, Drawn((4,)), gain=1e-3, max_norm=1e-4),
        Case("loose", pairs, sgd, Drawn((4,)), max_norm=100.0),
    ]
    moving = Case("", Embedding(7, 3), SGD(), Drawn((4,)), steps=4)
    # exp of one bag's logits overflows, but no probability is too small for the dtype
    overflow = Case("overflow", Classifier(7, 4, (3,), 2), sgd, Drawn((2, 2)), steps=1, gain=14, seed=2648)
    return [
        overflow,
        replace(overflow, dtype="float32", gain=7),
        *(both for case in cases for both in in_both_dtypes(case)),
        # weight decay so strong that its order shows; momentum with a falling learning rate
        *each(moving, AdamW(lr=0.1, weight_decay=0.5), SGD(lr=0.1, momentum=0.9, nesterov=True)),
        *each(replace(moving, lr_decay_to=1e-3), SGD(lr=0.1, momentum=0.9)),
    ]


def saturated() -> list[Case]:
    """Gelu and its approximation at arguments from -12 to 12: for large negative ones, 1 + erf cancels to nothing."""
    return [
        both
        for activation in ("gelu", "gelu_tanh")
        for both in in_both_dtypes(
            Case(
                "saturated",
                Classifier(7, 2, (6,), 3, activation=activation, loss=MSELoss()),
                SGD(),
                Drawn((7, 1)),
                gain=4,
                seed=114,
            )
        )
    ]
