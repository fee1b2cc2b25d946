"""The comparison itself: what it must refuse, what it must accept, and that it never agrees about nothing."""

import itertools
import sys
from collections.abc import Callable
from dataclasses import FrozenInstanceError, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import numpy_impl
from reference.cases import (
    SGD,
    Case,
    Classifier,
    Drawn,
    Embedding,
    LabelledBatch,
    Linear,
    LookupBatch,
    NegativeSampling,
    PairNegativesBatch,
    Recorded,
    SkipGram,
)
from reference.catalogue import catalogue
from reference.checks.twins import TWINS, twins
from reference.contract import RowGrad
from reference.errors import BadInput, Unsupported
from reference.judge import run
from reference.judge.distance import Likeness, Scale, distance, error, moved, row_sizes
from reference.judge.form import as_grads
from reference.judge.load import load
from reference.judge.result import Divergence, Result
from reference.judge.run import hold
from reference.judge.runner import Runner, start
from reference.judge.tolerance import STAGES, TOLERANCE, tolerance
from tests.tools.altered import Altered, Change, entry, one

CASES = {case.id: case for case in catalogue()}
IMPLEMENTATIONS = twins()

DENSE = "classifier-primes-sgd-dense-f64"
ROWS = "classifier-primes-sgd-rows-f64"
PAIRS = "skipgram-pairs-sgd-dense-f64"
ADAM = "classifier-primes-adam-dense-f64"
TABLE = "embedding.weight"
V, D = CASES[ROWS].model.shapes[TABLE]
U = len(np.unique(next(CASES[ROWS].batches()).ids))


def judge(case: Case | str, candidate: Any) -> Result:
    """The candidate's result; whatever it does, the twins beside it agree with each other."""
    case = CASES[case] if isinstance(case, str) else case
    held = hold(case, IMPLEMENTATIONS | {"candidate": candidate}, IMPLEMENTATIONS)
    assert [held[name].verdict for name in TWINS] == ["agree", "agree"], [r.reason for r in held.values()]
    return held["candidate"]


def rows(change: Callable[[np.ndarray, np.ndarray], tuple]) -> Change:
    """A change to the rows and the values of the table's row gradient."""

    def changed(gradient: RowGrad) -> RowGrad:
        return RowGrad(*change(gradient.rows.copy(), gradient.values.copy()), gradient.shape)

    return one(TABLE, changed)


def swapped(values: np.ndarray) -> np.ndarray:
    return values[[1, 0, *range(2, len(values))]]


def without(name: str) -> Change:
    return lambda tensors: {key: tensor for key, tensor in tensors.items() if key != name}


def nudged(table: np.ndarray) -> np.ndarray:
    """The last row, which no batch of the case looks up, moved by one bit."""
    return entry(np.nextafter(table[V - 1, 4], 2), (V - 1, 4))(table)


WRONG = {
    "loss off": (DENSE, "loss", lambda loss: loss * (1 + 1e-12), "loss"),
    "loss missing": (DENSE, "loss", lambda loss: None, "loss"),
    "loss of every bag": (DENSE, "loss", lambda loss: np.full(11, loss), "loss"),
    "loss in words": (DENSE, "loss", str, "loss"),
    "loss NaN": (DENSE, "loss", lambda loss: np.nan, "loss"),
    "gradient NaN": (DENSE, "grads", one("fc1.weight", entry(np.nan)), "fc1.weight"),
    "gradient infinite": (DENSE, "grads", one("fc1.weight", entry(-np.inf)), "fc1.weight"),
    "gradients in a list": (DENSE, "grads", lambda grads: list(grads.values()), "gradients"),
    "gradient transposed": (DENSE, "grads", one("fc1.weight", np.transpose), "fc1.weight"),
    "gradient not summed": (DENSE, "grads", one("fc1.bias", lambda g: np.broadcast_to(g, (11, *g.shape))), "fc1.bias"),
    "gradient of one row only": (DENSE, "grads", one("fc1.weight", lambda gradient: gradient[:1]), "fc1.weight"),
    "row V": (ROWS, "grads", rows(lambda r, v: (np.r_[r[:-1], V], v)), TABLE),
    "row -1": (ROWS, "grads", rows(lambda r, v: (np.r_[-1, r[1:]], v)), TABLE),
    "row of another id": (ROWS, "grads", rows(lambda r, v: (np.r_[r[:-1], V - 1], v)), TABLE),
    "row missing": (ROWS, "grads", rows(lambda r, v: (r[1:], v[1:])), TABLE),
    "row too many": (ROWS, "grads", rows(lambda r, v: (np.r_[r, V - 1], np.r_[v, np.zeros((1, D))])), TABLE),
    "no rows": (ROWS, "grads", rows(lambda r, v: (r[:0], v[:0])), TABLE),
    "rows swapped": (ROWS, "grads", rows(lambda r, v: (r, swapped(v))), TABLE),
    "rows without a value": (ROWS, "grads", rows(lambda r, v: (r, v[1:])), TABLE),
    "rows of another width": (ROWS, "grads", rows(lambda r, v: (r, v[:, 1:])), TABLE),
    "rows of another table": (ROWS, "grads", one(TABLE, lambda g: RowGrad(g.rows, g.values, (V + 1, D))), TABLE),
    "rows by float": (ROWS, "grads", rows(lambda r, v: (r.astype(float), v)), TABLE),
    "rows NaN": (ROWS, "grads", rows(lambda r, v: (r, entry(np.nan)(v))), TABLE),
    "parameter NaN": (DENSE, "params", one("fc2.bias", entry(np.nan, (2,))), "fc2.bias"),
    "parameter infinite": (DENSE, "params", one(TABLE, entry(np.inf)), TABLE),
    "parameter missing": (DENSE, "params", without(TABLE), "parameters"),
    "parameters None": (DENSE, "params", lambda params: None, "parameters"),
    "parameters not updated": (DENSE, "params", lambda params: CASES[DENSE].weights(), "fc2.bias"),
    "parameters swapped": (
        PAIRS,
        "params",
        lambda p: {"center.weight": p["context.weight"], "context.weight": p["center.weight"]},
        None,
    ),
    "untouched row moved by a bit": (DENSE, "params", one(TABLE, nudged), TABLE),
    "untouched row moved by a bit, rows": (ROWS, "params", one(TABLE, nudged), TABLE),
    "untouched row moved by a bit, Adam": (ADAM, "params", one(TABLE, nudged), TABLE),
    "state None": (ADAM, "state", lambda state: None, "state"),
    "state without a tensor": (ADAM, "state", one("exp_avg", without(TABLE)), "state exp_avg"),
    "state off": (ADAM, "state", one("exp_avg_sq", one("fc1.bias", lambda v: v * 1.001)), "exp_avg_sq.fc1.bias"),
    "state NaN": (ADAM, "state", one("exp_avg", one("fc1.weight", entry(np.nan))), "exp_avg.fc1.weight"),
    "state step off": (ADAM, "state", one("step", one("fc1.bias", lambda step: step + 1)), "step.fc1.bias"),
    "state step of a vector": (ADAM, "state", one("step", one("fc1.bias", lambda n: np.tile(n, 2))), "step.fc1.bias"),
    "state step missing": (ADAM, "state", one("step", without("fc1.bias")), "state step"),
}


@pytest.mark.parametrize(("case", "stage", "change", "tensor"), WRONG.values(), ids=WRONG)
def test_refuses(case: str, stage: str, change: Change, tensor: str | None) -> None:
    result = judge(case, Altered(stage, change))
    assert result.verdict == "disagree", result.reason
    assert result.first_divergence.step == result.steps == 1
    assert result.first_divergence.stage == stage
    assert tensor in (None, result.first_divergence.tensor)


SAID = {
    # what is wrong, by its name above: expected, got
    "loss missing": ("one number", "None"),
    "loss of every bag": ("one number", "float64 of shape (11,)"),
    "gradients in a list": (f"a dict with {sorted(CASES[DENSE].model.shapes)}", "a list"),
    "gradient of one row only": ("float64 of shape (7, 13)", "float64 of shape (1, 13)"),
    "row of another id": ("a gradient in this row, be it zero", "no gradient in this row"),
    "row missing": ("a gradient in this row, be it zero", "no gradient in this row"),
    "rows without a value": (
        f"rows (U,) with values (U, {D}) for a table of shape {(V, D)}",
        f"rows of shape {(U,)} with values of shape {(U - 1, D)} for a table of shape {(V, D)}",
    ),
    "rows of another table": (
        f"rows (U,) with values (U, {D}) for a table of shape {(V, D)}",
        f"rows of shape {(U,)} with values of shape {(U, D)} for a table of shape {(V + 1, D)}",
    ),
    "row too many": ("no gradient in this row, it was not looked up", "a gradient in this row"),
    "rows by float": ("integer rows and float64 values", "float64 rows and float64 values"),
    "parameters None": (f"a dict with {sorted(CASES[DENSE].model.shapes)}", "a NoneType"),
    "state None": ("a dict with the kinds ['step', 'exp_avg', 'exp_avg_sq']", "a NoneType"),
}


@pytest.mark.parametrize("name", SAID)
def test_what_is_said_of_another_form(name: str) -> None:
    case, stage, change, _ = WRONG[name]
    found = judge(case, Altered(stage, change)).first_divergence
    assert (found.expected, found.got) == SAID[name]


@pytest.mark.parametrize("row", [-1, V])
def test_row_out_of_range_is_named(row: int) -> None:
    changed = rows(lambda r, v: (np.r_[r[1:] if row < 0 else [0, *r[2:]], row], v))  # row 0 is among the others
    found = judge(ROWS, Altered("grads", changed)).first_divergence
    assert (found.expected, found.got) == (f"rows from 0 to {V - 1}", f"a row {row}")


def test_untouched_row_is_named() -> None:
    found = judge(ROWS, Altered("params", one(TABLE, nudged))).first_divergence
    before = CASES[ROWS].weights()[TABLE][V - 1, 4]
    assert (found.index, found.expected, found.got) == ((V - 1, 4), before, np.nextafter(before, 2))


@pytest.mark.parametrize(
    "case", ["linear-primes-sgd-dense", DENSE[:-4], ROWS[:-4], PAIRS[:-4], "embedding-zipf-sgd-rows"]
)
@pytest.mark.parametrize(("dtype", "relative"), [("f64", 1e-12), ("f32", 1e-4)])
def test_finds_a_small_error_in_any_large_entry(case: str, dtype: str, relative: float) -> None:
    draw = np.random.default_rng(7)
    case = replace(CASES[f"{case}-{dtype}"], steps=1)
    places = []

    def one_entry_off(grads: dict) -> dict:
        name = draw.choice(sorted(grads))
        gradient = grads[name]
        values = gradient.values if isinstance(gradient, RowGrad) else gradient
        largest = np.abs(values).max(axis=-1, keepdims=True)
        index = tuple(draw.choice(np.argwhere((np.abs(values) >= largest / 10) & (largest > 0))).tolist())
        values = entry(values[index] * (1 + values.dtype.type(relative)), index)(values)
        if isinstance(gradient, RowGrad):
            places.append((name, (int(gradient.rows[index[0]]), index[1])))
            return grads | {name: RowGrad(gradient.rows, values, gradient.shape)}
        places.append((name, index))
        return grads | {name: values}

    for _ in range(6):
        result = judge(case, Altered("grads", one_entry_off))
        assert result.verdict == "disagree"
        found = result.first_divergence
        assert (found.stage, found.tensor, found.index) == ("grads", *places[-1])


def test_finds_an_error_of_the_last_step() -> None:
    calls = itertools.count(1)
    result = judge(DENSE, Altered("loss", lambda loss: loss * (1 + (next(calls) == 5) * 1e-9)))
    assert (result.verdict, result.first_divergence.step) == ("disagree", 5)


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize(
    ("stage", "change"),
    [
        ("loss", lambda value: lambda loss: value),
        ("grads", lambda value: one("fc1.weight", entry(value))),
        ("params", lambda value: one("fc1.weight", entry(value))),
        ("state", lambda value: one("exp_avg", one("fc1.weight", entry(value)))),
    ],
    ids=["loss", "grads", "params", "state"],
)
def test_what_is_not_finite_agrees_with_nothing(stage: str, change: Callable[[float], Change], value: float) -> None:
    """Not even with the same value on the other side."""
    same = Altered(stage, change(value))
    both = {"one": same, "other": same}
    held = hold(CASES[ADAM], both | {"candidate": same}, both)
    assert {result.verdict for result in held.values()} == {"disagree"}
    assert {result.first_divergence.stage for result in held.values()} == {stage}


@pytest.mark.parametrize("twin", TWINS)
def test_a_wrong_twin_is_not_followed(twin: str) -> None:
    wrong = Altered("grads", one("fc1.weight", entry(0.5)))
    both = IMPLEMENTATIONS | {twin: wrong}
    held = hold(CASES[DENSE], both, both)
    assert [result.verdict for result in held.values()] == ["disagree", "disagree"]
    held = hold(CASES[DENSE], {"candidate": wrong}, both)
    assert held["candidate"].first_divergence.tensor == "fc1.weight"


def sparse(coalesced: bool) -> Change:
    """A torch sparse tensor; uncoalesced, each row twice with half of its value."""

    def change(gradient: RowGrad) -> torch.Tensor:
        again = 1 if coalesced else 2
        index, values = np.tile(gradient.rows, again)[None], np.tile(gradient.values, (again, 1)) / again
        found = torch.sparse_coo_tensor(
            torch.tensor(index), torch.tensor(values), gradient.shape, check_invariants=True
        )
        return found.coalesce() if coalesced else found

    return change


class OnlyDLPack:
    """An array of some other library, which NumPy cannot see into but by DLPack."""

    def __init__(self, array: np.ndarray) -> None:
        self.__dlpack__, self.__dlpack_device__ = array.__dlpack__, array.__dlpack_device__


class Barred(OnlyDLPack):
    """One that NumPy may not convert, as a tensor on another device."""

    def __array__(self, *given: object) -> np.ndarray:
        raise TypeError("not on this device")


class Vandal(Altered):
    """Right, but it writes into the batches that it was given, and into the weights once it trains."""

    def build(self, case: Case, weights: dict) -> Altered:
        fresh = super().build(case, {name: weight.copy() for name, weight in weights.items()})
        fresh.given = weights
        return fresh

    def loss_and_grads(self, batch: LabelledBatch) -> Any:
        found = super().loss_and_grads(batch)
        for array in (batch.ids, batch.labels, *self.given.values()):
            array.fill(0)
        return found


RIGHT = {
    "RowGrad": (ROWS, "grads", lambda grads: grads),
    "(rows, values)": (ROWS, "grads", one(TABLE, lambda g: (g.rows, g.values))),
    "(rows, values) of torch": (ROWS, "grads", one(TABLE, lambda g: (torch.tensor(g.rows), torch.tensor(g.values)))),
    "sparse, coalesced": (ROWS, "grads", one(TABLE, sparse(coalesced=True))),
    "sparse, uncoalesced": (ROWS, "grads", one(TABLE, sparse(coalesced=False))),
    "rows unsorted": (ROWS, "grads", rows(lambda r, v: (r[::-1], v[::-1]))),
    "rows twice": (ROWS, "grads", rows(lambda r, v: (np.r_[r, r], np.r_[v / 2, v / 2]))),
    "rows in int32": (ROWS, "grads", rows(lambda r, v: (r.astype(np.int32), v))),
    "rows in uint32": (ROWS, "grads", rows(lambda r, v: (r.astype(np.uint32), v))),
    "torch gradients": (DENSE, "grads", lambda grads: {name: torch.tensor(g) for name, g in grads.items()}),
    "torch parameters": (
        DENSE,
        "params",
        lambda params: {name: torch.tensor(param, requires_grad=True) for name, param in params.items()},
    ),
    "parameters by DLPack": (
        DENSE,
        "params",
        lambda params: {name: OnlyDLPack(param) for name, param in params.items()},
    ),
    "parameters by DLPack alone": (DENSE, "params", lambda params: {name: Barred(p) for name, p in params.items()}),
    "torch state": (
        ADAM,
        "state",
        lambda state: {kind: {n: torch.tensor(t) for n, t in of.items()} for kind, of in state.items()},
    ),
    "state step as a number": (ADAM, "state", one("step", lambda steps: {name: int(n) for name, n in steps.items()})),
    "loss of no dimension": (DENSE, "loss", np.array),
    "loss of one element": (DENSE, "loss", lambda loss: np.array([loss])),
    "torch loss": (DENSE, "loss", lambda loss: torch.tensor(loss, dtype=torch.float64, requires_grad=True)),
}


@pytest.mark.parametrize(("case", "stage", "change"), RIGHT.values(), ids=RIGHT)
def test_accepts(case: str, stage: str, change: Change) -> None:
    result = judge(case, Altered(stage, change))
    assert result.verdict == "agree", result.first_divergence
    assert (result.steps, result.reason) == (5, "")


@pytest.mark.parametrize("sparse", [False, True])
def test_a_row_that_had_a_gradient_may_round_in_another_way(sparse: bool) -> None:
    """Here it is too small to move it; what is off by a bit is within the tolerance, later too."""
    model, up = Embedding(4, 2), np.array([[1.0, 2]])
    batches = tuple(LookupBatch(np.array([row]), up) for row in (1, 2))
    weights = {TABLE: np.arange(1.0, 9).reshape(4, 2)}
    case = Case("tiny", model, SGD(lr=1e-30), Recorded(weights, batches), sparse=sparse, steps=2)
    for row, verdict in ((1, "agree"), (3, "disagree")):
        nudge = entry(np.nextafter(weights[TABLE][row, 0], 9), (row, 0))
        assert judge(case, Altered("params", one(TABLE, nudge))).verdict == verdict


def test_untouched_rows_of_each_table_are_looked_at() -> None:
    """Of one whose rows are all looked up too, of which there are none."""
    batch = PairNegativesBatch(np.array([0, 1, 2]), np.array([0, 0, 1]), np.array([[1], [1], [0]]))
    weights = {name: np.arange(1.0, 7).reshape(3, 2) / 8 for name in ("center.weight", "context.weight")}
    case = Case("words", SkipGram(3, 2, NegativeSampling(1)), SGD(lr=0.1), Recorded(weights, (batch,)), steps=1)

    def nudge(table: np.ndarray) -> np.ndarray:
        return entry(np.nextafter(table[2, 1], 9), (2, 1))(table)

    for name in ("center.weight", "context.weight"):
        held = hold(case, {"mine": Altered("params", one(name, nudge))}, {"numpy_impl": numpy_impl})
        assert held["mine"].verdict == ("agree" if name == "center.weight" else "disagree")
    apart = replace(batch, centers=np.array([0, 1, 1]))
    case = replace(case, data=Recorded(weights, (apart,)))
    both = lambda params: {name: nudge(table) for name, table in params.items()}  # noqa: E731
    held = hold(case, {"mine": Altered("params", both)}, {"numpy_impl": numpy_impl})
    assert [d.tensor for d in held["mine"].divergences] == ["center.weight", "context.weight"]


def test_nobody_can_spoil_the_data_of_another() -> None:
    held = hold(CASES[DENSE], {"candidate": Vandal("loss", lambda loss: loss)} | IMPLEMENTATIONS, IMPLEMENTATIONS)
    assert {name: result.reason for name, result in held.items() if result.verdict != "agree"} == {
        "candidate": "changed its input ids in step 1"
    }


@pytest.mark.parametrize(
    ("case", "parts", "steps", "reason"),
    [
        (DENSE, "loss_and_grads", 1, "not covered: params"),
        (DENSE, "loss_and_grads step", 5, "not covered: params"),
        (DENSE, "loss_and_grads step params", 5, ""),
        (ADAM, "loss_and_grads", 1, "not covered: params, state step, state exp_avg, state exp_avg_sq"),
        (ADAM, "loss_and_grads step params", 5, "not covered: state step, state exp_avg, state exp_avg_sq"),
    ],
)
def test_what_is_missing_is_not_covered(case: str, parts: str, steps: int, reason: str) -> None:
    class Part:
        @staticmethod
        def build(case: Case, weights: dict) -> Any:
            twin = numpy_impl.build(case, weights)
            return type("Trainer", (), {part: staticmethod(getattr(twin, part)) for part in parts.split()})()

    result = judge(case, Part)
    assert (result.verdict, result.steps, result.reason) == ("agree", steps, reason)


def test_a_missing_kind_of_state_is_not_covered() -> None:
    result = judge(ADAM, Altered("state", without("exp_avg")))
    assert (result.verdict, result.reason) == ("agree", "not covered: state exp_avg")


def test_state_that_comes_as_rows_is_held_as_the_table_that_it_stands_for() -> None:
    """And named where it has another form."""
    case = "embedding-seldom-sgd-momentum-rows-f64"

    def as_rows(change: Callable[[np.ndarray], np.ndarray]) -> Altered:
        return Altered(
            "state", one("momentum_buffer", one(TABLE, lambda table: (np.arange(len(table)), change(table))))
        )

    assert judge(case, as_rows(np.copy)).verdict == "agree"
    assert judge(case, as_rows(lambda table: table * 2)).first_divergence.tensor == f"momentum_buffer.{TABLE}"
    of_form = judge(case, as_rows(lambda table: table[:, 1:])).first_divergence
    assert (of_form.tensor, of_form.expected) == (TABLE, "rows (U,) with values (U, 3) for a table of shape (11, 3)")


def test_each_stage_is_compared_where_another_has_no_form() -> None:
    def both(case: Case, weights: dict) -> Altered:
        trainer = Altered("loss", str).build(case, weights)
        trainer.changes["grads"] = one("fc1.weight", entry(0.5))
        return trainer

    candidate = type("Both", (), {"build": staticmethod(both)})
    found = {(d.stage, d.tensor) for d in judge(DENSE, candidate).divergences}
    assert found == {("loss", "loss"), ("grads", "fc1.weight")}


def test_no_step_is_no_agreement() -> None:
    held = hold(replace(CASES[DENSE], steps=0), IMPLEMENTATIONS, IMPLEMENTATIONS)
    assert [(result.verdict, result.reason) for result in held.values()] == [("error", "nothing was compared")] * 2


class Declines:
    reason = "not today"

    @classmethod
    def build(cls, case: Case, weights: dict) -> Any:
        raise Unsupported(cls.reason)


def test_no_twin_is_no_agreement() -> None:
    declining = dict.fromkeys(TWINS, Declines)
    held = hold(CASES[DENSE], declining | {"candidate": numpy_impl}, declining)
    assert [held[name].verdict for name in TWINS] == ["unsupported", "unsupported"]
    assert (held["candidate"].verdict, held["candidate"].reason) == (
        "error",
        "step 1: there is nothing to hold it against",
    )


def test_declining_is_no_agreement() -> None:
    result = hold(CASES[DENSE], {"candidate": Declines}, IMPLEMENTATIONS)["candidate"]
    assert (result.verdict, result.reason, result.errors) == ("unsupported", "not today", ())
    silent = type("Silent", (Declines,), {"reason": ""})
    assert hold(CASES[DENSE], {"mine": silent}, IMPLEMENTATIONS)["mine"].reason == "no reason given"


def test_what_is_no_trainer_is_an_error() -> None:
    number = type("Number", (), {"build": staticmethod(lambda case, weights: 3)})
    result = hold(CASES[DENSE], {"mine": number}, IMPLEMENTATIONS)["mine"]
    assert (result.verdict, result.reason) == ("error", "build returned a int, which has no loss_and_grads(batch)")


def test_a_case_whose_gradient_is_zero_is_refused() -> None:
    """Of one class, every probability is 1."""
    with pytest.raises(BadInput, match=r"the gradient of \S+ is the same everywhere and so proves nothing"):
        hold(Case("zero", Classifier(5, 3, (4,), 1), SGD(), Drawn((4, 2))), {}, IMPLEMENTATIONS)


def test_a_case_whose_gradient_is_the_same_twice_is_refused() -> None:
    """In its first step already; of a candidate such a gradient is only wrong, be it a twin."""
    twice = Altered("grads", one("linear.weight", lambda gradient: np.full_like(gradient, 0.25)))
    case = Case("two", Linear(2, 1), SGD(), Drawn((3,)), steps=1)
    with pytest.raises(BadInput, match=r"the gradient of linear.weight is the same everywhere"):
        hold(case, {"mine": numpy_impl}, {"numpy_impl": twice})
    assert run.judge(case, {"numpy_impl": twice}, IMPLEMENTATIONS)["numpy_impl"].verdict == "disagree"


@pytest.mark.parametrize("case", [DENSE, ROWS])
def test_a_case_whose_gradient_is_constant_is_refused(case: str) -> None:
    def constant(gradient: Any) -> Any:
        if isinstance(gradient, RowGrad):
            return RowGrad(gradient.rows, np.full_like(gradient.values, 0.25), gradient.shape)
        return np.full_like(gradient, 0.25)

    flat = Altered("grads", one(TABLE, constant))
    with pytest.raises(BadInput, match=rf"{case}: the gradient of {TABLE} is the same everywhere"):
        hold(CASES[case], {"mine": numpy_impl}, {"numpy_impl": flat})


def test_what_is_said_of_a_divergence() -> None:
    found = Divergence(3, "grads", TABLE, (1, 2), 0.5, 0.25, 1234.5)
    assert str(found) == "step 3, grads, embedding.weight[1, 2]: expected 0.5, got 0.25 (1.23e+03 eps off)"
    untouched = Divergence(1, "params", TABLE, (1, 2), 0.5, 0.25, np.inf)
    assert str(untouched).endswith("got 0.25 (the row never had a gradient, and must stay bit for bit)")
    bound = 1 / np.finfo(float).tiny ** 0.5
    for eps, said in ((1e307, "where all of the row has always been 0"), (12.0, "12 eps off")):
        zero = Divergence(1, "grads", TABLE, (1, 2), 0.0, 0.25, eps)
        assert str(zero).endswith(f"expected 0.0, got 0.25 ({said})")
    assert str(replace(zero, eps=1.5 * bound)).endswith("(where all of the row has always been 0)")
    assert str(replace(zero, eps=bound)).endswith(" eps off)")
    assert str(Divergence(1, "params", "b", (1,), 0.5, np.nan, np.inf)).endswith("expected 0.5, got nan")
    of_form = Divergence(1, "loss", "loss", None, "one number", "object of shape ()", np.inf)
    assert str(of_form) == "step 1, loss, loss: expected one number, got object of shape ()"


def test_the_scale_of_a_likeness_is_the_largest_finite_entry_of_all_rows_so_far() -> None:
    """For each row of a tensor, or of a row gradient, whichever has been larger."""
    whole = Likeness()
    assert whole.of("u", np.array([[np.nan, -0.5], [np.inf, 0.25]])).tolist() == [0.5, 0.5]
    assert whole.of("u", np.array([[np.nan, -2], [np.inf, 0.5]])).tolist() == [2, 2]
    assert whole.of("u", RowGrad(np.array([1]), np.array([[-np.inf, 4]]), (2, 2))).tolist() == [4]
    assert whole.of("u", np.full((2, 2), np.nan)).tolist() == [4, 4]
    assert whole.of("w", np.array([[1.0, -2], [0, 0.5]])).tolist() == [2, 2]
    assert whole.of("w", np.array([[-4.0, 1], [0, 0]])).tolist() == [4, 4]
    assert whole.of("w", np.array([[1.0, 1], [0, 3]])).tolist() == [4, 4]
    assert whole.of("v", RowGrad(np.array([1, 3]), np.array([[0.5], [-0.25]]), (4, 1))).tolist() == [0.5, 0.5]
    assert whole.of("v", RowGrad(np.array([0]), np.array([[0.125]]), (4, 1))).tolist() == [0.5]


def test_each_tensor_has_a_scale_of_its_own() -> None:
    for kind in (Scale, Likeness):
        scale = kind()
        assert scale.distance("v", np.array([8.0]), np.array([10.0]), 0.25)[0] == 1
        assert scale.distance("w", np.array([2.0]), np.array([4.0]), 0.25)[0] == 4
        assert scale.distance("w", np.array([1.0]), np.array([2.0]), 0.25)[0] == 2


def sparse(values: list, *which: int) -> RowGrad:
    return RowGrad(np.array(which or range(len(values))), np.array(values), (9, 2))


@pytest.mark.parametrize("form", [np.array, sparse])
def test_two_that_may_both_be_wrong_are_alike_where_neither_is_finite(form: Callable) -> None:
    nan, inf = np.nan, np.inf
    given = form([[nan, inf], [-inf, 4.0]])
    assert Likeness().distance("w", given, form([[nan, inf], [-inf, 4]]), 0.5)[0] == 0
    assert Likeness().distance("w", given, form([[nan, inf], [-inf, 6]]), 0.5) == (1, (1, 1), 4, 6)
    for other in ([[inf, nan], [-inf, 4]], [[nan, -inf], [-inf, 4]], [[nan, inf], [0, 4]], [[0, inf], [-inf, 4]]):
        assert Likeness().distance("w", given, form(other), 0.5)[0] == inf
        assert Likeness().distance("w", form(other), given, 0.5)[0] == inf


def test_rows_that_are_not_the_same_are_not_alike_whatever_is_in_them() -> None:
    one, other = sparse([[np.nan, np.nan]], 1), sparse([[np.nan, np.nan]], 2)
    assert Likeness().distance("w", one, other, 0.5)[:2] == (np.inf, (1,))
    assert Likeness().distance("w", one, sparse([[np.nan, np.nan]] * 2, 1, 2), 0.5)[:2] == (np.inf, (2,))


def test_a_tensor_that_is_not_finite_leaves_the_scale_to_the_next_that_is_held_against_it() -> None:
    likeness, nan = Likeness(), np.nan
    assert likeness.distance("w", np.array([[nan, 4.0]]), np.array([[4.0, 4.0]]), 0.5)[0] == np.inf
    assert likeness.distance("w", np.array([[nan, 4.0]]), np.array([[nan, 6.0]]), 0.5)[0] == 1


@pytest.mark.parametrize("form", [np.array, sparse])
def test_where_the_loss_is_lost_in_both_nan_may_have_been_left_out_of_one(form: Callable) -> None:
    """Until the next step has a loss."""
    nan, inf = np.nan, np.inf

    def apart(losses: tuple[float, float], one: list, *others: list) -> list[float]:
        likeness = Likeness()
        likeness.distance("loss loss", np.array(nan), np.array(nan), 0.5)
        likeness.distance("loss loss", *map(np.array, losses), 0.5)
        return [likeness.distance("grads w", form(one), form(other), 0.5)[0] for other in others]

    given, masked, scaled = [[nan, 0.0], [2.0, 4.0]], [[nan, nan], [nan, 4.0]], [[0.0, nan], [2.0, 6.0]]
    whole, infinite = [[0.0, 0.0], [2.0, 4.0]], [[nan, inf], [2.0, 4.0]]
    assert apart((nan, nan), given, masked, scaled, whole, infinite) == [0, 1, inf, inf]
    assert apart((nan, nan), infinite, infinite, masked, given) == [0, 0, inf]
    assert apart((nan, nan), masked, masked, given) == [0, inf]
    for losses in ((nan, 1.0), (1.0, nan), (1.0, 1.0), (inf, inf), (nan, inf)):
        assert apart(losses, given, masked, scaled) == [inf, inf]


def test_a_case_is_held_against_exact_values_and_a_large_one_against_the_twins() -> None:
    """The yardsticks are not among the results."""
    wrong = Altered("grads", one("fc1.weight", entry(0.5, (0, 0))))
    small = Case("small", Classifier(5, 2, (3,), 2), SGD(), Drawn((2, 2)), steps=1)
    large = replace(small, model=Classifier(1000, 50, (50,), 10), data=Drawn((900, 20)))
    for case, against in ((small, "exact values"), (large, "the twins")):
        found = run.judge(case, {"right": numpy_impl, "wrong": wrong}, IMPLEMENTATIONS)
        assert [(name, found[name].verdict) for name in found] == [("right", "agree"), ("wrong", "disagree")]
        assert {result.against for result in found.values()} == {against}


def test_a_module_may_have_dataclasses_whose_types_are_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They look their module up by its name."""
    monkeypatch.delitem(sys.modules, "with_dataclasses", raising=False)  # of an earlier run in the same process
    source = (
        "from __future__ import annotations\nfrom dataclasses import dataclass\n@dataclass\nclass Own:\n    x: int\n"
    )
    (tmp_path / "with_dataclasses.py").write_text(f"{source}build = Own\n")
    assert load(str(tmp_path / "with_dataclasses.py")).build(3).x == 3


def test_a_result_cannot_be_changed() -> None:
    """Neither the result, nor anything that it has."""
    result = judge(DENSE, Altered("loss", lambda loss: loss * 1.001))
    assert result.divergences
    assert result.errors
    for whole in (result, result.errors[0], result.divergences[0]):
        for part in fields(whole):
            hash(getattr(whole, part.name))  # which nothing has that can be changed
            with pytest.raises(FrozenInstanceError):
                setattr(whole, part.name, None)


def test_of_two_with_one_name_the_yardstick_is_not_the_one_that_is_held() -> None:
    """Nobody is held against itself because of its name."""
    wrong = Altered("grads", one("fc1.weight", entry(0.5)))
    held = hold(CASES[DENSE], {"numpy_impl": wrong}, {"numpy_impl": numpy_impl})
    assert held["numpy_impl"].first_divergence.tensor == "fc1.weight"
    assert run.judge(CASES[DENSE], {run.TRUTH: wrong}, IMPLEMENTATIONS)[run.TRUTH].verdict == "disagree"


# --- what it is made of ----------------------------------------------------------------------------------------------


def test_an_error_is_that_of_the_worst_entry_in_units_of_its_row() -> None:
    expected, got, largest = np.array([[4.0, 1], [0, 8]]), np.array([[4.0, 2], [1, 8]]), np.array([4.0, 8])
    assert error(expected, got, largest, 0.5) == (
        0.5,
        (0, 1),
    )  # 1 in units of 4 · 0.5; the other, 1 in units of 8 · 0.5
    assert error(expected, expected, largest, 0.5) == (0, (0, 0))
    assert error(expected[0], got[0], np.array(4.0), 0.25) == (1, (1,))  # of a vector, the whole is one row
    assert error(np.array(2.0), np.array(3.0), np.array(2.0), 0.25) == (2, ())
    assert error(np.zeros((2, 2)), np.array([[0, 0], [0, 1e-300]]), np.zeros(2), 0.5) == (
        pytest.approx(1e-300 / np.finfo(float).tiny),
        (1, 1),
    )
    for value in (np.nan, np.inf, -np.inf):
        assert error(expected, np.array([[4.0, 9], [value, 8]]), largest, 0.5) == (np.inf, (1, 0))
        assert error(np.array([[4.0, 9], [value, 8]]), expected, largest, 0.5) == (np.inf, (1, 0))


def test_rows_are_brought_to_one_form_in_the_dtype_of_the_case() -> None:
    case = replace(CASES[ROWS], model=Embedding(5, 1), dtype="float32")
    given = (np.array([3, 1, 3]), np.array([[1], [2], [4]], np.float32))
    (found,) = as_grads(case, {TABLE: given}, {}).values()
    assert (found.rows.dtype, found.values.dtype, found.shape) == (np.int64, np.float32, (5, 1))
    assert (found.rows.tolist(), found.values.tolist()) == ([1, 3], [[2], [5]])


@pytest.mark.parametrize("dtype", TOLERANCE)
def test_what_is_allowed_grows_as_the_root_of_the_step_and_has_a_line_for_each_kind(dtype: str) -> None:
    sgd, adam = (replace(CASES[name], dtype=dtype) for name in (DENSE, ADAM))
    allowed = TOLERANCE[dtype]
    for stage in STAGES:
        assert tolerance(sgd, stage, 1) == allowed[stage]
        assert tolerance(adam, stage, 4) == 2 * allowed["normalized params" if stage == "params" else stage]


def test_just_what_is_allowed_is_allowed() -> None:
    allowed, eps = TOLERANCE["float64"]["loss"], CASES[DENSE].eps
    for times, wrong in ((allowed, 0), (allowed + 1, 1)):
        mine = Runner(CASES[DENSE], "mine", out={"loss": 1 + times * eps})
        run.compare(mine, Runner(CASES[DENSE], "truth", out={"loss": 1.0}), 1, both=False)
        assert len(mine.divergences) == wrong


def test_the_size_of_a_row_is_that_of_its_largest_entry() -> None:
    assert row_sizes(np.array(-2.0)).tolist() == 2
    assert row_sizes(np.array([1.0, -3])).tolist() == 3
    assert row_sizes(np.array([[[1.0, -5], [2, 3]], [[0, 0], [-1, 0.5]]])).tolist() == [[5, 3], [0, 1]]


def test_the_scale_of_a_row_is_the_largest_entry_that_it_has_had() -> None:
    scale = Scale()
    assert scale.of("w", np.array([[1.0, -2], [0, 0.5]])).tolist() == [2, 0.5]
    assert scale.of("w", np.array([[-1.0, 1], [0, 3]])).tolist() == [2, 3]
    assert scale.of("b", np.array([1.0, -5, 2])).tolist() == 5  # of another tensor, and a vector is one row
    assert scale.of("b", np.array([1.0, 1, 2])).tolist() == 5
    assert scale.of("t", RowGrad(np.array([1, 3]), np.array([[0.5], [-4.0]]), (5, 1))).tolist() == [0.5, 4]
    assert scale.of("t", RowGrad(np.array([0, 1, 3]), np.array([[2.0], [1.0], [1.0]]), (5, 1))).tolist() == [2, 1, 4]
    assert scale.of("w", np.ones((3, 2))).tolist() == [1, 1, 1]  # of another shape, it begins anew


def test_a_distance_is_told_with_the_row_of_the_table() -> None:
    one_row, other = (RowGrad(np.array([2, 7]), np.array([[1.0, 2], [3, value]]), (9, 2)) for value in (4.0, 6.0))
    assert distance(one_row, other, np.array([2.0, 4]), 0.5) == (1, (7, 1), 4, 6)
    assert distance(np.array([1.0, 2]), np.array([1.0, 3]), np.array(2.0), 0.5) == (1, (1,), 2, 3)
    nothing = RowGrad(np.array([], int), np.zeros((0, 2)), (9, 2))
    assert distance(nothing, nothing, np.array([]), 0.5) == (0, (), 0, 0)
    words = ("no gradient in this row, it was not looked up", "a gradient in this row")
    assert distance(nothing, one_row, np.array([]), 0.5) == (np.inf, (2,), *words)


def test_a_row_has_moved_when_one_bit_of_it_has() -> None:
    before = np.array([[1.0, 0], [2, 3], [4, np.nan]])
    after = np.array([[1.0, -0.0], [2, 5], [4, np.nan]])
    assert moved(before, np.array([True, True, True]), after).tolist() == [0, 1]  # a zero's sign is a bit, too
    assert moved(before, np.array([False, True, True]), after).tolist() == [1]
    assert moved(before.astype("f"), np.array([True, False, True]), after.astype("f")).tolist() == [0]


@pytest.mark.parametrize("against", [TWINS[:1], TWINS])
def test_the_largest_error_of_all_steps_and_its_share_of_the_tolerance_are_kept(against: tuple[str, ...]) -> None:
    """The tolerance grows as the root of the step."""
    eps, off = CASES[DENSE].eps, iter((2, 16, 4, 1, 0))
    wrong = Altered("loss", lambda loss: loss * (1 + next(off) * eps))
    found = hold(CASES[DENSE], {"candidate": wrong}, {name: IMPLEMENTATIONS[name] for name in against})["candidate"]
    near = 1 + (len(against) - 1) * 2  # PyTorch's own loss may be an eps or two off
    (loss,) = (error for error in found.errors if error.stage == "loss")
    assert loss.eps == pytest.approx(16, abs=near)
    assert loss.share == pytest.approx(16 / (24 * 2**0.5), abs=near / 24)
    assert found.worst_of("loss") == found.worst_of("loss", "loss") == found.worst_of() == loss.eps
    assert found.worst_of("grads") == max(found.worst_of("grads", name) for name in CASES[DENSE].model.shapes)
    if len(against) == 1:
        assert {error.eps for error in found.errors if error.stage != "loss"} == {0}


def test_two_yardsticks_know_how_far_they_are_from_each_other() -> None:
    off = Altered("loss", lambda loss: loss * (1 + 8 * CASES[DENSE].eps))
    both = {"one": off, "other": numpy_impl}
    held = hold(CASES[DENSE], both, both)
    assert [result.worst_of("loss") for result in held.values()] == [pytest.approx(8, abs=1)] * 2
    assert held["one"].errors == held["other"].errors
    both = {"one": Altered("loss", lambda loss: 5.0), "other": numpy_impl}
    held = hold(replace(CASES[DENSE], steps=1), both, both)
    (mine,), (other) = held["one"].divergences, held["other"].divergences[0]
    assert (mine.got, mine.expected) == (5.0, other.got)
    assert other.expected == 5.0


def test_steps_between_two_comparisons_are_not_looked_at_and_the_last_one_is() -> None:
    case, weights = CASES[DENSE], CASES[DENSE].weights()

    def verdict(wrong_step: int) -> str:
        steps = itertools.count(1)
        wrong = Altered("loss", lambda loss: loss + (next(steps) == wrong_step))
        twin, mine = (start(case, name, of, weights) for name, of in (("twin", numpy_impl), ("mine", wrong)))
        taken = list(run.follow(case, [mine], [twin], every=3))
        assert taken == list(range(1, 6 if wrong_step != 3 else 4))
        return mine.verdict

    assert [verdict(step) for step in range(1, 6)] == ["agree", "agree", "disagree", "agree", "disagree"]
