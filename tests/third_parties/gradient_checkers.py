"""The same gradients, right and wrong, before every checker of gradients: what each notices, in how long, what it says.

    python -m tests.third_parties.gradient_checkers

The others get the loss and its gradients as a function of their own kind, with their defaults.
"""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np
import torch
from autograd.extend import defvjp, primitive
from autograd.test_util import check_grads as autograd_check_grads
from jax.test_util import check_grads as jax_check_grads
from rich import box
from rich.console import Console
from rich.table import Table
from scipy.optimize import check_grad as scipy_check_grad

from reference.checks.gradients import check_gradients
from tests.checks.models import MODELS, Params, rnn_grads

jax.config.update("jax_enable_x64", True)
jax.config.update("jax_platforms", "cpu")

Loss = Callable[..., Any]


@dataclass(frozen=True)
class Trial:
    """A loss, its parameters, and gradients that are to be checked; right: whether they are right."""

    name: str
    loss: Loss
    params: Params
    args: tuple[Any, ...]
    grads: Params
    right: bool = False

    def of(self, arrays: tuple[Any, ...]) -> Any:
        """The loss of arrays, in the order of the parameters."""
        return self.loss(dict(zip(self.params, map(np.asarray, arrays), strict=True)), *self.args)


# --- the checkers: each returns what it says where it notices something, and "" where it does not ---------------------


def twingrad(trial: Trial) -> str:
    report = check_gradients(trial.loss, trial.grads, trial.params, *trial.args, raises=False)
    return "" if report else "; ".join(line.strip() for line in report.sentences()[:2]) or report.summary()


def scipy(trial: Trial) -> str:
    """It returns a number, in which the user has to see it: here, if it is ten times that of a right gradient."""
    right = [one for one in TRIALS if one.right]
    alike = next((one for one in right if one.loss is trial.loss), right[0])
    number = scipy_number(trial)
    return f"returns {number:.3g}" if number > 10 * scipy_number(alike) else ""


def scipy_number(trial: Trial) -> float:
    shapes = [param.shape for param in trial.params.values()]
    ends = np.cumsum([math.prod(shape) for shape in shapes])[:-1]

    def of(flat: np.ndarray) -> Any:
        parts = (part.reshape(shape) for part, shape in zip(np.split(flat, ends), shapes, strict=True))
        return trial.of(tuple(parts))

    grads = np.concatenate([trial.grads[name].ravel() for name in trial.params])
    return float(scipy_check_grad(of, lambda _: grads, np.concatenate([p.ravel() for p in trial.params.values()])))


def pytorch(trial: Trial) -> str:
    grads = [torch.as_tensor(trial.grads[name], dtype=torch.float64) for name in trial.params]

    class Function(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, *tensors: torch.Tensor) -> torch.Tensor:
            return torch.tensor(
                float(trial.of(tuple(tensor.detach().numpy() for tensor in tensors))), dtype=torch.float64
            )

        @staticmethod
        def backward(ctx: Any, d: torch.Tensor) -> tuple[torch.Tensor, ...]:
            return tuple(d * grad for grad in grads)

    inputs = [torch.from_numpy(param.copy()).requires_grad_() for param in trial.params.values()]
    return complaint(lambda: torch.autograd.gradcheck(Function.apply, inputs))


def in_jax(trial: Trial) -> str:
    number = jax.ShapeDtypeStruct((), np.float64)

    @jax.custom_vjp
    def loss(*arrays: Any) -> Any:
        return jax.pure_callback(lambda *given: np.float64(trial.of(given)), number, *arrays)

    grads = tuple(np.asarray(trial.grads[name], np.float64) for name in trial.params)
    loss.defvjp(lambda *arrays: (loss(*arrays), None), lambda _, d: tuple(d * grad for grad in grads))
    return complaint(lambda: jax_check_grads(loss, tuple(trial.params.values()), order=1, modes=["rev"]))


def in_autograd(trial: Trial) -> str:
    loss = primitive(lambda *arrays: np.float64(trial.of(arrays)))
    grads = [np.asarray(trial.grads[name], np.float64) for name in trial.params]
    defvjp(loss, *(lambda answer, *arrays, grad=grad: lambda d: d * grad for grad in grads))
    every = tuple(range(len(grads)))
    return complaint(lambda: autograd_check_grads(loss, every, modes=["rev"], order=1)(*trial.params.values()))


def complaint(check: Callable[[], Any]) -> str:
    try:
        check()
    except Exception as error:
        return f"{type(error).__name__}: {' '.join(str(error).split())}"
    return ""


CHECKERS: dict[str, Callable[[Trial], str]] = {
    "twingrad": twingrad,
    "SciPy": scipy,
    "PyTorch": pytorch,
    "JAX": in_jax,
    "autograd": in_autograd,
}

# --- what they are to check ------------------------------------------------------------------------------------------


def behind_norm(p: Params, x: np.ndarray, y: np.ndarray) -> Any:
    return np.linalg.norm(x @ p["w"] + p["b"] - y) + np.abs(p["b"]).sum()


def behind_norm_grads(p: Params, x: np.ndarray, y: np.ndarray) -> Params:
    off = x @ p["w"] + p["b"] - y
    off /= np.sqrt((off * off).sum())
    return {"w": x.T @ off, "b": off.sum(axis=0) + np.sign(p["b"])}


def overwritten(p: Params, i: np.ndarray, j: np.ndarray, counts: np.ndarray) -> np.ndarray:
    off = (p["w"][i] * p["c"][j]).sum(axis=1) + p["b"][i] + p["d"][j] - np.log(counts)
    lines = 2 * (np.minimum((counts / 100) ** 0.75, 1) * off / len(i))[:, None] * p["c"][j]
    gradient = np.zeros_like(p["w"])
    gradient[i] = lines
    return gradient


def entry_off(gradient: np.ndarray, part: float) -> np.ndarray:
    """One entry is off by this part of the largest of its row."""
    wrong = gradient.copy()
    wrong[3, 2] += part * np.abs(wrong[3]).max()
    return wrong


def trials() -> list[Trial]:
    layer, glove, rnn = (MODELS[name] for name in ("layer", "glove", "rnn"))
    x, y = layer.args
    g, n = layer.grads(layer.params, x, y), behind_norm_grads(layer.params, x, y)
    of_glove, of_rnn = glove.grads(glove.params, *glove.args), rnn.grads(rnn.params, *rnn.args)
    cut = rnn_grads(rnn.params, *rnn.args, through_time=False)
    lost = of_glove | {"w": overwritten(glove.params, *glove.args)}
    at_zero = layer.params | {"b": np.zeros(5)}
    kept = layer.params

    def of_layer(
        name: str, *, loss: Loss = layer.loss, params: Params = kept, right: bool = False, **other: Any
    ) -> Trial:
        return Trial(name, loss, params, layer.args, (n if loss is behind_norm else g) | other, right)

    def elsewhere(p: Params, x: np.ndarray, y: np.ndarray) -> Any:
        return layer.loss(kept, x, y)

    def kinked(p: Params, x: np.ndarray, y: np.ndarray) -> Any:
        return layer.loss(p, x, y) + np.abs(p["b"]).sum()

    return [
        of_layer("a layer, right", right=True),
        of_layer("the sign of one tensor", b=-g["b"]),
        of_layer("the sum under a mean", **{name: 8 * gradient for name, gradient in g.items()}),
        of_layer("a square matrix transposed", w=g["w"].T),
        of_layer("zero", b=np.zeros(5)),
        of_layer("one entry off by 1e-6", w=entry_off(g["w"], 1e-6)),
        of_layer("one entry off by 1e-9", w=entry_off(g["w"], 1e-9)),
        of_layer("one entry off by 1e-12", w=entry_off(g["w"], 1e-12)),
        of_layer("computed in float32", w=g["w"].astype(np.float32).astype(np.float64)),
        Trial("GloVe, right", glove.loss, glove.params, glove.args, of_glove, right=True),
        Trial("duplicates lost", glove.loss, glove.params, glove.args, lost),
        Trial("a recurrent net, right", rnn.loss, rnn.params, rnn.args, of_rnn, right=True),
        Trial("dh_next forgotten", rnn.loss, rnn.params, rnn.args, cut),
        of_layer("behind norm and abs, right", loss=behind_norm, right=True),
        of_layer("the same, one entry off by 1e-9", loss=behind_norm, w=entry_off(n["w"], 1e-9)),
        of_layer("at a kink, a slope of one side", loss=kinked, params=at_zero, **at_kink(layer.grads(at_zero, x, y))),
        of_layer("params read from elsewhere, zero", loss=elsewhere, w=np.zeros((5, 5)), b=np.zeros(5)),
    ]


def at_kink(grads: Params) -> Params:
    return grads | {"b": grads["b"] + 1}


TRIALS = trials()
SHOWN = "the sum under a mean"
WIDTH = 160
RUNS = 3


def cell(trial: Trial, checker: Callable[[Trial], str]) -> str:
    """What it notices, and the shortest time that it took."""
    seconds = []
    for _ in range(RUNS):
        begin = time.perf_counter()
        said = checker(trial)
        seconds.append(time.perf_counter() - begin)
    words = ("passes", "false alarm") if trial.right else ("–", "noticed")
    verdict = words[bool(said)]
    return f"{verdict} {1000 * min(seconds):,.1f}"


def main() -> None:
    """Print both tables."""
    warnings.simplefilter("ignore")
    title = "what is noticed, and in how many ms"
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for column in ("gradient", *CHECKERS):
        table.add_column(column, justify="left" if column == "gradient" else "right", no_wrap=True)
    for trial in TRIALS:
        table.add_row(trial.name, *(cell(trial, checker) for checker in CHECKERS.values()))
    console = Console(width=200)
    console.print(table)
    console.print(f"what is said of {SHOWN}\n", highlight=False)
    shown = next(trial for trial in TRIALS if trial.name == SHOWN)
    for name, checker in CHECKERS.items():
        said = checker(shown)
        console.print(
            f"  {name:9} {said if len(said) <= WIDTH else said[:WIDTH] + '...'}", highlight=False, markup=False
        )


if __name__ == "__main__":
    main()
