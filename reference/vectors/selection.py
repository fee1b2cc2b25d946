"""The cases of the catalogue that are written as vectors."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import MISSING, fields, is_dataclass, replace
from typing import Any

import numpy as np

from reference import cases
from reference.cases import Case
from reference.mistakes.flags import Seen, flags_of

STEPS = 3

LARGEST = 250
"""The most steps of a vector, and the most numbers in weights and batch of a vector that comes with twingrad."""


WEIGHTS = 100_000
"""The most weights of a vector."""


def selection(every: Sequence[Case]) -> list[Case]:
    """The smallest cases of the catalogue that together cover everything.

    That is every value of an option of a model or optimizer, every model with every optimizer and layout of gradients,
    and every flag, in float64 and in float32. The case that adds most is taken first, the smallest one if several add
    as much, until no case adds anything.
    """
    told = [case for case in every if not isinstance(case.data, cases.Text) and has_vector(case)]
    sizes = {shortened(case): size(case) for case in told}
    small = sorted((size, case.id, case) for case, size in sizes.items() if size <= LARGEST)
    wanted = {case: features(case) for _, _, case in small}
    chosen = []
    while any(wanted.values()):
        best = max(wanted, key=lambda case: len(wanted[case]))  # of those that add most, the first is the smallest
        chosen.append(best)
        found = wanted[best]
        wanted = {case: more - found for case, more in wanted.items()}
    return sorted(chosen, key=lambda case: case.id)


def has_vector(case: Case) -> bool:
    """Whether a case may have a vector: not one about arrays in memory, without any gradient, or with huge weights."""
    weights = sum(map(math.prod, case.model.shapes.values()))
    return case.layout == "contiguous" and not getattr(case.data, "silent", ()) and weights <= WEIGHTS


def shortened(case: Case) -> Case:
    """The same case, with at most as many steps as a vector has."""
    return replace(case, steps=min(case.steps, STEPS))


def size(case: Case) -> int:
    """The number of numbers in its weights and its first batch."""
    batch = next(case.batches())
    parts = [getattr(batch, part.name) for part in fields(batch)]
    return sum(map(math.prod, case.model.shapes.values())) + sum(map(np.size, parts))


def features(case: Case) -> set[tuple[Any, ...]]:
    """What a case shows: options, combinations, and flags, each with its dtype."""
    model, optimizer = type(case.model).__name__, type(case.optimizer).__name__
    options = {(model, *option) for option in _options(case.model)} | set(_options(case.optimizer))
    both: set[tuple[Any, ...]] = {(model, optimizer), (model, case.sparse), (model, type(case.data).__name__)}
    both |= {("layers", len(getattr(case.model, "hidden_features", ()))), ("max_norm", case.max_norm)}
    both |= {("gradients of inputs", bool(case.model.input_gradients), case.model.padding_idx is not None)}
    flags = flags_of(Seen(case, case.weights(), list(case.batches())))
    return {(case.dtype, *found) for found in (*options, *both, *((flag,) for flag in flags))}


def _options(part: Any) -> Iterator[tuple[Any, ...]]:
    """Kind, name and value of every option that is a choice. Sizes and learning rates are not choices."""
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
