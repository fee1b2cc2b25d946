"""Hold the backward pass of a torch.autograd.Function against the derivatives of its forward pass: `check_function`.

Nothing here imports PyTorch: whoever has tensors to hand over has imported it.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from reference.checks.gradient_report import Finding, GradientReport, Verdict, Worst
from reference.checks.gradients import any_form, as_gradient, check_gradients
from reference.errors import BadInput, raised
from reference.judge.distance import error, row_sizes
from reference.judge.form import read
from reference.judge.tolerance import TOLERANCE


def check_function(
    function: Callable[..., Any],
    inputs: Sequence[Any],
    *,
    ids: Mapping[str, Any] | None = None,
    exclude: Collection[str] = (),
    entries: int = 1000,
    seed: int = 0,
    raises: bool = True,
) -> GradientReport:
    """Hold a hand-written backward pass of PyTorch's against the derivatives of its forward pass.

    function: a subclass of torch.autograd.Function, or any function of tensors. inputs: what `apply` takes, tensors and
    other arguments. Checked are the gradients of the float tensors that require one; if none does, of all of them. The
    names are those of `forward`. The forward pass is differentiated in float64, or in complex128 if it takes that,
    under a random upstream of mixed sign for each output. Gradients may be sparse.

    If that is right, the backward pass must also do the same for strided inputs and for a strided upstream, for an
    expanded upstream as `output.sum()` has, where one input alone requires a gradient, and a second time. It must leave
    the upstream as it is.

    ids, exclude, entries, seed, raises: as in `check_gradients`.

    Raises:
        AssertionError: a gradient is wrong or missing, or could not be checked. The message is the report.
        BadInput: there are no tensors to be checked, or something is named that is not among them.
    """
    torch = sys.modules.get("torch")
    if not isinstance(inputs, list | tuple):
        raise BadInput(f"inputs: a list of what the function takes is needed, not a {type(inputs).__name__}")
    if torch is None or not any(isinstance(given, torch.Tensor) for given in inputs):
        raise BadInput("inputs: at least one torch tensor is needed")
    call = Call(torch, function, tuple(inputs), np.random.default_rng(seed))
    if not call.checked:
        raise BadInput("inputs: at least one tensor of floats is needed")
    try:
        with torch.enable_grad():  # whatever was left switched off
            call.begin()
            report = check_gradients(
                call.loss,
                call.gradients(),
                call.params,
                ids={name: read(name, of, any_form) for name, of in (ids or {}).items()},
                exclude=exclude,
                entries=entries,
                seed=seed,
                raises=False,
            )
            found = [*report.findings, *(call.variants() if report.right else ())]
        report = replace(report, findings=tuple(found))
    except Failed as failed:
        report = GradientReport(unchecked=str(failed))
    report = replace(report, subject=getattr(function, "__name__", type(function).__name__))
    __tracebackhide__ = True
    if raises:
        report.raise_if_wrong()
    return report


class Failed(Exception):
    """The function cannot be called; the message says why."""


@dataclass(eq=False)
class Call:
    """A function with its inputs. upstreams: one for each output that requires a gradient, at these places."""

    torch: Any
    function: Any
    inputs: tuple[Any, ...]
    stream: np.random.Generator

    def __post_init__(self) -> None:
        floats = [k for k, given in enumerate(self.inputs) if self.is_float(given)]
        names = names_of(self.torch, self.function, len(self.inputs))
        self.checked = {names[k]: k for k in floats if self.inputs[k].requires_grad} or {names[k]: k for k in floats}
        short = [name for name, k in self.checked.items() if self.inputs[k].dtype == self.torch.bfloat16]
        if short:
            raise BadInput(f"inputs: {short[0]} is bfloat16, which has too few digits; float32 or float64 is needed")
        self.params = {name: self.inputs[k].detach().cpu().numpy() for name, k in self.checked.items()}
        self.places: list[int] = []
        self.upstreams: list[Any] = []

    def is_float(self, given: Any) -> bool:
        """Whether it is a tensor of floats."""
        return isinstance(given, self.torch.Tensor) and given.is_floating_point()

    def begin(self) -> None:
        """Call it once, and draw an upstream for each output that has a gradient. Raises Failed if none has."""
        outputs = self.outputs(self.leaves())
        self.places = [k for k, output in enumerate(outputs) if getattr(output, "requires_grad", False)]
        if not self.places:
            raise Failed("no output has a gradient")
        for k in self.places:
            drawn = self.stream.choice([-1.0, 1.0], outputs[k].shape) * self.stream.uniform(0.5, 1.5, outputs[k].shape)
            self.upstreams.append(self.torch.as_tensor(drawn).to(outputs[k]))
        try:
            self.loss({name: param.astype(np.float64) for name, param in self.params.items()})
        except Exception as failure:
            raise Failed(f"the forward pass takes no float64: it {raised(failure)}") from failure

    def loss(self, params: Mapping[str, np.ndarray]) -> Any:
        """The sum of all outputs times their upstream, in float64 or in complex128."""
        # PyTorch multiplies no matrices of two dtypes
        dtype = self.torch.complex128 if any(map(np.iscomplexobj, params.values())) else self.torch.float64
        wide = [given.detach().to(dtype) if self.is_float(given) else given for given in self.inputs]
        for name, k in self.checked.items():
            wide[k] = self.torch.from_numpy(np.ascontiguousarray(params[name])).to(self.inputs[k].device, dtype)
        with self.torch.no_grad():
            outputs = self.outputs(wide)
            terms = [(outputs[k] * up.double()).sum() for k, up in zip(self.places, self.upstreams, strict=True)]
        return sum(terms).cpu().numpy()

    def gradients(self) -> dict[str, Any]:
        """The gradients of the backward pass by name, where there are any."""
        return self.backward(self.leaves(), self.upstreams)

    # --- calling it

    def leaves(self, only: str | None = None, strided: bool = False) -> list[Any]:
        """The inputs, copied, where those that are checked require a gradient, or only one of them does."""
        copies = [given.detach().clone() if self.is_float(given) else given for given in self.inputs]
        for name, k in self.checked.items():
            copies[k] = (self.strided(copies[k]) if strided else copies[k]).requires_grad_(only in (None, name))
        return copies

    def strided(self, tensor: Any) -> Any:
        """The same numbers, with gaps between them."""
        return self.torch.stack([tensor, self.torch.full_like(tensor, np.nan)], dim=-1)[..., 0]

    def outputs(self, inputs: Sequence[Any]) -> Sequence[Any]:
        """What the forward pass returns."""
        is_class = inspect.isclass(self.function)
        found = self.function.apply(*inputs) if is_class else self.function(*inputs)
        return found if isinstance(found, tuple | list) else (found,)

    def backward(self, inputs: Sequence[Any], upstreams: Sequence[Any], times: int = 1) -> dict[str, Any]:
        """The gradients by name. times: how often the backward pass runs over the graph; the last counts."""
        wanted = {name: inputs[k] for name, k in self.checked.items() if inputs[k].requires_grad}
        outputs = self.outputs(inputs)
        before = [up.clone() for up in upstreams]
        try:
            for _ in range(times):
                found = self.torch.autograd.grad(
                    [outputs[k] for k in self.places],
                    list(wanted.values()),
                    list(upstreams),
                    retain_graph=True,
                    allow_unused=True,
                )
        except Exception as failure:
            raise Failed(f"the backward pass {raised(failure)}") from failure
        if not all(map(self.torch.equal, before, upstreams)):
            raise Failed("the backward pass changes its upstream gradient")
        return {name: gradient for name, gradient in zip(wanted, found, strict=True) if gradient is not None}

    # --- calling it otherwise

    def variants(self) -> Iterator[Finding]:
        """A finding for each other way to call it, which must not make a difference."""
        usual = self.gradients()
        ones = [self.torch.ones_like(up) for up in self.upstreams]
        expanded = [self.torch.ones_like(up.sum()).expand(up.shape) for up in self.upstreams]
        run = partial(self.variant, usual)
        yield run("strided upstream", self.leaves(), [self.strided(up) for up in self.upstreams])
        yield self.variant(self.backward(self.leaves(), ones), "expanded upstream", self.leaves(), expanded)
        yield run("strided inputs", self.leaves(strided=True), self.upstreams)
        yield run("backward twice", self.leaves(), self.upstreams, 2)
        for name in usual if len(usual) > 1 else ():
            yield self.variant({name: usual[name]}, f"{name} alone", self.leaves(name), self.upstreams)

    def variant(self, usual: dict[str, Any], what: str, *call: Any) -> Finding:
        """The finding of one other way to call it. call: what `backward` takes."""
        try:
            got = self.backward(*call)
        except Failed as failed:
            return Finding(what, "wrong", said=(str(failed),))
        worst, where, size = Worst((), 0.0, 0.0, 0.0), "", 0
        for name, gradient in usual.items():
            if name not in got:
                return Finding(what, "wrong", said=(f"there is no gradient of {name}",))
            param = self.params[name]
            expected, mine = (as_gradient(name, side, param.shape)[0] for side in (gradient, got[name]))
            size += expected.size
            eps, index = error(expected, mine, row_sizes(expected), float(np.finfo(param.dtype).eps))
            if eps > worst.eps:
                worst, where = Worst(index, float(expected[index]), float(mine[index]), eps), name
        right = worst.eps <= TOLERANCE["float64"]["grads"]
        verdict: Verdict = "right" if right else "wrong"
        said = () if right else (f"in the gradient of {where}, beside that of the usual call",)
        return Finding(what, verdict, size, "the usual call", worst.eps, looked_at=size, worst=worst, said=said)


def names_of(torch: Any, function: Any, number: int) -> list[str]:
    """What the function calls its inputs, without `ctx`."""
    is_class = inspect.isclass(function)
    try:
        signature = inspect.signature(function.forward if is_class else function)
    except ValueError:
        signature = inspect.Signature()
    named = [p.name for p in signature.parameters.values() if p.kind is not p.VAR_POSITIONAL]
    own = getattr(function, "setup_context", None) is not torch.autograd.Function.setup_context
    if is_class and not own:
        named = named[1:]
    return [named[k] if k < len(named) else f"input {k}" for k in range(number)]
