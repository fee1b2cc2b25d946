"""`check_function` passes right backward passes, and says what is wrong with others."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from reference import BadInput
from reference.checks.function import check_function

Context = Any
Tensor = torch.Tensor


def drawn(*shape: int, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.from_numpy(np.random.default_rng(sum(shape)).standard_normal(shape)).to(dtype)


class Linear(torch.autograd.Function):
    """Two outputs, and an argument that is no tensor."""

    @staticmethod
    def forward(ctx: Context, x: Tensor, weight: Tensor, scale: float) -> tuple[Tensor, Tensor]:
        ctx.save_for_backward(x, weight)
        ctx.scale = scale
        return x @ weight.T * scale, x.sum(dim=0)

    @staticmethod
    def backward(ctx: Context, d: Tensor, e: Tensor) -> tuple[Tensor, Tensor, None]:
        x, weight = ctx.saved_tensors
        return d @ weight * ctx.scale + e, d.T @ x * ctx.scale, None


class Softplus(torch.autograd.Function):
    """With setup_context, and an output that has no gradient."""

    @staticmethod
    def forward(x: Tensor) -> tuple[Tensor, Tensor]:
        return torch.log1p(torch.exp(-x.abs())) + x.clamp(min=0), x.argmax()

    @staticmethod
    def setup_context(ctx: Context, inputs: Any, output: Any) -> None:
        ctx.mark_non_differentiable(output[1])
        ctx.save_for_backward(*inputs)

    @staticmethod
    def backward(ctx: Context, d: Tensor, _: Any) -> Tensor:
        (x,) = ctx.saved_tensors
        return d * torch.sigmoid(x)


class Lookup(torch.autograd.Function):
    """A sparse gradient, not coalesced."""

    @staticmethod
    def forward(ctx: Context, table: Tensor, ids: Tensor) -> Tensor:
        ctx.save_for_backward(ids)
        ctx.shape = table.shape
        return table[ids]

    @staticmethod
    def backward(ctx: Context, d: Tensor) -> tuple[Tensor, None]:
        (ids,) = ctx.saved_tensors
        return torch.sparse_coo_tensor(ids[None], d, ctx.shape, check_invariants=True), None


IDS = torch.tensor([1, 4, 4, 0])
RIGHT: dict[str, tuple[Any, list[Any]]] = {
    "linear": (Linear, [drawn(4, 3), drawn(5, 3), 2.5]),
    "softplus": (Softplus, [drawn(4, 3)]),
    "lookup": (Lookup, [drawn(6, 3), IDS]),
    "no class": (torch.nn.functional.layer_norm, [drawn(4, 3), [3]]),
    "no output but one number": (lambda x: (x**3).sum(), [drawn(4)]),
}


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize(("function", "inputs"), RIGHT.values(), ids=RIGHT)
def test_what_is_right_passes(function: Any, inputs: list[Any], dtype: torch.dtype) -> None:
    own = [given.to(dtype) if isinstance(given, Tensor) and given.is_floating_point() else given for given in inputs]
    before = [given.clone() if isinstance(given, Tensor) else given for given in own]
    assert check_function(function, own)
    for one, other in zip(own, before, strict=True):
        assert not isinstance(one, Tensor) or torch.equal(one, other)


def test_complex_step_serves_where_the_forward_pass_takes_complex_numbers() -> None:
    ways = {
        name: check_function(function, inputs).findings[0].way
        for name, (function, inputs) in RIGHT.items()
        if name in ("linear", "softplus", "lookup")
    }
    assert ways == {"linear": "complex step", "softplus": "differences in float64", "lookup": "complex step"}


def test_what_it_is_told_and_what_was_tried() -> None:
    found = check_function(Linear, RIGHT["linear"][1])
    assert found.summary() == "Linear: 8 right"
    assert [finding.tensor for finding in found.findings] == [
        "x",
        "weight",
        "strided upstream",
        "expanded upstream",
        "strided inputs",
        "backward twice",
        "x alone",
        "weight alone",
    ]


def changed(of: Any, backward: Callable[..., Any]) -> Any:
    return type("Mine", (of,), {"backward": staticmethod(backward)})


def in_place(ctx: Context, d: Tensor, _: Any) -> Tensor:
    (x,) = ctx.saved_tensors
    return d.mul_(torch.sigmoid(x))


def spoiled(ctx: Context, d: Tensor, _: Any) -> Tensor:
    (x,) = ctx.saved_tensors
    result = d * torch.sigmoid(x)
    with torch.no_grad():
        x.data.mul_(2)
    return result


def as_contiguous(ctx: Context, d: Tensor, _: Any) -> Tensor:
    """Read from memory as if there were no gaps in it."""
    (x,) = ctx.saved_tensors
    whole = torch.zeros_like(x)
    flat = d.as_strided((min(x.numel(), d.untyped_storage().nbytes() // 8),), (1,))
    whole.view(-1)[: len(flat)] = flat
    return whole * torch.sigmoid(x)


def strides_of_inputs(ctx: Context, d: Tensor, _: Any) -> Tensor:
    (x,) = ctx.saved_tensors
    return d * torch.sigmoid(x.as_strided(x.shape, (x.shape[1], 1)))


def first_of_expanded(ctx: Context, d: Tensor, _: Any) -> Tensor:
    (x,) = ctx.saved_tensors
    return (d[0] if 0 in d.stride() else d) * torch.sigmoid(x) * (2 if 0 in d.stride() else 1)


def overwritten(ctx: Context, d: Tensor) -> tuple[Tensor, None]:
    (ids,) = ctx.saved_tensors
    whole = torch.zeros(ctx.shape, dtype=d.dtype)
    whole[ids] = d
    return whole, None


def only_both(ctx: Context, d: Tensor, e: Tensor) -> tuple[Tensor | None, Tensor, None]:
    x, weight = ctx.saved_tensors
    both = ctx.needs_input_grad[0] and ctx.needs_input_grad[1]
    return d @ weight * ctx.scale + e, d.T @ x * ctx.scale * (1 if both else 2), None


WRONG: dict[str, tuple[Any, str, str]] = {
    "second output forgotten": (
        changed(
            Linear,
            lambda ctx, d, e: (d @ ctx.saved_tensors[1] * ctx.scale, d.T @ ctx.saved_tensors[0] * ctx.scale, None),
        ),
        "linear",
        r"wrong x\[\d, \d\]: expected .*\n",
    ),
    "factor forgotten": (
        changed(Linear, lambda ctx, d, e: (d @ ctx.saved_tensors[1] * ctx.scale + e, d.T @ ctx.saved_tensors[0], None)),
        "linear",
        r"wrong weight\[.*\n  got is 0.4 times what is expected everywhere",
    ),
    "no gradient": (
        changed(Linear, lambda ctx, d, e: (d @ ctx.saved_tensors[1] * ctx.scale + e, None, None)),
        "linear",
        "not covered weight: no gradient was given",
    ),
    "another shape": (
        changed(Linear, lambda ctx, d, e: (d @ ctx.saved_tensors[1], ctx.saved_tensors[0].T @ d, None)),
        "linear",
        r"could not be checked: the backward pass raised .*\[3, 5\] but expected shape compatible with \[5, 3\]",
    ),
    "an error": (
        changed(Softplus, lambda ctx, d, _: ctx.saved_tensors[1]),
        "softplus",
        "could not be checked: the backward pass raised in test_function.py, line .*: IndexError",
    ),
    "the upstream changed": (
        changed(Softplus, in_place),
        "softplus",
        "the backward pass changes its upstream gradient",
    ),
    "what was saved changed": (changed(Softplus, spoiled), "softplus", r"wrong backward twice\["),
    "strides of the upstream": (changed(Softplus, as_contiguous), "softplus", r"wrong strided upstream\["),
    "an expanded upstream": (changed(Softplus, first_of_expanded), "softplus", r"wrong expanded upstream\["),
    "strides of the inputs": (changed(Softplus, strides_of_inputs), "softplus", r"wrong strided inputs\["),
    "duplicates lost": (
        changed(Lookup, overwritten),
        "lookup",
        r"off in rows 4 of 6, exactly those that occur more than",
    ),
    "an input alone": (
        changed(Linear, only_both),
        "linear",
        r"wrong weight alone\[.*\n  in the gradient of weight, beside",
    ),
}


@pytest.mark.parametrize(("function", "of", "sentence"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_said(function: Any, of: str, sentence: str) -> None:
    found = check_function(
        function, RIGHT[of][1], ids={"table": IDS.tolist()} if of == "lookup" else None, raises=False
    )
    assert not found
    assert re.search(sentence, str(found)), str(found)


def test_an_error_of_1e_12_is_noticed() -> None:
    off = changed(
        Linear,
        lambda ctx, d, e: (
            d @ ctx.saved_tensors[1] * ctx.scale + e,
            d.T @ ctx.saved_tensors[0] * ctx.scale * (1 + 1e-12),
            None,
        ),
    )
    with pytest.raises(AssertionError, match=r"1 right, 1 wrong\nwrong weight\["):
        check_function(off, RIGHT["linear"][1])


def test_only_what_requires_a_gradient_is_checked() -> None:
    x, weight = drawn(4, 3), drawn(5, 3).requires_grad_()
    assert check_function(Linear, [x, weight, 1.0]).findings[0].tensor == "weight"
    assert weight.grad is None
    excluded = check_function(Linear, [x, drawn(5, 3), 1.0], exclude=["x"])
    assert [finding.verdict for finding in excluded.findings][:2] == ["excluded", "right"]


@pytest.mark.parametrize(
    ("inputs", "options", "message"),
    [
        ([1.0], {}, "inputs: at least one torch tensor is needed"),
        ([torch.ones(2, dtype=torch.int64)], {}, "inputs: at least one tensor of floats is needed"),
        ([drawn(2)], {"exclude": ["y"]}, "exclude: 'y' is no parameter; there are x"),
        (drawn(2), {}, "inputs: a list of what the function takes is needed, not a Tensor"),
        ([drawn(2).bfloat16()], {}, "inputs: x is bfloat16, which has too few digits"),
    ],
)
def test_bad_input(inputs: list[Any], options: dict[str, Any], message: str) -> None:
    with pytest.raises(BadInput, match=message):
        check_function(Softplus, inputs, **options)


def test_gradients_that_were_switched_off() -> None:
    with torch.no_grad():
        assert check_function(*RIGHT["linear"])


def test_a_forward_pass_that_takes_no_float64() -> None:
    module = torch.nn.Linear(3, 2)
    said = "Linear: could not be checked: the forward pass takes no float64: it raised RuntimeError"
    with pytest.raises(AssertionError, match=said):
        check_function(module, [drawn(4, 3, dtype=torch.float32)])
    assert check_function(module.double(), [drawn(4, 3, dtype=torch.float32).double()])


def test_no_output_has_a_gradient() -> None:
    with pytest.raises(AssertionError, match="argmax: could not be checked: no output has a gradient"):
        check_function(torch.argmax, [drawn(3)])
