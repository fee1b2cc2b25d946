"""The list of the vectors in a folder, by which a change is noticed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reference.data.files import read_bounded
from reference.vectors.schema import MANIFEST, VERSION
from reference.vectors.strict_json import LARGEST, read

NAMED = 3
"""At most this many files of a kind of change are named."""


@dataclass(frozen=True)
class Manifest:
    """The files of a folder by name, each with its case's id and its SHA-256, and the version of their form."""

    files: Mapping[str, Mapping[str, str]]
    version: int = VERSION

    def since(self, last: Manifest) -> str:
        """What has changed since the last one, in words."""
        both = self.files.keys() & last.files.keys()
        kinds = {
            "added": self.files.keys() - both,
            "removed": last.files.keys() - both,
            "changed": {name for name in both if self.files[name]["sha256"] != last.files[name]["sha256"]},
        }
        said = [f"version {last.version} is now {self.version}"] if self.version != last.version else []
        for kind, names in kinds.items():
            first = [name.removesuffix(".json") for name in sorted(names)[:NAMED]]
            more = ", ..." if len(names) > NAMED else ""
            said += [f"{len(names)} {kind} ({', '.join(first)}{more})"] if names else []
        return ", ".join(said) or "nothing"

    def text(self) -> str:
        """The text of `manifest.json`, a line for each file."""
        lines = ",\n".join(f"  {json.dumps(name)}: {json.dumps(entry)}" for name, entry in sorted(self.files.items()))
        return f'{{\n "version": {self.version},\n "files": {{\n{lines}\n }}\n}}\n'

    def unchanged(self, folder: Path, name: str) -> bool:
        """Whether a file of the folder is there and is what the manifest says."""
        path = folder / name
        return path.is_file() and digest(read_bounded(path, LARGEST)) == self.files[name]["sha256"]


def digest(raw: bytes) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    return hashlib.sha256(raw).hexdigest()


def read_manifest(folder: Path) -> Manifest | None:
    """The manifest of a folder; None if it has none. Raises BadInput if it cannot be read, or is none."""
    path = folder / "manifest.json"
    if not path.exists():
        return None
    said: dict[str, Any] = read(path, MANIFEST, MANIFEST)
    return Manifest(said["files"], int(said["version"]))
