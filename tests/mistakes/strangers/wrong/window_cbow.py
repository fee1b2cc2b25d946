"""One: the mean is over the window, as wide as it ever gets, not over the words that the context has.

Both ways, so loss and gradient belong together. After the divisor that mchen24/iclr2017#5 tells of.
"""

from typing import ClassVar

from tests.mistakes.strangers.base.word2vec import CBOW


class Window(CBOW):
    does: ClassVar = {"objective", "reduction"}

    def hidden(self, batch):
        self.window = max(len(ids) for ids in self.contexts(batch))
        return super().hidden(batch)

    def pooled(self, vectors):
        return vectors.sum(axis=0) / self.window

    def share(self, ids):
        return self.window


build = Window.build
