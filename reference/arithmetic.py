"""The numbers in which the definition is evaluated, and how a loss is differentiated by complex step.

f'(x) = Im f(x + ih) / h, with an error of the order of h² and without a difference in which digits could be lost
(Squire and Trapp 1998, https://doi.org/10.1137/S003614459631241X): h may be as small as one likes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import mpmath
import numpy as np

Number = Any
"""A real or complex scalar."""

Vector = list[Number]
Tensor = Any
"""Numbers in nested lists."""


class Exact:
    """Reals of 50 digits. `dot` and `sum` are rounded once, at their end."""

    name = "exact values"

    def __init__(self) -> None:
        self.mp = mp = mpmath.mp.clone()
        mp.dps = 50
        self.h = mp.mpf(2) ** -133  # of two, so that what is linear is exact, and a tie is rounded as one
        self.exp, self.log, self.tanh, self.erf, self.sqrt, self.pi = mp.exp, mp.log, mp.tanh, mp.erf, mp.sqrt, +mp.pi
        self.sum, self.dot, self.real = mp.fsum, mp.fdot, mp.re

    def number(self, x: float) -> Number:
        """The number itself: of a float all its digits count."""
        return self.mp.mpf(float(x))

    def derivatives(self, loss: Callable[[], Number], places: Sequence[tuple[Vector, int]]) -> Iterator[Number]:
        """The derivative of the loss by the number at each place of a vector."""
        for vector, i in places:
            x = vector[i]
            vector[i] = self.mp.mpc(x, self.h)
            yield self.mp.im(loss()) / self.h
            vector[i] = x

    def rounded(self, x: Number, dtype: str) -> np.floating:
        """The number of the dtype that is nearest, of two equally near ones the even one."""
        sign, man, exp, bits = self.mp.mpf(x)._mpf_
        if exp >= 0:
            man, exp = man << exp, 0
        if dtype == "float32" and bits > 53:
            # to 53 bits, the last of which remembers that something was cut off, so that it is not rounded twice
            cut = bits - 53
            man, exp = (man >> cut) | 1, exp + cut
        nearest = man / (1 << -exp) if exp < 0 else float(man << exp)
        return np.dtype(dtype).type(-nearest if sign else nearest)


class Batched:
    """complex128, with an axis of perturbations: one evaluation of the loss gives 256 derivatives."""

    name = "values in complex128"
    h = 1e-100
    parallel = 256

    def __init__(self) -> None:
        self.terms = 0
        self.exp, self.log, self.tanh, self.sqrt, self.pi, self.number = (
            np.exp,
            np.log,
            np.tanh,
            math.sqrt,
            math.pi,
            float,
        )

    def sum(self, terms: Sequence[Number]) -> Number:
        """Their sum, one after the other."""
        self.terms += len(terms)
        return sum(terms)

    def dot(self, x: Sequence[Number], y: Sequence[Number]) -> Number:
        """Σ x_i y_i."""
        self.terms += len(x)
        return sum(a * b for a, b in zip(x, y, strict=True))

    def real(self, x: Number) -> float:
        """The real part, which is the same in all perturbations."""
        return float(x.real.flat[0]) if isinstance(x, np.ndarray) else x.real

    def erf(self, x: Number) -> Number:
        """The error function: at x + ih the value at x and, times ih, the slope there."""
        real = self.real(x)
        if not np.iscomplexobj(x):
            return math.erf(real)
        return math.erf(real) + 1j * np.imag(x) * 2 / math.sqrt(math.pi) * math.exp(-real * real)

    def derivatives(self, loss: Callable[[], Number], places: Sequence[tuple[Vector, int]]) -> Iterator[Number]:
        """The derivative of the loss by the number at each place of a vector."""
        for start in range(0, len(places), self.parallel):
            some = places[start : start + self.parallel]
            before = [vector[i] for vector, i in some]
            for (vector, i), perturbation in zip(some, np.eye(len(some)), strict=True):
                vector[i] = vector[i] + 1j * self.h * perturbation
            yield from np.broadcast_to(np.imag(loss()) / self.h, len(some))
            for (vector, i), x in zip(some, before, strict=True):
                vector[i] = x

    def rounded(self, x: Number, dtype: str) -> np.floating:
        """The nearest number of the dtype."""
        return np.dtype(dtype).type(x)


Arithmetic = Exact | Batched


def numbers(m: Arithmetic, array: np.ndarray) -> Tensor:
    """An array as numbers in nested lists."""
    if array.ndim > 1:
        return [numbers(m, part) for part in array]
    return [m.number(x) for x in array.tolist()] if array.ndim else m.number(array.item())
