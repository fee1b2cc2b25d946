"""Drawing from a fixed distribution in constant time (Walker 1977, Vose 1991)."""

from __future__ import annotations

import numpy as np

from reference.data.stream import Stream


class AliasTable:
    """Draws ids from 0 to V - 1, with probabilities proportional to their weights.

    V columns of height 1 hold the V probabilities. Column i holds id i up to the height `keep[i]`, and one other id,
    `other[i]`, above it. A draw is a random point in a random column.
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
        self.keep[low + high] = 1  # the remaining columns are 1 up to rounding

    def draw(self, stream: Stream, shape: tuple[int, ...]) -> np.ndarray:
        """Ids of the shape."""
        column = stream.ids(shape, len(self.keep))
        return np.where(stream.uniform(shape) < self.keep[column], column, self.other[column])
