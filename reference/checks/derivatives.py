"""Derivatives of any function that is written in NumPy, each with its own error.

Complex step: f'(x) = Im f(x + ih) / h, without a difference in which digits could be lost (Squire and Trapp 1998,
https://doi.org/10.1137/S003614459631241X). It is wrong in silence behind abs, norm, var, conj and casts. So it serves a
tensor only if it equals a difference in one random direction, in which all entries of the tensor move.

Differences: central ones, of steps that are halved, extrapolated to a step of 0; the error is that of the extrapolation
and the noise of the function (Ridders 1982, https://doi.org/10.1016/S0141-1195(82)80057-0). They are taken in long
double where the function keeps its digits, or else in float64.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

import numpy as np

STEP = 2.0**-100
"""The imaginary step; its square is nothing beside any number."""

FIRST, LAST = 3, 20
"""Differences are taken for steps from 2**-3 down to 2**-20 times the typical size of an entry."""

DEEPEST = 40
"""Beside a kink, it goes down to 2**-40."""

APART = 2.0**-20
"""The noise of a function is seen at points that are as far apart, in the same unit."""

NEAR = 4
"""For one entry, this many steps are enough, ending with the one that was best for the random direction."""

SURE = 8
"""An estimated error is taken this many times."""

FINE = 1e-11
"""Where long double leaves a smaller relative error, float64 is not tried."""

ROUGH = 1e-2
"""A slope with a larger relative error is not one."""

COMPLEX = "complex step"

TYPES = [np.longdouble, np.float64] if np.finfo(np.longdouble).eps < np.finfo(np.float64).eps else [np.float64]

EVERY = slice(None)

At = slice | int
"""Which entries of a tensor are moved, in its flat order."""


class Unchecked(Exception):
    """The function cannot be checked; the message says why."""


class Function:
    """loss(params, *args), where a part of one parameter is moved. What is moved is a copy, and is moved back."""

    def __init__(self, loss: Callable[..., Any], params: Mapping[str, np.ndarray], args: Sequence[Any]) -> None:
        self.loss, self.params, self.args = loss, dict(params), args
        self.copies: dict[tuple[str, Any], np.ndarray] = {}

    def value(self, moved: Mapping[str, np.ndarray] = MappingProxyType({})) -> Any:
        """The loss, one number, real or complex, with some parameters replaced. Raises Unchecked if it is another."""
        found = np.asarray(self.loss(self.params | dict(moved), *self.args))
        if found.size != 1 or found.dtype.kind not in "fciu":
            raise Unchecked(f"the loss is {found.dtype} of shape {found.shape}; one number is needed")
        return found.reshape(())[()]

    def along(self, name: str, at: At, direction: Any, step: Any) -> Any:
        """The loss with step * direction added to the entries `at` of a parameter; NaN where it raises an error.

        The parameter is complex or long double where the step is.
        """
        dtype = np.result_type(step, np.float64)
        if (name, dtype) not in self.copies:
            self.copies = {key: copy for key, copy in self.copies.items() if key[0] == name}  # of one tensor at a time
            self.copies[name, dtype] = self.params[name].astype(dtype, order="C")
        moved = self.copies[name, dtype]
        flat, home = moved.reshape(-1), self.params[name].reshape(-1)
        flat[at] = home[at] + step * direction
        try:
            return self.value({name: moved})
        except Exception:
            return np.nan
        finally:
            flat[at] = home[at]


@dataclass(frozen=True)
class Slope:
    """A derivative along a direction, and its error.

    jump: how much the slope on one side exceeds that on the other, if the function has a kink at the point. level: the
    smallest step that was used is 2**-level. noise: how far off the function's values are, as `grain` finds. still:
    whether they do not differ but by the last digits of their type.
    """

    value: float
    error: float
    jump: float = 0.0
    level: int = LAST
    noise: float = 0.0
    still: bool = False


def complex_step(f: Function, name: str, at: At, direction: Any) -> float:
    """The derivative by complex step."""
    found = f.along(name, at, direction, 1j * STEP)
    return float(np.imag(found) / STEP) if np.isfinite(found) else math.nan


def difference(
    f: Function,
    name: str,
    at: At,
    direction: Any,
    dtype: Any,
    size: float,
    noise: float | None = None,
    levels: Sequence[int] = range(FIRST, LAST + 1),
) -> Slope:
    """The derivative by extrapolated differences. size: of a typical entry. noise: where it is known already."""

    def value(step: Any) -> Any:
        found = f.along(name, at, direction, dtype(step))
        return dtype(found) if np.isrealobj(found) else dtype(np.nan)

    if noise is None:
        noise = grain([value(size * APART * n) for n in range(7)])
    steps = np.array([size * 2.0**-level for level in levels], dtype)
    right, left, here = np.array([value(h) for h in steps]), np.array([value(-h) for h in steps]), value(0)
    best, error, place = extrapolated((right - left) / (2 * steps), 2, noise / steps)
    bend = (right - 2 * here + left) / steps  # a kink's jump, plus terms of h, h**3, ...
    jump, doubt, _ = extrapolated(bend, 1, 4 * noise / steps)
    if abs(jump) > SURE * doubt and abs(jump) > 1e-9 * abs(best):
        # a kink that is only near is gone where the step is as small as the digits allow
        digit = last_digit(here)
        least = max(64 * digit / abs(jump), size * 2.0**-DEEPEST)
        if abs(value(least) - 2 * here + value(-least)) / least < abs(jump) / 2:
            if levels[-1] < DEEPEST:
                return difference(f, name, at, direction, dtype, size, digit, range(FIRST, DEEPEST + 1))
            error, jump = max(error, abs(jump) / 2), 0.0
    else:
        jump = 0.0
    changes = np.abs(np.append(right, left) - here)
    still = bool((changes[np.isfinite(changes)] <= 1000 * last_digit(here)).all())
    return Slope(float(best), float(error), float(jump), levels[place], noise, still)


def extrapolated(column: np.ndarray, first: int, noise: np.ndarray) -> tuple[Any, Any, int]:
    """The limit of a column of numbers, each for half the step of the one before; its error; the last place it used.

    first: the power of the step in the first term of a number's error; in each further term it is larger by 2. noise:
    the rounding error of each number.

    Beside a kink, what comes of large steps may agree by chance. So a limit must also agree with all that comes of
    smaller steps.
    """
    limits = [(column[place] * np.nan, np.inf, place) for place in range(len(column))]
    for done in range(1, len(column)):
        coarse, fine = column[:-1], column[1:]
        column = fine + (fine - coarse) / (2 ** (first + 2 * (done - 1)) - 1)
        errors = np.maximum(abs(column - fine), abs(column - coarse)) + 2 * noise[done:]
        for place, (limit, error) in enumerate(zip(column, errors, strict=True), done):
            if error < limits[place][1]:
                limits[place] = limit, error, place
    agreeing = (one for one in limits if all(agree(one, other) for other in limits[one[2] + 1 :]))
    return min(agreeing, key=lambda one: one[1])


def agree(one: tuple[Any, Any, int], other: tuple[Any, Any, int]) -> bool:
    """Whether two numbers are the same to within their errors."""
    return not abs(one[0] - other[0]) > SURE * (one[1] + other[1])


def grain(values: Sequence[Any]) -> float:
    """The rounding error of a function, from its values at seven points in a row, near each other.

    The high differences of a smooth function are nothing but noise (Moré and Wild 2011,
    https://doi.org/10.1137/100786125). It is at least the last digit of the values.
    """
    column = np.array(values)
    if not np.isfinite(column).all():
        return math.inf
    highest = max(float(abs(np.diff(column, n=n)).max()) / math.comb(2 * n, n) ** 0.5 for n in (5, 6))
    return max(highest, last_digit(column))


def last_digit(values: Any) -> float:
    """The rounding error of values, in the type with the fewest digits that holds all of them."""
    values = np.asarray(values)
    fewer = [dtype for dtype in (np.float32, np.float64) if (values.astype(dtype) == values).all()]
    return float(np.finfo(fewer[0] if fewer else values.dtype).eps * abs(values).max())


class Slopes:
    """The derivatives of a function with respect to one tensor, by the way that serves it best.

    way: "complex step", or differences of which type. probe: the slope along a random direction, by differences. zero:
    whether that is 0, as terms cancel; so it is for a bias before a normalization. nearby: the function at parameters
    that differ in their last digits, by unit.

    Raises:
        Unchecked: the function does not depend on the tensor, is flat or has a kink at the point, or is too rough.
    """

    def __init__(
        self, f: Function, name: str, stream: np.random.Generator, unit: float, nearby: Sequence[Function]
    ) -> None:
        self.f, self.name, self.unit, self.nearby = f, name, unit, nearby
        self.size = size_of(f.params[name])
        self.direction = random(stream, f.params[name].size)
        probes: dict[Any, Slope] = {}
        for dtype in TYPES:
            probes[dtype] = self.probed(dtype)
            if probes[dtype].error <= FINE * abs(probes[dtype].value):
                break
        self.type = min(probes, key=lambda dtype: probes[dtype].error)
        self.probe = probe = probes[self.type]
        self.zero = abs(probe.value) <= SURE * probe.error
        self.refuse(probe)
        imaginary = complex_step(f, name, EVERY, self.direction)
        serves = not self.zero and abs(imaginary - probe.value) <= SURE * probe.error + 1e-13 * abs(probe.value)
        plain = "float64" if self.type is np.float64 else "long double"
        self.way = COMPLEX if serves else f"differences in {plain}" + (", zero but for rounding" if self.zero else "")

    def refuse(self, probe: Slope) -> None:
        """Raise Unchecked if there is no slope, or one that proves nothing."""
        if probe.jump:
            low, high = sorted((probe.value - probe.jump / 2, probe.value + probe.jump / 2))
            raise Unchecked(
                f"the loss has a kink at these parameters, or beside them: along a random direction, its slope is "
                f"{low:.4g} on one side and {high:.4g} on the other; check it at other parameters"
            )
        slope = f"along a random direction, its slope is {probe.value:.4g} to within {probe.error:.2g}"
        if self.zero:
            if self.f.along(self.name, EVERY, np.nan, 1.0) == self.f.value():
                raise Unchecked("the loss does not depend on it, or reads it from elsewhere")
            if not probe.still:
                raise Unchecked(f"the loss is flat there, or too rough: {slope}, which proves nothing")
        elif not probe.error <= ROUGH * abs(probe.value):
            raise Unchecked(f"the loss is too rough to be differentiated: {slope}")

    def probed(self, dtype: Any) -> Slope:
        """The slope along the random direction, taken twice, with other steps: a staircase may look smooth once."""
        given = self.f, self.name, EVERY, self.direction, dtype
        first = difference(*given, self.size)
        second = difference(*given, 0.7 * self.size, first.noise, near(first.level))
        return replace(first, error=max(first.error, abs(first.value - second.value)))

    def at(self, at: At, direction: Any = 1.0, closely: bool = False, f: Function | None = None) -> Slope:
        """The slope along a direction in some entries of the tensor.

        closely: for all steps, and with the noise in this direction, as a kink near the point may need. f: the
        function, if it is another one.
        """
        f = f or self.f
        if self.way == COMPLEX:
            return Slope(complex_step(f, self.name, at, direction), 0.0)
        given = f, self.name, at, direction, self.type, self.size
        return difference(*given) if closely else difference(*given, self.probe.noise, near(self.probe.level))

    def noise(self, at: At, direction: Any = 1.0) -> float:
        """How much the slope moves with the last digits of the parameters: what rounding makes of any gradient."""
        if self.zero:  # nothing shows how large the terms are that cancel, but what is below the last digit of the loss
            return self.unit * abs(self.f.value()) / self.size
        here = self.at(at, direction).value
        return max(abs(self.at(at, direction, f=f).value - here) for f in self.nearby)


def size_of(tensor: np.ndarray) -> float:
    """The size of a typical entry."""
    return float(np.sqrt(np.mean(tensor**2))) or 1.0


def near(level: int) -> range:
    """The few steps that end with one that was good."""
    last = max(level, FIRST + NEAR)
    return range(last - NEAR, last + 1)


def random(stream: np.random.Generator, size: int) -> np.ndarray:
    """A random direction: every entry moves, about as far, and no two by the same."""
    return stream.choice([-1.0, 1.0], size) * stream.uniform(0.5, 1.5, size)
