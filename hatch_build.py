"""In a wheel, `twingrad.py` is a package, since only a package can say that it is typed."""

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class Face(BuildHookInterface):
    """Put the module in the place of the package's __init__.py; an editable installation finds it where it is."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Called before a build. version: "standard" or "editable"."""
        if version == "standard":
            # a file of its own, since a file that is put elsewhere is left out of where it is
            self.marker.parent.mkdir(exist_ok=True)
            self.marker.touch()
            build_data["force_include"] |= {
                "twingrad.py": "twingrad/__init__.py",
                str(self.marker): "twingrad/py.typed",
            }

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Called after a build."""
        self.marker.unlink(missing_ok=True)

    @property
    def marker(self) -> Path:
        """The empty file that says so, in the folder that is built in."""
        return Path(self.directory, "py.typed")
