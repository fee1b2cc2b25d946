"""Embedding models in idiomatic PyTorch. Read it next to `numpy_impl`, file by file."""

from torch_impl.trainer import build

__all__ = ["build"]
