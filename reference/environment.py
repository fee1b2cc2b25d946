"""What the figures of a run depend on."""

from __future__ import annotations

import platform
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import threadpoolctl


def environment() -> dict[str, Any]:
    """What measured figures depend on: date, versions, CPU, BLAS with its core type, threads."""
    libraries = threadpoolctl.threadpool_info()
    versions = {name: _version(name) for name in ("twingrad", "numpy", "torch", "python-flint")}
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "versions": {name: version for name, version in versions.items() if version},
        "platform": platform.platform(),
        "cpu": _cpu(),
        "blas": [
            {"library": info["internal_api"], "version": info["version"], "core_type": info.get("architecture")}
            for info in libraries
            if info["user_api"] == "blas"
        ],
        "threads": max((info["num_threads"] for info in libraries), default=1),
    }


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def sentence(env: dict[str, Any]) -> str:
    """The environment in one line."""
    versions = ", ".join(f"{name} {version}" for name, version in env["versions"].items())
    blas = ", ".join(f"{lib['library']} {lib['version']} ({lib['core_type']})" for lib in env["blas"])
    return f"Python {env['python']}, {versions}; {env['cpu']}; {blas}; threads: {env['threads']}"
