"""What an implementation is: a module with one function, `build(case, weights)`.

The rest of twingrad runs implementations, compares them, and says what is wrong with them. The names below are fixed,
because users write against them. A case is a `reference.cases.Case`. A batch is of a kind that the case's model takes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from jaxtyping import Float, Int64
from numpy import ndarray


@dataclass(frozen=True, eq=False)
class RowGrad:
    """The gradient of a table, for the rows that were looked up. The other rows have no gradient.

    rows: (U,) int64, sorted and unique. values: (U, D), one line per row. shape: (V, D), the shape of the whole table.
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
"""Named and shaped as in torch's state_dict: `embedding.weight` (V, D), `fc1.weight` (H, D), `fc1.bias` (H,)."""

Grads = dict[str, np.ndarray | RowGrad]
"""One gradient per name. It is a `RowGrad` for the tables of a case that asks for row gradients."""

State = dict[str, Params]
"""Optimizer state by kind, named as torch.optim names it: {"exp_avg": {"embedding.weight": ...}}."""


class Trainer(Protocol):
    """What `build` returns. `step`, `params` and `state` are optional; what is missing is reported as not covered.

    The returned arrays may be of any kind with `__array__` or DLPack (NumPy, torch, JAX), on any device; CuPy's too.
    Their dtype is the case's. A row gradient may also be a torch sparse tensor, a `(rows, values)` pair, or an object
    with `indices` and `values` (TensorFlow's IndexedSlices), coalesced or not.

    Numbers in another form are compared too: in another dtype or byte order, in lists, in objects with `.numpy()` or
    `.data`, in a mapping that is not a dict, beside extra names, in rows for a dense table or the reverse. If they are
    right, the verdict is "form". A trainer that returns only float32 in a float64 case does not support the case.
    """

    def loss_and_grads(self, batch: Any) -> tuple[float, Grads]:
        """The loss of one batch with the current parameters, and its gradient with respect to each of them.

        A gradient that is missing or None is not covered. Code that only updates returns `(loss, None)`.

        The batch stays as it is. Later calls leave the gradients alone, but for the `step()` that they are meant for,
        which may work in place.
        """
        ...

    def step(self) -> None:
        """One optimizer update with the gradients just returned."""
        ...

    def params(self) -> Params:
        """All parameters, after the update; they may be those that the next update changes."""
        ...

    def state(self) -> State:
        """The optimizer's state, after the update; empty for plain SGD."""
        ...


class Implementation(Protocol):
    """Anything with `build`: the NumPy twin, the PyTorch twin, a known mistake, or a module of the user's own."""

    def build(self, case: Any, weights: Params) -> Trainer:
        """A trainer for the case that starts from the weights, which it may keep and train, but does not change yet.

        Raises:
            Unsupported: the implementation does not support this case.
            BadInput: the weights do not fit the case.
        """
        ...
