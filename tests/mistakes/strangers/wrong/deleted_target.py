"""Two: where a negative hits the target, the target's own gradient goes too; gradients are of the sum, not the mean.

The first is the NCELoss of ddbourgin/numpy-ml; the second was seen in a GloVe, and is hunkim/DeepLearningZeroToAll#173.
"""

import numpy as np

from tests.mistakes.strangers.base.word2vec import SkipGram


class Deleted(SkipGram):
    def yes_or_no(self, h, out, ids, signs):
        x = signs * (out[ids] @ h[:, :, None])[..., 0]
        loss = np.logaddexp(0, -x).sum() / self.divisor(len(h))
        d = -signs * self.sigmoid(-x)
        hit = (ids[:, 1:] == ids[:, :1]).any(axis=1)
        d[hit, 0] = 0
        return loss, self.d_hidden(d, out[ids], ids), self.d_rows(d, h, ids, out)


build = Deleted.build
