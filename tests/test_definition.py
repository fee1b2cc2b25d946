"""The definition is exact: held against derivatives taken in another way, more digits, and fractions."""

from __future__ import annotations

from fractions import Fraction

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference import definition
from reference.arithmetic import Batched, Exact, numbers
from reference.cases import SGD, Adam, Case, Classifier, Drawn, Embedding, LookupBatch
from reference.catalogue import catalogue
from reference.contract import RowGrad
from reference.errors import Unsupported

EXACT = [case for case in catalogue() if isinstance(definition.arithmetic_for(case), Exact)]
FEW = EXACT[:: len(EXACT) // 24]


@pytest.mark.parametrize("case", FEW, ids=lambda case: case.id)
def test_gradients_are_the_slopes_of_the_loss(case: Case) -> None:
    """Central differences of 50 digits and a step of 1e-15 are right to 30 digits; one entry of each parameter."""
    batch, random = next(case.batches()), np.random.default_rng(0)
    trainer = definition.build(case, case.weights())
    trainer.loss_and_grads(batch)
    if getattr(case.model, "scale_grad_by_freq", False):
        return  # is not the slope: torch's convention
    inputs = {name: getattr(batch, name) for name in case.model.input_gradients}
    variables = trainer.p | {name: numbers(trainer.m, value) for name, value in inputs.items()}
    for name, gradient in trainer.g.items():
        rows = definition.rows_of(variables[name])
        r = int(random.choice(trainer.read.get(name, range(len(rows)))))
        i = int(random.integers(len(rows[r])))
        x, values = rows[r][i], []
        for h in (mpmath.mpf("1e-15"), -mpmath.mpf("1e-15")):
            rows[r][i] = x + h
            values.append(definition.loss_of(trainer.m, case.model, variables, batch))
        rows[r][i] = x
        slope = (values[0] - values[1]) / mpmath.mpf("2e-15")
        assert abs(slope - gradient[r][i]) < 1e-25 * max(1, abs(slope)), name


@pytest.mark.parametrize("case", FEW[::3], ids=lambda case: case.id)
def test_twice_as_many_digits_give_the_same(case: Case) -> None:
    more = Exact()
    more.mp.dps = 100
    trainers = [definition.build(case, case.weights()) for _ in range(2)]
    trainers[1].m = more
    for batch in case.batches():
        (loss, grads), (other_loss, other_grads) = (trainer.loss_and_grads(batch) for trainer in trainers)
        assert loss == other_loss
        for name, gradient in grads.items():
            assert dense(gradient).tobytes() == dense(other_grads[name]).tobytes()
        for trainer in trainers:
            trainer.step()
    for name, value in trainers[0].params().items():
        assert value.tobytes() == trainers[1].params()[name].tobytes()


# the formula's own exp(x) overflows in complex128 where logits are in the thousands
WITHIN = [case for case in FEW if case.dtype == "float64" and case.name != "overflow"]


@pytest.mark.parametrize("case", WITHIN, ids=lambda case: case.id)
def test_complex128_gives_the_same_up_to_its_rounding(case: Case) -> None:
    weights = case.weights()
    exact, batched = (definition.Trainer(case, weights, m) for m in (Exact(), Batched()))
    batch = next(case.batches())
    (loss, grads), (other_loss, other_grads) = exact.loss_and_grads(batch), batched.loss_and_grads(batch)
    assert other_loss == pytest.approx(loss, rel=1e-14, abs=1e-14)
    for name, gradient in grads.items():
        largest = np.abs(dense(gradient)).max()
        np.testing.assert_allclose(dense(other_grads[name]), dense(gradient), rtol=0, atol=1e-13 * largest)


def dense(gradient: np.ndarray | RowGrad) -> np.ndarray:
    return gradient.dense() if isinstance(gradient, RowGrad) else gradient


def test_a_sum_over_occurrences_is_that_of_fractions() -> None:
    """What no formula of calculus is needed for: the gradient of a row is the sum of what reaches its places."""
    case = Case("sums", Embedding(4, 1), SGD(lr=0.125), Drawn((1,)), sparse=True)
    ids, upstream = np.array([2, 0, 2, 2]), np.array([[0.1], [0.7], [0.2], [1e-17]])
    trainer = definition.build(case, case.weights())
    loss, grads = trainer.loss_and_grads(LookupBatch(ids, upstream))
    sums = {0: Fraction(0.7), 2: Fraction(0.1) + Fraction(0.2) + Fraction(1e-17)}
    assert grads["embedding.weight"].rows.tolist() == list(sums)
    assert grads["embedding.weight"].values.ravel().tolist() == [float(value) for value in sums.values()]
    weight = [Fraction(x) for x in case.weights()["embedding.weight"].ravel()]
    assert loss == float(sum(weight[i] * Fraction(u) for i, u in zip(ids, upstream.ravel(), strict=True)))
    trainer.step()
    after = [weight[i] - Fraction(0.125) * sums.get(i, 0) for i in range(4)]
    assert trainer.params()["embedding.weight"].ravel().tolist() == [float(x) for x in after]


@given(x=st.fractions(-(2**60), 2**60), power=st.integers(-1200, 900), dtype=st.sampled_from(["float64", "float32"]))
def test_rounding_gives_the_nearest_number(x: Fraction, power: int, dtype: str) -> None:
    m = Exact()
    m.mp.dps = 400
    number = m.mp.mpf(x.numerator) / x.denominator * m.mp.mpf(2) ** power
    exact = Fraction(*m.mp.mpf(number)._mpf_[1:2]) * Fraction(2) ** number._mpf_[2] * (-1) ** number._mpf_[0]
    with np.errstate(over="ignore", under="ignore"):
        try:
            got = m.rounded(number, dtype)
        except OverflowError:
            assert abs(exact) > np.finfo("float64").max
            return
        if np.isinf(got):
            assert abs(exact) > Fraction(float(np.finfo(dtype).max))
            return
        below, above = (np.nextafter(got, np.dtype(dtype).type(side)) for side in (-np.inf, np.inf))
    distance = abs(Fraction(float(got)) - exact)
    for other in (below, above):
        assert np.isinf(other) or distance <= abs(Fraction(float(other)) - exact)


@pytest.mark.parametrize(
    ("bits", "dtype", "expected"),
    [
        # halves go to the even side, and what lies beyond the 53 bits of a float64 still counts in a float32
        ("1." + "0" * 22 + "01", "float32", 1.0),
        ("1." + "0" * 22 + "01" + "0" * 60 + "1", "float32", 1 + 2.0**-23),
        ("1." + "0" * 22 + "11", "float32", 1 + 2.0**-22),
        ("1." + "0" * 51 + "01", "float64", 1.0),
        ("1." + "0" * 51 + "01" + "0" * 60 + "1", "float64", 1 + 2.0**-52),
    ],
)
def test_rounding_of_halves(bits: str, dtype: str, expected: float) -> None:
    m = Exact()
    m.mp.dps = 100
    whole, part = bits.split(".")
    assert m.rounded(m.mp.mpf(int(whole + part, 2)) / m.mp.mpf(2) ** len(part), dtype) == expected


def test_what_is_too_large_is_refused() -> None:
    case = Case("large", Classifier(1000, 50, (50,), 10), Adam(), Drawn((64, 20)))
    assert definition.arithmetic_for(case) is None
    with pytest.raises(Unsupported, match="too large for one evaluation of the loss a parameter"):
        definition.build(case, case.weights())


def test_most_of_the_catalogue_is_exact() -> None:
    kinds = [type(definition.arithmetic_for(case)) for case in catalogue()]
    assert kinds.count(Exact) > 0.75 * len(kinds)
    assert kinds.count(Batched) > 40
