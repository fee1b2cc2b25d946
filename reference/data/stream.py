"""Draws that are the same on every machine, in every version of NumPy."""

from __future__ import annotations

import numpy as np

WEIGHTS, BATCHES, NEGATIVES = 0, 1, 2  # the streams of a case's seed


class Stream:
    """Draws from the raw output of PCG64, which NumPy promises never to change (NEP 19), unlike its distributions."""

    def __init__(self, *seed: int) -> None:
        self.bits = np.random.PCG64(np.random.SeedSequence(seed))

    def uniform(self, shape: tuple[int, ...]) -> np.ndarray:
        """Numbers in [0, 1) with 53 random bits each, of the shape."""
        raw = self.bits.random_raw(int(np.prod(shape, dtype=int)))
        return ((raw >> np.uint64(11)) * 2.0**-53).reshape(shape)

    def signed(self, shape: tuple[int, ...], bound: float = 1.0) -> np.ndarray:
        """Numbers in [-bound, bound), of the shape."""
        return (2 * self.uniform(shape) - 1) * bound

    def ids(self, shape: tuple[int, ...], n: int, zipf: bool = False) -> np.ndarray:
        """Ids in [0, n): uniform, or with a density that falls as 1/rank, like that of words (Zipf 1949)."""
        u = self.uniform(shape)
        found = np.floor((n + 1.0) ** u) - 1 if zipf else np.floor(u * n)
        return np.minimum(found, n - 1).astype(np.int64)

    def order(self, n: int) -> np.ndarray:
        """A permutation of range(n)."""
        return np.argsort(self.bits.random_raw(n), kind="stable")
