"""The fast cross-entropy is the plain one, in whatever blocks it is made."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from numpy_impl.functional import cross_entropy
from numpy_impl.kernels.losses import cross_entropy_of_indices, plain_cross_entropy_of_indices
from reference.data.stream import Stream
from tests.twins.kernels.lookups import FLOATS, thresholds

reductions = st.sampled_from(["mean", "sum"])


@given(
    st.integers(1, 40),
    st.integers(1, 40),
    st.integers(1, 3000) | st.just(2**18),
    reductions,
    st.sampled_from(FLOATS),
    st.sampled_from([np.int64, np.int32]),
)
def test_cross_entropy_of_a_few_rows_at_a_time(
    n: int, classes: int, block: int, reduction: str, dtype: type, target_is: type
) -> None:
    stream = Stream(n)
    logits = (9 * stream.signed((n, classes))).astype(dtype)
    target, before = stream.ids((n,), classes).astype(target_is), logits.copy()
    with thresholds(block):
        loss, backward = cross_entropy_of_indices(logits, target, reduction)
    plain, plain_backward = plain_cross_entropy_of_indices(logits, target, reduction)
    eps = np.finfo(dtype).eps
    np.testing.assert_allclose(loss, plain, rtol=450 * eps, atol=45 * eps if classes == 1 else 0)
    np.testing.assert_allclose(backward(), plain_backward(), rtol=0, atol=45 * eps)
    np.testing.assert_array_equal(logits, before)
    assert loss.dtype == plain.dtype == backward().dtype == plain_backward().dtype == dtype


@given(st.integers(1, 40), st.integers(2, 40), reductions)
def test_it_is_what_the_general_form_comes_to(n: int, classes: int, reduction: str) -> None:
    """With weights of 1 the general form goes its own way."""
    stream = Stream(n)
    logits, target = 9 * stream.signed((n, classes)), stream.ids((n,), classes)
    loss, backward = cross_entropy_of_indices(logits, target, reduction)
    general, general_backward = cross_entropy(logits, target, weight=np.ones(classes), reduction=reduction)
    np.testing.assert_allclose(loss, general, rtol=1e-13)
    np.testing.assert_allclose(backward(), general_backward(), rtol=0, atol=1e-14)


def test_the_largest_logits_there_are() -> None:
    """Each row's largest is taken out first: nothing overflows, nor does a row vanish beside another."""
    for dtype in FLOATS:
        largest = np.finfo(dtype).max / 4
        logits = np.array([[largest, -largest], [-largest, largest], [0, -largest]], dtype)
        for form in (cross_entropy_of_indices, plain_cross_entropy_of_indices):
            loss, backward = form(logits, np.array([0, 1, 0]), "sum")
            assert loss == 0
            assert not backward().any()
