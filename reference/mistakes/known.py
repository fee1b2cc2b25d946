"""The mistakes and variants that are known, by name."""

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
"""The implementation in which the mistakes are made, and which is right without them."""


@dataclass(frozen=True)
class Known:
    """One of them, and whether it is wrong or only another convention."""

    mistake: Mistake
    kind: Kind


def known() -> dict[str, Known]:
    """Every mistake and every variant by its name."""
    found = {name: Known(mistake, "mistake") for name, mistake in MISTAKES.items()}
    return found | {name: Known(variant, "variant") for name, variant in VARIANTS.items()}


def makeable(case: Case, mistakes: Mapping[str, Mistake]) -> dict[str, Mistake]:
    """Those of the mistakes that are in functions which the case calls."""
    functions = {function for mistake in mistakes.values() for function in mistake.plants}
    called = calls(case, functions)
    return {name: mistake for name, mistake in mistakes.items() if mistake.plants.keys() & called}
