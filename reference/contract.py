"""What an implementation is: a module with one function, `build(case, weights)`.

Everything else in twingrad is there to run one, compare it, and say what is wrong with it. The names below are fixed;
users write against them. A case is a `reference.cases.Case`, a batch one of those that its model asks for.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from jaxtyping import Float, Int64
from numpy import ndarray


@dataclass(frozen=True, eq=False)
class RowGrad:
    """The gradient of a table of which only some rows were looked up; every other row has none.

    rows: (U,) int64, sorted and unique. values: (U, D), one line a row. shape: (V, D), that of the whole table.
    """

    rows: Int64[ndarray, " U"]
    values: Float[ndarray, "U D"]
    shape: tuple[int, int]

    def dense(self) -> Float[ndarray, "V D"]:
        """The same gradient as a (V, D) array, zero in the rows that were not looked up."""
        full = np.zeros(self.shape, self.values.dtype)
        full[self.rows] = self.values
        return full


Params = dict[str, np.ndarray]
"""Named and laid out as in torch's state_dict: `embedding.weight` (V, D), `fc1.weight` (H, D), `fc1.bias` (H,)."""

Grads = dict[str, np.ndarray | RowGrad]
"""One gradient a name; a `RowGrad` for the tables of a case that asks for row gradients."""

State = dict[str, Params]
"""Optimizer state by kind, named as torch.optim names it: {"exp_avg": {"embedding.weight": ...}}."""


class Trainer(Protocol):
    """What `build` returns. `step`, `params` and `state` may be missing: what is missing is not covered.

    Any array will do for what comes back (NumPy, torch, JAX, through `__array__` or DLPack); for a row gradient also a
    torch sparse tensor or a plain `(rows, values)` pair, coalesced or not.
    """

    def loss_and_grads(self, batch: Any) -> tuple[float, Grads]:
        """The loss of one batch under the present parameters, and its gradient by every one of them."""
        ...

    def step(self) -> None:
        """One optimizer update with the gradients just returned."""
        ...

    def params(self) -> Params:
        """All parameters, after the update."""
        ...

    def state(self) -> State:
        """The optimizer's state, after the update; empty for plain SGD."""
        ...


class Implementation(Protocol):
    """A module with `build`: the NumPy twin, the PyTorch twin, a known mistake, the user's own."""

    def build(self, case: Any, weights: Params) -> Trainer:
        """A trainer for the case that starts from the weights.

        Raises:
            Unsupported: the implementation does not do this case.
            BadInput: the weights are not those of the case.
        """
        ...
