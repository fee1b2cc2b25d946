"""The pairs read across: the same files, with the same classes and functions in them, in the same order.

What makes the NumPy twin fast is not in them: each kernel stands beside the plain form that it must equal, and is held
to it by a test.
"""

from __future__ import annotations

import ast
import inspect
import re
from importlib import import_module
from pathlib import Path

import pytest

import numpy_impl.trainer
import torch_impl.trainer
from torch_impl import optimizers

ROOT = Path(__file__).parents[2]
FILES = sorted(path.name for path in (ROOT / "torch_impl").glob("*.py"))
BY_TORCH = {
    # the NumPy name: what PyTorch has for it
    "embedding": "nn.Embedding",
    "renorm": "nn.Embedding(max_norm=)",
    "without_row": "nn.Embedding(padding_idx=)",
    "by_frequency": "nn.Embedding(scale_grad_by_freq=)",
    "embedding_bag": "nn.EmbeddingBag",
    "weighted_bag": "nn.EmbeddingBag, with per_sample_weights",
    "flat": "nn.EmbeddingBag, with offsets",
    "linear": "nn.Linear",
    "margins": "nn.Conv1d(padding=)",
    "with_decay": "torch.optim, with weight_decay",
    "root": "torch.optim, with eps",
    "bias_correction": "torch.optim, in Adam and its kin",
    "total_norm": "torch.nn.utils.get_total_norm",
}
BY_NUMPY = {"as_tensor": "NumPy's arrays are what a batch has"}


def defined(path: Path) -> list[str]:
    """The public classes and functions that a file defines, in order."""
    found = [node.name for node in tree(path) if isinstance(node, ast.ClassDef | ast.FunctionDef)]
    return [name for name in found if not name.startswith("_")]


def taken(path: Path) -> list[str]:
    """What a file takes from PyTorch, under the names that it has there."""
    found = [node for node in tree(path) if isinstance(node, ast.ImportFrom)]
    from_torch = [node for node in found if (node.module or "").split(".")[0] == "torch"]
    return [alias.asname or alias.name for node in from_torch for alias in node.names]


def offered(path: Path) -> list[str]:
    """What a file says that it offers, which without `__all__` is what it defines."""
    for node in tree(path):
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            return ast.literal_eval(node.value)
    return defined(path)


def tree(path: Path) -> list[ast.stmt]:
    return ast.parse(path.read_text(encoding="utf-8")).body


def test_the_files_are_the_same() -> None:
    by_hand, in_torch = (
        {path.name for path in (ROOT / room).iterdir() if path.name != "__pycache__"}
        for room in ("numpy_impl", "torch_impl")
    )
    assert by_hand - {"kernels"} == in_torch


@pytest.mark.parametrize("file", FILES)
def test_what_is_written_by_hand_has_its_counterpart(file: str) -> None:
    by_hand, in_torch = ROOT / "numpy_impl" / file, ROOT / "torch_impl" / file
    missing = set(defined(by_hand)) - {*defined(in_torch), *taken(in_torch), *BY_TORCH}
    assert not missing, f"{file}: {missing} has no counterpart in torch_impl, and no entry in BY_TORCH"


@pytest.mark.parametrize("file", FILES)
def test_what_is_in_torch_is_written_by_hand(file: str) -> None:
    by_hand, in_torch = ROOT / "numpy_impl" / file, ROOT / "torch_impl" / file
    missing = set(offered(in_torch)) - {*offered(by_hand), *BY_NUMPY}
    assert not missing, f"{file}: {missing} has no counterpart in numpy_impl, and no entry in BY_NUMPY"


@pytest.mark.parametrize("file", FILES)
def test_the_order_is_the_same(file: str) -> None:
    by_hand, in_torch = defined(ROOT / "numpy_impl" / file), defined(ROOT / "torch_impl" / file)
    assert [name for name in by_hand if name in in_torch] == [name for name in in_torch if name in by_hand]


def test_what_needs_no_counterpart_is_there_and_has_none() -> None:
    by_hand, in_torch = (
        {name for file in FILES for name in defined(ROOT / room / file)} for room in ("numpy_impl", "torch_impl")
    )
    assert BY_TORCH.keys() <= by_hand - in_torch
    assert BY_NUMPY.keys() <= in_torch - by_hand


def test_the_optimizers_are_those_of_torch() -> None:
    by_hand, in_torch = numpy_impl.trainer.OPTIMIZERS, torch_impl.trainer.OPTIMIZERS
    assert by_hand.keys() == in_torch.keys()
    for kind, optimizer in in_torch.items():
        assert optimizer is getattr(optimizers, kind.__name__)
        assert by_hand[kind].__name__ == kind.__name__


# --- the kernels -----------------------------------------------------------------------------------------------------

KERNELS = sorted((ROOT / "numpy_impl" / "kernels").glob("[a-z]*.py"))
ALREADY_PLAIN = {
    "blocks": "cuts, and computes nothing",
    "entries": "cuts, and computes nothing",
    "place": "one line",
}
TESTS = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests" / "twins" / "kernels").glob("test_*.py"))


@pytest.mark.parametrize("file", KERNELS, ids=lambda file: file.stem)
def test_a_kernel_knows_nothing_of_what_it_makes_fast(file: Path) -> None:
    imports = re.findall(r"^(?:from|import) (numpy_impl\S*)", file.read_text("utf-8"), re.M)
    assert all(name.startswith("numpy_impl.kernels.") for name in imports)


@pytest.mark.parametrize("file", KERNELS, ids=lambda file: file.stem)
def test_the_plain_form_of_a_kernel_comes_first_and_takes_the_same(file: Path) -> None:
    module = import_module(f"numpy_impl.kernels.{file.stem}")
    functions = [name for name in re.findall(r"^def (\w+)\(", file.read_text("utf-8"), re.M) if name[0] != "_"]
    fast = [name for name in functions if not name.startswith("plain_") and name not in ALREADY_PLAIN]
    plain = [name for name in functions if name.startswith("plain_")]
    assert plain == [f"plain_{name}" for name in fast]
    for name in fast:
        assert functions.index(f"plain_{name}") < functions.index(name)
        assert inspect.signature(getattr(module, f"plain_{name}")) == inspect.signature(getattr(module, name))
        for called in (name, f"plain_{name}"):
            assert re.search(rf"(?<![\w.]){called}\(", TESTS), f"no test calls {called}"
