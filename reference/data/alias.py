"""Drawing from a fixed distribution in constant time (Walker 1977, Vose 1991)."""

from __future__ import annotations

import numpy as np

from reference.data.stream import Stream


class AliasTable:
    """Ids 0 to V - 1, each as likely as its weight.

    V columns of equal height 1 hold the V probabilities: column i has id i up to `keep[i]`, and above it one other id,
    `other[i]`. A draw is a point in a column.
    """

    def __init__(self, weights: np.ndarray) -> None:
        heights = weights / weights.sum() * len(weights)
        self.keep, self.other = heights.copy(), np.arange(len(weights))
        low = [i for i, height in enumerate(heights) if height < 1]
        high = [i for i, height in enumerate(heights) if height >= 1]
        while low and high:
            short, tall = low.pop(), high[-1]
            self.other[short] = tall
            heights[tall] -= 1 - heights[short]
            self.keep[tall] = heights[tall]
            if heights[tall] < 1:
                low.append(high.pop())
        self.keep[low + high] = 1  # what is left is 1 but for rounding

    def draw(self, stream: Stream, shape: tuple[int, ...]) -> np.ndarray:
        """Ids of the shape."""
        column = stream.ids(shape, len(self.keep))
        return np.where(stream.uniform(shape) < self.keep[column], column, self.other[column])
