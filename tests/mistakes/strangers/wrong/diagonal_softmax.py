"""One: of softmax's Jacobian the diagonal alone, p * (1 - p), by the chain rule through -1 / p.

deeplearning4j/libnd4j#440, jorgenkg/python-neural-network#6.
"""

from tests.mistakes.strangers.base.classifier import Classifier


class Diagonal(Classifier):
    def d_logits(self, q, onehot):
        dq = -onehot / q / len(q)
        return dq * q * (1 - q)


build = Diagonal.build
