"""Two: padding stays in the mean's divisor, and the padding row learns.

keras-team/keras#10895, CyberZHG/keras-bert#34; pytorch/pytorch#3506 and #26302. The padding's vector does not take part
in the sum.
"""

from typing import ClassVar

from tests.mistakes.strangers.base.bags import Bags


class Counted(Bags):
    does: ClassVar = {"padding_idx"}

    def pool(self, ids, vectors, upstream):
        real = ids != self.case.model.padding_idx
        n = vectors.dtype.type(max(len(ids), 1))
        return (vectors * real[:, None]).sum(axis=0) / n, vectors * 0 + upstream / n


build = Counted.build
