"""Embedding models in PyTorch, as one writes them there. Read it beside `numpy_impl`, file by file."""

from torch_impl.trainer import build

__all__ = ["build"]
