"""`check_optimizer` passes right optimizers in any form, and names what is wrong with others."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from numpy_impl import optimizers as twin
from reference import BadInput, RowGrad, cases
from reference.checks.optimizer import KINDS, check_optimizer
from reference.errors import Unsupported

Params = dict[str, np.ndarray]


class AdamW:
    """As people write it, with PyTorch's options but amsgrad."""

    def __init__(
        self,
        params: Params,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
    ) -> None:
        self.params, self.lr, self.betas, self.eps, self.weight_decay, self.t = params, lr, betas, eps, weight_decay, 0
        self.m = {name: np.zeros_like(param) for name, param in params.items()}
        self.v = {name: np.zeros_like(param) for name, param in params.items()}

    def step(self, grads: Params) -> None:
        self.t += 1
        for name, grad in grads.items():
            self.params[name] *= 1 - self.lr * self.weight_decay
            self.update(name, grad)

    def update(self, name: str, grad: np.ndarray) -> None:
        b1, b2 = self.betas
        self.m[name] = b1 * self.m[name] + (1 - b1) * grad
        self.v[name] = b2 * self.v[name] + (1 - b2) * grad * grad
        m, v = self.m[name] / (1 - b1**self.t), self.v[name] / (1 - b2**self.t)
        self.params[name] -= self.lr * m / (np.sqrt(v) + self.eps)


class DecayLast(AdamW):
    def step(self, grads: Params) -> None:
        self.t += 1
        for name, grad in grads.items():
            self.update(name, grad)
            self.params[name] *= 1 - self.lr * self.weight_decay


class Uncorrected(AdamW):
    def step(self, grads: Params) -> None:
        self.t = 10**6
        for name, grad in grads.items():
            self.params[name] *= 1 - self.lr * self.weight_decay
            self.update(name, grad)


class Unknown(AdamW):
    """Wrong in a way that nobody knows."""

    def step(self, grads: Params) -> None:
        super().step({name: grad * (1.5 if grad.ndim == 1 else 1) for name, grad in grads.items()})
        for param in self.params.values():
            param += 1e-3 * param**3


class Sgd:
    """Returns the new parameters, and takes no other option."""

    def __init__(self, params: Params, lr: float) -> None:
        self.params, self.lr = params, lr

    def step(self, grads: Params) -> Params:
        self.params = {name: param - self.lr * grads[name] for name, param in self.params.items()}
        return self.params


def ours(kind: type) -> Callable[..., Any]:
    """The NumPy twin's optimizer in the user's form."""

    class Mine:
        def __init__(self, params: Params, **options: Any) -> None:
            self.params, self.own = params, getattr(twin, kind.__name__)(kind(**options), params)

        def step(self, grads: dict[str, Any]) -> None:
            self.own.step(self.params, grads)

    return Mine


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_every_optimizer(kind: type) -> None:
    found = check_optimizer(ours(kind), kind.__name__.lower(), rows=not kind(lr=0.1).rows_refused)
    assert {result.verdict for result in found.results} == {"agree"}
    assert {result.case.dtype for result in found.results} == {"float64", "float32"}
    if kind in (cases.SGD, cases.Adagrad, cases.SparseAdam):
        assert any(result.case.row_tables for result in found.results)


def test_one_that_takes_no_amsgrad() -> None:
    found = check_optimizer(AdamW, "adamw")
    assert re.fullmatch(r"adamw: \d+ agree, \d+ unsupported\n\d+ unsupported: takes no amsgrad", str(found))


def test_one_that_returns_the_parameters_and_has_one_option() -> None:
    found = check_optimizer(Sgd, "sgd")
    refused = {result.reason for result in found.results if result.verdict == "unsupported"}
    assert refused == {"takes no momentum", "takes no dampening", "takes no weight_decay"}
    assert str(found).startswith("sgd: 2 agree, ")


def test_fixed_options() -> None:
    class Fixed(Sgd):
        def __init__(self, params: Params) -> None:
            super().__init__(params, 0.05)

    assert check_optimizer(Fixed, "sgd", lr=0.05)
    with pytest.raises(AssertionError, match="takes no lr"):  # nothing is covered
        check_optimizer(Fixed, "sgd")
    with pytest.raises(AssertionError, match="disagree embedding-sgd"):
        check_optimizer(Fixed, "sgd", lr=0.1)


WRONG: dict[str, tuple[Any, str, str]] = {
    "decay at the end": (DecayLast, "adamw", "variant decay-last explains"),
    "Adam for AdamW": (AdamW, "adam", "variant decay-decoupled explains"),
    "no correction": (
        Uncorrected,
        "adamw",
        "mistake bias-correction-forgotten explains .*\n.*\n  look for  .*\n  expected  ",
    ),
    "nobody knows": (Unknown, "adamw", "  step 1, params: off in "),
    "an error": (lambda params, lr: None, "sgd", "error embedding-sgd.*step 1: the update raised AttributeError"),
}


@pytest.mark.parametrize(("mine", "name", "sentence"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_named(mine: Any, name: str, sentence: str) -> None:
    found = check_optimizer(mine, name, raises=False)
    assert not found
    assert re.search(sentence, str(found)), str(found)
    with pytest.raises(AssertionError, match=re.escape(str(found).splitlines()[0])):
        found.raise_if_wrong()
    assert found._repr_html_().startswith("<pre>")
    assert repr(found) == f"<OptimizerReport of {str(found).splitlines()[0]}>"


def test_rows_are_handed_over_where_they_are_asked_for() -> None:
    seen: set[type] = set()

    class Noting(Sgd):
        def step(self, grads: dict[str, Any]) -> Params:
            seen.update(map(type, grads.values()))
            dense = {name: g.dense() if isinstance(g, RowGrad) else g for name, g in grads.items()}
            return super().step(dense)

    assert check_optimizer(Noting, "sgd")
    assert seen == {np.ndarray}
    assert check_optimizer(Noting, "sgd", rows=True)
    assert seen == {np.ndarray, RowGrad}


def test_it_may_refuse_a_case_itself() -> None:
    class Refuses(AdamW):
        def __init__(self, params: Params, **options: Any) -> None:
            if options.pop("amsgrad"):
                raise Unsupported("not yet")
            super().__init__(params, **options)

    assert "unsupported: not yet" in str(check_optimizer(Refuses, "adamw"))


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("lion", {}, "'lion' is no optimizer; there are sgd, adagrad, rmsprop, adam, adamw, sparseadam"),
        ("sgd", {"betas": (0.9, 0.99)}, "sgd has no option 'betas'; it has lr, momentum, dampening"),
        ("sgd", {"lr": -1}, "SGD: lr is -1; a number from 0 up is needed"),
        ("sgd", {"lr": "0.1"}, "SGD: lr is 0.1; a number from 0 up is needed"),
        ("adam", {"rows": True}, "rows=True: Adam takes dense gradients only"),
    ],
)
def test_bad_input(name: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(BadInput, match=message):
        check_optimizer(Sgd, name, **options)


def test_an_optimizer_that_is_made_already() -> None:
    with pytest.raises(BadInput, match="a class of optimizers is needed, got AdamW"):
        check_optimizer(AdamW({}), "adamw")  # type: ignore[arg-type]


def test_parameters_that_never_move_are_no_learning_rate() -> None:
    class Still(Sgd):
        def step(self, grads: Params) -> None:
            """As of `param = param - lr * grad`."""

    report = check_optimizer(Still, "sgd", raises=False)
    assert not any(explanation.causes for explanation in report.explanations.values())
    assert "the update is zero in every entry that is off" in str(report)
