"""The form of a test vector and of results, as a JSON schema made from the dataclasses of `reference.cases`.

It is also a file, `reference/vectors/data/schema.json`, for readers in other languages. The lines that a program and
`vectors run` exchange are in `protocol.json` beside it.
"""

from __future__ import annotations

import re
import types
import typing
from collections.abc import Iterable, Mapping
from dataclasses import fields
from typing import Any, Literal, get_args, get_origin, get_type_hints

from reference import cases
from reference.catalogue import without_text
from reference.mistakes.flags import FLAGS
from reference.vectors.strict_json import Schema

VERSION = 2
"""The version of files and lines. A reader for another version must refuse them."""

THE_VERSION: Schema = {"type": "integer", "const": VERSION}

ARRAY_TYPES = {"Int": "integer", "Float": "number", "Bool": "boolean"}
JSON_TYPES = {int: "integer", float: "number", bool: "boolean", str: "string", types.NoneType: "null"}
PARAMETERS = {name.replace(".", r"\.") for case in without_text() for name in case.model.shapes}
NUMBERS = {"": "[1-9][0-9]*", ".": "(0|[1-9][0-9]*)"}  # fc1, fc2; and the entries of a list, convs.0, convs.1
NUMBERED = {re.sub(r"(\.?)[0-9]+", lambda found: found[1] + NUMBERS[found[1]], name) for name in PARAMETERS}
PARAMETER = f"^({'|'.join(sorted(NUMBERED))})$"
"""Those that any model of the catalogue has; those that are numbered may be more."""

STATE_KINDS = "momentum_buffer|sum|square_avg|grad_avg|exp_avg|exp_avg_sq|max_exp_avg_sq"


def ref(name: str) -> Schema:
    """A reference to the definition of that name."""
    return {"$ref": f"#/$defs/{name}"}


def an_object(properties: Mapping[str, Schema], optional: tuple[str, ...] = (), **more: Any) -> Schema:
    """An object with these names and no others."""
    needed = [name for name in properties if name not in optional]
    return {"type": "object", "properties": dict(properties), "required": needed, "additionalProperties": False, **more}


def a_dict(names: str, of: Schema, **more: Any) -> Schema:
    """An object whose names match the pattern."""
    return {"type": "object", "patternProperties": {names: of}, "additionalProperties": False, **more}


def a_list(of: Schema, least: int = 0) -> Schema:
    """An array of these."""
    return {"type": "array", "items": of, **({"minItems": least} if least else {})}


def of_type(hint: Any) -> Schema:
    """A schema of the type of a dataclass's field."""
    origin, arguments = get_origin(hint), get_args(hint)
    match origin:
        case types.UnionType | typing.Union:
            return {"anyOf": [of_type(argument) for argument in arguments]}
        case _ if origin is Literal:
            return {"type": "string", "enum": list(arguments)}
        case _ if origin is tuple:
            size = {} if ... in arguments else {"minItems": len(arguments), "maxItems": len(arguments)}
            return a_list(of_type(arguments[0])) | size
    return {"type": JSON_TYPES[hint]} if hint in JSON_TYPES else of_dataclass(hint)


def of_dataclass(kind: Any) -> Schema:
    """A schema of a dataclass: its kind and all its fields, also those with a default."""
    hints = get_type_hints(kind)
    own = {part.name: of_type(hints[part.name]) for part in fields(kind)}
    return an_object({"kind": {"type": "string", "const": kind.__name__}, **own})


def one_of(kinds: Iterable[type]) -> Schema:
    """A schema of one of these dataclasses, told apart by their kind."""
    return {"anyOf": [of_dataclass(kind) for kind in kinds]}


def of_batch(kind: Any) -> Schema:
    """A schema of a batch: its kind, and each of its arrays."""
    parts = {part.name: of_array(str(part.type)) for part in fields(kind)}
    return an_object({"kind": {"type": "string", "const": kind.__name__}, **parts})


def of_array(annotation: str) -> Schema:
    """A schema of an array in nested lists, from the annotation of its field: `Int[Array, "N K"]`."""
    arrays = re.findall(r"""(\w+)\[Array, ['"]([^'"]*)['"]\]""", annotation)
    found = [_nested(kind, axes.split()) for kind, axes in arrays]
    return found[0] if len(found) == 1 else ref("tensor")


def _nested(kind: str, axes: list[str]) -> Schema:
    if "..." in axes:
        return ref("ids" if kind == "Int" else "tensor")
    schema: Schema = {"type": ARRAY_TYPES[kind]}
    for _ in axes:
        schema = a_list(schema)
    return schema


def of_a_step(number: list[Schema], prefix: str = "") -> dict[str, Schema]:
    """The definitions of a step, and of what is in it. number: what may stand for a number."""

    def own(name: str) -> Schema:
        return ref(prefix + name)

    one = {"anyOf": number} if len(number) > 1 else number[0]
    rows = an_object(
        {"rows": ref("integers"), "values": a_list(a_list(one))},
        description="the gradient of a table, for the rows that were looked up; other rows have none",
        examples=[{"rows": [0, 4], "values": [[0.5, 1.5], [2.5, 3.5]]}],
    )
    found: dict[str, Schema] = {
        "tensor": {
            "description": "a number, or a tensor's parts along its first axis",
            "anyOf": [*number, a_list(own("tensor"))],
        },
        "gradient": {"anyOf": [*number, a_list(own("tensor")), rows]},
        "params": a_dict(PARAMETER, own("tensor"), description="named and shaped as in PyTorch's state_dict"),
        "grads": a_dict(f"{PARAMETER}|^(input|per_sample_weights)$", own("gradient")),
        "state": a_dict(
            f"^({STATE_KINDS})$",
            own("params"),
            description="the optimizer's state, by kind and parameter, named as in torch.optim",
            properties={"step": a_dict(PARAMETER, one)},
        ),
        "step": an_object(
            {"loss": one, "grads": own("grads"), "params": own("params"), "state": own("state")},
            optional=("params", "state"),
            description="the results of one batch: loss and gradients before the update, parameters and state after it",
        ),
    }
    return {prefix + name: schema for name, schema in found.items()}


NUMBER: Schema = {"type": "number"}
NOT_FINITE: Schema = {"type": "string", "enum": ["NaN", "Infinity", "-Infinity"]}
DEFS: dict[str, Schema] = {
    "ids": {"anyOf": [{"type": "integer"}, a_list(ref("ids"))]},
    "integers": a_list({"type": "integer", "minimum": 0}),
    **of_a_step([NUMBER]),
    **of_a_step([NUMBER, NOT_FINITE], "given_"),
    "batch": {"anyOf": [of_batch(kind) for kind in cases.BATCHES]},
    "case": an_object(
        {
            "id": {"type": "string"},
            "name": {"type": "string"},
            "model": one_of(cases.MODELS),
            "optimizer": one_of(get_args(cases.Optimizer)),
            "dtype": {"type": "string", "enum": ["float64", "float32"]},
            "ids_dtype": {"type": "string", "enum": ["int64", "int32"]},
            "layout": {"type": "string", "enum": ["dense", "rows"]},
            "steps": {"type": "integer", "minimum": 1},
            "max_norm": {"anyOf": [{"type": "number"}, {"type": "null"}]},
            "lr_decay_to": {"anyOf": [{"type": "number"}, {"type": "null"}]},
        },
        description="every option that an implementation needs; reference/cases explains each of them",
    ),
    "results": an_object(
        {
            "version": THE_VERSION,
            "case": {"type": "string"},
            "dtype": {"type": "string", "enum": ["float64", "float32"]},
            "steps": a_list(ref("given_step"), least=1),
        },
        optional=("dtype",),
        description="what a program computed for the vector with this id",
    ),
}
SCHEMA: Schema = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "title": "a test vector of twingrad",
    "description": "one case with its weights and batches, and the exact values that an implementation must return",
    **an_object(
        {
            "version": THE_VERSION,
            "case": ref("case"),
            "flags": a_list({"type": "string", "enum": list(FLAGS)}),
            "notes": an_object({name: {"type": "string"} for name in FLAGS}, optional=tuple(FLAGS)),
            "weights": ref("params"),
            "batches": a_list(ref("batch"), least=1),
            "steps": a_list(ref("step"), least=1),
        }
    ),
    "$defs": DEFS,
}
RESULTS: Schema = ref("results")

REQUEST = ("version", "case", "weights", "batches")
"""The part of a vector that a program is given; the rest is what it must come to."""

LINES: dict[str, Schema] = {
    "hello": an_object(
        {"protocol": {"type": "string", "const": "twingrad"}, "version": THE_VERSION},
        description="the first line of each side",
    ),
    "request": an_object(
        {name: SCHEMA["properties"][name] for name in REQUEST},
        description="a line to the program: a vector without the values that it must come to",
    ),
    "refusal": an_object(
        {"version": THE_VERSION, "case": {"type": "string"}, "unsupported": {"type": "string"}},
        description="the program's answer to a case that it does not do, with the reason",
    ),
    "answer": {"anyOf": [RESULTS, ref("refusal")], "description": "the program's answer: one line for each request"},
}
EVERY: Schema = {"$defs": DEFS | LINES}
"""The definitions of both files."""

MANIFEST: Schema = an_object(
    {
        "version": {"type": "integer", "minimum": 1},
        "files": a_dict(
            r"^[^/\\]+\.json$",
            an_object({"case": {"type": "string"}, "sha256": {"type": "string"}}),
            description="by name",
        ),
    }
)
"""The form of `manifest.json`, which lists the vectors of a folder."""


def protocol() -> Schema:
    """The schema of a line; what stands in the schema of the vectors too, is found there."""

    def elsewhere(part: Any) -> Any:
        if isinstance(part, list):
            return [elsewhere(item) for item in part]
        if not isinstance(part, dict):
            return part
        name = str(part.get("$ref", "")).rpartition("/")[2]
        return {"$ref": f"schema.json#/$defs/{name}"} if name in DEFS else {k: elsewhere(v) for k, v in part.items()}

    return {
        "$schema": SCHEMA["$schema"],
        "title": "a line that `twingrad vectors run` and a program exchange",
        "anyOf": [ref("hello"), ref("request"), ref("answer")],
        "$defs": elsewhere(LINES),
    }
