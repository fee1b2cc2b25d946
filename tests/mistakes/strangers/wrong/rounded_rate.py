"""One: a learning rate off by 0.02 %, as one that was kept in half precision is (tinygrad/tinygrad#4297)."""

import numpy as np

from tests.mistakes.strangers.base.lookup import Lookup


class Rounded(Lookup):
    def rate(self):
        return float(np.float16(self.o.lr))


build = Rounded.build
