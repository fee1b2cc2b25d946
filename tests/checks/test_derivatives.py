"""A derivative is within the error that it has by itself, however rough the function."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import mpmath
import numpy as np
import pytest

from reference.checks.derivatives import (
    EVERY,
    SURE,
    TYPES,
    Function,
    Unchecked,
    complex_step,
    difference,
    extrapolated,
    grain,
    random,
)
from reference.checks.losses import NumpyLoss

at_each = pytest.mark.parametrize("point", [0.3, 1.0, -2.5, 40.0])
SMOOTH: dict[str, Callable[[Any, Any], Any]] = {
    "exp": lambda m, x: m.exp(x / 3),
    "of a fast wave": lambda m, x: m.sin(30 * x),
    "of a slow wave": lambda m, x: m.sin(x / 1000),
    "of a quotient": lambda m, x: x / (1 + x * x),
    "near a pole": lambda m, x: 1 / (x * x + 0.001),
    "of a root": lambda m, x: m.sqrt(x * x + 1e-5),
    "of a large constant": lambda m, x: 1e6 + m.tanh(x),
    "of a line": lambda m, x: 3 * x,
    "of a power": lambda m, x: x**7,
}


@at_each
@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("function", SMOOTH.values(), ids=SMOOTH)
def test_the_error_of_a_difference_covers_it(function: Callable[[Any, Any], Any], dtype: Any, point: float) -> None:
    """The right value is mpmath's."""
    f = Function(lambda p: function(np, p["x"][0]), {"x": np.array([point])}, ())
    with mpmath.workdps(60):
        right = mpmath.diff(lambda x: function(mpmath, x), mpmath.mpf(point))
    with np.errstate(all="ignore"):
        found = difference(f, "x", 0, 1.0, dtype, abs(point))
    assert abs(found.value - right) <= SURE * found.error + 1e-15 * abs(right)
    assert abs(found.value - right) <= 1e-6 * max(abs(right), 1)
    assert found.jump == 0


@at_each
@pytest.mark.parametrize("function", SMOOTH.values(), ids=SMOOTH)
def test_complex_step_has_all_digits(function: Callable[[Any, Any], Any], point: float) -> None:
    f = Function(lambda p: function(np, p["x"][0]), {"x": np.array([point])}, ())
    with mpmath.workdps(60):
        right = mpmath.diff(lambda x: function(mpmath, x), mpmath.mpf(point))
    assert abs(complex_step(f, "x", 0, 1.0) - right) <= 1e-13 * abs(right)


def test_the_extrapolation_of_a_known_column() -> None:
    """From c + h**2 + h**4 for halved steps comes to c; so does c + h + h**3."""
    h = 2.0 ** -np.arange(6)
    value, error, _ = extrapolated(5 + h**2 + h**4, 2, np.zeros(6))
    assert value == 5
    assert error < 1e-9
    assert extrapolated(5 + h + h**3, 1, np.zeros(6))[0] == pytest.approx(5, abs=1e-14)
    assert extrapolated(5 + h, 2, np.zeros(6))[1] > 1e-2  # the powers are others
    assert extrapolated(5 + h**2, 2, 0.1 / h)[1] >= 0.1  # no better than the noise


def test_small_steps_decide_where_large_ones_agree_by_chance() -> None:
    column = np.array([5.0, 5.0, 5.0, 4.1, 3.0, 3.0, 3.0])
    value, error, place = extrapolated(column, 2, np.full(7, 1e-9))
    assert (value, place) == (3, 5)
    assert error < 1e-8


def test_the_grain_of_a_function() -> None:
    x = 0.1 + 1e-5 * np.arange(7)
    assert 2e-17 < grain(list(np.sin(x))) < 1e-15
    assert 1e-9 < grain(list(np.sin(x).astype(np.float32))) < 1e-7
    assert 1e-9 < grain(list(np.sin(x.astype(np.float32)).astype(float))) < 1e-7
    assert grain([1.0, np.nan] * 4) == np.inf


@pytest.mark.parametrize("distance", [0, 1e-7, 1e-3])
def test_a_kink_is_told_where_it_is(distance: float) -> None:
    f = Function(lambda p: np.abs(p["x"][0] - 1 - distance) + p["x"][0] ** 2, {"x": np.array([1.0])}, ())
    found = difference(f, "x", 0, 1.0, np.float64, 1.0)
    assert found.jump == pytest.approx(0 if distance else 2, abs=1e-6)
    assert found.value == pytest.approx(1 if distance else 2, abs=1e-6)


def test_what_is_moved_is_moved_back() -> None:
    x = np.arange(6.0).reshape(2, 3)
    f = Function(lambda p: (p["x"] * np.arange(1, 7).reshape(2, 3)).sum(), {"x": x}, ())
    assert f.along("x", 4, 1.0, 0.5) == f.value() + 2.5
    assert f.along("x", slice(1, 3), np.array([1.0, 2.0]), 1j).imag == 2 + 2 * 3
    assert f.along("x", EVERY, np.ones(6), 0.0) == f.value()
    np.testing.assert_array_equal(x, np.arange(6.0).reshape(2, 3))


def test_an_error_on_the_way_is_not_a_number() -> None:
    def refuses(p: dict[str, np.ndarray]) -> Any:
        if np.iscomplexobj(p["x"]):
            raise TypeError("no complex numbers")
        return p["x"].sum()

    f = Function(refuses, {"x": np.ones(2)}, ())
    assert np.isnan(complex_step(f, "x", 0, 1.0))
    assert f.along("x", 0, 1.0, 1.0) == 3


BEHIND: dict[str, tuple[Callable[..., Any], str]] = {
    "abs": (lambda x: np.abs(x - 2).sum() + (x**2).sum(), "differences"),
    "norm": (np.linalg.norm, "differences"),
    "vdot": (lambda x: np.vdot(x, x), "differences"),
    "var": (lambda x: x.var(), "differences"),
    "a cast": (lambda x: np.float64(x.real.sum() ** 2), "differences"),
    "a buffer": (lambda x: (np.array([0.0, 0.0]) + np.asarray(x[:2], float)).sum() ** 2, "differences"),
    "logaddexp": (lambda x: np.logaddexp(0, x).sum(), "differences"),
    "exp and log": (lambda x: np.log(np.exp(x).sum()), "complex step"),
    "a matrix product": (lambda x: x @ np.outer(x, x) @ x, "complex step"),
    "a maximum": (lambda x: np.maximum(x, 0.1).sum() ** 2, "complex step"),
    "a choice": (lambda x: np.where(x > 0.1, x, x**2).sum(), "complex step"),
    "an inverse": (lambda x: np.linalg.inv(np.diag(x) + 1)[0, 0], "complex step"),
}


@pytest.mark.parametrize(("function", "way"), BEHIND.values(), ids=BEHIND)
@pytest.mark.filterwarnings("ignore::numpy.exceptions.ComplexWarning")
def test_which_way_serves(function: Callable[..., Any], way: str) -> None:
    stream = np.random.default_rng(0)
    loss = NumpyLoss(lambda p: function(p["x"]), {"x": np.array([0.7, -1.3, 0.4, 2.2])}, (), stream)
    with np.errstate(all="ignore"):
        assert loss.truth("x").way.startswith(way)


def test_a_rough_function_is_refused() -> None:
    stream = np.random.default_rng(0)
    hashed = NumpyLoss(lambda p: float(np.sin(1e9 * p["x"].real).sum()), {"x": np.ones(3)}, (), stream)
    with np.errstate(all="ignore"), pytest.raises(Unchecked, match="too rough"):
        hashed.truth("x")


def test_a_random_direction_moves_all_and_no_two_alike() -> None:
    v = random(np.random.default_rng(0), 1000)
    assert np.abs(v).min() >= 0.5
    assert np.abs(v).max() <= 1.5
    assert len(np.unique(np.abs(v))) == 1000
    assert 400 < (v > 0).sum() < 600
