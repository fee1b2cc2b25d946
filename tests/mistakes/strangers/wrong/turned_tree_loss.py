"""One: the loss of hierarchical softmax has its signs turned, while its gradient is right (gensim 3.8.3)."""

import numpy as np

from reference.cases import HierarchicalSoftmax
from tests.mistakes.strangers.base.word2vec import SkipGram


class Turned(SkipGram):
    objectives = (HierarchicalSoftmax,)

    def binary_loss(self, x, signs):
        return (np.logaddexp(0, x) * abs(signs)).sum()


build = Turned.build
