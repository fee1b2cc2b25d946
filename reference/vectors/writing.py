"""A case with its weights, batches and exact values, as JSON."""

from __future__ import annotations

import json
import textwrap
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np

from reference import exact
from reference.cases import Case
from reference.contract import RowGrad
from reference.errors import Unsupported
from reference.mistakes.flags import FLAGS, Seen, flags_of
from reference.vectors.schema import SCHEMA, VERSION, protocol
from reference.vectors.selection import shortened
from reference.vectors.strict_json import LARGEST


def written(case: Case) -> str:
    """The file of a vector. Raises Unsupported if it would be too large, or its exact values would take too long."""
    text = laid_out(computed(case)) + "\n"
    if len(text) > LARGEST:
        raise Unsupported(f"a vector is of {LARGEST // 2**20} MiB at most")
    return text


def computed(case: Case) -> dict[str, Any]:
    """The JSON of a case's vector, newly computed. Raises Unsupported if its exact values would take too long."""
    case = shortened(case)
    if not exact.feasible(case):
        raise Unsupported("too large for exact values")
    weights, batches = case.weights(), list(case.batches())
    trainer, steps, norms = exact.build(case, weights), [], []
    for batch in batches:
        loss, grads = trainer.loss_and_grads(batch)
        norms.append(np.sqrt(sum(float((np.asarray(_values(grads[name])) ** 2).sum()) for name in weights)))
        trainer.step()
        step = {"loss": np.array(loss, case.dtype), "grads": grads, "params": trainer.params()}
        steps.append(step | ({"state": trainer.state()} if case.optimizer.state else {}))
    flags = flags_of(Seen(case, weights, batches, norms))
    vector = {
        "version": VERSION,
        "case": {
            "id": case.id,
            "name": case.name,
            "model": case.model,
            "optimizer": case.optimizer,
            "dtype": case.dtype,
            "ids_dtype": getattr(case.data, "ids_dtype", "int64"),
            "layout": "rows" if case.row_tables else "dense",
            "steps": case.steps,
            "max_norm": case.max_norm,
            "lr_decay_to": case.lr_decay_to,
        },
        "flags": flags,
        "notes": {flag: FLAGS[flag][1] for flag in flags},
        "weights": weights,
        "batches": batches,
        "steps": steps,
    }
    return jsonable(vector)


def _values(gradient: Any) -> np.ndarray:
    return gradient.values if isinstance(gradient, RowGrad) else gradient


def jsonable(value: Any) -> Any:
    """The value for JSON. Arrays get the fewest digits that identify them in their dtype; a dataclass gets its kind.

    Options are float64 in every case.
    """
    match value:
        case RowGrad():
            return {"rows": value.rows.tolist(), "values": jsonable(value.values)}
        case np.ndarray():
            # a float32 gets only as many digits as a float32 needs
            return value.astype(str).astype(float).tolist() if value.dtype == np.float32 else value.tolist()
        case dict():
            return {name: jsonable(part) for name, part in value.items()}
        case list() | tuple():
            return [jsonable(part) for part in value]
    if is_dataclass(value):
        parts = {part.name: jsonable(getattr(value, part.name)) for part in fields(value)}
        return {"kind": type(value).__name__, **parts}
    return value


def laid_out(value: Any, indent: str = "") -> str:
    """JSON that a person can read: what fits on one line is on one line."""
    line = json.dumps(value, ensure_ascii=False, allow_nan=False)
    if len(line) + len(indent) <= 120 or not isinstance(value, dict | list):
        return line
    deeper = indent + " "
    if isinstance(value, list) and not any(isinstance(part, dict | list) for part in value):
        return "[\n" + textwrap.fill(line[1:-1], 120, initial_indent=deeper, subsequent_indent=deeper) + f"\n{indent}]"
    if isinstance(value, dict):
        parts = [f"{deeper}{json.dumps(name)}: {laid_out(part, deeper)}" for name, part in value.items()]
        return "{\n" + ",\n".join(parts) + f"\n{indent}}}"
    return "[\n" + ",\n".join(deeper + laid_out(part, deeper) for part in value) + f"\n{indent}]"


def beside() -> dict[str, str]:
    """The files beside vectors that say what form they have, by name."""
    schemas = {"schema.json": SCHEMA, "protocol.json": protocol()}
    return {name: json.dumps(schema, indent=1) + "\n" for name, schema in schemas.items()}
