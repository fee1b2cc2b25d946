"""`check_gradients` passes what is right, says what is wrong, and passes nothing that it could not check."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from reference import BadInput, RowGrad
from reference.checks.comparison import Comparison
from reference.checks.gradients import check_gradients
from reference.checks.scalars import exact
from tests.checks.models import MODELS, Model, Params, norm_grads, norm_loss, rnn_grads

every_model = pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)


def report(model: Model, change: Callable[..., Any] | None = None, **options: Any):
    """The report on a model whose gradients are changed: change(grads) returns others, or those that are other."""
    grads = model.grads(model.params, *model.args)
    wrong = grads | change(grads) if change else grads
    return check_gradients(model.loss, wrong, model.params, *model.args, ids=model.ids, raises=False, **options)


def said(found: Any) -> str:
    return "\n".join(found.sentences())


# --- what is right ---------------------------------------------------------------------------------------------------


@every_model
def test_what_is_right_passes(model: Model) -> None:
    found = check_gradients(model.loss, model.grads, model.params, *model.args, ids=model.ids)
    assert found
    assert {finding.verdict for finding in found.findings} == {"right"}
    assert {finding.tensor for finding in found.findings} == model.params.keys()
    assert all(finding.looked_at == finding.size for finding in found.findings)
    assert report(model), "the same as numbers"


@every_model
def test_what_is_right_passes_in_float32(model: Model) -> None:
    single = {name: param.astype(np.float32) for name, param in model.params.items()}
    args = [arg.astype(np.float32) if getattr(arg, "dtype", "") == np.float64 else arg for arg in model.args]
    found = check_gradients(model.loss, model.grads, single, *args, ids=model.ids)
    assert all(f.notices > 1e-6 for f in found.findings if np.isfinite(f.notices))


@every_model
@pytest.mark.parametrize("size", [1e-12, 1e-6])
def test_one_entry_that_is_off_is_noticed(model: Model, size: float) -> None:
    """By this part of the largest entry of its row, in a tensor whose gradient is not zero."""
    for name, param in model.params.items():
        if model is MODELS["batch norm"] and name == "b":
            continue
        index = tuple(n // 2 for n in param.shape)

        def off(grads: Params, name: str = name, index: tuple[int, ...] = index) -> Params:
            gradient = grads[name].copy()
            gradient[index] += 2 * size * np.abs(gradient if gradient.ndim == 1 else gradient[index[0]]).max()
            return {name: gradient}

        looked_up = name not in model.ids or index[0] in model.ids[name]
        if looked_up:
            found = report(model, off)
            (wrong,) = [finding for finding in found.findings if finding.verdict == "wrong"]
            assert (wrong.tensor, wrong.worst.index) == (name, index)


@pytest.mark.parametrize(("seed", "entries"), [(5, 60), (199, 60), (335, 60), (358, 60), (329, 3), (352, 3)])
def test_kinks_near_the_point_are_no_mistakes(seed: int, entries: int) -> None:
    """Of a relu behind a norm, for which differences have to serve; 800 numbers come into it."""
    r = np.random.default_rng(seed)
    params = {"w": r.standard_normal((3, 20)), "b": r.standard_normal(20) / 10, "gamma": 1 + r.standard_normal(20) / 10}
    params |= {"beta": r.standard_normal(20) / 10, "v": r.standard_normal((20, 2)) / 6}
    args = r.standard_normal((40, 3)), r.standard_normal((40, 2)), 1
    assert check_gradients(norm_loss, norm_grads, params, *args, exclude=["gamma", "beta", "v"], entries=entries)


def drawn_norm(seed: int, dtype: type, width: int, axis: int) -> tuple[Params, tuple[Any, ...]]:
    r = np.random.default_rng(seed)
    n, i, h = r.integers(2, 20), r.integers(1, 8), r.integers(2, width)
    shapes = {"w": (i, h), "b": (h,), "gamma": (h,), "beta": (h,), "v": (h, 2)}
    params = {name: r.standard_normal(shape).astype(dtype) for name, shape in shapes.items()}
    return params, (r.standard_normal((n, i)).astype(dtype), r.standard_normal((n, 2)).astype(dtype), axis)


@pytest.mark.parametrize("seed", [3, 17, 54])
def test_rounding_in_ones_own_formula_is_no_mistake(seed: int) -> None:
    """A norm of few numbers is nearly constant: in float32, what is left of its gradient is mostly rounding."""
    params, args = drawn_norm(seed, np.float32, 5, 1)
    assert check_gradients(norm_loss, norm_grads, params, *args)


@pytest.mark.parametrize(("seed", "dtype"), [(1, np.float64), (5, np.float64), (5, np.float32), (6, np.float32)])
def test_the_bias_before_a_norm_has_a_gradient_of_nothing_but_rounding(seed: int, dtype: type) -> None:
    params, args = drawn_norm(seed, dtype, 9, 0)
    grads = norm_grads(params, *args)
    assert grads["b"].any()
    assert check_gradients(norm_loss, grads, params, *args)
    grads["b"] += 1e-3
    assert not check_gradients(norm_loss, grads, params, *args, raises=False)


def test_one_column_is_a_row() -> None:
    """A saturated tanh, of which 1 - tanh**2 has lost digits: small beside the largest entry of the column."""
    r = np.random.default_rng(133)
    r.integers(1, 6, 4)
    w, v, c = r.standard_normal((5, 1)), r.standard_normal((1, 3)), r.standard_normal(3)
    x, y = r.standard_normal((3, 5)), r.standard_normal((3, 3))
    z = x @ w
    d = y * (1 - np.tanh(np.tanh(z) @ v + c) ** 2)
    right = {"w": x.T @ (d @ v.T * (1 - np.tanh(z) ** 2))}
    assert np.abs(right["w"]).min() < 0.02 * np.abs(right["w"]).max()
    assert check_gradients(lambda p: (np.tanh(np.tanh(x @ p["w"]) @ v + c) * y).sum(), right, {"w": w})


# --- what is wrong ---------------------------------------------------------------------------------------------------

LAYER, GLOVE, RNN, FACTORS = (MODELS[name] for name in ("layer", "glove", "rnn", "factors"))


def overwritten(table: str) -> Callable[[Params], Params]:
    """Of duplicate ids, the last one's gradient alone: table_grad[ids] = d."""

    def change(grads: Params) -> Params:
        w, c, b, d = (GLOVE.params[name] for name in ("w", "c", "b", "d"))
        i, j, counts = GLOVE.args
        off = (w[i] * c[j]).sum(axis=1) + b[i] + d[j] - np.log(counts)
        weight = np.minimum((counts / 100) ** 0.75, 1)
        lines = 2 * (weight * off / len(i))[:, None] * (c[j] if table == "w" else w[i])
        gradient = np.zeros_like(grads[table])
        gradient[i if table == "w" else j] = lines
        return {table: gradient}

    return change


def of_example(k: int) -> Callable[[Params], Params]:
    x, y = LAYER.args
    return lambda grads: {"w": LAYER.grads(LAYER.params, x[[k]], y[[k]])["w"] / len(x)}


WRONG = {
    "the sum under a mean": (
        GLOVE,
        lambda g: {name: 4 * gradient for name, gradient in g.items()},
        r"wrong w\[\d, \d\]: .*\n  got is 4 times what is expected everywhere \(4 is i.shape\[0\]",
    ),
    "a mean of a mean": (
        LAYER,
        lambda g: {"w": g["w"] / 8},
        r"got is 0.125 times what is expected everywhere \(0.125 is 1 / x.shape\[0\]",
    ),
    "the sign": (LAYER, lambda g: {"b": -g["b"]}, r"wrong b\[\d\]: .*\n  got is -1 times .*\(the sign is turned\)"),
    "the 2 of a square": (LAYER, lambda g: {"w": g["w"] / 2}, r"got is 0.5 times .*\(a factor 2 is missing\)"),
    "zero": (LAYER, lambda g: {"b": np.zeros(5)}, "got is zero everywhere"),
    "not finite": (LAYER, lambda g: {"b": g["b"] * [1, np.nan, 1, np.inf, 1]}, "2 of 5 entries are not finite"),
    "transposed": (LAYER, lambda g: {"w": g["w"].T}, "got is the transpose of what is expected"),
    "transposed, not square": (
        RNN,
        lambda g: {"wx": g["wx"].T},
        r"wrong wx\n  expected floats of shape \(3, 5\), got float64 of shape \(5, 3\)\n  its transpose is right",
    ),
    "rows in another order": (
        RNN,
        lambda g: {"wy": g["wy"][[1, 0, 2, 3, 4]]},
        "got has the right rows in another order: that of 0 is in 1",
    ),
    "columns in another order": (
        RNN,
        lambda g: {"wx": g["wx"][:, [0, 1, 2, 4, 3]]},
        "got has the right columns in another order: that of 3 is in 4",
    ),
    "a reshape for a transpose": (
        RNN,
        lambda g: {"wx": g["wx"].T.reshape(3, 5)},
        "got has the right numbers in other places; is there a reshape where a transpose is needed?",
    ),
    "another tensor's": (GLOVE, lambda g: {"w": g["c"]}, "got is what is expected for c"),
    "duplicates lost": (
        GLOVE,
        overwritten("w"),
        r"off in rows 1 of 7, exactly those that occur more than once; are duplicates lost\?",
    ),
    "divided by how often": (
        GLOVE,
        lambda g: {"c": g["c"] / np.array([1, 1, 2, 1, 1, 1, 1])[:, None]},
        "off in rows 2 of 7, each divided by how often it is looked up",
    ),
    "not scattered": (
        FACTORS,
        lambda g: {"item": lines_of_items()},
        r"expected floats of shape \(7, 3\), got float64 of shape \(8, 3\)\n  added up by ids into the rows",
    ),
    "the last example alone": (LAYER, of_example(-1), "got is the gradient of the last example alone"),
    "the first example alone": (LAYER, of_example(0), "got is the gradient of the first example alone"),
    "a term forgotten": (
        FACTORS,
        lambda g: {"user": g["user"] - 0.02 * FACTORS.params["user"]},
        "off in rows 0, 1, 2, 3, 4, 5 of 6, exactly those that are looked up",
    ),
    "in float32": (LAYER, lambda g: {"w": g["w"].astype(np.float32)}, "every number is one of float32"),
    "in float32, then float64": (
        LAYER,
        lambda g: {"w": g["w"].astype(np.float32).astype(np.float64)},
        "off by at most .* of the largest entry in the row\n  every number is one of float32",
    ),
    "missing": (LAYER, lambda g: {"b": None}, r"not covered b: no gradient was given; exclude=\['b'\] leaves it out"),
    "not an array": (
        LAYER,
        lambda g: {"b": "none"},
        r"wrong b\n  expected floats of shape \(5,\), got <U4 of shape \(\)",
    ),
}


def lines_of_items() -> np.ndarray:
    users, items, ratings = FACTORS.args
    u, v = FACTORS.params["user"][users], FACTORS.params["item"][items]
    return (2 * ((u * v).sum(axis=1) + FACTORS.params["bias"][items] - ratings) / len(users))[:, None] * u


@pytest.mark.parametrize(("model", "change", "sentence"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_said(model: Model, change: Callable[..., Any], sentence: str) -> None:
    found = report(model, change)
    assert not found
    assert re.search(sentence, said(found)), said(found)


def test_a_recurrent_net_without_what_comes_back_from_the_next_step() -> None:
    found = report(RNN, lambda g: rnn_grads(RNN.params, *RNN.args, through_time=False))
    assert {f.tensor: f.verdict for f in found.findings} == {
        "wx": "wrong",
        "wh": "wrong",
        "bh": "wrong",
        "wy": "right",
        "by": "right",
    }


@pytest.mark.parametrize("name", ["batch norm", "layer norm"])
def test_a_norm_whose_deviation_has_no_gradient(name: str) -> None:
    """The loss has a var in it, behind which complex step is wrong in silence."""
    model = MODELS[name]
    found = report(model, lambda g: norm_grads(model.params, *model.args, through_std=False))
    verdicts = {f.tensor: f.verdict for f in found.findings}
    assert verdicts["w"] == "wrong"
    assert {verdicts[name] for name in ("gamma", "beta", "v")} == {"right"}
    assert {f.tensor: f.way for f in found.findings}["w"].startswith("differences")
    assert {f.tensor: f.way for f in found.findings}["v"] == "complex step"


def test_a_function_that_computes_in_float32() -> None:
    """What rounding does inside of it is not taken for the rounding of float64."""

    def single(p: Params, x: np.ndarray, y: np.ndarray) -> Params:
        grads = LAYER.grads(
            {name: param.astype(np.float32) for name, param in p.items()}, x.astype("f4"), y.astype("f4")
        )
        return {name: gradient.astype(np.float64) for name, gradient in grads.items()}

    found = check_gradients(LAYER.loss, single, LAYER.params, *LAYER.args, raises=False)
    assert [finding.verdict for finding in found.findings] == ["wrong", "wrong"]
    assert said(found).count("every number is one of float32") == 2


def test_a_function_that_is_random() -> None:
    stream = np.random.default_rng(0)

    def dropped(*args: Any) -> Params:
        return {name: gradient * (stream.random(gradient.shape) > 0.1) for name, gradient in LAYER.grads(*args).items()}

    assert not check_gradients(LAYER.loss, dropped, LAYER.params, *LAYER.args, raises=False)


def test_the_loss_that_came_with_the_gradients() -> None:
    def both(p: Params, x: np.ndarray, y: np.ndarray) -> tuple[float, Params]:
        return LAYER.loss(p, x, y) * len(x), LAYER.grads(p, x, y)

    right = LAYER.loss(LAYER.params, *LAYER.args)
    found = check_gradients(LAYER.loss, both, LAYER.params, *LAYER.args, raises=False)
    assert f"wrong loss: expected {right}, got {right * 8}" in said(found)
    assert check_gradients(
        lambda *a: LAYER.loss(*a) * 8, lambda *a: (both(*a)[0], scaled(*a)), LAYER.params, *LAYER.args
    )


def scaled(*args: Any) -> Params:
    return {name: 8 * gradient for name, gradient in LAYER.grads(*args).items()}


# --- what cannot be checked ------------------------------------------------------------------------------------------

calls = iter(range(10**6))
KEPT = MODELS["layer"].params

UNCHECKED = {
    "no number": (lambda p, x, y: x @ p["w"], r"the loss is float64 of shape \(8, 5\); one number is needed"),
    "NaN": (lambda p, x, y: np.nan * p["w"].sum(), "the loss is nan at these parameters"),
    "infinite": (lambda p, x, y: np.inf, "the loss is inf"),
    "complex": (lambda p, x, y: 1j * p["w"].sum(), r"the loss is \(.*j\) at these parameters"),
    "random": (lambda p, x, y: LAYER.loss(p, x, y) + next(calls), "the loss does not repeat itself: .*, then "),
    "reads others": (
        lambda p, x, y: LAYER.loss(KEPT, x, y),
        "w: the loss does not depend on it, or reads it from elsewhere",
    ),
    "ignores one": (
        lambda p, x, y: ((x @ p["w"]) ** 2).sum(),
        "b: the loss does not depend on it, or reads it from elsewhere",
    ),
    "changes params": (lambda p, x, y: p["w"].__imul__(2).sum(), r"the loss changes params\['w'\]"),
    "changes args": (lambda p, x, y: x.__imul__(1.01).sum() * p["w"].sum(), "the loss changes x"),
    "a staircase": (lambda p, x, y: np.round(x @ p["w"] + p["b"], 1).sum(), "w: the loss is flat there, or too rough"),
    "a kink": (
        lambda p, x, y: LAYER.loss(p, x, y) + np.abs(p["b"] - KEPT["b"]).sum(),
        "b: the loss has a kink at these parameters, or beside them: along a random direction, its slope is",
    ),
    "a kink in one entry": (
        lambda p, x, y: LAYER.loss(p, x, y) + np.maximum(p["w"][3, 3], KEPT["w"][3, 3]),
        "w: the loss has a kink at these parameters",
    ),
    "counts": (lambda p, x, y: (x @ p["w"] + p["b"] > 0).sum(), "w: .* proves nothing"),
}


@pytest.mark.parametrize(("loss", "sentence"), UNCHECKED.values(), ids=UNCHECKED)
@pytest.mark.parametrize("grads", ["right", "zero"])
def test_what_cannot_be_checked_does_not_pass(loss: Callable[..., Any], sentence: str, grads: str) -> None:
    of = LAYER.grads(LAYER.params, *LAYER.args)
    given = of if grads == "right" else {name: np.zeros_like(gradient) for name, gradient in of.items()}
    args = [arg.copy() for arg in LAYER.args]
    with pytest.raises(AssertionError, match=f"could not be checked: {sentence}|unchecked {sentence}"):
        check_gradients(loss, given, LAYER.params, *args)


@pytest.mark.parametrize("seed", range(10))
def test_a_staircase_never_passes(seed: int) -> None:
    """Some of its differences are the same for several steps, by chance."""
    r = np.random.default_rng(seed)
    params, x = {"w": r.standard_normal((5, 3))}, r.standard_normal((20, 5))
    with pytest.raises(AssertionError, match=r"unchecked w: the loss is .*too rough"):
        check_gradients(lambda p, x: np.round(x @ p["w"], 2).sum(), lambda p, x: {"w": 0 * p["w"]}, params, x)


def test_nothing_but_what_cancels() -> None:
    y = np.array([1.0, 3.0, 2.0, 5.0])
    with pytest.raises(AssertionError, match="unchecked b: no gradient is other than 0, which proves nothing"):
        check_gradients(lambda p: np.var(y + p["b"]), {"b": np.zeros(1)}, {"b": np.array([1.3])})


def test_too_few_digits() -> None:
    """Right as far as can be seen, which is not far enough."""
    x, y = LAYER.args
    with pytest.raises(
        AssertionError, match=r"unchecked w: rounding hides errors of .*, and no gradient is much larger"
    ):
        check_gradients(lambda p: np.float32(3e2 + LAYER.loss(p, x, y).real), LAYER.grads(KEPT, x, y), KEPT)


def test_an_entry_without_a_derivative() -> None:
    def refuses(p: Params) -> Any:
        if np.iscomplexobj(p["w"]) and list(np.flatnonzero(p["w"].imag)) == [3]:
            raise TypeError("not this one alone")
        return (p["w"] ** 2).sum()

    w = np.arange(1.0, 6.0)
    with pytest.raises(
        AssertionError, match=r"unchecked w: the loss has no derivative with respect to its entry \[3\]"
    ):
        check_gradients(refuses, {"w": 2 * w}, {"w": w})


def test_a_function_of_gradients_that_changes_the_parameters() -> None:
    def trained(p: Params, x: np.ndarray, y: np.ndarray) -> Params:
        grads = LAYER.grads(p, x, y)
        p["w"] -= 0.1 * grads["w"]
        return grads

    with pytest.raises(AssertionError, match=r"computes the gradients changes params\['w'\]"):
        check_gradients(LAYER.loss, trained, LAYER.params, *LAYER.args)


def test_an_error_in_the_loss_is_the_users_own() -> None:
    with pytest.raises(KeyError, match="missing"):
        check_gradients(lambda p, *_: p["missing"], {}, LAYER.params)


@pytest.mark.parametrize(
    ("params", "grads", "options", "message"),
    [
        ([1.0], {}, {}, "params: a dict by the names of tensors is needed, not list"),
        ({"w": np.arange(3)}, {}, {}, "params: w is int64; floats are needed"),
        ({"w": np.array([np.nan])}, {}, {}, "params: w has entries that are not finite"),
        ({"w": np.ones(3)}, [np.ones(3)], {}, "grads: a dict by the names of tensors is needed, not list"),
        ({"w": np.ones(3)}, {"v": np.ones(3)}, {}, "grads: 'v' is no parameter; there are w"),
        ({"w": np.ones(3)}, {}, {"exclude": ["v"]}, "exclude: 'v' is no parameter"),
        ({"w": np.ones(3)}, {}, {"exclude": "w"}, "exclude: a list of names is needed, not the string 'w'"),
        ({"w": np.ones(3)}, {}, {"exclude": ["w"]}, "there is nothing to check"),
        ({}, {}, {}, "there is nothing to check"),
        ({"w": np.ones(3)}, {}, {"rows": ["w"]}, r"rows: w has shape \(3,\); only a table \(V, D\) has row gradients"),
        ({"w": np.ones(3)}, {}, {"ids": {"v": [1]}}, "ids: 'v' is no parameter"),
        ({"w": np.ones(3)}, {}, {"ids": {"w": [3]}}, r"ids: w has ids from 3 to 3; its shape is \(3,\)"),
        ({"w": np.ones(3)}, {}, {"ids": {"w": [1.5]}}, "ids: w has float64; integers are needed"),
        ({"w": np.ones(3)}, {}, {"entries": 0}, "entries is 0; at least 1 is needed"),
    ],
)
def test_bad_input(params: Any, grads: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(BadInput, match=message):
        check_gradients(lambda p: p["w"].sum(), grads, params, **options)


def test_what_is_excluded_is_not_checked_and_said_to_be() -> None:
    found = report(LAYER, lambda g: {"b": None}, exclude=["b"])
    assert found
    assert found.summary() == "gradients: 1 right, 1 excluded"


def test_nothing_but_empty_tensors() -> None:
    assert not check_gradients(lambda p: 1.0, {"w": np.ones(0)}, {"w": np.ones(0)}, raises=False)


# --- what it can notice ----------------------------------------------------------------------------------------------


def with_norm(p: Params, x: np.ndarray, y: np.ndarray) -> Any:
    return np.linalg.norm(x @ p["w"] + p["b"] - y) + np.abs(p["b"]).sum()


def norm_of_layer(p: Params, x: np.ndarray, y: np.ndarray) -> Params:
    off = x @ p["w"] + p["b"] - y
    off /= np.sqrt((off * off).sum())
    return {"w": x.T @ off, "b": off.sum(axis=0) + np.sign(p["b"])}


LOSSES = {
    "smooth": (LAYER.loss, LAYER.grads, 1e-12),
    "a norm": (with_norm, norm_of_layer, 1e-12 if np.finfo(np.longdouble).eps < 1e-18 else 1e-9),
    "made a float": (lambda *a: float(with_norm(*a).real), norm_of_layer, 1e-9),
    "made float32": (lambda *a: np.float32(with_norm(*a).real), norm_of_layer, 1e-2),
    "through float32": (
        lambda p, x, y: float((np.tanh((x @ p["w"] + p["b"]).real.astype("f4")).astype("f8") - y).__pow__(2).mean()),
        LAYER.grads,
        1e-2,
    ),
}


@pytest.mark.parametrize(("loss", "grads", "noticed"), LOSSES.values(), ids=LOSSES)
def test_it_notices_what_it_says(loss: Callable[..., Any], grads: Callable[..., Params], noticed: float) -> None:
    """Where complex step does not serve, differences do, and what they can notice is in the report."""
    found = check_gradients(loss, grads, LAYER.params, *LAYER.args)
    for finding in found.findings:
        assert 0 < finding.notices <= noticed, str(found)
        right = grads(LAYER.params, *LAYER.args)
        gradient = right[finding.tensor]
        flat = gradient.reshape(-1)
        flat[3] += 3 * finding.notices * np.abs(gradient if gradient.ndim == 1 else gradient[0]).max()
        wrong = check_gradients(loss, right, LAYER.params, *LAYER.args, raises=False)
        assert [f.tensor for f in wrong.findings if f.verdict == "wrong"] == [finding.tensor]


def test_entries_of_very_different_sizes() -> None:
    """The steps that are good for the others are too large for the smallest."""
    x = np.array([1.0, 2.0, 1e-4])
    found = check_gradients(lambda p: np.abs(p["x"]).sum() + np.log(p["x"]).sum(), {"x": 1 + 1 / x}, {"x": x})
    assert found.findings[0].way.startswith("differences")
    assert found.findings[0].notices < 1e-5


def test_a_small_part_behind_an_abs_is_not_lost() -> None:
    """A weight decay of 1e-6 by the absolute values, which complex step does not see."""
    found = check_gradients(
        lambda p, *a: LAYER.loss(p, *a) + 1e-6 * np.abs(p["w"]).sum(),
        LAYER.grads,
        LAYER.params,
        *LAYER.args,
        raises=False,
    )
    assert [f.verdict for f in found.findings] == ["wrong", "right"]


@settings(max_examples=25, deadline=None, derandomize=True)
@given(st.integers(0, 2**32 - 1))
def test_small_functions_with_one_entry_off(seed: int) -> None:
    """A net of drawn sizes and functions: right as it is, wrong where an entry is off by 1e-10 of the largest."""
    r = np.random.default_rng(seed)
    n, i, h, o = r.integers(1, 6, 4)
    params = {name: r.standard_normal(shape) / 2 for name, shape in {"a": (i, h), "b": (h, o), "c": (o,)}.items()}
    x, y = r.standard_normal((n, i)), r.standard_normal((n, o))
    function, slope = FUNCTIONS[r.integers(len(FUNCTIONS))]

    def loss(p: Params, x: np.ndarray, y: np.ndarray) -> Any:
        return (function(function(x @ p["a"]) @ p["b"] + p["c"]) * y).sum()

    def grads(p: Params, x: np.ndarray, y: np.ndarray) -> Params:
        z = x @ p["a"]
        d = y * slope(function(z) @ p["b"] + p["c"])
        return {"a": x.T @ (d @ p["b"].T * slope(z)), "b": function(z).T @ d, "c": d.sum(axis=0)}

    def off(p: Params, x: np.ndarray, y: np.ndarray) -> Params:
        wrong = grads(p, x, y)
        wrong[name].reshape(-1)[k] += 1e-10 * np.abs(wrong[name]).max()
        return wrong

    name = sorted(params)[r.integers(3)]
    k = r.integers(params[name].size)
    assert check_gradients(loss, grads, params, x, y)
    found = check_gradients(loss, off, params, x, y, raises=False)
    assert [f.tensor for f in found.findings if f.verdict == "wrong"] == [name]


FUNCTIONS = [
    (np.tanh, lambda x: 1 - np.tanh(x) ** 2),
    (np.sin, np.cos),
    (lambda x: x / (1 + np.exp(-x)), lambda x: (1 + np.exp(-x) + x * np.exp(-x)) / (1 + np.exp(-x)) ** 2),
    (lambda x: x**3 / 3 + x, lambda x: x**2 + 1),
]

# --- large tensors ---------------------------------------------------------------------------------------------------


def lookup(rows: int = 20_000, width: int = 8) -> tuple[Callable[..., Any], Callable[..., Params], Params, np.ndarray]:
    r = np.random.default_rng(0)
    table, ids = r.standard_normal((rows, width)), r.integers(0, rows, 200)
    upstream = r.standard_normal((200, width))

    def loss(p: Params, ids: np.ndarray) -> Any:
        loss.calls += 1
        return (np.sin(p["table"][ids]) * upstream).sum()

    def grads(p: Params, ids: np.ndarray) -> Params:
        gradient = np.zeros_like(p["table"])
        np.add.at(gradient, ids, np.cos(p["table"][ids]) * upstream)
        return {"table": gradient}

    loss.calls = 0
    return loss, grads, {"table": table}, ids


def test_a_large_tensor_takes_a_bounded_number_of_calls() -> None:
    loss, grads, params, ids = lookup()
    found = check_gradients(loss, grads, params, ids, entries=90)
    assert loss.calls < 300
    assert found.findings[0].looked_at <= 90
    assert found.findings[0].directions == 3
    assert f"{found.findings[0].looked_at} of 160,000, 3 directions" in str(found)


@pytest.mark.parametrize("where", ["looked up", "never looked up"])
def test_one_wrong_entry_of_many_is_found(where: str) -> None:
    loss, grads, params, ids = lookup()
    row = ids[123] if where == "looked up" else np.setdiff1d(np.arange(20_000), ids)[777]
    wrong = grads(params, ids)
    wrong["table"][row, 5] += 1e-8
    found = check_gradients(loss, wrong, params, ids, entries=90, raises=False)
    assert found.findings[0].worst.index == (row, 5)


def test_what_is_off_along_a_direction_alone_does_not_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    """Even if the wrong entry were not found."""
    monkeypatch.setattr(Comparison, "wrong_entry", lambda self: 0)
    loss, grads, params, ids = lookup()
    wrong = grads(params, ids)
    wrong["table"][ids[0], 0] += 1e-3
    found = check_gradients(loss, wrong, params, ids, entries=3, raises=False)
    assert re.search("off by .* times what is allowed along a random direction", said(found))


def test_duplicates_are_looked_at_first() -> None:
    loss, grads, params, ids = lookup()
    ids[7:9] = ids[9]
    wrong = grads(params, ids)
    rows, times = np.unique(ids, return_counts=True)
    wrong["table"][rows] /= times[:, None]
    found = check_gradients(loss, wrong, params, ids, ids={"table": ids}, entries=90, raises=False)
    assert "each divided by how often it is looked up" in said(found)


# --- rows ------------------------------------------------------------------------------------------------------------


def as_rows(gradient: np.ndarray, rows: Any) -> RowGrad:
    return RowGrad(np.array(rows), gradient[rows], gradient.shape)


ROWS = {
    "a RowGrad": lambda g: as_rows(g, [0, 1, 4]),
    "a pair": lambda g: (np.array([4, 0, 1]), g[[4, 0, 1]]),
    "in parts": lambda g: (np.array([4, 0, 1, 0]), np.stack([g[4], g[0] / 4, g[1], 3 * g[0] / 4])),
    "a sparse tensor": lambda g: torch.from_numpy(g).to_sparse(1),
}


@pytest.mark.parametrize("form", ROWS.values(), ids=ROWS)
def test_rows_in_any_form(form: Callable[[np.ndarray], Any]) -> None:
    assert report(GLOVE, lambda g: {"w": form(g["w"])}, rows=["w"])


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda g: g["w"], "rows are asked for, got a dense ndarray"),
        (lambda g: as_rows(g["w"], [0, 1]), "rows 4 lack a gradient"),
        (lambda g: as_rows(g["w"], [0, 1, 4, 6]), "rows 6 have one and are not looked up"),
        (lambda g: as_rows(g["w"] * 2, [0, 1, 4]), "got is 2 times what is expected"),
        (lambda g: (np.array([0, 9]), g["w"][:2]), "expected rows from 0 to 6, got a row 9"),
    ],
)
def test_wrong_rows(change: Callable[[Params], Any], sentence: str) -> None:
    found = report(GLOVE, lambda g: {"w": change(g)}, rows=["w"])
    assert sentence in said(found)


# --- a loss in scalars -----------------------------------------------------------------------------------------------


def in_scalars(m: Any, p: dict[str, Any], x: np.ndarray, y: np.ndarray) -> Any:
    """The layer's loss, once more."""
    total = m.number(0)
    for inputs, targets in zip(x.tolist(), y.tolist(), strict=True):
        for j, target in enumerate(targets):
            score = m.dot([m.number(u) for u in inputs], [row[j] for row in p["w"]]) + p["b"][j]
            off = m.tanh(score) - m.number(target)
            total = total + off * off
    return total / y.size


def test_a_loss_in_scalars_is_exact() -> None:
    found = check_gradients(exact(in_scalars), LAYER.grads, LAYER.params, *LAYER.args)
    assert [f.way for f in found.findings] == ["exact values, 25 proved", "exact values, 5 proved"]
    found = report(replace(LAYER, loss=exact(in_scalars)), lambda g: {"w": g["w"] * (1 + 1e-12)})
    assert [f.verdict for f in found.findings] == ["wrong", "right"]
    assert "got is (1 + 1e-12) times what is expected everywhere" in said(found)


def test_a_loss_in_scalars_may_take_roots_and_have_tensors_of_any_shape() -> None:
    def loss(m: Any, p: dict[str, Any]) -> Any:
        return m.sqrt(p["s"]) * m.sum(m.exp(x) for plane in p["t"] for row in plane for x in row)

    t = np.linspace(-1, 1, 12).reshape(2, 3, 2)
    right = {"s": np.exp(t).sum() / 4, "t": 2 * np.exp(t)}
    params = {"s": np.array(4.0), "t": t}
    assert check_gradients(exact(loss), right, params)
    assert not check_gradients(exact(loss), right | {"s": right["s"] * (1 + 1e-12)}, params, raises=False)


def test_a_loss_in_scalars_gets_as_many_bits_as_it_needs() -> None:
    def loss(m: Any, p: dict[str, Any]) -> Any:
        (x,) = p["x"]
        return (x * x + m.number(2.0**300)) - m.number(2.0**300)

    assert check_gradients(exact(loss), lambda p: (p["x"][0] ** 2, {"x": 2 * p["x"]}), {"x": np.array([0.1])})


def test_a_loss_in_scalars_that_ignores_a_parameter() -> None:
    zeros = {"w": np.zeros(3)}
    with pytest.raises(AssertionError, match="its gradient is zero everywhere, which proves nothing"):
        check_gradients(exact(lambda m, p: m.number(1)), zeros, {"w": np.ones(3)})


# --- the report ------------------------------------------------------------------------------------------------------


def test_a_wrong_one_raises_its_report() -> None:
    wrong = LAYER.grads(LAYER.params, *LAYER.args) | {"b": np.zeros(5)}
    with pytest.raises(AssertionError) as raised:
        check_gradients(LAYER.loss, wrong, LAYER.params, *LAYER.args)
    found = check_gradients(LAYER.loss, wrong, LAYER.params, *LAYER.args, raises=False)
    assert str(raised.value) == str(found)
    with pytest.raises(AssertionError, match="1 right, 1 wrong"):
        found.raise_if_wrong()
    assert str(found).startswith("gradients: 1 right, 1 wrong\nwrong b[")
    assert repr(found) == "<GradientReport of gradients: 1 right, 1 wrong>"


def test_it_shows_as_a_table_in_a_notebook() -> None:
    found = report(replace(LAYER, ids={}), lambda g: {"b": np.zeros(5)})
    html = found._repr_html_()
    assert html.count("<tr") == 3
    assert "got is zero everywhere" in html
    odd = check_gradients(lambda p: p["<w>"].sum(), {"<w>": np.ones(3)}, {"<w>": np.zeros(3)})
    assert "&lt;w&gt;" in odd._repr_html_()
    assert "<w>" not in odd._repr_html_()
