"""The dense layer."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor, nn

from reference import cases


class Linear(nn.Module):
    """A dense layer alone, with a given upstream gradient."""

    def __init__(self, model: cases.Linear, sparse: bool) -> None:
        super().__init__()
        self.linear = nn.Linear(model.in_features, model.out_features)

    def forward(self, batch: cases.DenseBatch[Tensor]) -> Float[Tensor, ""]:
        output = self.linear(batch.input)
        return (output * batch.upstream).sum()
