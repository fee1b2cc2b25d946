"""The numbers in which the formulas are evaluated: balls, a tape of them, and proved rounding.

A ball is an interval that is proved to contain the true value: Arb's midpoint, with a given number of bits, and a
radius (Johansson 2017, https://arxiv.org/abs/1611.02831). Derivatives come from reverse mode over a tape: each
operation records its operands and its derivative with respect to each of them. One evaluation of a loss then gives its
derivative with respect to every number on the tape.

If a ball is too wide to decide a rounding or a comparison, `Undecided` is raised, and the trainer starts again with
twice as many bits. In an exact tie no number of bits would be enough, unless the ball has radius 0, as with dyadic
numbers. Therefore, at `MOST_BITS`, an undecided case counts as a tie: two compared numbers count as equal, and a number
near the midpoint of two floats counts as that midpoint, which rounds to the even float.
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
"""A constant (an `arb` or an int) or a `Scalar`."""

Vector = Sequence[Number]

LEAST_BITS, MOST_BITS = 128, 2**14
ZERO, ONE = arb(0), arb(1)


class Undecided(Exception):
    """A rounding or comparison needs more bits."""


class TooLarge(Exception):
    """There are more terms to evaluate than allowed."""


@dataclass(frozen=True)
class Proof:
    """What was proved: that each computed number is the nearest float of its dtype.

    numbers: how many numbers were computed. ties: how many roundings and comparisons were not proved but settled as
    ties, because even `MOST_BITS` bits showed no difference. bits: the largest number of bits that was used.
    """

    numbers: int = 0
    ties: int = 0
    bits: int = 0

    def __add__(self, other: Proof) -> Proof:
        return Proof(self.numbers + other.numbers, self.ties + other.ties, max(self.bits, other.bits))


class Scalar:
    """A number on the tape.

    value: its value. d: the derivative of the loss with respect to it. parts: its operands, each with the derivative of
    this number with respect to that operand.
    """

    __slots__ = ("d", "parts", "tape", "value")

    def __init__(self, tape: list[Any], value: arb, parts: Sequence[tuple[Scalar, arb]]) -> None:
        self.tape, self.value, self.d, self.parts = tape, value, ZERO, parts
        tape.append(self)

    def back(self) -> None:
        """Pass the derivative on to the parts."""
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
    """A number over a constant. Its derivative is divided as well, so that a division without remainder stays exact."""

    __slots__ = ()

    def back(self) -> None:
        """Pass the derivative on to the dividend."""
        ((part, divisor),) = self.parts
        part.d += self.d / divisor


class Variable(Scalar):
    """A number with respect to which the loss is differentiated, with its optimizer state by kind."""

    __slots__ = ("state",)

    def __init__(self, tape: list[Any], x: float, state: dict[str, arb]) -> None:
        self.tape, self.value, self.d, self.parts, self.state = tape, arb(x), ZERO, (), dict(state)


class Products:
    """A matrix product on the tape. Its outputs are Scalars."""

    def __init__(self, left: list[Vector], right: list[Vector], outputs: list[list[Scalar]], factors: Any) -> None:
        self.left, self.right, self.outputs, self.factors = left, right, outputs, factors

    def back(self) -> None:
        """Pass the derivatives of the outputs on to both factors."""
        left, right = self.factors
        d = matrix([[y.d for y in line] for line in self.outputs])
        for lines, slopes in ((self.left, d * right), (self.right, d.transpose() * left)):
            for part, slope in zip((x for line in lines for x in line), slopes.entries(), strict=True):
                if isinstance(part, Scalar):
                    part.d += slope


class Balls:
    """Arithmetic with a given number of bits, used in a `with` block: constants, and Scalars with their tape.

    most: `TooLarge` is raised when more terms than this are evaluated. terms: how many terms were evaluated. numbers:
    how many numbers were rounded. ties: how many ties were settled.
    """

    def __init__(self, bits: int, most: float = np.inf) -> None:
        self.bits, self.most, self.terms, self.numbers, self.ties = bits, most, 0, 0, 0
        self.tape: list[Scalar | Products] = []

    def __enter__(self) -> Balls:
        self.before = ctx.prec, gc.isenabled()
        ctx.prec = self.bits
        gc.disable()  # a tape has no cycles, and the search for them takes longer than all other work
        return self

    def __exit__(self, *error: object) -> None:
        ctx.prec, collecting = self.before
        if collecting:
            gc.enable()

    # --- operations that the formulas use

    def number(self, x: float) -> arb:
        """Return x as a constant, exactly."""
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

    def sqrt(self, x: Number) -> Number:
        """The square root."""
        y = value(x).sqrt()
        return self.made(y, x, 1 / (2 * y)) if isinstance(x, Scalar) else y

    def sum(self, terms: Iterable[Number]) -> Number:
        """The sum of the terms."""
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
        """The dot product of every vector on the left with every vector on the right."""
        self.count(len(left) * len(right) + (len(left) + len(right)) * len(left[0]))
        factors = [matrix([[value(x) for x in line] for line in lines]) for lines in (left, right)]
        lines = (factors[0] * factors[1].transpose()).tolist()
        if not any(isinstance(x, Scalar) for lines in (left, right) for line in lines for x in line):
            return lines
        outputs = [[Scalar(self.tape, x, ()) for x in line] for line in lines]
        self.tape.append(Products(list(left), list(right), outputs, factors))
        return outputs

    def greater(self, x: Number, y: Number) -> bool:
        """Whether x > y, with proof. At `MOST_BITS`, two numbers that cannot be told apart count as equal."""
        x, y = value(x), value(y)
        if x is y or x <= y:
            return False
        if x > y:
            return True
        self.settle()
        return False

    def detach(self, x: Number) -> arb:
        """The number as a constant, which gets no gradient."""
        return value(x)

    def max(self, x: arb, y: arb) -> arb:
        """The larger of two constants, or a ball that covers both if that is undecided."""
        return x.max(y)

    def min(self, x: arb, y: arb) -> arb:
        """The smaller of two constants, or a ball that covers both if that is undecided."""
        return x.min(y)

    def assign(self, x: Number, new: Number) -> Number:
        """Give x a new value. No gradient goes through the assignment."""
        if isinstance(x, Scalar):
            x.value = value(new)
            return x
        return value(new)

    # --- how the operations work

    def made(self, y: arb, x: Number, slope: arb) -> Number:
        """The value y of a function of x, put on the tape if x is on it."""
        self.count(1)
        return Scalar(self.tape, y, ((x, slope),)) if isinstance(x, Scalar) else y

    def count(self, terms: int) -> None:
        """Count evaluated terms. Raises TooLarge if there are more than `most`."""
        self.terms += terms
        if self.terms > self.most:
            raise TooLarge

    def backward(self, loss: Number) -> None:
        """Compute the derivatives of the loss with respect to everything on the tape, and empty the tape."""
        if isinstance(loss, Scalar):
            loss.d = ONE
        for entry in reversed(self.tape):
            entry.back()
        self.tape.clear()

    def settle(self) -> None:
        """Settle an undecided case as a tie at `MOST_BITS`. Raises Undecided if more bits are possible."""
        if self.bits < MOST_BITS:
            raise Undecided
        self.ties += 1

    def rounded(self, balls: list[arb], dtype: str) -> np.ndarray:
        """The nearest floats of the dtype, ties to even. Each is proved, or settled as a tie.

        Rounding is monotone: if both ends of a ball have the same nearest float, so has every number in the ball. The
        nearest float32 is not simply that of the nearest float64, because rounding to float64 can create a tie.
        Therefore both neighbours of the float64 must have the same nearest float32.
        """
        low, high = np.array([float(x.lower()) for x in balls]), np.array([float(x.upper()) for x in balls])
        found = low, high
        with np.errstate(all="ignore"):
            if dtype == "float32":
                found = np.nextafter(low, -np.inf).astype(dtype), np.nextafter(high, np.inf).astype(dtype)
                low, high = low.astype(dtype), high.astype(dtype)
            nearest = np.where(low == 0, low + high, low)  # -0.0 for a negative ball
        for i in np.flatnonzero(found[0] != found[1]).tolist():
            nearest[i] = self.nearest(balls[i], dtype)
        self.numbers += len(balls)
        return nearest

    def nearest(self, ball: arb, dtype: str) -> np.floating:
        """The float nearest to every number in the ball. Each end is rounded from its full bits."""
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
    """The float nearest to mantissa * 2**exponent, ties to even."""
    sign, mantissa = (-1 if mantissa < 0 else 1), abs(mantissa)
    bits = mantissa.bit_length()
    if dtype == "float32" and bits > 53:
        # cut to 53 bits; the last one is set to record that something was cut off, which avoids double rounding
        cut = bits - 53
        mantissa, exponent = (mantissa >> cut) | 1, exponent + cut
    try:
        whole = mantissa / (1 << -exponent) if exponent < 0 else float(mantissa << exponent)
    except OverflowError:
        whole = np.inf
    with np.errstate(over="ignore", under="ignore"):
        return np.dtype(dtype).type(sign * whole)


def value(x: Number) -> Any:
    """The value of a Scalar, or the constant itself."""
    return x.value if isinstance(x, Scalar) else x


def matrix(lines: list[list[arb]]) -> arb_mat:
    """The lines as an Arb matrix."""
    return arb_mat(len(lines), len(lines[0]), [x for line in lines for x in line])


class Table(Sequence[Any]):
    """A matrix that converts a row to numbers when the row is first read. Unread rows cost nothing.

    A vector is a table of one row. In a deeper array, such as kernels (O, D, K), a row is an entry of the first axis.
    rows: the rows that were read, by index.
    """

    def __init__(self, array: np.ndarray, number: Callable[[float], Number]) -> None:
        self.array, self.values, self.number = array, in_rows(array), number
        self.rows: dict[int, list[Number]] = {}

    @property
    def tensor(self) -> Any:
        """What the formulas read: the numbers of a vector, the rows of a matrix, or deeper arrays as nested lists."""
        if self.array.ndim < 2:
            return self[0]
        return self if self.array.ndim == 2 else [nested(row, self.array.shape[1:]) for row in self]

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


def in_rows(array: np.ndarray) -> np.ndarray:
    """The same array as a matrix, with a row for each entry of the first axis. A vector is one row."""
    return array.reshape(len(array), -1) if array.ndim > 1 else np.atleast_2d(array)


def nested(row: Vector, shape: Sequence[int]) -> Any:
    """The numbers of a row in nested lists of the shape."""
    if len(shape) == 1:
        return row
    size = len(row) // shape[0]
    return [nested(row[start : start + size], shape[1:]) for start in range(0, len(row), size)]


def numbers(m: Any, array: np.ndarray) -> Any:
    """An array as numbers in nested lists."""
    if array.ndim > 1:
        return [numbers(m, part) for part in array]
    return [m.number(x) for x in array.tolist()] if array.ndim else m.number(array.item())
