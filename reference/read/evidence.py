"""The results of the last runs, from their JSON: agreement in eps, caught mistakes, and times of the hot loops."""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from reference.catalogue import catalogue
from reference.environment import sentence
from reference.errors import BadInput
from reference.judge.result import bracketed
from reference.judge.tolerance import STAGES

MADE_BY = {
    "verify": "make verify",
    "mistakes": "twingrad mistakes --json build/mistakes.json",
    "bench": "make bench",
}
"""The command that writes each file."""


FILES = {"verify": "verify.json", "mistakes": "mistakes.json", "bench": "bench/bench.json"}
"""The path of each file in the build folder."""


def collect(build: Path) -> dict[str, Any]:
    """The results in the folder, by kind; None if a file is missing. `plots`: the plots of the benchmarks.

    Raises:
        BadInput: a file is not JSON, or does not have the form that its command writes.
    """
    readers: dict[str, Callable[[Any], dict[str, Any]]] = {"verify": _verify, "mistakes": _mistakes, "bench": _bench}
    found: dict[str, Any] = {kind: _read(build / FILES[kind], kind, reader) for kind, reader in readers.items()}
    return found | {"plots": sorted((build / "bench").glob("*.svg")), "made_by": MADE_BY}


def _read(path: Path, kind: str, reader: Callable[[Any], dict[str, Any]]) -> dict[str, Any] | None:
    try:
        given = json.loads(path.read_bytes())
        return reader(given)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise BadInput(f"{path}: cannot be read ({error.strerror})") from None
    except RecursionError:
        raise BadInput(f"{path}: is nested too deeply; `{MADE_BY[kind]}` writes it anew") from None
    except ValueError as error:
        what = "is no JSON" if isinstance(error, json.JSONDecodeError | UnicodeDecodeError) else str(error)
        raise BadInput(f"{path}: {what}; `{MADE_BY[kind]}` writes it anew") from None
    except (KeyError, TypeError, AttributeError, IndexError, ArithmeticError) as error:
        what = f"{type(error).__name__} {error}"
        raise BadInput(
            f"{path}: is not of the form that `{MADE_BY[kind]}` writes ({what}); it writes it anew"
        ) from None


def _ran(environment: dict[str, Any]) -> dict[str, str]:
    """The date and the environment of a run, as text."""
    date = datetime.fromisoformat(environment["date"]).astimezone(UTC)
    return {"date": date.strftime("%d %B %Y, %H:%M UTC").lstrip("0"), "environment": sentence(environment)}


# --- agreement -------------------------------------------------------------------------------------------------------


def _verify(given: dict[str, Any]) -> dict[str, Any]:
    """One line per model, one column per optimizer and dtype. A cell has the largest error in eps and case count."""
    known = {case.id: case for case in catalogue()}
    cells: dict[tuple[str, str, str], list[dict[str, Any]]] = {}
    unknown = set()
    for result in given["results"]:
        case = known.get(result["case"])
        if case is None:
            unknown.add(result["case"])
            continue
        key = (case.family, type(case.optimizer).__name__, case.dtype)
        cells.setdefault(key, []).append(result)
    families, optimizers = (list(dict.fromkeys(key[at] for key in cells)) for at in (0, 1))
    dtypes = [dtype for dtype in ("float64", "float32") if any(key[2] == dtype for key in cells)]
    lines = [
        (family, [_cell(cells.get((family, optimizer, dtype), [])) for optimizer in optimizers for dtype in dtypes])
        for family in families
    ]
    wrong = [result for result in given["results"] if result["verdict"] in ("disagree", "error")]
    return _ran(given["environment"]) | {
        "optimizers": optimizers,
        "dtypes": dtypes,
        "lines": lines,
        "cases": len({result["case"] for result in given["results"]}),
        "who": list(dict.fromkeys(str(result["implementation"]) for result in given["results"])),
        "against": list(dict.fromkeys(str(result["against"]) for result in given["results"])),
        "verdicts": dict(Counter(str(result["verdict"]) for result in given["results"])),
        "wrong": [{"case": r["case"], "who": r["implementation"], "what": _first(r)} for r in wrong],
        "unknown": len(unknown),
    }


def _cell(results: list[dict[str, Any]]) -> dict[str, Any] | None:
    if not results:
        return None
    worst = max((_eps(result["worst_eps"]) for result in results if result["worst_eps"] is not None), default=None)
    wrong = any(result["verdict"] in ("disagree", "error") for result in results)
    cases = len({result["case"] for result in results})
    return {"eps": "–" if worst is None else f"{worst:.3g}", "wrong": wrong, "cases": cases}


def _eps(value: float | str) -> float:
    """An error as a float. Infinite and NaN errors are stored as words."""
    return math.inf if isinstance(value, str) and value in ("nan", "inf", "-inf") else float(value)


def _first(result: dict[str, Any]) -> str:
    first = result["first_divergence"]
    if not first:
        return str(result["reason"])
    named = "".join(f"; it equals {found['name']}, {found['sentence']}" for found in result["diagnosis"])
    return (
        f"step {first['step']}, {first['stage']}, {first['tensor']}{bracketed(first['index'])}: "
        f"expected {first['expected']}, got {first['got']}{named}"
    )


# --- mistakes --------------------------------------------------------------------------------------------------------


def _mistakes(given: dict[str, Any]) -> dict[str, Any]:
    """One line per mistake: how many cases of each model catch it, and which stage catches it first."""
    known = {case.id: case.family for case in catalogue()}
    families = list(dict.fromkeys(known.values()))
    lines: list[dict[str, Any]] = []
    for mistake in given["mistakes"]:
        caught = mistake["caught_by"]
        models = Counter(known.get(case, str(case).split("-")[0]) for case in caught)
        stages = Counter(str(where["stage"]) for where in caught.values())
        lines.append(
            {
                "name": str(mistake["name"]),
                "sentence": str(mistake["sentence"]),
                "kind": str(mistake["kind"]),
                "wrong": str(mistake["wrong"]),
                "right": str(mistake["right"]),
                "sources": [(str(source), _address(str(source))) for source in mistake["sources"]],
                "caught": len(caught),
                "cases": int(mistake["cases"]),
                "models": [models[family] for family in families],
                "stages": [stage for stage in (*STAGES, *stages.keys() - set(STAGES)) if stages[stage]],
            }
        )
    most = max((count for line in lines for count in line["models"]), default=0)
    kinds: dict[str, list[dict[str, Any]]] = {}
    for line in lines:
        kinds.setdefault(line["kind"], []).append(line)
    return _ran(given["environment"]) | {"families": families, "kinds": kinds, "most": most}


def _address(source: str) -> str:
    """The address of a source, which is an address or a GitHub issue `owner/repository#1`. Empty for a book."""
    issue = re.fullmatch(r"([\w.-]+/[\w.-]+)#(\d+)", source, re.ASCII)
    if issue:
        return f"https://github.com/{issue[1]}/issues/{issue[2]}"
    return source if source.startswith("https://") else ""


# --- benchmarks ------------------------------------------------------------------------------------------------------


def _bench(given: dict[str, Any]) -> dict[str, Any]:
    """One line per hot loop and size: the median times in seconds, and the fastest rival's time over NumPy's."""
    races: dict[str, dict[str, float]] = {}
    fastest: dict[str, str] = {}
    for one in given["benchmarks"]:
        extra, group = one["extra_info"], str(one["group"])
        races[group] = {str(name): float(time) for name, time in extra["medians"].items()}
        if extra["timed"] != "numpy":
            fastest[group] = str(extra["timed"])
    lines = []
    for group, rival in fastest.items():
        times, (loop, _, size) = races[group], group.rpartition(" ")
        ratio = times[rival] / times["numpy"]
        lines.append(
            {
                "loop": loop,
                "size": size,
                "numpy": _time(times["numpy"]),
                "rival": rival,
                "its": _time(times[rival]),
                "ratio": f"{ratio:.2f}",
                "bar": min(abs(math.log2(ratio)) / 4, 1),
                "faster": ratio >= 1,
            }
        )
    return _ran(given["machine_info"]["twingrad"]) | {"lines": lines}


def _time(seconds: float) -> str:
    return f"{seconds * 1e6:,.0f} µs" if seconds < 1e-2 else f"{seconds * 1e3:,.0f} ms"
