"""Large arrays, cut into blocks of rows that the cache can hold.

Several passes over an array go over one block after the other. So the second pass finds in the cache what the first one
fetched. Nothing is computed here, so there are no plain forms.
"""

from __future__ import annotations

from collections.abc import Iterator

from numpy import ndarray

BLOCK = 2**18
"""The number of bytes to work on at once. They should fit in the cache."""


def blocks(array: ndarray, size: int) -> Iterator[ndarray]:
    """Cut an array into parts of about `BLOCK` bytes of work, `size` bytes for each entry."""
    step = entries(size)
    return (array[k : k + step] for k in range(0, len(array), step))


def entries(size: int) -> int:
    """The number of entries of `size` bytes in a block: at least one."""
    return max(1, BLOCK // max(1, size))
