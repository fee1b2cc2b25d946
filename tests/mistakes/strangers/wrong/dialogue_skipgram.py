"""Four, as a first skip-gram in NumPy has them: the loss, both tables and the optimizer each have one of their own.

log(p + 1e-10) in the loss; centres that occur in several pairs keep the last pair's gradient; the output table's
gradient is that of the sum, under a loss that is a mean; Adam without bias correction. After a written dialogue on
backpropagation and oreilly-japan/deep-learning-from-scratch-2#22.
"""

import numpy as np

from reference.cases import Softmax
from tests.mistakes.strangers.base.word2vec import SkipGram


class Dialogue(SkipGram):
    objectives = (Softmax,)

    def log(self, q):
        return np.log(q + 1e-10)

    def d_output(self, d, h):
        return d.T @ h * self.divisor(len(h))

    def d_given(self, batch, d, table):
        dW_in = np.zeros_like(table)
        for i, center in enumerate(batch.centers):
            dW_in[center] = d[i]
        return dW_in

    def adam(self, name, g):
        b1, b2 = self.o.betas
        m, v = self.average("exp_avg", name, b1, g), self.average("exp_avg_sq", name, b2, g**2)
        return self.o.lr * m / (np.sqrt(v) + self.o.eps)


build = Dialogue.build
