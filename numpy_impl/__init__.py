"""Embedding models in NumPy, forward and backward by hand. Read it next to `torch_impl`, file by file."""

from numpy_impl.trainer import build

__all__ = ["build"]
