"""The PyTorch twin's side of the contract: the only place that converts between NumPy arrays and tensors."""

from __future__ import annotations

from dataclasses import asdict, fields

import numpy as np
import torch
from torch import Tensor
from torch.optim.lr_scheduler import LinearLR
from torch.sparse import check_sparse_tensor_invariants

from reference import cases
from reference.contract import Params
from reference.errors import Unsupported
from torch_impl import (
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
    """A module, its parameters, and the optimizer that changes them."""

    def __init__(self, case: cases.Case, weights: Params) -> None:
        self.case = case
        self.model = MODELS[type(case.model)](case.model, case.sparse).to(getattr(torch, case.dtype))
        self.model.load_state_dict({name: torch.tensor(weight) for name, weight in weights.items()})
        self.optimizer = OPTIMIZERS[type(case.optimizer)](self.model.parameters(), **asdict(case.optimizer))
        if case.lr_decay_to is not None:
            last = case.lr_decay_to / case.optimizer.lr
            self.schedule = LinearLR(self.optimizer, start_factor=1, end_factor=last, total_iters=case.steps)

    def loss_and_grads(self, batch: cases.Batch) -> tuple[float, dict[str, Tensor]]:
        self.case.check_batch(batch)
        tensors = type(batch)(*(as_tensor(getattr(batch, field.name)) for field in fields(batch)))
        inputs = {name: getattr(tensors, name).requires_grad_() for name in self.case.model.input_gradients}
        self.optimizer.zero_grad()
        loss = self.model(tensors)
        loss.backward()
        grads = {name: parameter.grad for name, parameter in self.model.named_parameters()}
        grads |= {name: tensor.grad for name, tensor in inputs.items()}
        return loss.item(), grads

    def step(self) -> None:
        if self.case.max_norm is not None:
            optimizers.clip_grad_norm_(self.model.parameters(), self.case.max_norm)
        with check_sparse_tensor_invariants(enable=False):  # the default; if unset, Adagrad and SparseAdam warn
            self.optimizer.step()
        if self.case.lr_decay_to is not None:
            self.schedule.step()

    def params(self) -> dict[str, Tensor]:
        return {name: parameter.detach() for name, parameter in self.model.named_parameters()}

    def state(self) -> dict[str, dict[str, Tensor | int]]:
        state: dict[str, dict[str, Tensor | int]] = {}
        for name, parameter in self.model.named_parameters():
            for kind, value in self.optimizer.state[parameter].items():
                state.setdefault(kind, {})[name] = value
        return state


def as_tensor(array: np.ndarray | None) -> Tensor | None:
    """The array as a tensor; None, for a missing part of a batch, stays None."""
    return None if array is None else torch.tensor(array)


def build(case: cases.Case, weights: Params) -> Trainer:
    """A trainer in PyTorch. Raises Unsupported if PyTorch refuses the case, BadInput for wrong weights."""
    if case.refusal:
        raise Unsupported(case.refusal)
    if type(case.model) not in MODELS:
        raise Unsupported(f"{case.family} is not one of twingrad's models")
    case.check_weights(weights)
    return Trainer(case, weights)
