"""What a mistake is, and how it is planted in the NumPy twin."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from types import FunctionType
from typing import Any

import numpy as np

from numpy_impl import trainer
from reference.cases import Batch, Case
from reference.contract import Grads, Implementation, Params, State, Trainer
from reference.errors import Unsupported

TWIN = [module for name, module in sorted(sys.modules.items()) if name.startswith("numpy_impl.")]
"""All modules of the NumPy twin, which its trainer has loaded."""

Plant = Callable[[Callable[..., Any]], Callable[..., Any]]
"""Takes the right function, and returns the wrong one that replaces it."""


@dataclass(frozen=True, eq=False)
class Mistake:
    """The NumPy twin, wrong in one way and right otherwise: an implementation like any other.

    sentence: completes "embedding.weight: equals ...". wrong, right: the line as it is often written, and as it should
    be. sources: where the mistake was really made. plants: by the name of the replaced function (`rows_of`,
    `Adam.update`), the plant that makes the wrong function from the right one. of: the same mistake with another number
    in it, as where somebody has an eps of their own; None where there is no number.
    """

    name: str
    sentence: str
    wrong: str
    right: str
    sources: tuple[str, ...]
    plants: Mapping[str, Plant] = field(repr=False)
    of: Callable[[float], Mistake] | None = field(default=None, repr=False)

    @property
    def subject(self) -> str:
        """The part of an implementation where the mistake is made: the name of this mistake's file."""
        return next(iter(self.plants.values())).__module__.rpartition(".")[2]

    def build(self, case: Case, weights: Params) -> Trainer:
        """The NumPy twin's trainer, wrong in this way."""
        return together(self).build(case, weights)


def together(*mistakes: Mistake) -> Implementation:
    """The NumPy twin with all of these mistakes at once.

    If two are in the same function, the later one is planted around the earlier one. It keeps what it does not change
    itself.
    """
    return Planted(mistakes)


class Planted:
    """The NumPy twin, wrong only while one of its calls runs."""

    def __init__(self, mistakes: tuple[Mistake, ...]) -> None:
        self.mistakes = mistakes

    @functools.cached_property
    def functions(self) -> dict[str, Callable[..., Any]]:
        """The wrong functions by name."""
        found: dict[str, Callable[..., Any]] = {}
        for mistake in self.mistakes:
            for name, plant in mistake.plants.items():
                found[name] = plant(found.get(name) or getattr(*places(name)[0]))
        return found

    def call(self, function: Callable[[], Any]) -> Any:
        """Call a function while the NumPy twin is wrong; overflow gives no warning."""
        before = [(*place, getattr(*place)) for name in self.functions for place in places(name)]
        try:
            for name, wrong in self.functions.items():
                for owner, attribute in places(name):
                    setattr(owner, attribute, wrong)
            with np.errstate(all="ignore"):
                return function()
        finally:
            for owner, attribute, right in before:
                setattr(owner, attribute, right)

    def build(self, case: Case, weights: Params) -> Trainer:
        return _Trainer(self.call, self.call(lambda: trainer.build(case, weights)))


class _Trainer:
    """A trainer that makes its calls while the twin is wrong."""

    def __init__(self, call: Callable[..., Any], right: Trainer) -> None:
        self.call, self.trainer = call, right

    def loss_and_grads(self, batch: Batch) -> tuple[float, Grads]:
        return self.call(lambda: self.trainer.loss_and_grads(batch))

    def step(self) -> None:
        self.call(lambda: self.trainer.step())  # noqa: PLW0108 -- step itself may be planted

    def params(self) -> Params:
        return self.trainer.params()

    def state(self) -> State:
        return self.trainer.state()


@functools.cache
def places(name: str) -> list[tuple[Any, str]]:
    """Where the twin finds a function: every module that has it, or, for `Adam.update`, the class that defines it."""
    first, _, method = name.partition(".")
    owners: list[Any] = [module for module in TWIN if isinstance(vars(module).get(first), FunctionType | type)]
    if method:
        owners = [getattr(module, first) for module in owners[:1] if method in vars(getattr(module, first))]
    if not owners:
        raise LookupError(f"the NumPy twin has no {name}, in which a mistake is to be planted")
    return [(owner, method or first) for owner in owners]


def calls(case: Case, functions: Iterable[str], updates: bool = True) -> set[str]:
    """The functions, out of these, that the twin calls in the case. A mistake in any other one has no effect there.

    There are none for a model that the twin does not know. updates: whether step() is called too; without it, only the
    first batch is computed.
    """
    called: set[str] = set()

    def noting(name: str) -> Plant:
        def plant(right: Callable[..., Any]) -> Callable[..., Any]:
            def noted(*given: Any, **options: Any) -> Any:
                called.add(name)
                return right(*given, **options)

            return noted

        return plant

    twin = together(Mistake("noted", "", "", "", (), {name: noting(name) for name in functions}))
    try:
        noted = twin.build(case, case.weights())
    except Unsupported:
        return called
    for batch in case.batches():
        noted.loss_and_grads(batch)
        if not updates:
            break
        noted.step()
    return called


def entered_in(entries: dict[str, Mistake]) -> Callable[..., Callable[[Any], Any]]:
    """A decorator that adds a plant to the entries. The plant's name, with hyphens, is the name of the mistake."""

    def mistake(
        functions: str | tuple[str, ...],
        sentence: str,
        *,
        wrong: str,
        right: str,
        sources: tuple[str, ...] = (),
        also: Mapping[str, Plant] | None = None,
        number: float | None = None,
    ) -> Callable[[Any], Any]:
        """functions: what the plant replaces. also: more functions to replace, each with its own plant.

        number: one that is in the mistake. It is the plant's second argument, and {} in sentence and wrong line.
        """

        def enter(plant: Callable[..., Any]) -> Callable[..., Any]:
            name = plant.__name__.replace("_", "-")
            assert name not in entries, name
            names = (functions,) if isinstance(functions, str) else functions

            def of(value: float) -> Mistake:
                @functools.wraps(plant)
                def own(right: Callable[..., Any]) -> Callable[..., Any]:
                    return plant(right, value)

                said, line = (text.replace("{}", f"{value:g}") for text in (sentence, wrong))
                return Mistake(name, said, line, right, sources, dict.fromkeys(names, own), of)

            plants = {**dict.fromkeys(names, plant), **(also or {})}
            entries[name] = Mistake(name, sentence, wrong, right, sources, plants) if number is None else of(number)
            return plant

        return enter

    return mistake


def in_backward(change: Callable[..., Any]) -> Plant:
    """A plant that leaves the forward pass alone: change(what backward returns, its arguments, those of forward)."""

    @functools.wraps(change)
    def plant(right: Callable[..., Any]) -> Callable[..., Any]:
        def wrong(*given: Any, **options: Any) -> tuple[Any, Callable[..., Any]]:
            output, backward = right(*given, **options)
            return output, lambda *d: change(backward(*d), *d, *given, **options)

        return wrong

    return plant


MISTAKES: dict[str, Mistake] = {}
mistake = entered_in(MISTAKES)
