"""In a wheel, `twingrad.py` is a package, since only a package can say that it is typed."""

from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class Face(BuildHookInterface):
    """Put the module in the place of the package's __init__.py; an editable installation finds it where it is."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Called before a build. version: "standard" or "editable"."""
        if version == "standard":
            build_data["force_include"] |= {
                "twingrad.py": "twingrad/__init__.py",
                ".ci/py.typed": "twingrad/py.typed",
            }
