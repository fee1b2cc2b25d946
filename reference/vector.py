"""Test vectors: a case with its weights, batches and exact values in a file of JSON, for any language.

`twingrad vectors write DIR` computes them; `twingrad vectors check --results FILE` holds what another program computed
against them. What is recorded is an implementation like any other, one that returns what stands in the file.
"""

from __future__ import annotations

import json
import math
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import MISSING, dataclass, fields, is_dataclass, replace
from pathlib import Path
from typing import Any, get_args

import numpy as np

from reference import cases, data, definition, validate
from reference.arithmetic import Exact
from reference.cases import Batch, Case, Recorded
from reference.compare import Mismatch, as_grads, as_loss, as_params, as_state
from reference.contract import BadInput, Params, RowGrad, Unsupported
from reference.flags import FLAGS, Seen, flags_of
from reference.run import Result, hold
from reference.schema import RESULTS, SCHEMA, VERSION
from reference.strict_json import read, shown

HERE = Path(__file__).parent / "vectors"
"""The vectors that come with twingrad."""

STEPS = 3
LARGEST = 250
"""Vectors have so many steps, and those that come with twingrad so many numbers in weights and batch, at most."""

KINDS = {kind.__name__: kind for union in (cases.Model, cases.Optimizer, Batch) for kind in get_args(union)}
KINDS |= {kind.__name__: kind for kind in (cases.CrossEntropy, cases.MSELoss, *get_args(cases.Objective))}


# --- which cases -----------------------------------------------------------------------------------------------------


def selection(every: Sequence[Case]) -> list[Case]:
    """The smallest cases of the catalogue that together have all that there is.

    All that there is: every value of an option of a model or of an optimizer, every model under every optimizer and
    with each layout of the gradients, and every flag; in float64 and in float32. The case that adds most is taken, of
    those that add as much the smallest one, until none adds anything.
    """
    sizes = {shortened(case): size(case) for case in every if not isinstance(case.data, cases.Text)}
    small = sorted((size, case.id, case) for case, size in sizes.items() if size <= LARGEST)
    wanted = {case: features(case) for _, _, case in small}
    chosen = []
    while any(wanted.values()):
        best = max(wanted, key=lambda case: len(wanted[case]))  # the first, so the smallest, of those that add most
        chosen.append(best)
        found = wanted[best]
        wanted = {case: more - found for case, more in wanted.items()}
    return sorted(chosen, key=lambda case: case.id)


def shortened(case: Case) -> Case:
    """The same case, with no more steps than a vector has."""
    return replace(case, steps=min(case.steps, STEPS))


def size(case: Case) -> int:
    """How many numbers there are in its weights and its first batch."""
    batch = next(data.batches(case))
    parts = [getattr(batch, part.name) for part in fields(batch)]
    return sum(map(math.prod, case.model.shapes.values())) + sum(np.size(part) for part in parts if part is not None)


def features(case: Case) -> set[tuple[Any, ...]]:
    """What a case shows: options, what comes together in it, and flags, with its dtype."""
    model, optimizer = type(case.model).__name__, type(case.optimizer).__name__
    options = {(model, *option) for option in _options(case.model)} | set(_options(case.optimizer))
    both = {(model, optimizer), (model, case.sparse), (model, type(case.data).__name__)}
    both |= {("layers", len(getattr(case.model, "hidden_features", ()))), ("max_norm", case.max_norm)}
    flags = flags_of(Seen(case, data.weights(case), list(data.batches(case))))
    return {(case.dtype, *found) for found in (*options, *both, *((flag,) for flag in flags))}


def _options(part: Any) -> Iterator[tuple[Any, ...]]:
    """Kind, name and value of every option that is a choice; sizes and learning rates are none."""
    no_choice = ["lr", "num_negatives"]
    if isinstance(part, cases.Classifier) and not part.hidden_features:
        no_choice += ["activation", "dropout"]
    for option in fields(part):
        value = getattr(part, option.name)
        if option.default is not MISSING and option.name not in no_choice:
            if is_dataclass(value):
                yield type(part).__name__, option.name, type(value).__name__
                yield from _options(value)
            else:
                yield type(part).__name__, option.name, value is not None if _is_place(option.name) else value


def _is_place(name: str) -> bool:
    return name in ("padding_idx", "max_norm", "ignore_index")


# --- writing ---------------------------------------------------------------------------------------------------------


def written(case: Case) -> str:
    """The vector of a case, computed afresh. Raises Unsupported where its exact values would take too long."""
    case = shortened(case)
    if not isinstance(definition.arithmetic_for(case), Exact):
        raise Unsupported("too large for exact values")
    weights, batches = data.weights(case), list(data.batches(case))
    trainer, steps, norms = definition.build(case, weights), [], []
    for batch in batches:
        loss, grads = trainer.loss_and_grads(batch)
        norms.append(np.sqrt(sum(float((np.asarray(_values(grads[name])) ** 2).sum()) for name in weights)))
        trainer.step()
        step = {"loss": loss, "grads": grads, "params": trainer.params()}
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
    return laid_out(plain(vector, case.dtype)) + "\n"


def _values(gradient: Any) -> np.ndarray:
    return gradient.values if isinstance(gradient, RowGrad) else gradient


def plain(value: Any, dtype: str) -> Any:
    """What JSON knows: numbers of the dtype in as few digits as tell them from all others, a dataclass by its kind."""
    match value:
        case RowGrad():
            return {"rows": value.rows.tolist(), "values": plain(value.values, dtype)}
        case np.ndarray():
            # of a float32 as few digits as a float32 needs
            return value.astype(str).astype(float).tolist() if value.dtype == np.float32 else value.tolist()
        case dict():
            return {name: plain(part, dtype) for name, part in value.items()}
        case list() | tuple():
            return [plain(part, dtype) for part in value]
        case float() if dtype == "float32" and np.float32(value) == value:
            return float(str(np.float32(value)))
    if is_dataclass(value):
        parts = {part.name: plain(getattr(value, part.name), dtype) for part in fields(value)}
        missing = {name for name in parts if isinstance(value, Batch) and parts[name] is None}
        return {"kind": type(value).__name__, **{name: part for name, part in parts.items() if name not in missing}}
    return value


def laid_out(value: Any, indent: str = "") -> str:
    """JSON that a person can read: what fits on a line stands on one."""
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


def schema_file() -> str:
    """The schema, as it stands beside the vectors."""
    return json.dumps(SCHEMA, indent=1) + "\n"


# --- reading ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Vector:
    """A case whose weights and batches are recorded, and what it comes to, step by step."""

    case: Case
    flags: list[str]
    notes: dict[str, str]
    steps: list[dict[str, Any]]


def read_vector(path: Path) -> Vector:
    """A vector from a file.

    Raises:
        BadInput: the file cannot be read, or what it says does not fit together.
    """
    whole = read(path, SCHEMA, SCHEMA)
    try:
        return parsed(whole)
    except BadInput as bad:
        raise BadInput(f"{path}: {bad}") from None


def parsed(whole: dict[str, Any]) -> Vector:
    """A vector from JSON that has the form of the schema. Raises BadInput where it does not fit together."""
    case = _case(whole)
    steps = _steps(case, whole["steps"])
    for k, step in enumerate(steps):
        _check_step(case, step, k)
    return Vector(case, whole["flags"], whole["notes"], steps)


def _case(whole: dict[str, Any]) -> Case:
    said, dtype = whole["case"], whole["case"]["dtype"]
    model, optimizer = _built(said["model"]), _built(said["optimizer"])
    weights = {name: array(value, dtype, f"$.weights[{json.dumps(name)}]") for name, value in whole["weights"].items()}
    batches = []
    for k, batch in enumerate(whole["batches"]):
        kind = KINDS[batch["kind"]]
        parts = {name: value for name, value in batch.items() if name != "kind"}
        batches.append(kind(**{n: _part(said, n, value, f"$.batches[{k}].{n}") for n, value in parts.items()}))
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
    validate.check_weights(case, weights)
    for k, batch in enumerate(batches):
        try:
            validate.check_batch(case, batch)
        except BadInput as bad:
            raise BadInput(f"$.batches[{k}]: {bad}") from None
    return case


def _built(said: Any) -> Any:
    """A dataclass from what `plain` made of it."""
    if isinstance(said, dict):
        return KINDS[said["kind"]](**{name: _built(part) for name, part in said.items() if name != "kind"})
    return tuple(said) if isinstance(said, list) else said


def _part(said: dict[str, Any], name: str, value: Any, where: str) -> np.ndarray:
    """A field of a batch, in the dtype that it has."""
    if name in ("ids", "offsets") or (name == "centers" and said["model"]["kind"] == "SkipGram"):
        return array(value, said["ids_dtype"], where)
    labels = said["model"].get("loss", {})
    if name == "labels" and labels["kind"] == "CrossEntropy" and not labels["probabilities"]:
        return array(value, "int64", where)
    if name in ("contexts", "centers", "negatives", "nodes", "signs"):
        return array(value, "int64", where)
    return array(value, "bool" if name in ("keep", "inside") else said["dtype"], where)


def array(value: Any, dtype: str, where: str) -> np.ndarray:
    """Numbers in nested lists as an array. Raises BadInput where they are not those of one."""
    try:
        with np.errstate(over="ignore"):
            found = np.array(value, "float64" if dtype == "float32" else dtype).astype(dtype)
    except (ValueError, OverflowError, TypeError):
        raise BadInput(f"{where}: is not an array of {dtype}: its parts are of one length and rank") from None
    if not np.isfinite(found).all():
        raise BadInput(f"{where}: has a number that is beyond {dtype}")
    return found


def _steps(case: Case, said: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What was recorded of each step, in arrays of the case's dtype."""
    found = []
    for k, step in enumerate(said):
        here: dict[str, Any] = {}
        for stage, value in step.items():
            here[stage] = _tensors(case, value, f"$.steps[{k}].{stage}")
        found.append(here)
    return found


def _tensors(case: Case, value: Any, where: str) -> Any:
    if not isinstance(value, dict):
        return array(value, case.dtype, where)
    if value.keys() == {"rows", "values"}:
        width = next((case.model.shapes[name][1] for name in case.model.tables), 0)
        values = array(value["values"], case.dtype, f"{where}.values")
        return array(value["rows"], "int64", f"{where}.rows"), values.reshape(0, width) if not values.size else values
    return {name: _tensors(case, part, f"{where}[{json.dumps(name)}]") for name, part in value.items()}


def _check_step(case: Case, step: dict[str, Any], k: int) -> None:
    """Raise BadInput unless these can be exact values of the case."""
    assert isinstance(case.data, Recorded)
    shapes = {name: getattr(case.data.batches[k], name).shape for name in case.model.input_gradients}
    for stage in ("params", *(("state",) if case.optimizer.state else ())):
        if stage not in step:
            raise BadInput(f"$.steps[{k}]: has no {stage!r}, which is needed")
    try:
        as_loss(step["loss"])
        as_grads(case, step["grads"], shapes)
        as_params(case, step["params"])
        if as_state(case, step.get("state", {})).keys() != set(case.optimizer.state):
            raise Mismatch("state", f"the kinds {list(case.optimizer.state)}", f"{list(step['state'])}")
    except Mismatch as mismatch:
        raise BadInput(f"$.steps[{k}]: {mismatch}") from None


# --- what was recorded, as an implementation ------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Recording:
    """What a program returned, or should return, by the id of the case and step by step."""

    steps: dict[str, list[dict[str, Any]]]

    def build(self, case: Case, weights: Params) -> Replay:
        """A trainer that returns what was recorded. Raises Unsupported where nothing was."""
        if case.id not in self.steps:
            raise Unsupported("no results for it")
        return Replay(self.steps[case.id])


class Replay:
    """Returns one step after the other; what was not recorded, it does not have."""

    def __init__(self, steps: list[dict[str, Any]]) -> None:
        self.rest = iter(steps)
        self.now: dict[str, Any] = {}
        if "params" in steps[0]:
            self.params = lambda: self.now["params"]
        if "state" in steps[0]:
            self.state = lambda: self.now["state"]

    def loss_and_grads(self, batch: Batch) -> tuple[Any, Any]:
        """What was recorded of the next step."""
        self.now = next(self.rest)
        return self.now["loss"], self.now["grads"]

    def step(self) -> None:
        """The update has been made."""


# --- results held against vectors ------------------------------------------------------------------------------------


def checked(vectors: Sequence[Path], results: Path) -> tuple[list[Result], Recording]:
    """Hold results against vectors, each of them a file or a folder of files, by the comparison of `verify`.

    Returns what was found, and the results themselves as an implementation.

    Raises:
        BadInput: a file cannot be read, has another form, or does not fit the others.
    """
    known = {vector.case.id: vector for vector in map(read_vector, files(vectors))}
    from_file: dict[str, Path] = {}
    steps: dict[str, list[dict[str, Any]]] = {}
    for path in files([results]):
        name, steps_of = read_results(path, known)
        if name in from_file:
            raise BadInput(f"{path}: $.case: {from_file[name]} has results for {name} too")
        from_file[name], steps[name] = path, steps_of
    exact, given = Recording({name: vector.steps for name, vector in known.items()}), Recording(steps)
    return [_held(vector, exact, given, str(results)) for vector in known.values()], given


def _held(vector: Vector, exact: Recording, given: Recording, name: str) -> Result:
    """The result of the steps that were given."""
    case = replace(vector.case, steps=len(given.steps.get(vector.case.id, vector.steps)))
    result = hold(case, {"vector": exact, name: given}, against=("vector",))[name]
    result.against = "vectors"
    if result.verdict == "agree" and case.steps < vector.case.steps:
        gap = f"steps from {case.steps + 1} on"
        result.reason = f"{result.reason}, {gap}" if result.reason else f"not covered: {gap}"
    return result


def files(paths: Sequence[Path]) -> list[Path]:
    """The files themselves, and of folders those whose name ends in .json, but for the schema."""
    found = []
    for path in paths:
        inside = [path]
        if path.is_dir():
            inside = sorted(file for file in path.glob("*.json") if file.name != "schema.json")
            if not inside:
                raise BadInput(f"{path}: is a folder without a .json file; a file, or a folder of them, is needed")
        found += inside
    return found


def read_results(path: Path, vectors: Mapping[str, Vector]) -> tuple[str, list[dict[str, Any]]]:
    """The results in a file: of which case, and what they are.

    Raises:
        BadInput: the file cannot be read, or there is no vector that these can be results of.
    """
    said = read(path, RESULTS, SCHEMA)
    name = said["case"]
    try:
        if name not in vectors:
            raise BadInput(f"$.case: is {shown(name)}; none of the {len(vectors)} vectors has that id")
        case = vectors[name].case
        if said.get("dtype", case.dtype) != case.dtype:
            raise BadInput(f"$.dtype: is {said['dtype']}; the vector is {case.dtype}")
        if len(said["steps"]) > case.steps:
            raise BadInput(f"$.steps: has {len(said['steps'])} items; the vector has {case.steps} steps")
        for k, step in enumerate(said["steps"]):
            if step.keys() != said["steps"][0].keys():
                raise BadInput(f"$.steps[{k}]: has {', '.join(step)}; $.steps[0] has {', '.join(said['steps'][0])}")
        return name, _steps(case, said["steps"])
    except BadInput as bad:
        raise BadInput(f"{path}: {bad}") from None
