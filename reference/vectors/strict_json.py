"""Reads JSON that is not to be trusted: it limits the size, checks the schema, and says where something is wrong.

It refuses what `json` accepts: NaN and Infinity, numbers too large for a float, and names that occur twice.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from reference.data.files import read_bounded
from reference.errors import BadInput

LARGEST = 8 * 2**20
"""Bytes of a file. An empty list takes 3 bytes there and 64 in memory, so no file takes more than 300 MB."""

Schema = dict[str, Any]
TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "boolean": (bool,),
    "number": (int, float),
    "integer": (int, float),
    "null": (type(None),),
}


def read(path: Path, schema: Schema, root: Schema) -> Any:
    """The content of a JSON file that matches the schema; root has the `$defs`.

    Raises:
        BadInput: it cannot be read, is too large, is not JSON, or does not match the schema.
    """
    raw = read_bounded(path, LARGEST)
    try:
        return parsed(raw, schema, root)
    except BadInput as bad:
        raise BadInput(f"{path}: {bad}") from None


def parsed(raw: bytes, schema: Schema, root: Schema) -> Any:
    """JSON that matches the schema; root has the `$defs`. Raises BadInput if it is not JSON, or does not match."""
    try:
        value = _parse(raw)
        check(value, schema, root)
    except RecursionError:
        raise BadInput("is nested too deeply") from None
    return value


def _parse(raw: bytes) -> Any:
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise BadInput(f"is not UTF-8 at byte {error.start}; JSON in UTF-8 is needed") from None
    if text.startswith("\ufeff"):
        raise BadInput("begins with a byte order mark; JSON in UTF-8 without one is needed")
    if not text.strip():
        raise BadInput("is empty; JSON is needed")
    try:
        return json.loads(text, parse_constant=_refuse, parse_float=_float, parse_int=_int, object_pairs_hook=_unique)
    except json.JSONDecodeError as error:
        raise BadInput(f"line {error.lineno}, column {error.colno}: is not JSON ({error.msg})") from None


def _refuse(name: str) -> Any:
    raise BadInput(f'has {name}, which JSON does not; results may have the string "{name}"')


def _float(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise BadInput(f"has {shown(text)}, which is beyond a float64; only finite numbers are allowed")
    return value


def _int(text: str) -> int | float:
    # an integer this long is not an id, so it may become a float
    return int(text) if len(text) < 19 else _float(text)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        (twice, _), *_ = Counter(name for name, _ in pairs).most_common(1)
        raise BadInput(f"has the name {shown(twice)} twice in one object")
    return found


# --- the form --------------------------------------------------------------------------------------------------------


def check(value: Any, schema: Schema, root: Schema, where: str = "$") -> None:
    """Raise BadInput, with the place as a JSON path, unless the value matches the schema.

    It knows the part of JSON Schema that `reference.vectors.schema` uses: $ref, anyOf, const, enum, type, minimum,
    minItems, maxItems, items, properties, patternProperties, required, additionalProperties: false. An object that has
    other names is told the first of the schema's examples.
    """
    if "$ref" in schema:
        schema = root["$defs"][schema["$ref"].rpartition("/")[2]]
    if "anyOf" in schema:
        schema = _branch(value, schema["anyOf"], root, where)
        return check(value, schema, root, where)
    if "const" in schema and value != schema["const"]:
        raise BadInput(f"{where}: is {shown(value)}; {shown(schema['const'])} is needed")
    if "enum" in schema and value not in schema["enum"]:
        raise BadInput(f"{where}: is {shown(value)}; one of {_listed(schema['enum'])} is allowed")
    if "type" in schema and not is_a(value, schema["type"]):
        raise BadInput(f"{where}: is {shown(value)}; {_nouns([schema])} is needed")
    if "minimum" in schema and value < schema["minimum"]:
        raise BadInput(f"{where}: is {shown(value)}; {schema['minimum']} is the least that is allowed")
    if isinstance(value, list):
        if len(value) < schema.get("minItems", 0):
            raise BadInput(f"{where}: has {len(value)} items; {schema['minItems']} are the least that is allowed")
        if len(value) > schema.get("maxItems", len(value)):
            raise BadInput(f"{where}: has {len(value)} items; {schema['maxItems']} are the most that is allowed")
        for i, item in enumerate(value):
            check(item, schema["items"], root, f"{where}[{i}]")
    if isinstance(value, dict):
        _check_object(value, schema, root, where)
    return None


def _check_object(value: dict[str, Any], schema: Schema, root: Schema, where: str) -> None:
    example = _example([schema])
    for name in schema.get("required", ()):
        if name not in value:
            raise BadInput(f"{where}: has no {name!r}, which is needed{example}")
    known, patterns = schema.get("properties", {}), schema.get("patternProperties", {})
    for name, part in value.items():
        found = known.get(name) or next((s for pattern, s in patterns.items() if re.search(pattern, name)), None)
        if found is None:
            raise BadInput(f"{where}: has {shown(name)}; {_listed([*known, *patterns])} are allowed{example}")
        check(part, found, root, f"{where}.{name}" if name.isidentifier() else f"{where}[{json.dumps(name)}]")


def _branch(value: Any, branches: list[Schema], root: Schema, where: str) -> Schema:
    """The branch that the value is meant for, found by its kind or by its type."""
    whole = [root["$defs"][b["$ref"].rpartition("/")[2]] if "$ref" in b else b for b in branches]
    kinds = {b["properties"]["kind"]["const"]: b for b in whole if "kind" in b.get("properties", ())}
    if kinds and isinstance(value, dict) and "kind" in value:
        if not isinstance(value["kind"], str) or value["kind"] not in kinds:
            raise BadInput(f"{where}.kind: is {shown(value['kind'])}; one of {_listed(kinds)} is allowed")
        return kinds[value["kind"]]
    typed = [branch for branch in whole if is_a(value, branch["type"])]
    for branch in typed:
        if all(name in value for name in branch.get("required", ())):
            return branch
    if typed:
        return typed[0]
    raise BadInput(f"{where}: is {shown(value)}; {_nouns(whole)} is needed{_example(whole)}")


def is_a(value: Any, name: str) -> bool:
    """Whether the value has a type of JSON Schema. A boolean is not a number, and 3.0 is an integer."""
    if not isinstance(value, TYPES[name]) or (isinstance(value, bool) and name != "boolean"):
        return False
    return name != "integer" or float(str(value)).is_integer()


def _example(schemas: list[Schema]) -> str:
    examples = [example for schema in schemas for example in schema.get("examples", ())]
    return f", as in {json.dumps(examples[0])}" if examples else ""


def _nouns(schemas: list[Schema]) -> str:
    return " or ".join(map(_noun, schemas))


def _noun(schema: Schema) -> str:
    noun = schema["type"]
    if "enum" in schema:
        return " or ".join(map(json.dumps, schema["enum"]))
    return noun if noun == "null" else f"{'an' if noun[0] in 'aoi' else 'a'} {noun}"


def _listed(names: Iterable[str]) -> str:
    first, rest = list(names)[:12], list(names)[12:]
    return ", ".join(first) + (f" or {len(rest)} more" if rest else "")


def shown(value: Any) -> str:
    """A value for a message: short, and on one line."""
    match value:
        case dict():
            return "an object"
        case list():
            return "an array"
    text = json.dumps(value)
    return text if len(text) <= 40 else f"{text[:36]} ..."
