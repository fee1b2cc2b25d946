"""A second judge of the exact values: the same formulas in mpmath's numbers, differentiated by complex step.

f'(x) = Im f(x + ih) / h, with an error of the order of h² and without a difference in which digits could be lost
(Squire and Trapp 1998, https://doi.org/10.1137/S003614459631241X). It shares neither the numbers nor the tape.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import mpmath
from flint import arb


class ComplexStep:
    """The arithmetic of `reference.exact` in complex numbers of `digits` digits. erf loses those of h: h is large."""

    def __init__(self, digits: int = 200) -> None:
        self.mp = mp = mpmath.mp.clone()
        mp.dps = digits
        self.h = mp.mpf(10) ** (-digits // 3)
        self.exp, self.log, self.tanh, self.erf, self.sqrt, self.pi = mp.exp, mp.log, mp.tanh, mp.erf, mp.sqrt, +mp.pi
        self.sum, self.dot, self.detach = mp.fsum, mp.fdot, mp.re

    def number(self, x: float) -> Any:
        return self.mp.mpf(float(x))

    def of_ball(self, x: arb) -> Any:
        """Its midpoint."""
        mantissa, exponent = x.mid().man_exp()
        return self.mp.ldexp(self.mp.mpf(int(mantissa)), int(exponent))

    def products(self, left: list, right: list) -> list:
        return [[self.dot(x, w) for w in right] for x in left]

    def greater(self, x: Any, y: Any) -> bool:
        return self.mp.re(x) > self.mp.re(y)

    def assign(self, x: Any, new: Any) -> Any:
        return new

    def slope(self, loss: Callable[[], Any], row: list, i: int) -> Any:
        """The derivative of the loss by the i-th number of a row."""
        x = row[i]
        row[i] = self.mp.mpc(x, self.h)
        slope = self.mp.im(loss()) / self.h
        row[i] = x
        return slope
