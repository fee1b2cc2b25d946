"""The dense layer."""

from __future__ import annotations

from dataclasses import dataclass

from reference.cases.model import Shapes


@dataclass(frozen=True)
class Linear:
    """A dense layer alone, under a given upstream gradient: loss = sum((input @ weight.T + bias) * upstream).

    Batch: `DenseBatch`. Its gradients are those of the parameters and of the batch's input, under the name `input`.
    https://docs.pytorch.org/docs/stable/generated/torch.nn.Linear.html
    """

    in_features: int
    out_features: int

    @property
    def shapes(self) -> Shapes:
        """The parameters' shapes, by name."""
        return {"linear.weight": (self.out_features, self.in_features), "linear.bias": (self.out_features,)}

    tables = ()
    input_gradients = ("input",)
