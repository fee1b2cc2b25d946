"""A lookup is the product of one-hot rows with the table: in output, in gradient, in both frameworks."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from numpy_impl.embedding import embedding
from numpy_impl.linear import linear
from reference import cases
from reference.data.stream import Stream
from torch_impl.embedding import Embedding
from torch_impl.linear import Linear

V, D = 11, 3
weight = Stream(1).signed((V, D))
id_lists = st.lists(st.integers(0, V - 1), min_size=1, max_size=30).map(np.array)


def in_numpy(ids: np.ndarray, upstream: np.ndarray, sparse: bool) -> tuple[np.ndarray, ...]:
    looked_up, d_table = embedding(ids, weight, sparse)
    multiplied, d_linear = linear(np.eye(V)[ids], weight.T.copy(), np.zeros(D))
    gradient = d_table(upstream)
    return looked_up, multiplied, gradient.dense() if sparse else gradient, d_linear(upstream)[1].T


def in_torch(ids: np.ndarray, upstream: np.ndarray, sparse: bool) -> tuple[np.ndarray, ...]:
    table = Embedding(cases.Embedding(V, D), sparse).double().embedding
    layer = Linear(cases.Linear(V, D), sparse).double().linear
    table.load_state_dict({"weight": torch.tensor(weight)})
    layer.load_state_dict({"weight": torch.tensor(weight.T.copy()), "bias": torch.zeros(D)})
    looked_up, multiplied = table(torch.tensor(ids)), layer(torch.eye(V).double()[ids])
    (looked_up * torch.tensor(upstream)).sum().backward()
    (multiplied * torch.tensor(upstream)).sum().backward()
    gradient = table.weight.grad.to_dense() if sparse else table.weight.grad
    return tuple(t.detach().numpy() for t in (looked_up, multiplied, gradient, layer.weight.grad.T))


@pytest.mark.parametrize("sparse", [False, True], ids=["dense", "rows"])
@pytest.mark.parametrize("framework", [in_numpy, in_torch])
@given(ids=id_lists, seed=st.integers(0, 1000))
def test_embedding_equals_linear_over_onehot_rows(framework, sparse: bool, ids: np.ndarray, seed: int) -> None:
    upstream = Stream(seed).signed((len(ids), D))
    looked_up, multiplied, d_table, d_layer = framework(ids, upstream, sparse)
    np.testing.assert_array_equal(looked_up, multiplied)  # one product with 1, the others with 0: exact
    np.testing.assert_allclose(d_table, d_layer, rtol=1e-13, atol=1e-14)


@pytest.mark.parametrize("framework", [in_numpy, in_torch])
@given(ids=id_lists, seed=st.integers(0, 1000))
def test_row_gradient_is_the_sum_over_occurrences(framework, ids: np.ndarray, seed: int) -> None:
    upstream = Stream(seed).signed((len(ids), D))
    expected = np.zeros((V, D))
    for position, row in enumerate(ids):
        expected[row] += upstream[position]
    for sparse in (False, True):
        np.testing.assert_allclose(framework(ids, upstream, sparse)[2], expected, rtol=1e-13, atol=1e-14)
