"""The twins: the default implementations to judge, and the standard for cases that are too large for exact values."""

from __future__ import annotations

from typing import cast

import numpy_impl
from reference.contract import Implementation

TWINS = ("numpy_impl", "torch_impl")
"""Their names."""


def twin(name: str) -> Implementation:
    """One of the twins."""
    if name == "numpy_impl":
        return numpy_impl
    import torch_impl  # noqa: PLC0415  (importing torch takes a second or more, and most commands do without it)

    return cast(Implementation, torch_impl)  # it returns tensors, and the judge takes these too


def twins() -> dict[str, Implementation]:
    """Both twins, by name."""
    return {name: twin(name) for name in TWINS}
