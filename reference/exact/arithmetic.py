"""The numbers in which the formulas are evaluated: balls, a tape of them, and rounding with proof.

A ball is an interval in which the true value is proved to be: Arb's midpoint of so many bits and a radius (Johansson
2017, https://arxiv.org/abs/1611.02831). Derivatives are taken over a tape in reverse: each operation notes what it was
made of and the slope by each part, so that one evaluation of a loss gives its derivative by everything.

What a ball does not decide, its rounding or a comparison, needs more bits: `Undecided` is raised, and the trainer
computes all anew with twice as many. An exact tie would ask for ever more, unless its ball has the radius 0, as that of
dyadic numbers has. Therefore, at `MOST_BITS`, what is not told apart from a tie is taken to be one: two numbers that
are compared to be equal, and a number near the middle between two floats to be that middle, which goes to the even one.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from operator import mul
from typing import Any

import numpy as np
from flint import arb, arb_mat, ctx

Number = Any
"""A constant, which is an `arb` or an int, or a `Scalar`."""

Vector = Sequence[Number]

LEAST_BITS, MOST_BITS = 128, 2**14
ZERO, ONE = arb(0), arb(1)


class Undecided(Exception):
    """So many bits do not decide it."""


class TooLarge(Exception):
    """More terms than may be evaluated."""


@dataclass(frozen=True)
class Proof:
    """How many numbers were computed, each proved to be the nearest float of its dtype, and with how many bits at most.

    ties: how many roundings and comparisons are not proved but settled as ties, since `MOST_BITS` show no difference.
    """

    numbers: int = 0
    ties: int = 0
    bits: int = 0

    def __add__(self, other: Proof) -> Proof:
        return Proof(self.numbers + other.numbers, self.ties + other.ties, max(self.bits, other.bits))


class Scalar:
    """A number on the tape: its value, the derivative of the loss by it, and its parts, each with the slope by it."""

    __slots__ = ("d", "parts", "tape", "value")

    def __init__(self, tape: list[Any], value: arb, parts: Sequence[tuple[Scalar, arb]]) -> None:
        self.tape, self.value, self.d, self.parts = tape, value, ZERO, parts
        tape.append(self)

    def back(self) -> None:
        """Hand the derivative on to the parts."""
        d = self.d
        if d is not ZERO:
            for part, slope in self.parts:
                part.d += d * slope

    def __add__(self, other: Number) -> Scalar:
        if isinstance(other, Scalar):
            return Scalar(self.tape, self.value + other.value, ((self, ONE), (other, ONE)))
        return Scalar(self.tape, self.value + other, ((self, ONE),))

    def __sub__(self, other: Number) -> Scalar:
        if isinstance(other, Scalar):
            return Scalar(self.tape, self.value - other.value, ((self, ONE), (other, -ONE)))
        return Scalar(self.tape, self.value - other, ((self, ONE),))

    def __mul__(self, other: Number) -> Scalar:
        if isinstance(other, Scalar):
            return Scalar(self.tape, self.value * other.value, ((self, other.value), (other, self.value)))
        return Scalar(self.tape, self.value * other, ((self, other),))

    def __truediv__(self, other: Number) -> Scalar:
        if isinstance(other, Scalar):
            value = self.value / other.value
            return Scalar(self.tape, value, ((self, 1 / other.value), (other, -value / other.value)))
        return Quotient(self.tape, self.value / other, ((self, other),))

    def __rsub__(self, other: Number) -> Scalar:
        return Scalar(self.tape, other - self.value, ((self, -ONE),))

    def __rtruediv__(self, other: Number) -> Scalar:
        value = other / self.value
        return Scalar(self.tape, value, ((self, -value / self.value),))

    def __neg__(self) -> Scalar:
        return Scalar(self.tape, -self.value, ((self, -ONE),))

    __radd__, __rmul__ = __add__, __mul__


class Quotient(Scalar):
    """A number over a constant. Its derivative is divided too, so that what is divisible stays exact."""

    __slots__ = ()

    def back(self) -> None:
        """Hand the derivative on to what was divided."""
        ((part, divisor),) = self.parts
        part.d += self.d / divisor


class Variable(Scalar):
    """A number by which the loss is differentiated, and the optimizer's state of it by kind."""

    __slots__ = ("state",)

    def __init__(self, tape: list[Any], x: float, state: dict[str, arb]) -> None:
        self.tape, self.value, self.d, self.parts, self.state = tape, arb(x), ZERO, (), dict(state)


class Products:
    """A matrix product on the tape, whose outputs are Scalars."""

    def __init__(self, left: list[Vector], right: list[Vector], outputs: list[list[Scalar]], factors: Any) -> None:
        self.left, self.right, self.outputs, self.factors = left, right, outputs, factors

    def back(self) -> None:
        """Hand the derivatives of the outputs on to both factors."""
        left, right = self.factors
        d = matrix([[y.d for y in line] for line in self.outputs])
        for lines, slopes in ((self.left, d * right), (self.right, d.transpose() * left)):
            for part, slope in zip((x for line in lines for x in line), slopes.entries(), strict=True):
                if isinstance(part, Scalar):
                    part.d += slope


class Balls:
    """The arithmetic of so many bits, in a `with` block: constants, and Scalars with their tape.

    most: how many terms may be evaluated before `TooLarge` is raised. terms: how many were. numbers: how many were
    rounded. ties: how many were settled.
    """

    def __init__(self, bits: int, most: float = np.inf) -> None:
        self.bits, self.most, self.terms, self.numbers, self.ties = bits, most, 0, 0, 0
        self.tape: list[Scalar | Products] = []

    def __enter__(self) -> Balls:
        self.before = ctx.prec, gc.isenabled()
        ctx.prec = self.bits
        gc.disable()  # a tape has no circles, and looking for some takes longer than all the rest
        return self

    def __exit__(self, *error: object) -> None:
        ctx.prec, collecting = self.before
        if collecting:
            gc.enable()

    # --- what the formulas are made of

    def number(self, x: float) -> arb:
        """The number itself: of a float all its digits count."""
        return arb(float(x))

    @property
    def pi(self) -> arb:
        """The number π."""
        return arb.pi()

    def exp(self, x: Number) -> Number:
        """The exponential function."""
        y = value(x).exp()
        return self.made(y, x, y)

    def log(self, x: Number) -> Number:
        """The natural logarithm."""
        return self.made(value(x).log(), x, 1 / value(x))

    def tanh(self, x: Number) -> Number:
        """The hyperbolic tangent."""
        y = value(x).tanh()
        return self.made(y, x, 1 - y * y)

    def erf(self, x: Number) -> Number:
        """The error function, 2/√π times the integral of exp(-t²) from 0 to x."""
        at = value(x)
        return self.made(at.erf(), x, 2 / arb.pi().sqrt() * (-at * at).exp())

    def sqrt(self, x: arb) -> arb:
        """The root of a constant."""
        return x.sqrt()

    def sum(self, terms: Iterable[Number]) -> Number:
        """Their sum."""
        terms = list(terms)
        self.count(len(terms))
        total, scalars = sum(map(value, terms), ZERO), [(x, ONE) for x in terms if isinstance(x, Scalar)]
        return Scalar(self.tape, total, scalars) if scalars else total

    def dot(self, xs: Vector, ys: Vector) -> Number:
        """Σ x_i y_i."""
        self.count(len(xs))
        left, right = [value(x) for x in xs], [value(y) for y in ys]
        scalars = [(x, y) for x, y in zip(xs, right, strict=True) if isinstance(x, Scalar)]
        scalars += [(y, x) for y, x in zip(ys, left, strict=True) if isinstance(y, Scalar)]
        total = sum(map(mul, left, right), ZERO)
        return Scalar(self.tape, total, scalars) if scalars else total

    def products(self, left: Sequence[Vector], right: Sequence[Vector]) -> list[list[Number]]:
        """The dot product of every vector on the left with every one on the right."""
        self.count(len(left) * len(right) + (len(left) + len(right)) * len(left[0]))
        factors = [matrix([[value(x) for x in line] for line in lines]) for lines in (left, right)]
        lines = (factors[0] * factors[1].transpose()).tolist()
        if not any(isinstance(x, Scalar) for lines in (left, right) for line in lines for x in line):
            return lines
        outputs = [[Scalar(self.tape, x, ()) for x in line] for line in lines]
        self.tape.append(Products(list(left), list(right), outputs, factors))
        return outputs

    def greater(self, x: Number, y: Number) -> bool:
        """Whether x > y, proved; at the highest precision, what is not told apart is equal."""
        x, y = value(x), value(y)
        if x is y or x <= y:
            return False
        if x > y:
            return True
        self.settle()
        return False

    def detach(self, x: Number) -> arb:
        """The number as a constant: no gradient goes into it."""
        return value(x)

    def max(self, x: arb, y: arb) -> arb:
        """The larger of two constants; a ball of both where that is not decided."""
        return x.max(y)

    def min(self, x: arb, y: arb) -> arb:
        """The smaller of two constants; a ball of both where that is not decided."""
        return x.min(y)

    def assign(self, x: Number, new: Number) -> Number:
        """Give x another value, as what no gradient goes through."""
        if isinstance(x, Scalar):
            x.value = value(new)
            return x
        return value(new)

    # --- how they come about

    def made(self, y: arb, x: Number, slope: arb) -> Number:
        """The function y of x, on the tape if x is."""
        self.count(1)
        return Scalar(self.tape, y, ((x, slope),)) if isinstance(x, Scalar) else y

    def count(self, terms: int) -> None:
        """That so many terms are evaluated."""
        self.terms += terms
        if self.terms > self.most:
            raise TooLarge

    def backward(self, loss: Number) -> None:
        """The derivatives of the loss by all that is on the tape, which is empty afterwards."""
        if isinstance(loss, Scalar):
            loss.d = ONE
        for entry in reversed(self.tape):
            entry.back()
        self.tape.clear()

    def settle(self) -> None:
        """What these bits do not decide is a tie if there can be no more of them."""
        if self.bits < MOST_BITS:
            raise Undecided
        self.ties += 1

    def rounded(self, balls: list[arb], dtype: str) -> np.ndarray:
        """The nearest floats of the dtype, of two equally near ones the even one; proved, or settled as ties.

        All of a ball has the same nearest float if its two ends have, since rounding is monotone. A float32 is not that
        of the float64, which may be a tie only by its own rounding: its neighbours must have the same nearest float32.
        """
        low, high = np.array([float(x.lower()) for x in balls]), np.array([float(x.upper()) for x in balls])
        found = low, high
        with np.errstate(all="ignore"):
            if dtype == "float32":
                found = np.nextafter(low, -np.inf).astype(dtype), np.nextafter(high, np.inf).astype(dtype)
                low, high = low.astype(dtype), high.astype(dtype)
            nearest = np.where(low == 0, low + high, low)  # -0.0 for a ball that is negative
        for i in np.flatnonzero(found[0] != found[1]).tolist():
            nearest[i] = self.nearest(balls[i], dtype)
        self.numbers += len(balls)
        return nearest

    def nearest(self, ball: arb, dtype: str) -> np.floating:
        """The nearest float to all of the ball, each of its ends rounded from its own bits."""
        if not ball.is_finite():
            self.settle()
            return np.dtype(dtype).type(np.nan)
        ends = (end.man_exp() for end in (ball.lower(), ball.upper()))
        low, high = (nearest(int(mantissa), int(exponent), dtype) for mantissa, exponent in ends)
        if low != high:
            self.settle()
            if np.nextafter(low, high) != high:
                raise ArithmeticError(f"{ball} cannot be computed with {MOST_BITS} bits")
            return low if low.view(f"i{low.itemsize}") % 2 == 0 else high
        return low + high if low == 0 else low


def nearest(mantissa: int, exponent: int, dtype: str) -> np.floating:
    """The nearest float to mantissa * 2**exponent, of two equally near ones the even one."""
    sign, mantissa = (-1 if mantissa < 0 else 1), abs(mantissa)
    bits = mantissa.bit_length()
    if dtype == "float32" and bits > 53:
        # to 53 bits, the last of which remembers that something was cut off, so that it is not rounded twice
        cut = bits - 53
        mantissa, exponent = (mantissa >> cut) | 1, exponent + cut
    try:
        whole = mantissa / (1 << -exponent) if exponent < 0 else float(mantissa << exponent)
    except OverflowError:
        whole = np.inf
    with np.errstate(over="ignore", under="ignore"):
        return np.dtype(dtype).type(sign * whole)


def value(x: Number) -> Any:
    """The value of a Scalar; a constant itself."""
    return x.value if isinstance(x, Scalar) else x


def matrix(lines: list[list[arb]]) -> arb_mat:
    """Arb's own kind of matrix."""
    return arb_mat(len(lines), len(lines[0]), [x for line in lines for x in line])


class Table(Sequence[Any]):
    """A matrix by its rows, each made of its numbers when it is first read: what is not read costs nothing.

    A vector is a table of one row. rows: those that were read, by place.
    """

    def __init__(self, array: np.ndarray, number: Callable[[float], Number]) -> None:
        self.array, self.values, self.number = array, np.atleast_2d(array), number
        self.rows: dict[int, list[Number]] = {}

    @property
    def tensor(self) -> Any:
        """What the formulas read: the rows, or the numbers of a vector."""
        return self if self.array.ndim > 1 else self[0]

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, i: Any) -> list[Number]:
        row = self.rows.get(i := int(i))
        if row is None:
            row = self.rows[i] = [self.number(x) for x in self.values[i].tolist()]
        return row

    def __setitem__(self, i: Any, row: list[Number]) -> None:
        self.rows[int(i)] = row

    def __iter__(self) -> Iterator[list[Number]]:
        return map(self.__getitem__, range(len(self)))


def numbers(m: Any, array: np.ndarray) -> Any:
    """An array as numbers in nested lists."""
    if array.ndim > 1:
        return [numbers(m, part) for part in array]
    return [m.number(x) for x in array.tolist()] if array.ndim else m.number(array.item())
