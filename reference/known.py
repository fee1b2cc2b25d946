"""The mistakes and variants that are known, implementations like any other: looked up by name."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from reference.cases import Case
from reference.contract import Implementation

RIGHT = "numpy_impl"
"""The implementation in which the mistakes are made, and which is right without them."""


class Mistake(Implementation, Protocol):
    """What is known of a mistake or a variant, an implementation like any other."""

    name: str
    sentence: str
    wrong: str
    right: str
    sources: tuple[str, ...]
    plants: Mapping[str, Any]

    @property
    def subject(self) -> str:
        """The part of an implementation in which it is made."""
        ...


@dataclass(frozen=True)
class Known:
    """One of them, and whether it is wrong or only another convention."""

    mistake: Mistake
    kind: Literal["mistake", "variant"]


def known() -> dict[str, Known]:
    """Every mistake and every variant by its name."""
    mistakes = importlib.import_module(f"{RIGHT}.mistakes").MISTAKES
    variants = importlib.import_module(f"{RIGHT}.variants").VARIANTS
    found = {name: Known(mistake, "mistake") for name, mistake in mistakes.items()}
    return found | {name: Known(variant, "variant") for name, variant in variants.items()}


def makeable(case: Case, mistakes: Mapping[str, Mistake]) -> dict[str, Mistake]:
    """Those of the mistakes that are in functions which the case calls."""
    functions = {function for mistake in mistakes.values() for function in mistake.plants}
    called = importlib.import_module(f"{RIGHT}.mistakes").calls(case, functions)
    return {name: mistake for name, mistake in mistakes.items() if mistake.plants.keys() & called}
