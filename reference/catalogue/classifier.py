"""Classifiers of bags."""

from __future__ import annotations

from reference.cases import (
    ACTIVATIONS,
    SGD,
    Adam,
    Case,
    Classifier,
    CrossEntropy,
    Dialogue,
    Drawn,
    MSELoss,
)
from reference.catalogue.pairwise import Row, Table, values
from reference.catalogue.spread import RUN, part, refused, spread

WEIGHT = (0.5, 2.0, 1.25)
LOSSES = {
    "plain": CrossEntropy(),
    "weight": CrossEntropy(weight=WEIGHT),
    "weight sum": CrossEntropy(weight=WEIGHT, reduction="sum"),
    "smoothing ignore": CrossEntropy(label_smoothing=0.1, ignore_index=1),  # pytorch#73205, #69339
    "weight smoothing ignore": CrossEntropy(weight=WEIGHT, label_smoothing=0.2, ignore_index=2),  # pytorch#104776
    "weight probabilities": CrossEntropy(weight=WEIGHT, probabilities=True),  # divides by B: pytorch#107680
    "smoothing probabilities sum": CrossEntropy(label_smoothing=0.1, probabilities=True, reduction="sum"),
    "mse": MSELoss(),
    "mse sum": MSELoss(reduction="sum"),
}


def possible(row: Row) -> bool:
    """Whether PyTorch takes these options together, and dropout has a hidden layer."""
    return not (
        (row.get("sparse") and row.get("mode") == "max")
        or (row.get("hidden_features") == () and row.get("dropout"))
        or refused(row, all_rows=False)
    )


CLASSIFIER = Table(
    "classifier",
    {
        "mode": values("mean", "sum", "max"),
        "padding_idx": values(None, 3),
        "ragged": values(False, True),
        "hidden_features": values((5,), (4, 3), ()),
        "activation": values(*ACTIVATIONS),
        "dropout": values(0.0, 0.3),
        "loss": LOSSES,
        **RUN,
    },
    possible,
)


def classifiers() -> list[Case]:
    """Different shapes, ids and widths."""
    dialogue = Case("dialogue", Classifier(10, 5, (10,), 2), SGD(lr=0.01), Dialogue(), steps=10)
    cases = [
        Case("one", Classifier(2, 1, (3,), 2), SGD(), Drawn((2, 1)), seed=4),
        Case("size-1", Classifier(2, 1, (1,), 2, activation="tanh"), SGD(), Drawn((1, 1))),
        Case("primes", Classifier(101, 13, (7,), 5), SGD(), Drawn((11, 3), used=97), steps=5),
        Case("duplicates", Classifier(4, 5, (6,), 3), SGD(), Drawn((4, 10))),
        Case("zipf", Classifier(1009, 33, (17,), 4), SGD(), Drawn((16, 12), zipf=True), steps=5),
    ]
    found = spread(dialogue, SGD(lr=0.01), Adam(lr=0.01))
    return found + [case for base in cases for case in spread(base)]


def classifier_options() -> list[Case]:
    """Every pair of a classifier's options: pooling, depth, activation, dropout, loss."""
    own = "mode", "padding_idx", "hidden_features", "activation", "dropout", "loss"
    return [
        Case(
            "",
            Classifier(11, 3, num_classes=3, **part(row, *own)),
            data=Drawn((5, 3), used=9, ragged=row["ragged"]),
            seed=7,
            **part(row, *RUN),
        )
        for row in CLASSIFIER.rows()
    ]
