"""The dense layer: what it is, and its batches."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from reference.cases import validation
from reference.cases.batches import DenseBatch
from reference.cases.data import Drawn
from reference.cases.model import Model, Shapes
from reference.data.stream import Stream


@dataclass(frozen=True)
class Linear(Model):
    """A dense layer alone, with a given upstream gradient: loss = sum((input @ weight.T + bias) * upstream).

    Batch: `DenseBatch`. The batch's input has a gradient too, under the name `input`.
    https://docs.pytorch.org/docs/stable/generated/torch.nn.Linear.html
    """

    in_features: int
    out_features: int

    @property
    def shapes(self) -> Shapes:
        """The parameters' shapes, by name."""
        return {"linear.weight": (self.out_features, self.in_features), "linear.bias": (self.out_features,)}

    input_gradients = ("input",)

    def draw(self, data: Drawn, stream: Stream, dtype: str, step: int) -> DenseBatch:
        """Random rows, and a random upstream gradient."""
        inputs = stream.signed((*data.shape, self.in_features))
        upstream = stream.signed((*data.shape, self.out_features))
        return DenseBatch(inputs.astype(dtype), upstream.astype(dtype))

    def check(self, batch: DenseBatch, dtype: str) -> None:
        """Raise BadInput unless there are input rows, and as many rows of the upstream gradient."""
        validation.kind(batch, DenseBatch)
        rows = np.shape(batch.input)[:1] or (1,)
        validation.floats("input", batch.input, (*rows, self.in_features), dtype)
        validation.nonempty("input", batch.input)
        validation.floats("upstream", batch.upstream, (*rows, self.out_features), dtype)
