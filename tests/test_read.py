"""`twingrad read`: the pairs are aligned with the code that runs, and PyTorch does what its column says."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Callable
from dataclasses import fields
from itertools import product
from pathlib import Path
from textwrap import indent
from typing import Any

import pytest
import torch
from torch import Tensor

from numpy_impl import functional as by_hand
from reference import data
from reference.cases import SGD, Case, Drawn, EmbeddingBag
from reference.catalogue import OPTIONS, catalogue
from reference.cli import main
from reference.read.align import PAIRS, Misaligned, Part, read_pair, text_of
from torch_impl import functional
from torch_impl.trainer import as_tensor, build

PARTS = [(name, part) for name in PAIRS for part in read_pair(name).parts]
CASES = {case.id: case for case in catalogue()}

# --- the code that is shown ------------------------------------------------------------------------------------------

ROOT = Path(__file__).parent.parent
NOT_SHOWN = {
    "rows": "how row gradients are made fast; `plain_rows_of` says what they must be",
    "trainer": "where a model meets the contract",
    "__init__": "",
    "mistakes": "what is wrong on purpose",
    "variants": "what others do",
}


def functions(file: Path) -> set[str]:
    """The functions and methods of a module, but for initialisers that do nothing and what only raises."""
    found = set()
    for node in ast.parse(file.read_text(encoding="utf-8")).body:
        prefix = f"{node.name}." if isinstance(node, ast.ClassDef) else ""
        for member in node.body if isinstance(node, ast.ClassDef) else [node]:
            if isinstance(member, ast.FunctionDef) and not does_nothing(member):
                found.add(f"{file.parent.name}.{file.stem}.{prefix}{member.name}")
    return found


def does_nothing(function: ast.FunctionDef) -> bool:
    """It only passes, raises, or keeps the names that it was given."""
    last = function.body[-1]
    keeps = isinstance(last, ast.Assign) and function.name == "__init__" and isinstance(last.value, ast.Tuple)
    plain = keeps and len(function.body) == 1 and all(isinstance(part, ast.Name) for part in last.value.elts)
    return isinstance(last, ast.Pass | ast.Raise) or plain


def test_everything_that_is_paired_is_shown() -> None:
    files = [file for room in ("numpy_impl", "torch_impl") for file in (ROOT / room).glob("*.py")]
    written = set().union(*(functions(file) for file in files if file.stem not in NOT_SHOWN))
    shown = {name for _, part in PARTS for name in part.shown}
    assert not written - shown
    assert shown - written == {"numpy_impl.rows.plain_rows_of"}


@pytest.mark.parametrize("pair", PAIRS)
def test_each_line_of_what_is_shown_is_in_one_row_and_is_the_line_of_the_module(pair: str) -> None:
    for part in read_pair(pair).parts:
        pieces = [piece for row in part.rows for piece in (*row.numpy, *row.torch)]
        shown = sorted((piece.file, line.strip()) for piece in pieces for line in piece.code.splitlines())
        assert shown == sorted(line for name in part.shown for line in lines_of(name))


def lines_of(name: str) -> list[tuple[str, str]]:
    """The lines of a function, without docstrings and empty ones: as `inspect` finds it, not as `align` does."""
    package, module, *path = name.split(".")
    found: Any = __import__(f"{package}.{module}", fromlist=[module])
    for step in path:
        found = getattr(found, step)
    lines = inspect.getsource(inspect.unwrap(found)).splitlines()
    file, kept, inside = f"{package}/{module}.py", [], False
    for line in lines:
        quotes = line.count('"""')
        if not (inside or quotes) and line.strip():
            kept.append((file, line.strip()))
        inside ^= quotes == 1
    return kept


BROKEN = [
    # pair, module, what changes in it, what the message names
    ("classifier", "numpy_impl.classifier", ("d = d_loss()", "d = loss_backward()"), "row 'Back through the loss'"),
    (
        "classifier",
        "torch_impl.classifier",
        ("model, activation = ", "extra = 1\n        model, activation = "),
        "line",
    ),
    ("sgd", "numpy_impl.optimizers", ("class SGD(", "class Descent("), "has no SGD"),
    (
        "softmax",
        "numpy_impl.objectives",
        ("return d @ table, d.T @ hidden", "return d"),
        "row 'Back through the product'",
    ),
]


@pytest.mark.parametrize(("pair", "module", "change", "named"), BROKEN)
def test_a_pair_that_lost_its_alignment_says_which_row(pair: str, module: str, change: tuple, named: str) -> None:
    def changed(name: str) -> str:
        assert change[0] in text_of(module)
        return text_of(name).replace(*change) if name == module else text_of(name)

    with pytest.raises(Misaligned, match=named):
        read_pair(pair, changed)


# --- what autograd runs ----------------------------------------------------------------------------------------------


def executed(loss: Tensor) -> list[str]:
    """The nodes that autograd runs, in the order in which it runs them."""
    ran: list[str] = []
    seen, left = set(), [loss.grad_fn]
    while left:
        node = left.pop()
        if node is not None and node not in seen:
            seen.add(node)
            name = type(node).__name__
            node.register_hook(lambda *_, name=name: ran.append(name))
            left += [after for after, _ in node.next_functions]
    loss.backward()
    return ran


def of_case(case: Case) -> Tensor:
    batch = next(data.batches(case))
    tensors = type(batch)(*(as_tensor(getattr(batch, field.name)) for field in fields(batch)))
    for name in case.model.input_gradients:
        getattr(tensors, name).requires_grad_()
    return build(case, data.weights(case)).model(tensors)


def drawn_bag(**options: Any) -> Case:
    return Case("read", EmbeddingBag(10, 5, **options), SGD(), Drawn((4, 3)))


X, LABELS = torch.linspace(-2, 2, 12).reshape(4, 3), torch.tensor([0, 2, 1, 2])
SINGLE: dict[str, Callable[[Tensor], Tensor]] = {
    **{name: getattr(functional, name) for name in ("relu", "tanh", "sigmoid", "gelu", "gelu_tanh", "log_sigmoid")},
    "dropout": lambda x: functional.dropout(x, X > 0, 0.5),
    "cross_entropy": lambda x: functional.cross_entropy(x, LABELS),
    "cross_entropy-options": lambda x: functional.cross_entropy(x, LABELS, torch.tensor([1.0, 2, 3]), ignore_index=1),
    "mse_loss": lambda x: functional.mse_loss(x, X * X),
}


def live(name: str) -> list[str]:
    """What autograd runs for a part: a case of the catalogue, a bag, or one function, whose input is no parameter."""
    if name in SINGLE:
        x = X.clone().requires_grad_()
        output = SINGLE[name](x)
        ran = executed(output if output.ndim == 0 else output.sum())
        return [node for node in ran if node not in ("AccumulateGrad", "SumBackward0")]
    if name.startswith("EmbeddingBag"):
        return executed(of_case(drawn_bag(mode="sum", weighted=True) if "weighted" in name else drawn_bag()))
    return executed(of_case(CASES[name]))


BACKWARD = [(pair, part) for pair, part in PARTS if any(row.autograd for row in part.rows)]


@pytest.mark.parametrize(("pair", "part"), BACKWARD, ids=[f"{pair}-{part.live}" for pair, part in BACKWARD])
def test_the_grad_fn_are_those_that_autograd_runs_in_this_order(pair: str, part: Part) -> None:
    assert [node for row in part.rows for node in row.autograd] == live(part.live)


# --- what torch.optim does -------------------------------------------------------------------------------------------

UPDATES = [(pair, part) for pair, part in PARTS if any(row.ops for row in part.rows)]


def test_every_optimizer_says_what_torch_does() -> None:
    assert {part.live for _, part in UPDATES} == {kind.__name__ for kind in OPTIONS}


@pytest.mark.parametrize(("pair", "part"), UPDATES, ids=[pair for pair, _ in UPDATES])
def test_the_lines_of_an_optimizer_do_what_torch_does_bit_for_bit(pair: str, part: Part) -> None:
    kind = next(kind for kind in OPTIONS if kind.__name__ == part.live)
    lines = compile("\n".join(row.ops for row in part.rows if row.ops), pair, "exec")
    for values in product(*OPTIONS[kind].values()):
        options = dict(zip(OPTIONS[kind], values, strict=True))
        if options.get("nesterov") and (options["dampening"] or not options["momentum"]):
            continue
        sparse = part.live == "SparseAdam"
        generator = torch.Generator().manual_seed(1)
        theirs = torch.randn(7, 3, generator=generator, dtype=torch.float64).requires_grad_()
        ours, state = theirs.detach().clone(), {name: torch.zeros(7, 3, dtype=torch.float64) for name in STATE}
        state["sum"] += options.get("initial_accumulator_value", 0)
        optimizer = getattr(torch.optim, part.live)([theirs], **options)
        beta1, beta2 = options.pop("betas", (0, 0))
        for step in (1, 2, 3):
            values = torch.randn(7, 3, generator=generator, dtype=torch.float64)
            rows = torch.tensor([0, 2, 5])
            theirs.grad = torch.sparse_coo_tensor(rows[None], values[rows], (7, 3)) if sparse else values.clone()
            with torch.sparse.check_sparse_tensor_invariants(enable=False):
                optimizer.step()
            given = {"param": ours, "grad": values.clone(), "rows": rows, "values": values[rows], "step": step}
            names = state | given | options | {"beta1": beta1, "beta2": beta2, "torch": torch}
            exec(lines, names)
            assert torch.equal(ours, theirs.detach()), options


STATE = ("momentum_buffer", "sum", "square_avg", "grad_avg", "exp_avg", "exp_avg_sq", "max_exp_avg_sq")


@pytest.mark.parametrize("own", sorted({row.own for _, part in PARTS for row in part.rows if row.own}))
def test_what_is_pytorchs_own_is_what_the_twin_takes(own: str) -> None:
    found: Any = torch
    for step in own.split(".")[1:]:
        found = getattr(found, step)
    if own.startswith(("torch.nn.functional", "torch.tanh", "torch.sigmoid")):
        taken = {"logsigmoid": "log_sigmoid"}.get(found.__name__, found.__name__)
        assert getattr(functional, taken) is found
        assert hasattr(by_hand, taken)


# --- in the terminal -------------------------------------------------------------------------------------------------


def test_a_pair_in_the_terminal_has_both_columns(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["read", "classifier"]) == 0
    printed = capsys.readouterr().out
    (row,) = [row for row in printed.split("The last layer")[1:] if "logits, d_logits" in row]
    assert re.search(r"^\W*last = model.layers\[-1\] +\W logits = self.get_submodule\(", row, re.MULTILINE)
    assert "AddmmBackward0" in printed


@pytest.mark.parametrize(
    ("given", "found"),
    [("adam", ["adam"]), ("skipgram", ["skip-gram"]), ("negative_sampling", ["negative-sampling"]), ("ada", 4)],
)
def test_a_name_finds_its_pair(given: str, found: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["read", given, "--list"]) == 0
    names = capsys.readouterr().out.split()
    assert (len(names) if isinstance(found, int) else names) == found


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nothing"], "no pair is called 'nothing'; there are embedding, "),
        (["adam", "--html", "somewhere"], "--html writes all pairs; leave 'adam' out"),
    ],
)
def test_wrong_input_is_one_line(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["read", *arguments]) == 2
    captured = capsys.readouterr()
    assert said in captured.err
    assert captured.err.count("\n") == 1
    assert not Path("somewhere").exists()


def test_symbols_are_names_of_the_code() -> None:
    for name in PAIRS:
        pair = read_pair(name)
        code = "\n".join(p.code for part in pair.parts for row in part.rows for p in (*row.numpy, *row.torch))
        code += "\n".join(row.ops for part in pair.parts for row in part.rows)
        for symbol in pair.symbols.values():
            assert not symbol["code"] or any(word in code for word in symbol["code"]), indent(symbol["is"], f"{name}: ")
