"""The gradient of a table that is looked up by row.

Looking up ids in a table is the product of one-hot rows with it: out = onehot(ids) @ table. So the gradient of the
table is onehot(ids).T @ d_out: row r receives the sum of d_out over all places where r was looked up. A row that was
not looked up has no gradient, and the array of zeros that says so for V rows is never needed.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from reference.contract import RowGrad


def rows_of(ids: Int[ndarray, " N"], d: Float[ndarray, "N D"], num_embeddings: int) -> RowGrad:
    """Sum the gradients (N, D) of N looked-up vectors into the distinct rows that they came from."""
    rows, which = np.unique(ids, return_inverse=True)
    values = np.zeros((len(rows), d.shape[1]), d.dtype)
    np.add.at(values, which, d)
    return RowGrad(rows.astype(np.int64, copy=False), values, (num_embeddings, d.shape[1]))
