"""The objectives of word2vec: how a hidden vector (D,) and the word that it is to predict become a loss.

Each is summed over what it consists of, and over the N pairs of a batch summed or averaged, as the model's `reduction`
says.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Softmax:
    """Every word of the vocabulary competes: -log softmax(hidden @ table.T)[target] (Mikolov et al. 2013a, section 3).

    It reaches every row of the table, so the table's gradient is dense. https://arxiv.org/abs/1301.3781
    """


@dataclass(frozen=True)
class NegativeSampling:
    """The word is told from K drawn ones: -log s(h @ t) - sum over k of log s(-h @ n_k), s the sigmoid, t and n_k rows.

    The negatives are part of the batch, (N, K), drawn with a probability that is proportional to count**power.
    accidental_hits: what becomes of a negative that is the target itself. "keep": it counts, as the formula has it.
    "mask": it counts neither in the loss nor in the gradient, as in word2vec.c. "redraw": it is drawn anew until it is
    another word, so that the batch has none.

    Mikolov et al. 2013b, equation 4, https://arxiv.org/abs/1310.4546; Goldberg and Levy 2014,
    https://arxiv.org/abs/1402.3722.
    """

    num_negatives: int = 5
    accidental_hits: Literal["keep", "mask", "redraw"] = "keep"
    power: float = 0.75


@dataclass(frozen=True)
class SharedNegatives:
    """Negative sampling in which the pairs of a block of text share their negatives, so that all is matrix products.

    A block has T centres h_i, the C words t_j among which their contexts are, and S negatives n_s; a weight m_ij is 1
    where the word j is in the context of the centre i, and 0 elsewhere. Its loss is
    -sum over i, j of m_ij * (log s(h_i @ t_j) + num_negatives / S * sum over s of log s(-h_i @ n_s)):
    that of `NegativeSampling`, with as many parts of all the block's negatives in place of each pair's own. Skip-gram
    only; its batches are `BlockBatch`. shared: S. accidental_hits: "mask" leaves out, for the pair i, j, each negative
    that is the word j.

    Ji et al. 2016, https://arxiv.org/abs/1604.04661.
    """

    num_negatives: int = 5
    shared: int = 32
    accidental_hits: Literal["keep", "mask"] = "keep"
    power: float = 0.75


@dataclass(frozen=True)
class HierarchicalSoftmax:
    """The word is reached by left and right turns down a Huffman tree: -sum over its path of log s(sign * h @ node).

    The tree is built from the words' counts (`reference.data.huffman`); its V - 1 inner nodes are the table
    `nodes.weight`, numbered in the order in which they are made, the root last. The batch has the paths: `nodes` and
    `signs`, (N, L).
    Morin and Bengio 2005, https://proceedings.mlr.press/r5/morin05a.html; Mikolov et al. 2013b, equation 3.
    """


Objective = Softmax | NegativeSampling | SharedNegatives | HierarchicalSoftmax
