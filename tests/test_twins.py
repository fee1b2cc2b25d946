"""The pairs read across: the same files, with the same classes and functions in them."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import numpy_impl.trainer
import torch_impl.trainer
from torch_impl import optimizers

ROOT = Path(__file__).parent.parent
ONLY_BY_HAND = {
    "rows.py": "the gradient of a looked-up row, which is autograd's business",
    "workspace.py": "memory, which is PyTorch's own business",
}
BY_TORCH = {
    # the NumPy name: what PyTorch has for it
    "embedding": "nn.Embedding",
    "renorm": "nn.Embedding(max_norm=)",
    "without_row": "nn.Embedding(padding_idx=)",
    "by_frequency": "nn.Embedding(scale_grad_by_freq=)",
    "embedding_bag": "nn.EmbeddingBag",
    "weighted_bag": "nn.EmbeddingBag, with per_sample_weights",
    "flat": "nn.EmbeddingBag, with offsets",
    "fixed_sum": "nn.EmbeddingBag",
    "mean_bag": "nn.EmbeddingBag",
    "bag_sum": "nn.EmbeddingBag",
    "bag_max": "nn.EmbeddingBag",
    "starts": "nn.EmbeddingBag",
    "linear": "nn.Linear",
    "plain_cross_entropy": "cross_entropy",
}


def names(path: Path) -> list[str]:
    """The public classes and functions of a file, in order, those that it takes from a library with them."""
    found = []
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef):
            found.append(node.name)
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "torch":
            found += [alias.asname or alias.name for alias in node.names]
    return [name for name in found if not name.startswith("_")]


def test_the_files_are_the_same() -> None:
    by_hand, in_torch = ({p.name for p in (ROOT / room).glob("*.py")} for room in ("numpy_impl", "torch_impl"))
    assert by_hand - in_torch == ONLY_BY_HAND.keys()
    assert in_torch <= by_hand


@pytest.mark.parametrize("file", sorted({p.name for p in (ROOT / "torch_impl").glob("*.py")} - {"optimizers.py"}))
def test_what_is_written_by_hand_has_its_counterpart(file: str) -> None:
    by_hand = [name for name in names(ROOT / "numpy_impl" / file) if name not in BY_TORCH]
    in_torch = names(ROOT / "torch_impl" / file)
    missing = [name for name in by_hand if name not in in_torch]
    assert not missing, f"{file}: {missing} has no counterpart in torch_impl, and no entry in BY_TORCH"


def test_the_optimizers_are_those_of_torch() -> None:
    by_hand, in_torch = numpy_impl.trainer.OPTIMIZERS, torch_impl.trainer.OPTIMIZERS
    assert by_hand.keys() == in_torch.keys()
    for kind, optimizer in in_torch.items():
        assert optimizer is getattr(optimizers, kind.__name__)
        assert by_hand[kind].__name__ == kind.__name__
