"""Two, each in an optimizer of its own: eps is what its author is used to, whatever is asked for.

Adam has 1e-7, as in Keras and Deep Learning from Scratch; Adagrad has 1e-6, as in Lasagne.
"""

from typing import ClassVar

from tests.mistakes.strangers.base.lookup import Lookup


class Accustomed(Lookup):
    optimizers: ClassVar = {"SGD": {"lr"}, "Adam": {"lr", "betas", "eps"}, "Adagrad": {"lr", "eps"}}

    def adam(self, name, g):
        self.used_to = 1e-7
        return super().adam(name, g)

    def adagrad(self, name, g):
        self.used_to = 1e-6
        return super().adagrad(name, g)

    def eps(self):
        return self.used_to


build = Accustomed.build
