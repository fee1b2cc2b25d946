"""The exact values are exact: held against derivatives taken in another way, more bits, and fractions."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from dataclasses import replace
from fractions import Fraction
from typing import Any

import mpmath
import numpy as np
import pytest
from flint import arb, ctx
from hypothesis import given
from hypothesis import strategies as st

from reference import exact
from reference.cases import (
    SGD,
    Adagrad,
    Adam,
    AdamW,
    Case,
    Classifier,
    Drawn,
    Embedding,
    LookupBatch,
    RMSprop,
    Text,
)
from reference.cases.model import Model
from reference.catalogue import catalogue
from reference.contract import RowGrad
from reference.errors import Unsupported
from reference.exact import functional, trainer
from reference.exact.arithmetic import (
    MOST_BITS,
    ONE,
    ZERO,
    Balls,
    Proof,
    Scalar,
    Table,
    Undecided,
    Variable,
    nested,
)
from tests.tools.complex_step import ComplexStep

CASES = {case.id: case for case in catalogue()}
FEW = 24
SEED = random.SystemRandom().getrandbits(32)


def small(cases: Iterable[Case]) -> Case:
    """The first of them that is quick to compute; to count the terms of the whole catalogue takes seconds."""
    return next(case for case in cases if exact.feasible(case) and trainer.terms(case) < 3000)


def ran(case: Case) -> list[Any]:
    """Everything that comes out of a case, in bytes."""
    it, out = trainer.Trainer(case, case.weights()), []
    for batch in case.batches():
        loss, grads = it.loss_and_grads(batch)
        it.step()
        out += [loss, *(dense(gradient) for gradient in grads.values()), *it.params().values()]
        out += [value for kind in it.state().values() for value in kind.values()]
    return [np.asarray(value).tobytes() for value in out]


def dense(gradient: np.ndarray | RowGrad) -> np.ndarray:
    return gradient.dense() if isinstance(gradient, RowGrad) else gradient


# --- a second judge --------------------------------------------------------------------------------------------------


def differ(case: Case, step: int, draw: random.Random, digits: int = 200) -> list[str]:
    """Where the balls of a step do not have what mpmath finds: in the loss, and in one entry of each gradient."""
    attempt, m = trainer.Attempt(case, case.weights(), 4 * digits), ComplexStep(digits)
    batches = list(case.batches())[:step]
    with attempt.m:
        attempt.catch_up([event for batch in batches for event in (batch, None)][:-1])
    tables = attempt.tables | attempt.inputs
    p = {name: [[m.of_ball(x.value) for x in row] for row in table] for name, table in tables.items()}

    def loss() -> Any:
        shapes = {name: tables[name].array.shape for name in p}
        tensors = {
            name: [nested(row, shapes[name][1:]) for row in rows] if shapes[name][1:] else rows[0]
            for name, rows in p.items()
        }
        return trainer.loss_of(m, case.model, tensors, batches[-1])

    def far(ball: arb, found: Any) -> bool:
        distance = abs(m.of_ball(ball) - found)
        return distance > m.of_ball(ball.rad()) + m.mp.mpf(10) ** (-digits // 2) * (1 + abs(found))

    wrong = ["loss"] if far(arb(exact_value(attempt.loss)), m.detach(loss())) else []
    for name, rows in p.items():
        r = draw.choice(list(attempt.read.get(name, range(len(rows)))) or [0])
        i = draw.randrange(len(rows[r]))
        slope = m.slope(loss, rows[r], i)
        if getattr(case.model, "scale_grad_by_freq", False):  # torch's convention, beside the slope
            slope /= max(1, int((batches[-1].ids == r).sum()))
        if far(tables[name][r][i].d, slope):
            wrong.append(f"{name}[{r}, {i}]")
    return wrong


def exact_value(x: Any) -> Any:
    return x.value if isinstance(x, Scalar) else x


@pytest.mark.parametrize("place", range(32))
def test_a_random_sample_of_gradients_is_what_mpmath_finds_by_complex_step(place: int) -> None:
    draw = random.Random(SEED + place)
    case = small(draw.sample(list(CASES.values()), len(CASES)))
    step = draw.randint(1, min(3, case.steps))
    assert not differ(case, step, draw), f"{case.id}, step {step}, seed {SEED + place}"


@pytest.mark.parametrize("name", [name for name in CASES if "saturated-gelu" in name])
def test_gradients_of_a_saturated_gelu_are_what_mpmath_finds(name: str) -> None:
    for step in (1, 2, 3):
        assert not differ(CASES[name], step, random.Random(step), digits=400)


def test_a_wrong_slope_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """The second judge can find against the first: here the slope of tanh has lost its last bits."""
    tanh = Balls.tanh

    def wrong(m: Balls, x: Any) -> Any:
        y = tanh(m, x)
        y.parts = tuple((part, slope * (1 + arb(2) ** -100)) for part, slope in y.parts)
        return y

    case = small(case for case in CASES.values() if getattr(case.model, "activation", "") == "tanh")
    assert not differ(case, 1, random.Random(0))
    monkeypatch.setattr(Balls, "tanh", wrong)
    assert "fc1.weight" in str(differ(case, 1, random.Random(0)))


@given(x=st.fractions(-9, 9), y=st.fractions(-9, 9))
def test_every_operation_has_its_slope(x: Fraction, y: Fraction) -> None:
    """Of two variables and constants, at dyadic numbers, against derivatives by hand."""
    x, y = (Fraction(round(z * 64), 64) for z in (x, y))
    if not x or not y:
        return
    formulas: list[tuple[Callable, Fraction, Fraction]] = [
        (lambda a, b: a + b, Fraction(1), Fraction(1)),
        (lambda a, b: 3 + a - b - 1, Fraction(1), Fraction(-1)),
        (lambda a, b: 2 * a * b, 2 * y, 2 * x),
        (lambda a, b: a / b, 1 / y, -x / y**2),
        (lambda a, b: 5 / a + b / 3, -5 / x**2, Fraction(1, 3)),
        (lambda a, b: (7 - a) * -b, y, x - 7),
        (lambda a, b: a * a * a, 3 * x**2, Fraction(0)),
    ]
    for formula, by_x, by_y in formulas:
        with Balls(200) as m:
            a, b = (Variable(m.tape, float(z), {}) for z in (x, y))
            m.backward(formula(a, b))
            for found, slope in ((a.d, by_x), (b.d, by_y)):
                assert (found * slope.denominator).contains(slope.numerator)
                assert found.rad() < arb(2) ** -150


def test_a_matrix_product_is_its_dot_products() -> None:
    draw = np.random.default_rng(0)
    values = [draw.normal(size=shape) for shape in ((3, 5), (4, 5))]
    found = []
    for product in ("products", "dot"):
        with Balls(200) as m:
            left, right = (Table(array, lambda x, m=m: Variable(m.tape, x, {})) for array in values)
            lines = m.products(left, right) if product == "products" else [[m.dot(x, w) for w in right] for x in left]
            m.backward(m.sum(y * y for line in lines for y in line))
            found.append(
                [x.value for line in lines for x in line] + [x.d for t in (left, right) for row in t for x in row]
            )
    assert all(x.overlaps(y) and (x - y).rad() < arb(2) ** -150 for x, y in zip(*found, strict=True))


# --- more bits -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("place", range(FEW))
def test_from_fewer_or_more_bits_on_the_same_comes_out(place: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """In cases from all over the catalogue. From 16 on, every run starts anew at least once, from what it had seen."""
    case = small(list(CASES.values())[place * len(CASES) // FEW :])
    before = ran(case)
    for bits in (16, 512):
        monkeypatch.setattr(trainer, "LEAST_BITS", bits)
        assert ran(case) == before, (case.id, bits)


def test_bits_are_doubled_until_all_is_proved() -> None:
    """Probabilities of 1e-199 and less are under 128 bits, as they were under 50 digits, which gave zeros."""
    case = CASES["skipgram-overflow-sgd-dense-f64"]
    it = exact.build(case, case.weights())
    for batch in case.batches():
        _, grads = it.loss_and_grads(batch)
        it.step()
    expected = [-6.031390761195604e-199, 9.953341583548366e-199, -1.561448976395789e-198, -5.913269535019149e-199]
    assert grads["center.weight"][6].tolist() == expected
    assert it.proof.bits == 1024
    assert not differ(case, 3, random.Random(0), digits=1000)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", ["gelu", "gelu_tanh"])
def test_a_saturated_gelu_keeps_its_digits(name: str, dtype: str) -> None:
    """Far on the left Φ(x) is what is left of 1 + erf, and the slope of erf is lost in a complex step."""
    mp = mpmath.mp.clone()
    mp.dps = 400
    for at in np.linspace(-12, 12, 49).astype(dtype):
        x = mp.mpf(float(at))
        if name == "gelu":
            value, slope = x * mp.ncdf(x), mp.ncdf(x) + x * mp.npdf(x)
        else:
            k, c = mp.sqrt(2 / mp.pi), mp.mpf(44715) / 10**6
            t = mp.tanh(k * (x + c * x**3))
            value, slope = x * (1 + t) / 2, (1 + t) / 2 + x * (1 - t * t) / 2 * k * (1 + 3 * c * x * x)
        with Balls(512) as m:
            variable = Variable(m.tape, float(at), {})
            y = getattr(functional, name)(m, variable)
            m.backward(y)
            found = m.rounded([y.value, variable.d], dtype)
        assert found.tolist() == [np.dtype(dtype).type(float(z)) for z in (value, slope)], at


@pytest.mark.parametrize("optimizer", [SGD(momentum=0.9), Adagrad(initial_accumulator_value=0.1), RMSprop(), Adam()])
def test_rows_that_rest_need_not_be_computed(optimizer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    case = Case("rest", Embedding(7, 2), optimizer, Drawn((2,)), steps=4)
    it = exact.build(case, case.weights())
    for batch in case.batches():
        it.loss_and_grads(batch)
        it.step()
    assert len(it.attempt.tables["embedding.weight"].rows) < 7
    quick = ran(case)
    monkeypatch.setattr(trainer.Attempt, "rests", lambda *_: False)
    assert ran(case) == quick


def test_rows_that_were_never_read_decay() -> None:
    case = Case("decay", Embedding(3, 2), SGD(lr=0.5, weight_decay=0.125), Drawn((2,)))
    it, before = exact.build(case, case.weights()), case.weights()["embedding.weight"]
    it.loss_and_grads(LookupBatch(np.array([1]), np.array([[1.0, 2.0]])))
    it.step()
    decayed = [[float(Fraction(x) * Fraction(15, 16)) for x in row] for row in before.tolist()]
    assert it.params()["embedding.weight"][[0, 2]].tolist() == [decayed[0], decayed[2]]


def test_a_gradient_is_divided_by_how_often_its_id_occurs() -> None:
    case = Case("often", Embedding(4, 1, scale_grad_by_freq=True), SGD(), Drawn((2,)))
    batch = LookupBatch(np.array([[2, 0], [2, 2]]), np.array([[[0.5], [7.0]], [[0.25], [3.0]]]))
    _, grads = exact.build(case, case.weights()).loss_and_grads(batch)
    assert grads["embedding.weight"].ravel().tolist() == [7, 0, 1.25, 0]


@pytest.mark.parametrize(
    "optimizer",
    [
        SGD(weight_decay=0.1),
        SGD(lr=0.0, weight_decay=0.1, momentum=0.9),
        AdamW(),
        Adam(weight_decay=1e-300),
        Adam(eps=0.0),
    ],
)
def test_rows_that_decay_do_not_rest(optimizer: Any) -> None:
    case = Case("decay", Embedding(7, 2), optimizer, Drawn((2,)))
    attempt = trainer.Attempt(case, case.weights(), 128)
    with attempt.m:
        change = trainer.OPTIMIZERS[type(optimizer)](attempt.m, optimizer, attempt.lr, 1)
        assert not attempt.rests(change)


# --- rounding and comparing ------------------------------------------------------------------------------------------


@given(x=st.fractions(-(2**60), 2**60), power=st.integers(-1200, 900), dtype=st.sampled_from(["float64", "float32"]))
def test_rounding_gives_the_nearest_number(x: Fraction, power: int, dtype: str) -> None:
    whole = x * Fraction(2) ** power
    with Balls(2048) as m:
        ball = arb(whole.numerator) / arb(whole.denominator)
        try:
            (got,) = m.rounded([ball], dtype)
        except Undecided:
            assert not ball.is_exact()
            return
    if np.isinf(got):
        half = Fraction(2) ** (1024 if dtype == "float64" else 128) * (
            1 - Fraction(1, 2 ** (54 if dtype == "float64" else 25))
        )
        assert abs(whole) >= half
        return
    with np.errstate(over="ignore", under="ignore"):
        sides = [np.nextafter(got, np.dtype(dtype).type(side)) for side in (-np.inf, np.inf)]
    distance = abs(Fraction(float(got)) - whole)
    for other in sides:
        if np.isfinite(other):
            apart = abs(Fraction(float(other)) - whole)
            assert distance < apart or (distance == apart and got.view(f"i{got.itemsize}") % 2 == 0)


@pytest.mark.parametrize(
    ("bits", "dtype", "expected"),
    [
        # halves go to the even side, and what lies beyond the 53 bits of a float64 still counts in a float32
        ("1." + "0" * 22 + "01", "float32", 1.0),
        ("1." + "0" * 22 + "01" + "0" * 60 + "1", "float32", 1 + 2.0**-23),
        ("1." + "0" * 22 + "11", "float32", 1 + 2.0**-22),
        ("1." + "0" * 51 + "01", "float64", 1.0),
        ("1." + "0" * 51 + "01" + "0" * 60 + "1", "float64", 1 + 2.0**-52),
        ("0." + "0" * 1074 + "1", "float64", 0.0),
        ("0." + "0" * 1073 + "11", "float64", 2.0**-1073),
        ("0." + "0" * 149 + "1", "float32", 0.0),
        ("0." + "0" * 148 + "11", "float32", 2.0**-148),
        ("1" * 53 + "0" * 971 + ".", "float64", np.finfo("float64").max),
        ("1" * 54 + "0" * 970 + ".", "float64", np.inf),
        ("1" * 25 + "0" * 103 + ".", "float32", np.inf),
    ],
)
def test_rounding_of_halves(bits: str, dtype: str, expected: float) -> None:
    """Exact ones, and those of which more bits cannot show that they are exact."""
    whole, part = bits.split(".")
    for sign in (1, -1):
        with Balls(2048) as m:
            half = sign * arb(int(whole + part, 2)) * arb(2) ** -len(part)
            assert half.is_exact()
            assert m.rounded([half], dtype)[0] == sign * expected
            assert (m.numbers, m.ties) == (1, 0)


def test_a_tie_that_bits_do_not_show_is_settled_at_the_highest_precision() -> None:
    for start, bits, even, dtype in ((1.0, 53, 1.0, "float64"), (1 + 2.0**-23, 24, 1 + 2.0**-22, "float32")):
        for m in (Balls(128), Balls(MOST_BITS)):
            with m:
                half = start + arb(2).sqrt() * arb(2).sqrt() * arb(2) ** (-bits - 1)
                assert not half.is_exact()
                if m.bits < MOST_BITS:
                    with pytest.raises(Undecided):
                        m.rounded([half], dtype)
                else:
                    assert m.rounded([half], dtype).tolist() == [even]
                    assert m.ties == 1


def test_signs_of_zero_and_what_is_no_number() -> None:
    with Balls(MOST_BITS) as m:
        tiny = arb(2) ** -2000
        found = m.rounded([ZERO, tiny, -tiny, arb(0, tiny), ONE / 0], "float64")
        assert [str(x) for x in found] == ["0.0", "0.0", "-0.0", "0.0", "nan"]
        with pytest.raises(ArithmeticError, match="cannot be computed"):
            m.rounded([arb(1, 0.5)], "float64")
    with Balls(128) as m, pytest.raises(Undecided):
        m.rounded([ONE / 0], "float32")


def test_a_float32_is_not_rounded_twice() -> None:
    """1 + 2^-24 + 2^-80 is a tie of two float32 only after it was rounded to float64."""
    with Balls(128) as m:
        for end, expected in ((1, 1 + 2.0**-23), (-1, 1.0)):
            ball = arb(1) + arb(2) ** -24 + end * arb(2) ** -80 + (arb(3).sqrt() ** 2 - 3)
            assert m.rounded([ball], "float32").tolist() == [expected]


def test_comparisons_are_decided_by_proof() -> None:
    with Balls(128) as m:
        third, root = ONE / 3, arb(2).sqrt()
        assert m.greater(third, 0)
        assert not m.greater(0, third)
        assert not m.greater(third, third)  # the same number
        assert not m.greater(arb(1), 1)
        for x, y in ((root * root, 2), (2, root * root), (third, ONE / 3)):
            with pytest.raises(Undecided):
                m.greater(x, y)
    with Balls(MOST_BITS) as m:
        root = arb(2).sqrt()
        assert not m.greater(root * root, 2)
        assert not m.greater(2, root * root)
        assert m.greater(root * root, 2 - arb(2) ** -16000)
        assert m.ties == 2


def test_precision_is_put_back() -> None:
    before = ctx.prec
    with Balls(777):
        assert ctx.prec == 777
    with pytest.raises(Undecided), Balls(777) as m:
        m.settle()
    assert ctx.prec == before


# --- what it is for --------------------------------------------------------------------------------------------------


def test_a_sum_over_occurrences_is_that_of_fractions() -> None:
    """What no formula of calculus is needed for: the gradient of a row is the sum of what reaches its places."""
    case = Case("sums", Embedding(4, 1), SGD(lr=0.125), Drawn((1,)), sparse=True)
    ids, upstream = np.array([2, 0, 2, 2]), np.array([[0.1], [0.7], [0.2], [1e-17]])
    it = exact.build(case, case.weights())
    loss, grads = it.loss_and_grads(LookupBatch(ids, upstream))
    sums = {0: Fraction(0.7), 2: Fraction(0.1) + Fraction(0.2) + Fraction(1e-17)}
    assert grads["embedding.weight"].rows.tolist() == list(sums)
    assert grads["embedding.weight"].values.ravel().tolist() == [float(value) for value in sums.values()]
    weight = [Fraction(x) for x in case.weights()["embedding.weight"].ravel()]
    assert loss == float(sum(weight[i] * Fraction(u) for i, u in zip(ids, upstream.ravel(), strict=True)))
    it.step()
    after = [weight[i] - Fraction(0.125) * sums.get(i, 0) for i in range(4)]
    assert it.params()["embedding.weight"].ravel().tolist() == [float(x) for x in after]


def test_the_mean_of_a_bag_of_three_is_divided_exactly() -> None:
    """3/3 is 1 and no ball around it: a tie is seen to be one."""
    with Balls(128) as m:
        x = Variable(m.tape, 1.0, {})
        m.backward(m.sum([x / 3, x / 3, x / 3]) * 3)
        assert x.d == 3


def test_what_it_is_given_may_be_changed_afterwards() -> None:
    """It goes back to the weights and batches where it needs more bits."""
    case = CASES["skipgram-overflow-sgd-dense-f64"]
    weights = case.weights()
    it, out = exact.build(case, weights), []
    for batch in case.batches():
        loss, grads = it.loss_and_grads(batch)
        out += [loss, *grads.values()]
        it.step()
        out += it.params().values()
        weights["center.weight"][:] = 7
        batch.centers[:] = 0
    assert [np.asarray(value).tobytes() for value in out] == ran(case)


class OwnModel(Model):
    """A model of a user's, whose loss is w · w over the rows looked up."""

    def exact_loss(self, m: Any, p: dict[str, Any], batch: Any) -> Any:
        return m.sum(m.dot(p["w"][i], p["w"][i]) for i in batch)

    def looked_up(self, batch: Any) -> dict[str, np.ndarray]:
        return {"w": np.array(batch)}


def test_a_model_of_a_users_own_says_its_loss() -> None:
    with Balls(128) as m:
        table = Table(np.array([[1.0, 2.0], [3.0, 4.0]]), lambda x: Variable(m.tape, x, {}))
        m.backward(trainer.loss_of(m, OwnModel(), {"w": table}, [1, 1]))
        assert [x.d for x in table[1]] == [12, 16]
    assert trainer.rows_read(OwnModel(), [1, 1]) == {"w": [1]}


def test_what_is_too_large_is_refused() -> None:
    small = Case("large", Classifier(1000, 50, (50,), 10), Adam(), Drawn((64, 20)))
    assert exact.feasible(small)
    for large in (
        replace(small, steps=30),
        replace(small, model=Embedding(10**6, 2), optimizer=Adam(weight_decay=0.1)),
        CASES["skipgram-dialogue-summed-sgd-rows-f64"],
    ):
        assert not exact.feasible(large)
        with pytest.raises(Unsupported, match="too large for exact values"):
            exact.build(large, large.weights())
    assert exact.feasible(replace(small, model=Embedding(10**6, 2), optimizer=Adam(), data=Drawn((64,))))


def test_all_of_the_catalogue_is_exact_but_long_texts_and_one_long_run() -> None:
    large = [case for case in CASES.values() if not exact.feasible(case)]
    assert {case.name for case in large} <= {"dialogue", "text"}
    of_a_text = [case for case in CASES.values() if isinstance(case.data, Text)]
    assert len(large) <= len(of_a_text) + 1


def test_proofs_add_up() -> None:
    assert Proof(3, 1, 128) + Proof(4, 0, 512) == Proof(7, 1, 512)
    case = Case("sums", Embedding(4, 1), SGD(lr=0.125), Drawn((2,)), sparse=True)
    it = exact.build(case, case.weights())
    batch = LookupBatch(np.array([2, 0]), np.array([[0.1], [0.7]]))
    it.loss_and_grads(batch)
    assert it.proof == Proof(3, 0, 128)
    it.step()
    it.params()
    assert it.proof == Proof(5, 0, 128)
