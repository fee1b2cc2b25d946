"""Digests of the case that each released id means, kept in `digests.json`. An id never changes its meaning.

`python -m reference.catalogue.digests` (`make digests`) appends the digests of new ids. It does not change others.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields, is_dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from reference.cases import Case, Text
from reference.cases.labels import defaults, jsonable
from reference.catalogue import catalogue

PATH = Path(__file__).parent / "digests.json"
STEPS = 5
"""The number of steps with batches that are part of a digest."""

Kept = dict[str, dict[str, str]]


def meanings(cases: Iterable[Case]) -> Kept:
    """The digest of every case, by id, and all defaults, by class and field, since digests leave these out."""
    whole = list(cases)
    known: dict[str, str] = {}
    for part in (part for case in whole for part in _parts(case)):
        known |= {f"{type(part).__name__}.{name}": json.dumps(of) for name, of in defaults(type(part)).items()}
    return {"defaults": known, "cases": {case.id: digest(case) for case in whole}}


def digest(case: Case) -> str:
    """SHA-256 of the options that are not defaults, of the initial weights, and of the batches of the first steps.

    Python's text differs between versions. So the digest of a case on a text is of its options only, without sizes.
    """
    options = jsonable(case)
    if isinstance(case.data, Text):
        for part, name in (("data", "source"), ("model", "num_embeddings"), ("model", "num_classes")):
            options[part].pop(name, None)
    else:
        del options["data"]  # the batches show it
    for name in ("name", "seed", "gain", "grid"):  # the id has the name; weights and batches show the others
        options.pop(name, None)
    found = hashlib.sha256(json.dumps(options, sort_keys=True).encode())
    if not isinstance(case.data, Text):
        arrays = [("weights", case.weights())]
        arrays += [(type(batch).__name__, _arrays(batch)) for batch in islice(case.batches(), STEPS)]
        for kind, named in arrays:
            for name, array in sorted(named.items()):
                found.update(f"{kind} {name} {array.dtype.name} {array.shape}".encode())
                found.update(array.astype(array.dtype.newbyteorder("<")).tobytes())
    return found.hexdigest()


def _arrays(batch: Any) -> dict[str, np.ndarray]:
    return {part.name: getattr(batch, part.name) for part in fields(batch)}


def _parts(part: Any) -> Iterator[Any]:
    """A dataclass, and the dataclasses in its fields."""
    yield part
    for option in fields(part):
        value = getattr(part, option.name)
        if is_dataclass(value):
            yield from _parts(value)


def kept() -> Kept:
    """The content of the file."""
    return json.loads(PATH.read_text(encoding="utf-8"))


def changes(before: Kept, now: Kept) -> list[str]:
    """One sentence for each id or default that changed or is gone, with what to do about it."""
    found = []
    for name, value in before["defaults"].items():
        if name in now["defaults"] and now["defaults"][name] != value:
            found.append(
                f"{name}: its default was {value} and is now {now['defaults'][name]}, so every id without it means "
                "another case; give it its old default again"
            )
    for name, value in before["cases"].items():
        if name not in now["cases"]:
            found.append(f"{name}: the case is gone; a released id must stay: put its case back")
        elif now["cases"][name] != value:
            found.append(
                f"{name}: means another case than before: its model, optimizer, options, weights or batches changed; "
                "put it back as it was, and give the new case its own name"
            )
    return found


def unkept(before: Mapping[str, Mapping[str, str]], now: Kept) -> list[str]:
    """The ids without a digest."""
    return [name for name in now["cases"] if name not in before["cases"]]


def main() -> int:
    """Append the digests of new ids; returns 1 if the meaning of an old one has changed."""
    before, now = kept() if PATH.exists() else {"defaults": {}, "cases": {}}, meanings(catalogue())
    changed = changes(before, now)
    if changed:
        print(*changed, sep="\n", file=sys.stderr)
        return 1
    whole = {part: before[part] | now[part] for part in now}
    PATH.write_text(json.dumps(whole, indent=0) + "\n", encoding="utf-8")
    print(f"{len(before['cases'])} digests, {len(unkept(before, now))} appended")
    return 0


if __name__ == "__main__":
    sys.exit(main())
