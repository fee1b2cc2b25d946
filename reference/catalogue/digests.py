"""What every released id means, kept as digests in `digests.json`: an id never comes to mean another case.

`python -m reference.catalogue.digests` (`make digests`) appends those of new ids, and changes none that is there.
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
"""The batches of so many steps are part of a digest."""

Kept = dict[str, dict[str, str]]


def meanings(cases: Iterable[Case]) -> Kept:
    """Of every case its digest, by id; and, as digests leave defaults out, the defaults, by class and field."""
    whole = list(cases)
    known: dict[str, str] = {}
    for part in (part for case in whole for part in _parts(case)):
        known |= {f"{type(part).__name__}.{name}": json.dumps(of) for name, of in defaults(type(part)).items()}
    return {"defaults": known, "cases": {case.id: digest(case) for case in whole}}


def digest(case: Case) -> str:
    """SHA-256 of the options that are not defaults, of the initial weights, and of the batches of the first steps.

    Of a case on a text, which another version of Python has otherwise, of the options alone, sizes left out.
    """
    options = jsonable(case)
    if isinstance(case.data, Text):
        for part, name in (("data", "source"), ("model", "num_embeddings"), ("model", "num_classes")):
            options[part].pop(name, None)
    else:
        del options["data"]  # the batches say it
    for name in ("name", "seed", "gain", "grid"):  # the id has the name, and the weights and batches the others
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
    """A dataclass, and those that it has."""
    yield part
    for option in fields(part):
        value = getattr(part, option.name)
        if is_dataclass(value):
            yield from _parts(value)


def kept() -> Kept:
    """What stands in the file."""
    return json.loads(PATH.read_text(encoding="utf-8"))


def changes(before: Kept, now: Kept) -> list[str]:
    """What has another meaning than it had, or none any more, in a sentence each that says what to do."""
    found = []
    for name, value in before["defaults"].items():
        if name in now["defaults"] and now["defaults"][name] != value:
            found.append(
                f"{name}: its default was {value} and is {now['defaults'][name]}, so every id without it means another "
                "case; give it its old default again"
            )
    for name, value in before["cases"].items():
        if name not in now["cases"]:
            found.append(f"{name}: the case is gone; an id that was released stays: put its case back")
        elif now["cases"][name] != value:
            found.append(
                f"{name}: means another case than it did: model, optimizer, options, weights or batches are others; "
                "put it back as it was, and give the new case a name of its own"
            )
    return found


def unkept(before: Mapping[str, Mapping[str, str]], now: Kept) -> list[str]:
    """The ids that have no digest yet."""
    return [name for name in now["cases"] if name not in before["cases"]]


def main() -> int:
    """Append the digests of new ids; 1 where one that is there has changed."""
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
