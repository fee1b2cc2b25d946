"""Reads vectors, and results of another program."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import Field, dataclass, fields
from pathlib import Path
from typing import Any, get_args

import numpy as np

from reference import cases
from reference.cases import Case, Recorded
from reference.errors import BadInput
from reference.judge.form import Mismatch, as_grads, as_loss, as_params, as_state
from reference.vectors.schema import REQUEST, RESULTS, SCHEMA
from reference.vectors.strict_json import read, shown

HERE = Path(__file__).parent / "data"
"""The vectors that come with twingrad."""

BESIDE = ("manifest.json", "protocol.json", "schema.json")
"""The files beside vectors."""

Steps = list[dict[str, Any]]
"""Loss and gradients, parameters and state of each step, row gradients as (rows, values)."""

KINDS: dict[str, Any] = {
    kind.__name__: kind
    for kind in (
        *cases.MODELS,
        *get_args(cases.Optimizer),
        *get_args(cases.Objective),
        cases.CrossEntropy,
        cases.MSELoss,
        *cases.BATCHES,
    )
}
"""The classes by their names in a file."""


@dataclass(frozen=True, eq=False)
class Vector:
    """A case with recorded weights and batches, and its exact values, step by step.

    request: its JSON, without the values that a program must come to.
    """

    case: Case
    request: dict[str, Any]
    flags: list[str]
    notes: dict[str, str]
    steps: Steps


def read_vector(path: Path) -> Vector:
    """A vector from a file.

    Raises:
        BadInput: the file cannot be read, or its parts do not fit together.
    """
    whole = read(path, SCHEMA, SCHEMA)
    try:
        return parsed(whole)
    except BadInput as bad:
        raise BadInput(f"{path}: {bad}") from None


def parsed(whole: dict[str, Any]) -> Vector:
    """A vector from JSON that matches the schema. Raises BadInput if its parts do not fit together."""
    case = _case(whole)
    steps = _steps(case, whole["steps"])
    for k, step in enumerate(steps):
        _check_step(case, step, k)
    request = {name: whole[name] for name in REQUEST}
    return Vector(case, request, whole["flags"], whole["notes"], steps)


def _case(whole: dict[str, Any]) -> Case:
    said, dtype = whole["case"], whole["case"]["dtype"]
    model, optimizer = _built(said["model"]), _built(said["optimizer"])
    weights = {name: array(value, dtype, f"$.weights[{json.dumps(name)}]") for name, value in whole["weights"].items()}
    batches = []
    for k, batch in enumerate(whole["batches"]):
        kind = KINDS[batch["kind"]]
        parts = ((part, batch[part.name], f"$.batches[{k}].{part.name}") for part in fields(kind))
        batches.append(kind(*(_part(said, part, kind.indices, value, where) for part, value, where in parts)))
    for name in ("batches", "steps"):
        if len(whole[name]) != said["steps"]:
            raise BadInput(f"$.{name}: has {len(whole[name])} items; the case has {said['steps']} steps")
    case = Case(
        said["name"],
        model,
        optimizer,
        Recorded(weights, tuple(batches)),
        said["steps"],
        said["layout"] == "rows",
        dtype,
        max_norm=said["max_norm"],
        lr_decay_to=said["lr_decay_to"],
    )
    if case.id != said["id"]:
        raise BadInput(f"$.case.id: is {said['id']!r}; a case of this name, model and optimizer has {case.id!r}")
    if case.refusal:
        raise BadInput(f"$.case: {case.refusal}")
    case.check_weights(weights)
    for k, batch in enumerate(batches):
        try:
            case.check_batch(batch)
        except BadInput as bad:
            raise BadInput(f"$.batches[{k}]: {bad}") from None
    return case


def _built(said: Any) -> Any:
    """A dataclass from its form by `jsonable`."""
    if isinstance(said, dict):
        return KINDS[said["kind"]](**{name: _built(part) for name, part in said.items() if name != "kind"})
    return tuple(said) if isinstance(said, list) else said


def _part(said: dict[str, Any], part: Field[Any], indices: Sequence[str], value: Any, where: str) -> np.ndarray:
    """A field of a batch, in its dtype. If it may be classes or numbers, the digits in the file decide."""
    kinds = re.findall(r"\b(Int|Float|Bool)\[", str(part.type))
    if kinds == ["Bool"]:
        return array(value, "bool", where)
    if kinds == ["Float"] or (len(kinds) > 1 and not _all_integers(value)):
        return array(value, said["dtype"], where)
    return array(value, said["ids_dtype"] if part.name in indices else "int64", where)


def _all_integers(value: Any) -> bool:
    return all(map(_all_integers, value)) if isinstance(value, list) else isinstance(value, int)


def array(value: Any, dtype: str, where: str, finite: bool = True) -> np.ndarray:
    """Numbers in nested lists as an array. Raises BadInput if they do not form one.

    finite: whether they must be finite; where not, "NaN" and "Infinity" are numbers too.
    """
    try:
        with np.errstate(over="ignore"):
            found = np.array(value, "float64" if dtype == "float32" else dtype).astype(dtype)
    except (ValueError, OverflowError, TypeError):
        raise BadInput(f"{where}: is not an array of {dtype}; parts of equal length and rank are needed") from None
    if finite and not np.isfinite(found).all():
        raise BadInput(f"{where}: has a number that is beyond {dtype}")
    return found


def _steps(case: Case, said: list[dict[str, Any]], finite: bool = True) -> Steps:
    """What was recorded for each step, in arrays of the case's dtype."""

    def tensors(value: Any, where: str) -> Any:
        if not isinstance(value, dict):
            return array(value, case.dtype, where, finite)
        if value.keys() == {"rows", "values"}:
            width = next((case.model.shapes[name][1] for name in case.model.tables), 0)
            values = array(value["values"], case.dtype, f"{where}.values", finite)
            values = values if values.size else values.reshape(0, width)
            return array(value["rows"], "int64", f"{where}.rows"), values
        return {name: tensors(part, f"{where}[{json.dumps(name)}]") for name, part in value.items()}

    return [
        {stage: tensors(part, f"$.steps[{k}].{stage}") for stage, part in step.items()} for k, step in enumerate(said)
    ]


def _check_step(case: Case, step: dict[str, Any], k: int) -> None:
    """Raise BadInput if these cannot be exact values of the case."""
    assert isinstance(case.data, Recorded)
    shapes = {name: getattr(case.data.batches[k], name).shape for name in case.model.input_gradients}
    for stage in ("params", *(("state",) if case.optimizer.state else ())):
        if stage not in step:
            raise BadInput(f"$.steps[{k}]: has no {stage!r}, which is needed")
    try:
        as_loss(step["loss"], case.dtype)
        if missing := (case.model.shapes | shapes).keys() - as_grads(case, step["grads"], shapes).keys():
            raise Mismatch("gradients", f"a dict with {sorted(case.model.shapes | shapes)}", f"none for {min(missing)}")
        as_params(case, step["params"])
        if as_state(case, step.get("state", {})).keys() != set(case.optimizer.state):
            raise Mismatch("state", f"the kinds {list(case.optimizer.state)}", f"{list(step['state'])}")
    except Mismatch as mismatch:
        raise BadInput(f"$.steps[{k}]: {mismatch}") from None


def files(paths: Sequence[Path]) -> list[Path]:
    """The files, and all vectors or results in the folders."""
    found = []
    for path in paths:
        inside = [path]
        if path.is_dir():
            inside = sorted(file for file in path.glob("*.json") if file.name not in BESIDE)
            if not inside:
                raise BadInput(f"{path}: is a folder without a .json file; a file, or a folder of them, is needed")
        found += inside
    return found


def read_results(path: Path, vectors: Mapping[str, Vector]) -> tuple[str, Steps]:
    """The results in a file: the id of their case, and the steps.

    Raises:
        BadInput: the file cannot be read, or there is no vector for these results.
    """
    said = read(path, RESULTS, SCHEMA)
    name = said["case"]
    try:
        if name not in vectors:
            raise BadInput(f"$.case: is {shown(name)}; none of the {len(vectors)} vectors has that id")
        return name, steps_of(vectors[name].case, said)
    except BadInput as bad:
        raise BadInput(f"{path}: {bad}") from None


def steps_of(case: Case, said: dict[str, Any]) -> Steps:
    """The steps of results that match the schema. Raises BadInput if they do not fit the case."""
    if said.get("dtype", case.dtype) != case.dtype:
        raise BadInput(f"$.dtype: is {said['dtype']}; the vector is {case.dtype}")
    if len(said["steps"]) > case.steps:
        raise BadInput(f"$.steps: has {len(said['steps'])} items; the vector has {case.steps} steps")
    for k, step in enumerate(said["steps"]):
        if step.keys() != said["steps"][0].keys():
            raise BadInput(f"$.steps[{k}]: has {', '.join(step)}; $.steps[0] has {', '.join(said['steps'][0])}")
    return _steps(case, said["steps"], finite=False)
