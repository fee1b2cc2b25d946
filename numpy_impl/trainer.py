"""The NumPy twin's side of the contract."""

from __future__ import annotations

import numpy as np

from numpy_impl import (
    cbow,
    classifier,
    conv1d,
    embedding,
    embedding_bag,
    glove,
    linear,
    optimizers,
    skipgram,
    text_cnn,
)
from reference import cases
from reference.contract import Grads, Params, State
from reference.errors import Unsupported

MODELS = {
    cases.Embedding: embedding.Embedding,
    cases.EmbeddingBag: embedding_bag.EmbeddingBag,
    cases.Linear: linear.Linear,
    cases.Conv1d: conv1d.Conv1d,
    cases.Classifier: classifier.Classifier,
    cases.TextCNN: text_cnn.TextCNN,
    cases.SkipGram: skipgram.SkipGram,
    cases.CBOW: cbow.CBOW,
    cases.GloVe: glove.GloVe,
}
OPTIMIZERS = {
    cases.SGD: optimizers.SGD,
    cases.Adagrad: optimizers.Adagrad,
    cases.RMSprop: optimizers.RMSprop,
    cases.Adam: optimizers.Adam,
    cases.AdamW: optimizers.AdamW,
    cases.SparseAdam: optimizers.SparseAdam,
}


class Trainer:
    """A model, its parameters, and the optimizer that changes them."""

    def __init__(self, case: cases.Case, weights: Params) -> None:
        self.case = case
        self.weights = {name: np.array(weight) for name, weight in weights.items()}
        self.model = MODELS[type(case.model)](case.model, case.sparse)
        self.optimizer = OPTIMIZERS[type(case.optimizer)](case.optimizer, self.weights)
        self.grads: Grads = {}
        self.steps = 0

    def loss_and_grads(self, batch: cases.Batch) -> tuple[float, Grads]:
        self.case.check_batch(batch)
        loss, backward = self.model.forward(self.weights, batch)
        self.grads = backward()
        return float(loss), self.grads

    def step(self) -> None:
        if self.case.max_norm is not None:
            optimizers.clip_grad_norm_([self.grads[name] for name in self.weights], self.case.max_norm)
        self.optimizer.step(self.weights, self.grads)
        if self.case.lr_decay_to is not None:
            self.steps += 1
            first, last = self.case.optimizer.lr, self.case.lr_decay_to
            self.optimizer.lr = first + (last - first) * min(self.steps / self.case.steps, 1)

    def params(self) -> Params:
        return self.weights

    def state(self) -> State:
        return self.optimizer.state


def build(case: cases.Case, weights: Params) -> Trainer:
    """A trainer in NumPy. Raises Unsupported if PyTorch refuses the case, BadInput for wrong weights."""
    if case.refusal:
        raise Unsupported(case.refusal)
    if type(case.model) not in MODELS:
        raise Unsupported(f"{case.family} is not one of twingrad's models")
    case.check_weights(weights)
    return Trainer(case, weights)
