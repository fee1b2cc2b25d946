"""Two in one line: the mean's gradient is not divided, and of a word twice in a context one occurrence is lost.

facebookresearch/fastText#910, piskvorky/gensim#697 and #1873, arXiv 2012.15332; the second is ddbourgin/numpy-ml's
Embedding, which adds up bag by bag through an array of ids.
"""

from tests.mistakes.strangers.base.word2vec import CBOW


class Generous(CBOW):
    def d_given(self, batch, d, table):
        g = table * 0
        for i, words in enumerate(self.contexts(batch)):
            g[words] += d[i]
        return g


build = Generous.build
