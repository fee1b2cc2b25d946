"""The loss that is differentiated, written in NumPy or in scalars: its value, and the truth about its gradients."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from reference.checks.comparison import Truth
from reference.checks.derivatives import Function, Slopes, Unchecked
from reference.checks.facts import Alone
from reference.checks.scalars import Exact, Values, derivatives
from reference.contract import Params
from reference.exact.arithmetic import TooLarge
from reference.judge.runner import same


class Loss:
    """What both kinds have. params: as they were given. wide: in float64. unit: the largest eps of their dtypes."""

    def __init__(self, loss: Any, params: Params, args: Sequence[Any], stream: np.random.Generator) -> None:
        self.loss, self.params, self.args, self.stream = loss, params, args, stream
        self.wide = {name: np.array(param, np.float64, order="C") for name, param in params.items()}
        eps = [np.finfo(param.dtype).eps for param in params.values()]
        self.unit = float(max(np.finfo(np.float64).eps, *eps))

    @cached_property
    def nearby(self) -> list[Params]:
        """The parameters, twice, with other last digits."""

        def moved(param: np.ndarray) -> np.ndarray:
            return param * (1 + self.unit * self.stream.choice([-1.0, 1.0], param.shape))

        return [{name: moved(param) for name, param in self.wide.items()} for _ in range(2)]

    @cached_property
    def sizes(self) -> dict[str, int]:
        """How many there are of what, by what it is called."""
        arrays = arrays_of(self.loss, self.args) | self.params
        axes = {f"{name}.shape[{i}]": size for name, array in arrays.items() for i, size in enumerate(array.shape)}
        return axes | {f"{name}.size": array.size for name, array in arrays.items() if array.ndim > 1}


class NumpyLoss(Loss):
    """`loss(params, *args)` in NumPy."""

    @cached_property
    def truths(self) -> dict[str, Slopes]:
        """The right gradients, as far as they were asked for."""
        return {}

    def value(self) -> float:
        """The loss. Raises Unchecked where it is not a finite number, does not repeat itself, or changes its input."""
        handed = {name: param.copy() for name, param in self.wide.items()}
        args = arrays_of(self.loss, self.args)
        before = {name: arg.copy() for name, arg in args.items()}
        f = Function(self.loss, handed, self.args)
        first, second = f.value(), f.value()
        changed = [f"params[{name!r}]" for name, param in self.wide.items() if not same(handed[name], param)]
        changed += [name for name, was in before.items() if not same(args[name], was)]
        if changed:
            raise Unchecked(f"the loss changes {changed[0]}")
        if not (np.isrealobj(first) and np.isfinite(first)):
            raise Unchecked(f"the loss is {first} at these parameters")
        if not abs(first - second) <= 1e-12 * abs(first):
            raise Unchecked(f"the loss does not repeat itself: {first}, then {second}")
        return float(first)

    def truth(self, name: str) -> Truth:
        """The right gradient of a parameter. Raises Unchecked where it cannot be had."""
        if name not in self.truths:
            f, *nearby = (Function(self.loss, params, self.args) for params in (self.wide, *self.nearby))
            self.truths[name] = Slopes(f, name, self.stream, self.unit, nearby)
        return self.truths[name]

    def alone(self, name: str) -> Alone:
        """The gradient of a parameter if all arrays among args had nothing but their first or their last entry."""
        lengths = {len(arg) for arg in self.args if isinstance(arg, np.ndarray) and arg.ndim}

        def found(entries: np.ndarray, which: str) -> np.ndarray | None:
            if len(lengths) != 1 or lengths <= {0, 1}:
                return None
            part = slice(0, 1) if which == "first" else slice(-1, None)
            args = [arg[part] if isinstance(arg, np.ndarray) and arg.ndim else arg for arg in self.args]
            single = Function(self.loss, self.wide, args)
            slopes = np.array([self.truths[name].at(int(k), f=single).value for k in entries])
            return slopes if np.isfinite(slopes).all() else None

        return found


class ExactLoss(Loss):
    """`loss(m, params, *args)` in scalars."""

    def value(self) -> float:
        """The loss. Raises Unchecked where it is not finite, or has too many terms."""
        try:
            value = self.exact[0]
        except TooLarge:
            raise Unchecked("the loss has too many terms for exact values") from None
        if not np.isfinite(value):
            raise Unchecked(f"the loss is {value} at these parameters")
        return value

    def truth(self, name: str) -> Truth:
        """The right gradient of a parameter. Raises Unchecked where it proves nothing."""
        values = self.exact[1][name]
        if not values.any():
            raise Unchecked("its gradient is zero everywhere, which proves nothing")
        return Values(values, lambda: [grads[name] for grads in self.beside])

    def alone(self, name: str) -> Alone:
        """Nothing is known of single examples."""
        return lambda entries, which: None

    @cached_property
    def exact(self) -> tuple[float, Params]:
        """The loss and its derivatives."""
        return derivatives(self.loss, self.wide, self.args)

    @cached_property
    def beside(self) -> list[Params]:
        """The derivatives nearby."""
        return [derivatives(self.loss, params, self.args)[1] for params in self.nearby]


def arrays_of(loss: Any, args: Sequence[Any]) -> dict[str, np.ndarray]:
    """The arrays among args, and in dicts among them, by what the loss calls them."""
    skipped, function = (2, loss.loss) if isinstance(loss, Exact) else (1, loss)
    try:
        parameters = list(inspect.signature(function).parameters.values())[skipped:]
    except (TypeError, ValueError):
        parameters = []
    named = [p.name for p in parameters if p.kind is not inspect.Parameter.VAR_POSITIONAL]
    found: dict[str, np.ndarray] = {}
    for number, arg in enumerate(args):
        name = named[number] if number < len(named) else f"args[{number}]"
        inside = {f"{name}[{key!r}]": part for key, part in arg.items()} if isinstance(arg, Mapping) else {name: arg}
        found |= {key: part for key, part in inside.items() if isinstance(part, np.ndarray)}
    return found
