"""What a step cannot be faster than: its bytes over the bandwidth of this machine, its operations over its GEMM rate.

A lower bound, made of what must be done once even by a perfect program: the vectors that are looked up are read, the
gradient's rows are written, and in the update read, with the table's rows read and written; each product of matrices
has two operations for each multiplication. Both rates are measured here, with NumPy, on one thread.
"""

from __future__ import annotations

from functools import cache

import numpy as np

from benchmarks.interleave import interleaved
from benchmarks.sizes import Size

FLOAT = 4  # bytes


@cache
def rates() -> tuple[float, float]:
    """Bytes a second, of copying what is larger than a cache, and operations a second, of one large product."""
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
    """The floor of what moves so many numbers and does so many operations."""
    bandwidth, speed = rates()
    return numbers * FLOAT / bandwidth + operations / speed


def classifier(size: Size, rows: int) -> float:
    """A step in which so many distinct rows are looked up."""
    layers = size.D * size.H + size.H * 2
    return seconds((size.B * size.L + 4 * rows) * size.D, 6 * size.B * layers)


def softmax(size: Size) -> float:
    """A step of skip-gram: three products; logits and their gradient written and read; the table and its update."""
    return seconds(4 * size.B * size.V + 4 * size.V * size.D, 6 * size.B * size.V * size.D)


def negatives(size: Size, ids: int, rows: int) -> float:
    """A step with so many looked-up vectors, in so many distinct rows of both tables."""
    return seconds((ids + 4 * rows) * size.D, 6 * ids * size.D)
