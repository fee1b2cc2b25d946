"""Two: exp of the logits as they are, which ends in NaN, and weights whose gradient is divided by the batch twice.

jhcross/span-parser#2 and pyg-team/pytorch_geometric#53; SkalskiP/ILearnDeepLearning.py#29.
"""

import numpy as np

from tests.mistakes.strangers.base.classifier import Classifier


class Overflowing(Classifier):
    def softmax(self, logits):
        e = np.exp(logits)
        return e / e.sum(axis=1, keepdims=True)

    def d_weight(self, d, x):
        return d.T @ x / len(x)


build = Overflowing.build
