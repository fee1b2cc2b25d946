"""What is changed in place, block by block, is what the plain forms change: every bit, and nothing else."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from numpy_impl.kernels import updates
from numpy_impl.kernels.updates import (
    among,
    descend,
    parts,
    place,
    plain_among,
    plain_descend,
    plain_parts,
    plain_put,
    plain_union,
    put,
    union,
)
from reference.contract import RowGrad
from reference.data.stream import Stream
from tests.twins.kernels.lookups import FLOATS, assert_equal, thresholds, whole

V = 100


@st.composite
def gradients(draw):
    """Where a gradient is, what it is there, and two tables of the dtype, in either order of memory."""
    stream, dtype = Stream(draw(st.integers(0, 1000))), draw(st.sampled_from(FLOATS))
    width, order = draw(st.sampled_from([1, 2, 13])), draw(st.sampled_from("CF"))
    some = np.unique(stream.ids((draw(st.sampled_from([0, 1, 2, 40])),), V))
    at = draw(st.sampled_from([..., some, some.astype(np.int32), np.arange(V)]))
    grad = stream.signed((V if at is ... else len(at), width)).astype(dtype)
    tables = [np.asarray(stream.signed((V, width)), dtype, order=order) for _ in range(2)]
    return at, grad, tables


@st.composite
def limits(draw, grad: np.ndarray) -> int:
    """What is small: nothing, all, or one byte less or more than the gradient has."""
    return draw(st.sampled_from([0, 2**16, grad.nbytes - 1, grad.nbytes, grad.nbytes + 1]))


@given(st.data(), gradients(), st.integers(1, 300))
def test_a_step_is_the_plain_one(data: st.DataObject, gradient, block: int) -> None:
    at, grad, (table, _) = gradient
    expected = table.copy()
    plain_descend(expected, at, 0.3, grad)
    with thresholds(block), pytest.MonkeyPatch.context() as patch:
        patch.setattr(updates, "SMALL", data.draw(limits(grad)))
        descend(table, at, 0.3, grad)
    assert_equal(table, expected)


@given(st.data(), gradients(), st.integers(1, 300))
def test_what_is_handed_out_in_parts_is_changed_as_in_one(data: st.DataObject, gradient, block: int) -> None:
    at, grad, tables = gradient
    plain = [table.copy() for table in tables]
    for g, state, param in plain_parts(at, grad, *plain):
        state += g * g
        param -= g / (state + 9)
    with thresholds(block), pytest.MonkeyPatch.context() as patch:
        patch.setattr(updates, "SMALL", data.draw(limits(grad)))
        for g, state, param in parts(at, grad, *tables):
            state += g * g
            param -= g / (state + 9)
    for got, expected in zip(tables, plain, strict=True):
        assert_equal(got, expected)


@given(st.data(), gradients())
def test_rows_are_put_where_they_belong(data: st.DataObject, gradient) -> None:
    at, new, (table, _) = gradient
    at = np.arange(V) if at is ... else at
    expected = table.copy()
    plain_put(expected, at, new)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(updates, "SMALL", data.draw(limits(new)))
        put(table, at, new)
    assert_equal(table, expected)


def test_a_step_of_a_whole_table_of_its_own_numbers() -> None:
    table = whole(Stream(0), (V, 13))
    expected = table / 2
    with thresholds(100):
        descend(table, ..., 0.5, table)
    np.testing.assert_array_equal(table, expected)


rows_of_a_table = st.lists(st.integers(0, 9), unique=True).map(lambda ids: np.array(sorted(ids), np.int64))


@given(rows_of_a_table, rows_of_a_table)
def test_the_union_is_the_plain_one(before: np.ndarray, now: np.ndarray) -> None:
    for first, second in ((before, now), (before, before.copy())):
        np.testing.assert_array_equal(union(first, second), plain_union(first, second), strict=True)
    for first in (before, ...):
        assert union(first, ...) is plain_union(first, ...) is ...


@given(rows_of_a_table, rows_of_a_table, st.sampled_from(FLOATS))
def test_a_gradient_among_more_rows_is_the_plain_one(at: np.ndarray, more: np.ndarray, dtype: type) -> None:
    rows, grad = np.union1d(at, more), Stream(0).signed((len(at), 3)).astype(dtype)
    assert_equal(among(rows, at, grad), plain_among(rows, at, grad))
    assert among(..., ..., grad) is plain_among(..., ..., grad) is grad


def test_a_gradient_among_more_rows_is_zero_in_those_that_it_does_not_name() -> None:
    gradient = np.array([[2.0, 3], [4, 5]], np.float32)
    for form in (among, plain_among):
        found = form(np.array([1, 3, 5, 7]), np.array([3, 7]), gradient)
        assert found.tolist() == [[0, 0], [2, 3], [0, 0], [4, 5]]
        assert found.dtype == np.float32


def test_the_place_of_a_gradient() -> None:
    rows, values = np.array([1, 3]), np.ones((2, 3))
    for grad, at, what in ((RowGrad(rows, values, (5, 3)), rows, values), (values, ..., values)):
        found = place(grad)
        assert found[0] is at
        assert found[1] is what
