"""Which cases of the catalogue are written as vectors."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import MISSING, fields, is_dataclass, replace
from typing import Any

import numpy as np

from reference import cases
from reference.cases import Case
from reference.vectors.flags import Seen, flags_of

STEPS = 3

LARGEST = 250
"""Vectors have so many steps, and those that come with twingrad so many numbers in weights and batch, at most."""


def selection(every: Sequence[Case]) -> list[Case]:
    """The smallest cases of the catalogue that together have all that there is.

    All that there is: every value of an option of a model or of an optimizer, every model under every optimizer and
    with each layout of the gradients, and every flag; in float64 and in float32. The case that adds most is taken, of
    those that add as much the smallest one, until none adds anything.
    """
    sizes = {shortened(case): size(case) for case in every if not isinstance(case.data, cases.Text)}
    small = sorted((size, case.id, case) for case, size in sizes.items() if size <= LARGEST)
    wanted = {case: features(case) for _, _, case in small}
    chosen = []
    while any(wanted.values()):
        best = max(wanted, key=lambda case: len(wanted[case]))  # the first, so the smallest, of those that add most
        chosen.append(best)
        found = wanted[best]
        wanted = {case: more - found for case, more in wanted.items()}
    return sorted(chosen, key=lambda case: case.id)


def shortened(case: Case) -> Case:
    """The same case, with no more steps than a vector has."""
    return replace(case, steps=min(case.steps, STEPS))


def size(case: Case) -> int:
    """How many numbers there are in its weights and its first batch."""
    batch = next(case.batches())
    parts = [getattr(batch, part.name) for part in fields(batch)]
    return sum(map(math.prod, case.model.shapes.values())) + sum(map(np.size, parts))


def features(case: Case) -> set[tuple[Any, ...]]:
    """What a case shows: options, what comes together in it, and flags, with its dtype."""
    model, optimizer = type(case.model).__name__, type(case.optimizer).__name__
    options = {(model, *option) for option in _options(case.model)} | set(_options(case.optimizer))
    both = {(model, optimizer), (model, case.sparse), (model, type(case.data).__name__)}
    both |= {("layers", len(getattr(case.model, "hidden_features", ()))), ("max_norm", case.max_norm)}
    flags = flags_of(Seen(case, case.weights(), list(case.batches())))
    return {(case.dtype, *found) for found in (*options, *both, *((flag,) for flag in flags))}


def _options(part: Any) -> Iterator[tuple[Any, ...]]:
    """Kind, name and value of every option that is a choice; sizes and learning rates are none."""
    no_choice = ["lr", "num_negatives"]
    if isinstance(part, cases.Classifier) and not part.hidden_features:
        no_choice += ["activation", "dropout"]
    for option in fields(part):
        value = getattr(part, option.name)
        if option.default is not MISSING and option.name not in no_choice:
            if is_dataclass(value):
                yield type(part).__name__, option.name, type(value).__name__
                yield from _options(value)
            else:
                yield type(part).__name__, option.name, value is not None if _is_place(option.name) else value


def _is_place(name: str) -> bool:
    return name in ("padding_idx", "max_norm", "ignore_index")
