"""Global switches of NumPy and PyTorch: each implementation has its own setting, and turns it for nobody else."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

LEFT = "__switches__"
"""The attribute of a module that was loaded for a user: which switches it turned when it was imported."""

Setting = dict[str, Any]


class Switches:
    """How the switches stand for one implementation: as they are now, until it turns them.

    They are NumPy's handling of floating-point errors, and PyTorch's gradient mode and default dtype.
    """

    def __init__(self) -> None:
        self.first = _read()
        self.own = dict(self.first)

    @contextmanager
    def turned(self) -> Iterator[None]:
        """While the implementation is at work. Afterwards all is as it was, and what it turned is kept for it."""
        before = _read()
        _set(self.own)
        try:
            yield
        finally:
            self.own = _read()
            _set(before)

    def changed(self) -> Setting:
        """Those that the implementation has turned."""
        return {name: setting for name, setting in self.own.items() if setting != self.first[name]}


def _read() -> Setting:
    torch = sys.modules.get("torch")
    gradients, dtype = (torch.is_grad_enabled(), torch.get_default_dtype()) if torch else (True, None)
    return {"numpy": np.geterr(), "gradients": gradients, "dtype": str(dtype or "torch.float32")}


def _set(setting: Setting) -> None:
    np.seterr(**setting["numpy"])
    if torch := sys.modules.get("torch"):
        torch.set_grad_enabled(setting["gradients"])
        torch.set_default_dtype(getattr(torch, setting["dtype"].removeprefix("torch.")))
