"""Two: where a negative hits the target, the target's own gradient goes too; gradients are of the sum, not the mean.

The first is the NCELoss of ddbourgin/numpy-ml; the second was seen in a GloVe, and is hunkim/DeepLearningZeroToAll#173.
"""

from reference.cases import NegativeSampling
from tests.mistakes.strangers.base.word2vec import SkipGram


class Deleted(SkipGram):
    objectives = (NegativeSampling,)

    def yes_or_no(self, h, out, ids, signs):
        x = signs * (out[ids] @ h[:, :, None])[..., 0]
        loss = self.binary_loss(x, signs) / self.divisor(len(h))
        d = -signs * self.sigmoid(-x)
        hit = (ids[:, 1:] == ids[:, :1]).any(axis=1)
        d[hit, 0] = 0
        return loss, self.d_hidden(d, out[ids], ids), self.d_rows(d, h, ids, out)


build = Deleted.build
