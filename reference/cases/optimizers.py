"""The optimizers, with the names and defaults of torch.optim."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from reference.cases.labels import labels
from reference.errors import BadInput


@dataclass(frozen=True)
class _Optimizer:
    """The base class. normalizes: the update divides by the root of squared gradients. state: the kinds of state."""

    normalizes = True

    @property
    def rows_refused(self) -> str:
        """Why this optimizer takes no row gradients in PyTorch, and what to use instead; empty if it takes them."""
        return ""

    @property
    def dense_refused(self) -> str:
        """The same for dense gradients; {} stands for the name of a parameter that has one."""
        return ""

    @property
    def label(self) -> str:
        """Its name, and the options that differ from PyTorch's defaults: `sgd-momentum`, `adam-amsgrad`."""
        return "-".join((type(self).__name__.lower(), *labels(self)))

    def _at_least_0(self, *names: str) -> None:
        self._check(names, lambda value: value >= 0, "a number from 0 up")

    def _above_0(self, *names: str) -> None:
        self._check(names, lambda value: value > 0, "a number above 0")

    def _betas(self) -> None:
        self._check(["betas"], lambda betas: all(0 <= beta < 1 for beta in betas), "numbers from 0 to below 1")

    def _check(self, names: Iterable[str], allows: Callable[[Any], bool], allowed: str) -> None:
        for name in names:
            value = getattr(self, name)
            try:
                right = allows(value) and np.isfinite(value).all()
            except TypeError:
                right = False
            if not right:
                raise BadInput(f"{type(self).__name__}: {name} is {value}; {allowed} is needed")


def _no_decay(optimizer: _Optimizer) -> str:
    return (
        f"{type(optimizer).__name__} takes no weight_decay with row gradients; use weight_decay=0, or dense gradients"
    )


@dataclass(frozen=True)
class SGD(_Optimizer):
    """Gradient descent with momentum, as in PyTorch: the learning rate is not part of the momentum.

    grad += weight_decay * param; buf = momentum * buf + (1 - dampening) * grad, in the first step buf = grad;
    param -= lr * buf, with nesterov lr * (grad + momentum * buf) (Sutskever et al. 2013). With row gradients, momentum
    does the same as with dense ones: every row that ever had a gradient keeps moving.
    https://docs.pytorch.org/docs/stable/generated/torch.optim.SGD.html
    """

    lr: float = 1e-3
    momentum: float = 0.0
    dampening: float = 0.0
    weight_decay: float = 0.0
    nesterov: bool = False

    def __post_init__(self) -> None:
        self._at_least_0("lr", "momentum", "weight_decay")
        if self.nesterov and (self.momentum == 0 or self.dampening != 0):
            given = f"momentum {self.momentum} and dampening {self.dampening}"
            raise BadInput(f"SGD: nesterov with {given}; it needs a momentum above 0 and dampening 0")

    @property
    def state(self) -> tuple[str, ...]:
        """The kinds of its state."""
        return ("momentum_buffer",) if self.momentum else ()

    @property
    def rows_refused(self) -> str:
        """PyTorch has no weight decay with row gradients."""
        return _no_decay(self) if self.weight_decay else ""

    normalizes = False


@dataclass(frozen=True)
class Adagrad(_Optimizer):
    """Each entry has its own learning rate, which falls as its squared gradients add up (Duchi et al. 2011).

    grad += weight_decay * param; sum += grad**2; param -= lr / (1 + (step - 1) * lr_decay) * grad / (sqrt(sum) + eps).
    The sum starts at initial_accumulator_value. https://jmlr.org/papers/v12/duchi11a.html,
    https://docs.pytorch.org/docs/stable/generated/torch.optim.Adagrad.html
    """

    lr: float = 1e-2
    lr_decay: float = 0.0
    weight_decay: float = 0.0
    initial_accumulator_value: float = 0.0
    eps: float = 1e-10

    def __post_init__(self) -> None:
        self._at_least_0("lr", "lr_decay", "weight_decay", "initial_accumulator_value", "eps")

    @property
    def rows_refused(self) -> str:
        """PyTorch has no weight decay with row gradients."""
        return _no_decay(self) if self.weight_decay else ""

    state = ("step", "sum")


@dataclass(frozen=True)
class RMSprop(_Optimizer):
    """Divides by the root of a moving average of squares (Hinton's lectures, 2012; centered: Graves 2013).

    grad += weight_decay * param; square_avg = alpha * square_avg + (1 - alpha) * grad**2; if centered, grad_avg is the
    same average of grad, and the root is of square_avg - grad_avg**2; x = grad / (sqrt(square_avg) + eps), with
    momentum x = buf = momentum * buf + x; param -= lr * x. Dense gradients only. https://arxiv.org/abs/1308.0850,
    https://docs.pytorch.org/docs/stable/generated/torch.optim.RMSprop.html
    """

    lr: float = 1e-2
    alpha: float = 0.99
    eps: float = 1e-8
    weight_decay: float = 0.0
    momentum: float = 0.0
    centered: bool = False

    def __post_init__(self) -> None:
        self._at_least_0("lr", "alpha", "eps", "weight_decay", "momentum")

    @property
    def state(self) -> tuple[str, ...]:
        """The kinds of its state."""
        momentum = ("momentum_buffer",) if self.momentum else ()
        return "step", "square_avg", *momentum, *(("grad_avg",) if self.centered else ())

    @property
    def rows_refused(self) -> str:
        """PyTorch takes dense gradients only."""
        return f"{type(self).__name__} takes dense gradients only; use SparseAdam, Adagrad or SGD for row gradients"


@dataclass(frozen=True)
class Adam(_Optimizer):
    """Moments with bias correction, eps outside the root (Kingma and Ba 2015, as in PyTorch). Dense gradients only.

    grad += weight_decay * param; exp_avg and exp_avg_sq are the moving averages of grad and grad**2, c1 and c2 their
    corrections 1 - beta**step; param -= lr / c1 * exp_avg / (sqrt(exp_avg_sq / c2) + eps). amsgrad: the root is of the
    largest exp_avg_sq so far (Reddi et al. 2018). https://arxiv.org/abs/1412.6980,
    https://docs.pytorch.org/docs/stable/generated/torch.optim.Adam.html
    """

    lr: float = 1e-3
    betas: tuple[float, float] = (0.9, 0.999)
    eps: float = 1e-8
    weight_decay: float = 0.0
    amsgrad: bool = False

    def __post_init__(self) -> None:
        self._at_least_0("lr", "eps", "weight_decay")
        self._betas()

    @property
    def state(self) -> tuple[str, ...]:
        """The kinds of its state."""
        return "step", "exp_avg", "exp_avg_sq", *(("max_exp_avg_sq",) if self.amsgrad else ())

    @property
    def rows_refused(self) -> str:
        """PyTorch takes dense gradients only."""
        return f"{type(self).__name__} takes dense gradients only; use SparseAdam, Adagrad or SGD for row gradients"


@dataclass(frozen=True)
class AdamW(Adam):
    """Adam with decoupled weight decay: param *= 1 - lr * weight_decay comes first, and the gradient has no decay.

    Loshchilov and Hutter 2019, https://arxiv.org/abs/1711.05101,
    https://docs.pytorch.org/docs/stable/generated/torch.optim.AdamW.html
    """

    weight_decay: float = 1e-2


@dataclass(frozen=True)
class SparseAdam(_Optimizer):
    """Adam for row gradients: the moments of a row without a gradient do not change. Row gradients only.

    Here eps is added to the root of the uncorrected moment: param -= lr * sqrt(c2) / c1 * exp_avg /
    (sqrt(exp_avg_sq) + eps), as in section 2 of Kingma and Ba 2015 and in Keras, but not as in torch's Adam.
    https://docs.pytorch.org/docs/stable/generated/torch.optim.SparseAdam.html
    """

    lr: float = 1e-3
    betas: tuple[float, float] = (0.9, 0.999)
    eps: float = 1e-8

    def __post_init__(self) -> None:
        self._above_0("lr", "eps")
        self._betas()

    @property
    def dense_refused(self) -> str:
        """PyTorch takes row gradients only."""
        return "SparseAdam takes row gradients only, and that of {} is dense; use Adagrad, SGD or dense Adam"

    state = ("step", "exp_avg", "exp_avg_sq")


Optimizer = SGD | Adagrad | RMSprop | Adam | AdamW | SparseAdam
