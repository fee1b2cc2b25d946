"""Load an implementation that a user names: a module, or a Python file."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import cast

from reference.contract import Implementation
from reference.errors import BadInput, one_line


def load(name: str) -> Implementation:
    """An implementation by module name, or by the path of a Python file.

    Raises:
        BadInput: there is no such module, it cannot be imported, or it has no `build`.
    """
    what = f"implementation {name}"
    try:
        if name.endswith(".py"):
            path = Path(name).resolve()
            if not path.is_file():
                raise BadInput(f"{what}: there is no such file")
            spec = importlib.util.spec_from_file_location(path.stem, path)
            assert spec  # there is one, with a loader, for every name that ends in .py
            assert spec.loader
            module = importlib.util.module_from_spec(spec)
            sys.modules.setdefault(path.stem, module)  # dataclasses in it look themselves up there
            spec.loader.exec_module(module)
        else:
            module = importlib.import_module(name)
    except BadInput:
        raise
    except ModuleNotFoundError as error:
        if f"{name}.".startswith(f"{error.name}."):
            missing = "there is no such module; a module's name or the path of a .py file is needed"
        else:
            missing = f"it needs {error.name}, which is not installed"
        raise BadInput(f"{what}: {missing}") from None
    except (Exception, SystemExit) as error:
        raise BadInput(f"{what}: importing it raised {one_line(error)}") from None
    if not callable(getattr(module, "build", None)):
        raise BadInput(f"{what}: has no function build(case, weights)")
    return cast(Implementation, module)
