"""Switches of Python, NumPy and PyTorch that are global: each implementation has its own setting of them."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import numpy as np

LEFT = "__switches__"
"""The attribute of a module that was loaded for a user: which switches it turned when it was imported."""

IMPORTED: set[str] = set()
"""The names of the modules that were imported while implementations were loaded or at work."""

Setting = dict[str, Any]


class Switches:
    """How the switches stand for one implementation: as they are now, until it turns them.

    They are where Python looks for modules and its filters of warnings, NumPy's handling of floating-point errors,
    whether the processor flushes subnormal numbers to zero, and PyTorch's gradient mode, default dtype and default
    device.
    """

    def __init__(self) -> None:
        self.first = _read()
        self.own = dict(self.first)

    @contextmanager
    def turned(self) -> Iterator[None]:
        """While the implementation is at work. Afterwards all is as it was, and what it turned is kept for it."""
        before, known = _read(), len(sys.modules)
        _turn(before, self.own)
        try:
            yield
        finally:
            IMPORTED.update(list(sys.modules)[known:])  # new ones are the last
            self.own = _read()
            _turn(self.own, before)

    def changed(self) -> Setting:
        """Those that the implementation has turned."""
        return {name: setting for name, setting in self.own.items() if setting != self.first[name]}


def _read() -> Setting:
    torch = sys.modules.get("torch")
    return {
        "path": list(sys.path),
        "warnings": list(warnings.filters),
        "numpy": np.geterr(),
        "flush": sys.float_info.min / 2 == 0,  # nothing tells whether it is set
        "gradients": torch.is_grad_enabled() if torch else True,
        "dtype": str(torch.get_default_dtype()) if torch else "torch.float32",
        "device": str(torch.empty(0).device) if torch else "cpu",  # get_default_device takes five times as long
    }


def _turn(now: Setting, wanted: Setting) -> None:
    """Turn those that stand otherwise: a change of the filters makes Python show again what it has shown once."""
    torch = sys.modules.get("torch")
    for name in (name for name, setting in wanted.items() if setting != now[name]):
        if name == "path":
            sys.path[:] = wanted[name]
        elif name == "warnings":
            warnings.resetwarnings()
            warnings.filters[:] = wanted[name]  # type: ignore[index]
        elif name == "numpy":
            np.seterr(**wanted[name])
        elif torch:
            _turn_torch(torch, name, wanted[name])


def _turn_torch(torch: ModuleType, name: str, setting: Any) -> None:
    match name:
        case "flush":
            torch.set_flush_denormal(setting)
        case "gradients":
            torch.set_grad_enabled(setting)
        case "dtype":
            torch.set_default_dtype(getattr(torch, setting.removeprefix("torch.")))
        case "device":
            torch.set_default_device(None if setting == "cpu" else setting)
