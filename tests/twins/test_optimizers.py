"""Optimizers: the formulas in plain loops over floats, what PyTorch refuses, what rows cost, where they part ways."""

from __future__ import annotations

import inspect
import math
import tracemalloc
from collections.abc import Callable, Iterator
from dataclasses import fields, replace
from itertools import combinations, product

import numpy as np
import pytest
import torch

import torch_impl.trainer
from reference.cases import (
    SGD,
    Adagrad,
    Adam,
    AdamW,
    Case,
    Classifier,
    DenseBatch,
    Drawn,
    Embedding,
    Linear,
    LookupBatch,
    Optimizer,
    RMSprop,
    SkipGram,
    SparseAdam,
)
from reference.catalogue import OPTIONS, catalogue
from reference.catalogue.optimizers import combined
from reference.checks.twins import TWINS, twins
from reference.contract import Trainer
from reference.errors import BadInput, Unsupported
from reference.judge.form import Mismatch, as_state
from reference.judge.run import hold

TABLE = "embedding.weight"
IMPLEMENTATIONS = twins()
CASES = catalogue()
EVERY = sorted({case.optimizer for case in CASES}, key=repr)  # every combination of options that the catalogue has
KINDS = (SGD, Adagrad, RMSprop, Adam, AdamW, SparseAdam)

each = pytest.mark.parametrize("optimizer", EVERY, ids=repr)
both = pytest.mark.parametrize("name", TWINS)


# --- the formulas ----------------------------------------------------------------------------------------------------

Steps = Iterator[tuple[float, dict[str, float]]]  # the parameter and the state after each step


def sgd(o: SGD, x: float, gradients: list[float]) -> Steps:
    """Sutskever et al. 2013, with the learning rate outside the momentum; as the page of torch.optim.SGD says."""
    b = None
    for g in gradients:
        g = g + o.weight_decay * x
        if not o.momentum:
            x = x - o.lr * g
            yield x, {}
            continue
        b = g if b is None else o.momentum * b + (1 - o.dampening) * g
        x = x - o.lr * (g + o.momentum * b if o.nesterov else b)
        yield x, {"momentum_buffer": b}


def adagrad(o: Adagrad, x: float, gradients: list[float]) -> Steps:
    """Duchi et al. 2011: the root of the sum of all squares so far."""
    squares = [o.initial_accumulator_value]
    for t, g in enumerate(gradients):
        g = g + o.weight_decay * x
        squares.append(g * g)
        x = x - o.lr / (1 + t * o.lr_decay) * g / (math.sqrt(math.fsum(squares)) + o.eps)
        yield x, {"step": t + 1, "sum": math.fsum(squares)}


def rmsprop(o: RMSprop, x: float, gradients: list[float]) -> Steps:
    """Hinton's lecture 6e; centered: Graves 2013, equations 38 to 41, with eps outside the root as PyTorch has it."""
    n = mean = b = 0.0
    for t, g in enumerate(gradients, start=1):
        g = g + o.weight_decay * x
        n = o.alpha * n + (1 - o.alpha) * g**2
        mean = o.alpha * mean + (1 - o.alpha) * g
        b = o.momentum * b + g / (math.sqrt(n - mean**2 if o.centered else n) + o.eps)
        x = x - o.lr * b
        state = {"step": t, "square_avg": n}
        yield x, state | ({"momentum_buffer": b} if o.momentum else {}) | ({"grad_avg": mean} if o.centered else {})


def adam(o: Adam, x: float, gradients: list[float]) -> Steps:
    """Kingma and Ba 2015, algorithm 1; Reddi et al. 2018, algorithm 2; Loshchilov and Hutter 2019, algorithm 2."""
    m = v = largest = 0.0
    for t, g in enumerate(gradients, start=1):
        decay = o.weight_decay * x
        if not isinstance(o, AdamW):
            g, decay = g + decay, 0.0
        m = o.betas[0] * m + (1 - o.betas[0]) * g
        v = o.betas[1] * v + (1 - o.betas[1]) * g**2
        largest = max(largest, v)
        m_hat, v_hat = m / (1 - o.betas[0] ** t), (largest if o.amsgrad else v) / (1 - o.betas[1] ** t)
        x = x - o.lr * decay - o.lr * m_hat / (math.sqrt(v_hat) + o.eps)
        yield x, {"step": t, "exp_avg": m, "exp_avg_sq": v} | ({"max_exp_avg_sq": largest} if o.amsgrad else {})


def sparse_adam(o: SparseAdam, x: float, gradients: list[float]) -> Steps:
    """Kingma and Ba 2015, the more efficient order at the end of section 2: eps is scaled by the correction too."""
    m = v = 0.0
    for t, g in enumerate(gradients, start=1):
        m = o.betas[0] * m + (1 - o.betas[0]) * g
        v = o.betas[1] * v + (1 - o.betas[1]) * g**2
        lr = o.lr * math.sqrt(1 - o.betas[1] ** t) / (1 - o.betas[0] ** t)
        x = x - lr * m / (math.sqrt(v) + o.eps)
        yield x, {"step": t, "exp_avg": m, "exp_avg_sq": v}


FORMULAS: dict[type, Callable[..., Steps]] = {
    SGD: sgd,
    Adagrad: adagrad,
    RMSprop: rmsprop,
    Adam: adam,
    AdamW: adam,
    SparseAdam: sparse_adam,
}


def lookup(optimizer: Optimizer, V: int = 1, sparse: bool | None = None, **run: object) -> Case:
    """One number a row, whose gradient is the upstream."""
    sparse = isinstance(optimizer, SparseAdam) if sparse is None else sparse
    return Case("formula", Embedding(V, 1), optimizer, Drawn((1,)), sparse=sparse, **run)


def start(name: str, case: Case, x: float) -> Trainer:
    weights = {key: np.full(shape, x, case.dtype) for key, shape in case.model.shapes.items()}
    return IMPLEMENTATIONS[name].build(case, weights)


def go(trainer: Trainer, ids: list[int], gradients: list[float]) -> np.ndarray:
    """One step with these gradients of these rows; the column of the table after it."""
    trainer.loss_and_grads(LookupBatch(np.array(ids), np.array(gradients)[:, None]))
    trainer.step()
    return numbers(trainer.params()[TABLE])[:, 0]


def numbers(tensor: np.ndarray | torch.Tensor) -> np.ndarray:
    """A copy that the next step leaves alone."""
    return np.asarray(tensor).copy()


TAKEN = [case for optimizer in EVERY for sparse in (False, True) if not (case := lookup(optimizer, 1, sparse)).refusal]


@both
@pytest.mark.parametrize("case", TAKEN, ids=lambda case: f"{case.optimizer}-{'rows' if case.sparse else 'dense'}")
def test_each_step_is_that_of_the_formula(case: Case, name: str) -> None:
    optimizer = case.optimizer
    x, gradients = 0.75, [0.5, -1.25, 0.0, 2.0, -1e-3, 0.3]
    trainer = start(name, case, x)
    for gradient, (wanted, wanted_state) in zip(
        gradients, FORMULAS[type(optimizer)](optimizer, x, gradients), strict=True
    ):
        assert go(trainer, [0], [gradient]) == pytest.approx(wanted, rel=1e-12)
        state = as_state(case, trainer.state())
        assert state.keys() == wanted_state.keys() == set(optimizer.state)
        for kind, value in wanted_state.items():
            assert state[kind][TABLE].item() == pytest.approx(value, rel=1e-12), kind


@pytest.mark.parametrize("kind", KINDS)
def test_names_and_defaults_are_those_of_torch(kind: type) -> None:
    theirs = inspect.signature(getattr(torch.optim, kind.__name__)).parameters
    for option in fields(kind):
        assert option.default == theirs[option.name].default, option.name
    left_out = theirs.keys() - {option.name for option in fields(kind)}
    assert left_out <= {"params", "maximize", "foreach", "capturable", "differentiable", "fused"} | {
        "decoupled_weight_decay"  # that is AdamW
    }


# --- where they part ways --------------------------------------------------------------------------------------------

# the gradient is 1 in steps 1 and 4; m and v after each of them, as fractions
BETWEEN = {
    # the moments stay as they are while the row has no gradient, the count of steps goes on
    SparseAdam: [(0, 0), (0, 0), (0.9 * 0.1 + 0.1, 0.999 * 0.001 + 0.001)],
    # they decay in every step, and in every step the parameter moves
    Adam: [
        (0.09, 0.000999),
        (0.081, 0.000998001),
        (0.9 * 0.081 + 0.1, 0.999 * 0.000998001 + 0.001),
    ],
}


@both
@pytest.mark.parametrize(("kind", "wanted"), [(SparseAdam, 0.822), (Adam, 0.710)])
def test_20_moments_of_a_row_without_gradient_decay_under_adam_alone(kind: type, wanted: float, name: str) -> None:
    """The second row keeps the first waiting: pytorch#25560, #18404."""
    expected = 1 - 0.1  # the first step of Adam is the learning rate
    for t, (m, v) in enumerate(BETWEEN[kind], start=2):
        expected -= 0.1 * (m / (1 - 0.9**t)) / math.sqrt(v / (1 - 0.999**t)) if v else 0
    trainer = start(name, lookup(kind(lr=0.1, eps=1e-16), V=2), 1.0)
    for row in (0, 1, 1, 0):
        after = go(trainer, [row], [1.0])
    assert after[0] == pytest.approx(expected, rel=1e-12)
    assert after[0] == pytest.approx(wanted, abs=5e-4)


@both
@pytest.mark.parametrize(
    ("optimizer", "wanted"),
    [
        # eps after the bias correction, and before it as Keras has it: tensorflow#35102
        (Adam(lr=0.1, eps=1e-3), -0.1),
        (SparseAdam(lr=0.1, eps=1e-3), -0.0073),
        # torch's initial accumulator, and Keras's
        (Adagrad(lr=0.1), -0.1707),
        (Adagrad(lr=0.1, initial_accumulator_value=0.1), -0.0006),
    ],
    ids=lambda value: getattr(value, "label", None),
)
def test_21_and_22_two_steps_with_a_gradient_of_a_thousandth(optimizer: Optimizer, wanted: float, name: str) -> None:
    trainer = start(name, lookup(optimizer), 0.0)
    go(trainer, [0], [1e-3])
    assert go(trainer, [0], [1e-3])[0] == pytest.approx(wanted, abs=5e-5)


@both
@pytest.mark.parametrize("option", [{}, {"dampening": 0.5}, {"nesterov": True}], ids=str)
def test_23_sparse_momentum_moves_every_row_that_ever_had_a_gradient(option: dict, name: str) -> None:
    """And the first step, that without dampening, is the first of the table and not of the row: as if dense."""
    o = SGD(lr=0.1, momentum=0.9, **option)
    dense, rows = (start(name, lookup(o, V=4, sparse=sparse), 1.0) for sparse in (False, True))
    for ids, gradients in (([2, 0, 2], [1.0, 2.0, 3.0]), ([1], [4.0]), ([1, 2], [5.0, 6.0])):
        before = numbers(rows.params()[TABLE])[:, 0]
        wanted, got = go(dense, ids, gradients), go(rows, ids, gradients)
        np.testing.assert_allclose(got, wanted, rtol=1e-14)
    assert set(np.flatnonzero(got != before)) == {0, 1, 2}
    assert got[3] == 1.0
    row_1 = list(sgd(o, 1.0, [0.0, 4.0, 5.0]))[-1][0]  # its momentum begins with dampening
    assert got[1] == pytest.approx(row_1, rel=1e-14)


def test_torchs_sparse_momentum_is_brought_to_the_form_of_a_table() -> None:
    case = lookup(SGD(momentum=0.9), V=4, sparse=True)
    trainer = start("torch_impl", case, 1.0)
    go(trainer, [2, 0, 2], [1.0, 2.0, 3.0])
    buffer = trainer.state()["momentum_buffer"][TABLE]
    assert buffer.is_sparse
    assert buffer._nnz() == 3  # it is not coalesced
    assert as_state(case, trainer.state())["momentum_buffer"][TABLE].tolist() == [[2], [0], [4], [0]]
    rows = {"momentum_buffer": {TABLE: (np.array([2, 0, 2]), np.array([[1.0], [2.0], [3.0]]))}}
    assert as_state(case, rows)["momentum_buffer"][TABLE].tolist() == [[2], [0], [4], [0]]
    with pytest.raises(Mismatch, match="rows"):
        as_state(replace(case, sparse=False), rows)


@both
def test_rows_that_rest_keep_their_bits(name: str) -> None:
    """Adagrad and SparseAdam leave a row alone, and its state, while it has no gradient."""
    for optimizer in (Adagrad(lr=0.1, initial_accumulator_value=0.1), SparseAdam(lr=0.1)):
        trainer = start(name, lookup(optimizer, V=3, sparse=True), 1.0)
        rested = go(trainer, [0, 1], [1.0, 2.0])[1]
        state = {kind: numbers(t[TABLE])[1] for kind, t in trainer.state().items() if kind != "step"}
        for _ in range(3):
            after = go(trainer, [0, 0], [3.0, -1.0])
        assert (after[1], after[2]) == (rested, 1.0)
        assert {kind: numbers(trainer.state()[kind][TABLE])[1] for kind in state} == state


@each
def test_the_learning_rate_may_fall(optimizer: Optimizer) -> None:
    case = replace(lookup(optimizer, V=5, steps=4, lr_decay_to=1e-3), data=Drawn((3,)))
    assert {result.verdict for result in hold(case, IMPLEMENTATIONS, IMPLEMENTATIONS).values()} == {"agree"}


# --- what PyTorch refuses --------------------------------------------------------------------------------------------

MODELS = [
    (Embedding(7, 3), Drawn((4,))),
    (Classifier(7, 3, (5,), 3), Drawn((3, 2))),
    (SkipGram(7, 3), Drawn((4,))),
    (Linear(3, 2), Drawn((4,))),
]


@each
def test_23_twins_refuse_what_torch_refuses(optimizer: Optimizer) -> None:
    for (model, drawn), sparse in product(MODELS, (False, True)):
        case = Case("refused", model, optimizer, drawn, sparse=sparse)
        weights, batch = case.weights(), next(case.batches())
        trainer = torch_impl.trainer.Trainer(case, weights)  # not build, which would ask case.refusal
        trainer.loss_and_grads(batch)
        if not case.refusal:
            trainer.step()
            for implementation in IMPLEMENTATIONS.values():
                implementation.build(case, weights)
            continue
        with pytest.raises(RuntimeError, match=r"sparse|dense"):
            trainer.step()
        for implementation in IMPLEMENTATIONS.values():
            with pytest.raises(Unsupported, match=rf"^{type(optimizer).__name__} takes .*; use ") as caught:
                implementation.build(case, weights)
            assert str(caught.value) == case.refusal, case


def test_what_is_said_of_a_refusal() -> None:
    bag = Case("refused", Classifier(7, 3, (5,), 3), AdamW(), Drawn((3, 2)), sparse=True)
    assert bag.refusal == "AdamW takes dense gradients only; use SparseAdam, Adagrad or SGD for row gradients"
    assert "fc1.weight is dense" in replace(bag, optimizer=SparseAdam()).refusal
    assert "use weight_decay=0" in replace(bag, optimizer=SGD(weight_decay=0.1)).refusal
    assert replace(bag, optimizer=Adagrad()).refusal == replace(bag, sparse=False).refusal == ""


BAD = [
    *((kind, {"lr": bad}) for kind in KINDS for bad in (-0.1, math.nan)),
    *((kind, {"eps": -1e-8}) for kind in (Adagrad, RMSprop, Adam, AdamW, SparseAdam)),
    *((kind, {"weight_decay": -0.1}) for kind in (SGD, Adagrad, RMSprop, Adam, AdamW)),
    *((kind, {"betas": betas}) for kind in (Adam, AdamW, SparseAdam) for betas in ((1.0, 0.999), (0.9, -0.1))),
    *((kind, {"momentum": -0.9}) for kind in (SGD, RMSprop)),
    (SGD, {"nesterov": True}),
    (SGD, {"nesterov": True, "momentum": 0.9, "dampening": 0.1}),
    (Adagrad, {"lr_decay": -1.0}),
    (Adagrad, {"initial_accumulator_value": -1.0}),
    (RMSprop, {"alpha": -0.5}),
    (SparseAdam, {"lr": 0.0}),
    (SparseAdam, {"eps": 0.0}),
]


@pytest.mark.parametrize(("kind", "options"), BAD, ids=lambda value: getattr(value, "__name__", str(value)))
def test_options_that_torch_does_not_take_are_refused(kind: type, options: dict) -> None:
    if not (kind is SGD and math.isnan(options.get("lr", 0))):  # there torch lets a NaN pass
        with pytest.raises(ValueError, match=r"Invalid|requires"):
            getattr(torch.optim, kind.__name__)([torch.zeros(1)], **options)
    with pytest.raises(BadInput, match=rf"^{kind.__name__}: .*need") as caught:
        kind(**options)
    assert all(name in str(caught.value) for name in options)


@pytest.mark.parametrize("max_norm", [0.0, -1.0, math.nan, math.inf])
def test_a_norm_is_above_0(max_norm: float) -> None:
    with pytest.raises(BadInput, match=r"max_norm is .*; a number above 0, or None, is needed"):
        lookup(SGD(), max_norm=max_norm)


# --- clipping --------------------------------------------------------------------------------------------------------


@both
@pytest.mark.parametrize("sparse", [False, True])
def test_gradients_are_clipped_by_the_norm_of_all_of_them(sparse: bool, name: str) -> None:
    """Duplicates are summed first: the norm of rows [0, 1, 0] with 1, 4 and 2 is 5."""
    trainer = start(name, lookup(SGD(lr=1.0), V=3, sparse=sparse, max_norm=0.5), 0.0)
    after = go(trainer, [0, 1, 0], [1.0, 4.0, 2.0])
    np.testing.assert_allclose(after, [-0.3, -0.4, 0], rtol=1e-6)
    np.testing.assert_allclose(after, np.array([-3.0, -4.0, 0]) * (0.5 / (5 + 1e-6)), rtol=1e-14)
    exactly = start(name, lookup(SGD(lr=1.0), V=3, sparse=sparse, max_norm=10.0), 0.0)
    assert go(exactly, [0, 1, 0], [1.0, 4.0, 2.0]).tolist() == [-3, -4, 0]


@both
def test_the_gradient_of_the_input_is_no_parameters(name: str) -> None:
    case = Case("clip", Linear(2, 1), SGD(lr=1.0), Drawn((1,)), max_norm=1.0)
    weights = {"linear.weight": np.full((1, 2), 100.0), "linear.bias": np.zeros(1)}
    trainer = IMPLEMENTATIONS[name].build(case, weights)
    _, grads = trainer.loss_and_grads(DenseBatch(np.array([[2.0, 2.0]]), np.array([[1.0]])))
    assert numbers(grads["input"]).tolist() == [[100, 100]]
    trainer.step()
    norm = math.sqrt(2**2 + 2**2 + 1**2)
    np.testing.assert_allclose(numbers(trainer.params()["linear.bias"]), [-1 / (norm + 1e-6)], rtol=1e-14)


def test_torch_itself_does_not_clip_row_gradients() -> None:
    """When it does, `torch_impl.optimizers.clip_grad_norm_` can go."""
    layer = torch.nn.Embedding(3, 1, sparse=True)
    layer(torch.tensor([0, 1, 0])).sum().backward()
    with pytest.raises(NotImplementedError, match="SparseCPU"):
        torch.nn.utils.clip_grad_norm_(layer.parameters(), 1.0)


# --- what rows cost --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("max_norm", [None, 0.1])
@pytest.mark.parametrize(
    "optimizer",
    [SGD(momentum=0.9), SGD(momentum=0.9, nesterov=True), SGD(momentum=0.9, dampening=0.5), Adagrad(), SparseAdam()],
    ids=lambda value: value.label,
)
def test_a_step_on_rows_builds_nothing_of_the_tables_size(optimizer: Optimizer, max_norm: float | None) -> None:
    V, D = 100_000, 16
    case = Case("large", Embedding(V, D), optimizer, Drawn((64,)), steps=4, sparse=True, max_norm=max_norm)
    first, *later = case.batches()
    trainer = IMPLEMENTATIONS["numpy_impl"].build(case, {TABLE: np.zeros((V, D))})
    trainer.loss_and_grads(first)
    trainer.step()
    tracemalloc.start()
    for batch in later:
        trainer.loss_and_grads(batch)
        trainer.step()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < V * D * 8 / 20, f"{peak / 1e6:.1f} MB for a table of {V * D * 8 / 1e6:.0f} MB"


# --- the cases -------------------------------------------------------------------------------------------------------


def test_ids_tell_cases_apart() -> None:
    assert len({case.id for case in CASES}) == len(CASES)
    assert SGD(lr=0.5, momentum=0.9, nesterov=True).label == "sgd-momentum-nesterov"
    assert Adam(amsgrad=True, weight_decay=0.1).label == "adam-decay-amsgrad"
    assert AdamW().label == "adamw"
    clipped = Case("x", Embedding(3, 2), Adagrad(lr_decay=0.1), Drawn((1,)), sparse=True, max_norm=0.1)
    assert clipped.id == "embedding-x-adagrad-lrdecay-clip-rows-f64"


@pytest.mark.parametrize("kind", KINDS)
def test_every_two_options_occur_together(kind: type) -> None:
    """Unless BadInput or PyTorch forbids it: then some pair of three does, and it is listed here."""
    found = combined(kind)
    pairs = set()
    for case in found:
        run = {"sparse": case.sparse, "dtype": case.dtype, "clip": case.max_norm is not None, "model": case.family}
        pairs |= set(combinations(({name: getattr(case.optimizer, name) for name in OPTIONS[kind]} | run).items(), 2))
    values = OPTIONS[kind] | {
        "sparse": (False, True),
        "dtype": ("float64", "float32"),
        "clip": (False, True),
        "model": ("embedding", "classifier", "skipgram"),
    }
    every = {((a, x), (b, y)) for a, b in combinations(values, 2) for x in values[a] for y in values[b]}
    missing = {frozenset({a, b}) for a, b in every - pairs}
    rows, dense = ("sparse", True), ("sparse", False)
    if kind in (SGD, Adagrad):
        forbidden = [{("weight_decay", 0.01), rows}]
        if kind is SGD:
            forbidden += [{("nesterov", True), ("momentum", 0.0)}, {("nesterov", True), ("dampening", 0.5)}]
    else:  # one layout, and under SparseAdam one model
        shut = (dense, ("model", "classifier"), ("model", "skipgram")) if kind is SparseAdam else (rows,)
        forbidden = [set(pair) for pair in missing if pair & set(shut)]
        assert forbidden
    assert missing == set(map(frozenset, forbidden))


def test_rows_of_the_small_cases_are_touched_at_first_again_twice_and_never() -> None:
    """Or lazy and dense moments, and the rows that momentum goes on moving, could not be told apart."""
    seldom = [case for case in CASES if case.name == "seldom"]
    for case in (*seldom, *(case for kind in KINDS for case in combined(kind))):
        batches = [np.array(getattr(b, "centers", getattr(b, "ids", None))).ravel() for b in case.batches()]
        first, later = set(batches[0]), set(np.concatenate(batches[1:]))
        assert first - later, case.id
        assert first & later, case.id
        assert any(len(set(ids)) < len(ids) for ids in batches), case.id
        assert len(first | later) < case.model.num_embeddings


def test_small_gradients_are_near_a_thousandth() -> None:
    for case in CASES:
        if case.name == "small-gradients":
            gradients = [upstream for batch in case.batches() for upstream in np.ravel(batch.upstream)]
            norm = np.linalg.norm(gradients) / math.sqrt(case.steps)  # of a step
            assert 3e-4 < np.median(np.abs(gradients)) * case.max_norm / norm < 3e-3
