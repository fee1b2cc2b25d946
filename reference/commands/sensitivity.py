"""Show how small an error in a single gradient entry is noticed, by planting errors in right gradients."""

from __future__ import annotations

import argparse
import json
import random
import sys
from collections.abc import Iterator, Sequence
from copy import copy
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import threadpoolctl
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from reference import exact
from reference.cases import Case
from reference.catalogue import catalogue
from reference.checks.twins import twins
from reference.commands.choice import add_choice, chosen
from reference.commands.exit_codes import AGREE, DISAGREE
from reference.commands.files import check_writable, write_whole
from reference.commands.progress import tracked
from reference.contract import Implementation, RowGrad
from reference.environment import environment, sentence
from reference.judge.form import flat
from reference.judge.run import compare, follow
from reference.judge.runner import Runner, start

AIM = {"float64": 1e-12, "float32": 1e-4}
"""A relative error of this size must be noticed in every entry in the first step, by dtype."""

ENTRIES = 3
"""The number of entries of each tensor that get an error."""

LATE = 15
"""Entries get an error in the first step, and in one later step, drawn up to this one."""

SIZE = 0.1
"""Only entries of at least this fraction of the largest entry in their row get an error."""

ERRORS = 10 ** np.arange(-1, -17, -0.125)
"""Relative errors, the largest first."""


@dataclass(frozen=True)
class Plant:
    """An entry with planted errors, and the smallest relative error that is noticed there.

    step: the one in which the entry was drawn. seen: the one in which the error is noticed. It is an earlier one where
    the gradient of the row has all but vanished beside what it was, so that only rounding is left of it.
    """

    case: str
    dtype: str
    step: int
    tensor: str
    index: tuple[int, ...]
    noticed: float
    seen: int


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of `sensitivity`."""
    add = parser.add_argument
    add_choice(parser, "all")
    add("--seed", type=int, metavar="N", help="the seed for drawing entries (default: another in each run)")
    add("--json", metavar="FILE", type=Path, help="write every planted error there")
    parser.set_defaults(run=show)


def show(options: argparse.Namespace) -> int:
    """Plant errors in random entries of right gradients, and show the smallest size that is noticed."""
    cases = chosen(catalogue(), options)
    if options.json:
        check_writable(options.json)
    seed = random.randrange(2**31) if options.seed is None else options.seed
    draw = random.Random(seed)
    right, other = twins().values()  # before the thread limit, which affects only loaded libraries
    with threadpoolctl.threadpool_limits(1):
        plants = [plant for case in tracked(cases) for plant in planted(case, right, other, draw)]
        env = environment()
    if options.json:
        whole = {"seed": seed, "plants": [asdict(plant) for plant in plants], "environment": env}
        write_whole(options.json, json.dumps(whole, indent=1) + "\n")
    Console(width=None if sys.stdout.isatty() else 160).print(table(plants))
    if before := sum(plant.seen < plant.step for plant in plants):
        print(f"{before} of {len(plants)} errors are noticed in an earlier step; their gradient has all but vanished")
    print(f"entries drawn with --seed {seed}. {sentence(env)}")
    first = [plant for plant in plants if plant.step == 1]
    return DISAGREE if any(plant.noticed > AIM[plant.dtype] for plant in first) else AGREE


def planted(case: Case, twin: Implementation, other: Implementation, draw: random.Random) -> Iterator[Plant]:
    """Train a twin together with the exact values or the other twin, and plant errors in its gradients."""
    short = replace(case, steps=min(case.steps, LATE)) if case.lr_decay_to is None else case
    weights = short.weights()
    yardstick = start(short, "yardstick", exact if exact.feasible(case) else other, weights)
    right = start(short, "right", twin, weights)
    late = draw.randint(2, short.steps) if short.steps > 1 else 1
    made: list[tuple[int, Runner, Runner]] = []
    for step in follow(short, [right], [yardstick]):
        made.append((step, copy(yardstick), copy(right)))
        if step in (1, late):
            yield from (noticed(made, *place) for place in places(right, draw))
        if step == late:
            break


def places(right: Runner, draw: random.Random) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Random entries of each gradient: the name of the tensor, and the index in all of it."""
    for name, gradient in flat("grads", right.out["grads"]):
        values = gradient.values if isinstance(gradient, RowGrad) else gradient
        if not values.size:
            continue
        sizes = np.abs(values)
        digits = np.finfo(values.dtype)  # none of which may be lost: near subnormal numbers there are fewer
        large = np.argwhere((sizes > digits.tiny / digits.eps) & (sizes >= SIZE * sizes.max(axis=-1, keepdims=True)))
        for _ in range(min(ENTRIES, len(large))):
            first, *rest = large[draw.randrange(len(large))].tolist()
            yield name, (int(gradient.rows[first]) if isinstance(gradient, RowGrad) else first, *rest)


def noticed(made: Sequence[tuple[int, Runner, Runner]], tensor: str, index: tuple[int, ...]) -> Plant:
    """The smallest error noticed in the last of the steps made, or in any step before it if none is noticed there.

    made: the steps up to that one, each with the yardstick and the right implementation.
    """
    *before, (step, other, right) = made
    sizes = {step: smallest_error(step, other, right, tensor, index)}
    if np.isinf(sizes[step]):
        sizes |= {at: smallest_error(at, then, it, tensor, index) for at, then, it in before}
    seen = min(sizes, key=lambda at: sizes[at])
    return Plant(right.case.id, right.case.dtype, step, tensor, index, sizes[seen], seen)


def smallest_error(step: int, other: Runner, right: Runner, tensor: str, index: tuple[int, ...]) -> float:
    """Try smaller and smaller errors in the entry until one is not noticed; infinity if the first one is not."""
    smallest, gradient = np.inf, right.out["grads"][tensor]
    place: tuple[Any, ...] = index
    if isinstance(gradient, RowGrad):
        place = np.flatnonzero(gradient.rows == index[0]), *index[1:]
    for size in ERRORS:
        values = (gradient.values if isinstance(gradient, RowGrad) else gradient).copy()
        values[place] *= values.dtype.type(1 + size)
        altered = replace(gradient, values=values) if isinstance(gradient, RowGrad) else values
        wrong = Runner(right.case, "planted", out=right.out | {"grads": right.out["grads"] | {tensor: altered}})
        compare(wrong, other, step, both=False)
        if not any(d.tensor == tensor and d.stage == "grads" for d in wrong.divergences):
            break
        smallest = float(size)
    return smallest


def table(plants: Sequence[Plant]) -> Table:
    """One line per dtype for the first step, and one for the later step: the errors noticed, and the worst place."""
    title = Text("the smallest error noticed in a gradient entry of at least a tenth of its row's largest")
    shown = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for column in ("dtype", "step"):
        shown.add_column(column)
    for column in ("cases", "errors", "everywhere", "99 % of entries", "half", "aim"):
        shown.add_column(column, justify="right")
    shown.add_column("least sensitive in")
    for dtype, aim in AIM.items():
        for when, members in (
            ("first", [p for p in plants if p.dtype == dtype and p.step == 1]),
            ("later", [p for p in plants if p.dtype == dtype and p.step > 1]),
        ):
            if members:
                worst = max(members, key=lambda plant: plant.noticed)
                parts = (np.quantile([plant.noticed for plant in members], q, method="higher") for q in (1, 0.99, 0.5))
                sizes = ["never" if np.isinf(part) else f"{part:.1e}" for part in parts]
                where = f"{worst.case}, {worst.tensor}{list(worst.index)}, step {worst.step}"
                counts = str(len({plant.case for plant in members})), str(len(members))
                style = "red" if when == "first" and worst.noticed > aim else None
                allowed = f"{aim:.0e}" if when == "first" else "–"
                shown.add_row(dtype, when, *counts, *sizes, allowed, where, style=style)
    return shown
