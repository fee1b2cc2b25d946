"""Large arrays, cut into blocks of rows that the cache can hold.

What is done to an array in several passes is done to one block after the other, so that the second pass finds in the
cache what the first one fetched. Nothing is computed here, so nothing has a plain form.
"""

from __future__ import annotations

from collections.abc import Iterator

from numpy import ndarray

BLOCK = 2**18
"""Bytes that are worked on at once, and that the cache should hold."""


def blocks(array: ndarray, size: int) -> Iterator[ndarray]:
    """Cut an array into parts for which `BLOCK` bytes are worked on, `size` of them for each of its entries."""
    step = entries(size)
    return (array[k : k + step] for k in range(0, len(array), step))


def entries(size: int) -> int:
    """How many entries a block has, of `size` bytes each: at least one."""
    return max(1, BLOCK // max(1, size))
