"""Every pair of an optimizer's options, and the known differences between optimizers."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from itertools import product
from typing import Any

from reference.cases import (
    SGD,
    Adagrad,
    Adam,
    AdamW,
    Case,
    Classifier,
    Drawn,
    Embedding,
    RMSprop,
    SkipGram,
    SparseAdam,
)
from reference.catalogue.pairwise import Row, Table, values
from reference.catalogue.spread import LAYOUT, each, part
from reference.errors import BadInput

OPTIONS: dict[type, dict[str, tuple[Any, ...]]] = {
    SGD: {
        "lr": (0.1,),
        "momentum": (0.0, 0.9),
        "dampening": (0.0, 0.5),
        "weight_decay": (0.0, 0.01),
        "nesterov": (False, True),
    },
    Adagrad: {
        "lr": (0.1,),
        "lr_decay": (0.0, 0.1),
        "weight_decay": (0.0, 0.01),
        "initial_accumulator_value": (0.0, 0.1),
        "eps": (1e-10, 1e-3),
    },
    RMSprop: {
        "lr": (0.01,),
        "alpha": (0.99, 0.5),
        "eps": (1e-8, 1e-3),
        "weight_decay": (0.0, 0.01),
        "momentum": (0.0, 0.9),
        "centered": (False, True),
    },
    Adam: {
        "lr": (0.01,),
        "betas": ((0.9, 0.999), (0.5, 0.9)),
        "eps": (1e-8, 1e-3),
        "weight_decay": (0.0, 0.01),
        "amsgrad": (False, True),
    },
    AdamW: {
        "lr": (0.01,),
        "betas": ((0.9, 0.999), (0.5, 0.9)),
        "eps": (1e-8, 1e-3),
        "weight_decay": (0.01, 0.1),
        "amsgrad": (False, True),
    },
    SparseAdam: {"lr": (0.01,), "betas": ((0.9, 0.999), (0.5, 0.9)), "eps": (1e-8, 1e-3)},
}
"""The values of the optimizers' options that are combined in pairs, PyTorch's default first."""

# with this seed, some rows are looked up in the first step only, in several steps, twice in one step, or never
BASES = {
    "embedding": Case("", Embedding(11, 3), SGD(), Drawn((4,), used=9), steps=5, seed=4),
    "classifier": Case("", Classifier(11, 3, (5,), 3), SGD(), Drawn((3, 2), used=9), steps=5, seed=4),
    "skipgram": Case("", SkipGram(11, 3), SGD(), Drawn((4,), used=9), steps=5, seed=4),
}


@cache
def table(kind: type) -> Table:
    """The table of an optimizer's options, with the model, the layout of the gradients, dtype and clipping."""
    own = {name: values(*of) for name, of in OPTIONS[kind].items()}
    options = own | LAYOUT | {"max_norm": values(None, 0.3), "base": BASES}

    @cache
    def allowed() -> list[Row]:
        rows = (dict(zip(options, of, strict=True)) for of in product(*(of.values() for of in options.values())))
        return [row for row in rows if _taken(kind, row)]

    return Table(kind.__name__.lower(), options, lambda row: any(row.items() <= whole.items() for whole in allowed()))


def _taken(kind: type, row: Row) -> bool:
    try:
        return not _case(kind, row).refusal
    except BadInput:  # nesterov without momentum
        return False


def _case(kind: type, row: Row) -> Case:
    return replace(row["base"], optimizer=kind(**part(row, *OPTIONS[kind])), **part(row, *LAYOUT, "max_norm"))


def combined(kind: type) -> list[Case]:
    """Every pair of an optimizer's options."""
    return [_case(kind, row) for row in table(kind).rows()]


def optimizers() -> list[Case]:
    """Each optimizer with its options, and cases that tell them apart."""
    # SparseAdam is not Adam: the moments of rows without a gradient do not change (nasty case 20; pytorch#25560,
    # #18404). With SGD's momentum such rows keep moving, with Adagrad they do not
    seldom = Case("seldom", Embedding(11, 3), SGD(), Drawn((2,), used=9), steps=8, seed=4)
    # gradients near 1e-3, so that it shows if eps is in another place, or the accumulator starts at another framework's
    # default (nasty cases 21 and 22; tensorflow#35102)
    small = Case("small-gradients", Embedding(7, 3), SGD(), Drawn((6,)), steps=5, max_norm=5e-3)
    return [
        *(case for kind in OPTIONS for case in combined(kind)),
        *each(seldom, Adam(lr=0.1), SparseAdam(lr=0.1), Adagrad(lr=0.1)),
        *each(seldom, SGD(lr=0.1, momentum=0.9), SGD(lr=0.1, momentum=0.9, dampening=0.5)),
        *each(small, Adam(lr=0.1, eps=1e-3), SparseAdam(lr=0.1, eps=1e-3), RMSprop(lr=0.1, eps=1e-3)),
        *each(small, Adagrad(lr=0.1), Adagrad(lr=0.1, initial_accumulator_value=0.1)),
    ]
