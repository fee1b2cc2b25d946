"""Two in the same function: Adam corrects no bias, and its eps stands under the root.

The first is the Adam of google-research/bert; the second is CyberZHG/keras-radam#29's.
"""

import numpy as np

from tests.mistakes.strangers.base.lookup import Lookup


class Hasty(Lookup):
    def adam(self, name, g):
        b1, b2 = self.o.betas
        m, v = self.average("exp_avg", name, b1, g), self.average("exp_avg_sq", name, b2, g * g)
        return self.o.lr * m / np.sqrt(v + self.o.eps)


build = Hasty.build
