"""The known mistakes and variants, by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy_impl
from reference.cases import Case
from reference.contract import Implementation
from reference.mistakes.explanation import Kind
from reference.mistakes.planting import MISTAKES, Mistake, calls
from reference.mistakes.variants import VARIANTS

RIGHT: Implementation = numpy_impl
"""The implementation where the mistakes are made. Without them it is right."""


@dataclass(frozen=True)
class Known:
    """A mistake or variant, and which of the two it is."""

    mistake: Mistake
    kind: Kind


def known() -> dict[str, Known]:
    """Every mistake and variant, by name."""
    found = {name: Known(mistake, "mistake") for name, mistake in MISTAKES.items()}
    return found | {name: Known(variant, "variant") for name, variant in VARIANTS.items()}


def makeable(case: Case, mistakes: Mapping[str, Mistake], updates: bool = True) -> dict[str, Mistake]:
    """The mistakes that are in functions called by the case. updates: whether step() is called too."""
    functions = {function for mistake in mistakes.values() for function in mistake.plants}
    called = calls(case, functions, updates)
    return {name: mistake for name, mistake in mistakes.items() if mistake.plants.keys() & called}
