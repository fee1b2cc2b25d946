"""One: of a word that is drawn twice among one pair's negatives, or is its target too, one gradient is kept.

The pairs themselves are added up in a loop, as ZacBi/CS224n-2019-solutions#5 does, and gensim 3.8.3's Python pairs.
"""

import numpy as np

from reference.cases import NegativeSampling
from tests.mistakes.strangers.base.word2vec import SkipGram


class Assignment(SkipGram):
    objectives = (NegativeSampling,)

    def d_rows(self, d, h, ids, out):
        grad = np.zeros_like(out)
        for i in range(len(h)):
            grad[ids[i]] += np.outer(d[i], h[i])
        return grad


build = Assignment.build
