"""The tree of hierarchical softmax: the more frequent a word, the shorter its path (Huffman 1952)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class Tree:
    """The path from the root to each word. V words have V - 1 inner nodes, numbered as they are made, the root last.

    nodes: (V, L) the inner nodes on each path, L that of the longest one; after its end, the root, which is on every
    path, so that it adds no row to a gradient. signs: (V, L) the turns, +1 where the code is 0, -1 where it is 1; after
    the end, 0.
    """

    nodes: np.ndarray
    signs: np.ndarray

    def paths(self, words: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Nodes and signs (N, L) of some words, L the longest path of theirs."""
        longest = np.abs(self.signs[words]).sum(axis=1).max()
        return self.nodes[words, :longest], self.signs[words, :longest]


def huffman(counts: np.ndarray) -> Tree:
    """The tree of the counts (V,), V at least 2: the two rarest are joined, again and again, the rarer with code 0.

    Of equal counts, joined ones come before words, older ones before newer ones, and words of higher id before words of
    lower id: the tree that word2vec.c's CreateBinaryTree makes of a vocabulary sorted by falling count.
    """
    V = len(counts)
    words = np.argsort(-counts, kind="stable").tolist()  # the rarest at the end
    weight = [int(count) for count in counts]
    parent, code = [0] * (2 * V - 2), [0] * (2 * V - 2)
    joined = V  # the rarest of the joined ones: their weights never fall
    for new in range(V, 2 * V - 1):
        total = 0
        for turn in (0, 1):
            if words and (joined == new or weight[words[-1]] < weight[joined]):
                rarest = words.pop()
            else:
                rarest, joined = joined, joined + 1
            parent[rarest], code[rarest] = new, turn
            total += weight[rarest]
        weight.append(total)
    root = 2 * V - 2
    paths: list[list[tuple[int, int]]] = []
    for word in range(V):
        at, path = word, []
        while at != root:
            path.append((parent[at] - V, 1 - 2 * code[at]))
            at = parent[at]
        paths.append(path[::-1])
    longest = max(map(len, paths))
    both = np.array([path + [(root - V, 0)] * (longest - len(path)) for path in paths], np.int64)
    return Tree(both[..., 0], both[..., 1])
