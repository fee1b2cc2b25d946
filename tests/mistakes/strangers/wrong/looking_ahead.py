"""One, under one option only: Nesterov's step, written for the old velocity, is given the new one.

Deep Learning from Scratch (oreilly-japan/deep-learning-from-scratch), PaddlePaddle/Paddle#12231.
"""

from tests.mistakes.strangers.base.lookup import Lookup


class Ahead(Lookup):
    def nesterov(self, g, v):
        m = self.o.momentum
        return m * m * v + (1 + m) * g


build = Ahead.build
