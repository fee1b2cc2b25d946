"""Load what a user names: an implementation, by module or file, or a file with a model of their own."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import cast

from reference import exact
from reference.cases import Case
from reference.contract import Implementation
from reference.errors import BadInput, raised
from reference.judge.switches import LEFT, Switches


def load(name: str, beside: ModuleType | None = None) -> Implementation:
    """An implementation by module name, or by the path of a Python file.

    beside: a module that is loaded already, which is taken where the path is that of its file.

    Raises:
        BadInput: there is no such module, it cannot be imported, or it has no `build`.
    """
    what = f"implementation {name}"
    same = beside is not None and name.endswith(".py") and beside.__file__ == str(Path(name).resolve())
    module = beside if same else _imported(what, name)
    if not callable(getattr(module, "build", None)):
        raise BadInput(f"{what}: has no function build(case, weights)")
    return cast(Implementation, module)


def load_model(name: str) -> tuple[ModuleType, list[Case]]:
    """A file with a model of one's own, and its `CASES`, each of which has batches and exact values.

    Raises:
        BadInput: there is no such file, it cannot be imported, or one of its cases cannot be computed.
    """
    what = f"model {name}"
    if not name.endswith(".py"):
        raise BadInput(f"{what}: the path of a .py file is needed")
    module = _imported(what, name)
    cases = getattr(module, "CASES", None)
    if not isinstance(cases, list | tuple) or not cases or not all(isinstance(case, Case) for case in cases):
        raise BadInput(f"{what}: has no CASES; a list of at least one reference.cases.Case is needed")
    for case in cases:
        _check(f"{what}, case {case.id}", case)
    return module, list(cases)


def _check(what: str, case: Case) -> None:
    """Raise BadInput unless the case has weights, a valid batch, and a loss in exact numbers."""
    if not exact.known(case.model):
        raise BadInput(f"{what}: {type(case.model).__name__} has no method exact_loss(m, p, batch)")
    try:
        case.check_weights(case.weights())
        batch = next(case.batches())
        case.check_batch(batch)
        unread = [name for name in case.model.tables if name not in case.model.looked_up(batch)]
        feasible = exact.feasible(case)
    except BadInput as bad:
        raise BadInput(f"{what}: {bad}") from None
    except Exception as error:
        raise BadInput(f"{what}: {raised(error)}") from None
    if unread:
        raise BadInput(f"{what}: looked_up lists no rows of {unread[0]}, which is among its tables")
    if not feasible:
        raise BadInput(f"{what}: is too large for exact values; fewer rows, steps or examples are needed")


def _imported(what: str, name: str) -> ModuleType:
    """The module; what: what it is to be, for the error."""
    switches = Switches()
    try:
        with switches.turned():
            module = _from_file(what, Path(name).resolve()) if name.endswith(".py") else importlib.import_module(name)
    except BadInput:
        raise
    except ModuleNotFoundError as error:
        if f"{name}.".startswith(f"{error.name}."):
            missing = "there is no such module; a module's name or the path of a .py file is needed"
        else:
            missing = f"it needs {error.name}, which is not installed"
        raise BadInput(f"{what}: {missing}") from None
    except (Exception, SystemExit) as error:
        raise BadInput(f"{what}: importing it {raised(error)}") from None
    setattr(module, LEFT, switches.changed())
    return module


def _from_file(what: str, path: Path) -> ModuleType:
    """The module of a file."""
    if not path.is_file():
        raise BadInput(f"{what}: there is no such file")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec  # there is one, with a loader, for every name that ends in .py
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    if path.stem not in sys.modules or path.stem in _FILES:
        # dataclasses in it look themselves up there, and a candidate finds there the model that it imports
        sys.modules[path.stem] = module
        _FILES.add(path.stem)
    spec.loader.exec_module(module)
    return module


_FILES: set[str] = set()
"""The names in `sys.modules` that are those of files."""
