"""What every model is made of."""

from __future__ import annotations

Shapes = dict[str, tuple[int, ...]]
