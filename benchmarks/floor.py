"""A lower bound for the time of a step: its bytes / this machine's bandwidth, plus its operations / the GEMM rate.

It counts only what even a perfect program must do once. The looked-up vectors are read. The gradient's rows are
written. The update reads them, and reads and writes the table's rows. A matrix product has two operations for each
multiplication. Both rates are measured here, with NumPy, on one thread.
"""

from __future__ import annotations

from functools import cache

import numpy as np

from benchmarks.interleave import interleaved
from benchmarks.sizes import Size

FLOAT = 4  # bytes


@cache
def rates() -> tuple[float, float]:
    """Bytes per second when copying more than a cache holds, and operations per second of one large product."""
    source = np.ones(2**25, np.float32)
    target, square = np.empty_like(source), np.ones((1024, 1024), np.float32)
    product = np.empty_like(square)
    times = interleaved(
        {
            "copy": lambda: np.copyto(target, source),
            "product": lambda: np.matmul(square, square, out=product),
        },
        turns=5,
    )
    return 2 * source.nbytes / times["copy"], 2 * 1024**3 / times["product"]


def seconds(numbers: float, operations: float) -> float:
    """The lower bound for moving this many numbers and doing this many operations."""
    bandwidth, speed = rates()
    return numbers * FLOAT / bandwidth + operations / speed


def classifier(size: Size, rows: int) -> float:
    """A step that looks up this many distinct rows."""
    layers = size.D * size.H + size.H * 2
    return seconds((size.B * size.L + 4 * rows) * size.D, 6 * size.B * layers)


def softmax(size: Size) -> float:
    """A skip-gram step: three products, writing and reading the logits and their gradient, the table's update."""
    return seconds(4 * size.B * size.V + 4 * size.V * size.D, 6 * size.B * size.V * size.D)


def negatives(size: Size, ids: int, rows: int) -> float:
    """A step that looks up this many vectors, in this many distinct rows of both tables."""
    return seconds((ids + 4 * rows) * size.D, 6 * ids * size.D)
