"""Convolutions, alone and over embedded ids."""

from __future__ import annotations

from reference.cases import SGD, Adam, Case, Conv1d, Dialogue, Drawn, TextCNN
from reference.catalogue.classifier import LOSSES
from reference.catalogue.pairwise import Row, Table, values
from reference.catalogue.spread import RUN, in_both_dtypes, part, refused, spread

WINDOWS = {"stride": values(1, 2), "dilation": values(1, 2), "padding": values(0, 1, "same")}


def possible(row: Row) -> bool:
    """Whether PyTorch takes these options together."""
    strided = row.get("padding") == "same" and row.get("stride", 1) > 1
    return not strided and not refused(row, all_rows=False)


CONV1D = Table("conv1d", {**WINDOWS, **{name: RUN[name] for name in ("dtype", "optimizer")}}, possible)
TEXTCNN = Table(
    "textcnn",
    {
        "kernel_sizes": values((2, 3), (3,)),
        **WINDOWS,
        "mode": values("max", "mean"),
        "padding_idx": values(None, 3),
        "ragged": values(False, True),
        "activation": values("relu", "tanh"),
        "dropout": values(0.0, 0.3),
        "loss": {name: LOSSES[name] for name in ("plain", "smoothing ignore", "mse sum")},
        **RUN,
    },
    possible,
)


def convolutions() -> list[Case]:
    """Every pair of options, and the shapes in which implementations disagree."""
    alone = [
        Case("", Conv1d(3, 4, 3, **part(row, *WINDOWS)), data=Drawn((2, 7)), seed=1, **part(row, "dtype", "optimizer"))
        for row in CONV1D.rows()
    ]
    own = "kernel_sizes", *WINDOWS, "mode", "padding_idx", "activation", "dropout", "loss"
    embedded = [
        Case(
            "",
            TextCNN(11, 3, 4, num_classes=3, **part(row, *own)),
            data=Drawn((4, 6), used=9, ragged=row["ragged"]),
            seed=7,
            **part(row, *RUN),
        )
        for row in TEXTCNN.rows()
    ]
    sgd = SGD(lr=0.1)
    cases = [
        Case("one", Conv1d(1, 1, 1), sgd, Drawn((1, 1))),
        # the right end gets the odd zero: pytorch#3867, alf#457
        Case("even", Conv1d(3, 2, 4, padding="same"), sgd, Drawn((2, 5))),
        # one window, and a tail that fills none: backpack#30
        Case("whole", Conv1d(3, 2, 5), sgd, Drawn((2, 5))),
        Case("tail", Conv1d(3, 4, 3, stride=3), sgd, Drawn((2, 8))),
        Case("gaps", Conv1d(2, 3, 2, stride=3), sgd, Drawn((2, 6))),
        # as many steps as channels: nobody notices that the two are swapped
        Case("square", Conv1d(4, 4, 3, padding=1), sgd, Drawn((4, 4))),
        # equal windows and windows of exactly 0, in both orders of relu and maximum: tensorflow#51681
        Case("ties", TextCNN(5, 2, 3, (1, 2), 3), sgd, Drawn((4, 5)), steps=1, grid=0.5, seed=2),
        # zeros beyond the length would win the maximum: allennlp#4739
        Case("negative", TextCNN(5, 3, 2, (2,), 3, activation="tanh"), sgd, Drawn((4, 6), ragged=True), gain=2.0),
        Case("even", TextCNN(7, 3, 2, (2, 4), 3, padding="same"), sgd, Drawn((4, 6), ragged=True)),
    ]
    tables = [
        Case("one", TextCNN(2, 1, 1, (1,), 2, activation="tanh"), sgd, Drawn((2, 1)), seed=4),
        Case("duplicates", TextCNN(3, 4, 5, (2, 3), 2), sgd, Drawn((3, 7))),
    ]
    dialogue = Case("dialogue", TextCNN(10, 5, 3, (2, 3), 2), SGD(lr=0.01), Dialogue(), seed=2)
    return [
        *alone,
        *embedded,
        *(both for case in cases for both in in_both_dtypes(case)),
        *(case for base in tables for case in spread(base, sgd)),
        *spread(dialogue, SGD(lr=0.01), Adam(lr=0.01)),
    ]
