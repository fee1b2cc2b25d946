"""Load what a user names: an implementation, by file, folder or module, or a file with a model of their own."""

from __future__ import annotations

import importlib.util
import os
import sys
from importlib.machinery import PathFinder
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol, cast

from reference import exact
from reference.cases import Case
from reference.contract import Implementation, Params
from reference.errors import BadInput, raised, where
from reference.judge.switches import IMPORTED, LEFT, Switches


class Buildable(Protocol):
    """Anything with `build`, whatever of a trainer it returns."""

    def build(self, case: Any, weights: Params) -> Any:
        """A trainer for the case."""
        ...


Candidate = str | os.PathLike[str] | Buildable
"""The path of a .py file or of a folder, the name of a module, or anything that has `build`."""

OURS = "reference", "numpy_impl", "torch_impl"
"""Our packages. A user's module of one of these names would be taken for ours, or ours for it."""

ROOT = Path(__file__).resolve().parents[2]


def name_of(candidate: Candidate) -> str:
    """What it is called in results: its path, its module's name, or its type's."""
    if isinstance(candidate, str | os.PathLike):
        return os.fspath(candidate)
    return str(getattr(candidate, "__name__", type(candidate).__name__))


def load(candidate: Candidate, model: ModuleType | None = None) -> Implementation:
    """An implementation: a .py file, a folder with a package or with a build.py, a module, or an object with `build`.

    While a file is loaded and at work, Python also looks for modules in its folder, or beside the folder of a package;
    for a module, in the current folder. What it imports from there is imported anew each time that it is loaded.

    model: a model's module that is loaded already, which is taken where the path is that of its file.

    Raises:
        BadInput: there is no such thing, it cannot be imported, it has no `build`, or a module beside it has the name
            of one of our packages.
    """
    what = f"implementation {name_of(candidate)}"
    if isinstance(candidate, str | os.PathLike):
        name = os.fspath(candidate)
        if model is None:
            _forget()
        same = model is not None and name.endswith(".py") and model.__file__ == str(Path(name).resolve())
        found: Any = model if same else _imported(what, name)
    else:
        found = candidate
    if not callable(getattr(found, "build", None)):
        raise BadInput(f"{what}: has no function build(case, weights)")
    return cast(Implementation, found)


def load_model(name: str) -> tuple[ModuleType, list[Case]]:
    """A file with a model of one's own, and its `CASES`, each of which has batches and exact values.

    Raises:
        BadInput: there is no such file, it cannot be imported, or one of its cases cannot be computed.
    """
    what = f"model {name}"
    if not name.endswith(".py"):
        raise BadInput(f"{what}: the path of a .py file is needed")
    _forget()
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


# --- importing -------------------------------------------------------------------------------------------------------


def _imported(what: str, name: str) -> ModuleType:
    """The module; what: what it is to be, for the error."""
    switches = Switches()
    try:
        file, folder = _place(what, name)
        _refuse_namesakes(what, folder)
        with switches.turned():
            importlib.invalidate_caches()
            sys.path.insert(0, str(folder))
            _FOLDERS.add(folder)
            module = _from_file(what, file) if file else importlib.import_module(name)
    except BadInput:
        raise
    except ModuleNotFoundError as error:
        if not name.endswith(".py") and f"{name}.".startswith(f"{error.name}."):
            missing = "there is no such module; a module's name, or the path of a .py file or of a folder, is needed"
        else:
            missing = f"{where(error) or 'it'} needs {error.name}, which is neither installed nor beside it"
        raise BadInput(f"{what}: {missing}") from None
    except (Exception, SystemExit) as error:
        raise BadInput(f"{what}: importing it {raised(error)}") from None
    setattr(module, LEFT, switches.changed())
    return module


def _place(what: str, name: str) -> tuple[Path | None, Path]:
    """The file to load, None for a module by its name, and the folder that what it imports may stand in."""
    path = Path(name).resolve()
    if name.endswith(".py"):
        if not path.is_file():
            raise BadInput(f"{what}: there is no such file")
        return path, path.parent
    if name and path.is_dir():
        if (path / "__init__.py").is_file():
            return path / "__init__.py", path.parent
        if (path / "build.py").is_file():
            return path / "build.py", path
        spec = None if os.sep in name else importlib.util.find_spec(name)
        if not (spec and spec.origin):
            raise BadInput(f"{what}: is a folder; one with an __init__.py, or else a build.py, is needed")
    return None, Path.cwd()


def _from_file(what: str, path: Path) -> ModuleType:
    """The module of a file, or the package of its __init__.py."""
    package = path.name == "__init__.py"
    name = path.parent.name if package else path.stem
    if package and (other := sys.modules.get(name)):
        if other.__file__ == str(path):
            return other
        raise BadInput(f"{what}: another module {name} is imported already; the folder must be renamed")
    spec = importlib.util.spec_from_file_location(name, path, submodule_search_locations=[str(path.parent)] * package)
    assert spec  # there is one, with a loader, for every name that ends in .py
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    if name not in sys.modules:
        # dataclasses in it look themselves up there, and a candidate finds there the model that it imports
        sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def _refuse_namesakes(what: str, folder: Path) -> None:
    """Raise BadInput if the folder has a module that has the name of a package of ours, since one hides the other."""
    for name in OURS:
        spec = PathFinder.find_spec(name, [str(folder)])
        if spec and spec.origin and Path(spec.origin).resolve() != ROOT / name / "__init__.py":
            place = Path(spec.origin)
            place = place.parent if place.name == "__init__.py" else place
            raise BadInput(f"{what}: {place} has the name of twingrad's own package {name}; it must be renamed")


def _forget() -> None:
    """What was imported beside another candidate, or before it was edited, is not that of the next one."""
    for name in IMPORTED & sys.modules.keys():
        file = getattr(sys.modules[name], "__file__", None) or ""
        # no library that is installed there, and nothing of ours
        users = file and "site-packages" not in Path(file).parts and name.split(".", maxsplit=1)[0] not in OURS
        if users and any(Path(file).is_relative_to(folder) for folder in _FOLDERS):
            del sys.modules[name]
    IMPORTED.clear()
    _FOLDERS.clear()


_FOLDERS: set[Path] = set()
"""The folders that Python looked into for what a user named."""
