"""The tree of hierarchical softmax: the more frequent a word, the shorter its path (Huffman 1952)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class Tree:
    """The path from the root to each word. V words have V - 1 inner nodes, numbered as they are made, the root last.

    nodes: (V, L), the inner nodes on each path; L is the length of the longest path. After the end of a shorter path
    comes the root. The root is on every path, so this adds no row to a gradient. signs: (V, L), the turns: +1 for code
    0, -1 for code 1, and 0 after the end.
    """

    nodes: np.ndarray
    signs: np.ndarray

    def paths(self, words: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Nodes and signs (N, L) of these words; L is the length of their longest path."""
        longest = np.abs(self.signs[words]).sum(axis=1).max()
        return self.nodes[words, :longest], self.signs[words, :longest]


def huffman(counts: np.ndarray) -> Tree:
    """Build the tree of the counts (V,), V at least 2: join the two rarest repeatedly, and give the rarer one code 0.

    Where counts are equal, joined nodes come before words, older nodes before newer ones, and words of higher id before
    words of lower id. This is the tree of word2vec.c's CreateBinaryTree for a vocabulary sorted by falling count.
    """
    V = len(counts)
    words = np.argsort(-counts, kind="stable").tolist()  # the rarest at the end
    weight = [int(count) for count in counts]
    parent, code = [0] * (2 * V - 2), [0] * (2 * V - 2)
    joined = V  # the rarest joined node, since each new one is at least as frequent
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
