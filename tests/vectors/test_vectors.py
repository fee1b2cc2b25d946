"""The test vectors: exact, of one form, complete, and read back as implementations; who departs from them is told."""

from __future__ import annotations

import copy
import fnmatch
import functools
import hashlib
import json
import os
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import jsonschema
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reference import cases
from reference import exact as exact_values
from reference.catalogue import catalogue
from reference.checks.twins import twins
from reference.commands.cli import main
from reference.errors import BadInput
from reference.judge.run import hold
from reference.mistakes import MISTAKES
from reference.mistakes.flags import FLAGS
from reference.mistakes.search import made
from reference.mistakes.variants import VARIANTS
from reference.vectors import writing
from reference.vectors.checking import Recording
from reference.vectors.reading import BESIDE, HERE, files, parsed, read_vector
from reference.vectors.schema import SCHEMA
from reference.vectors.selection import selection
from reference.vectors.strict_json import LARGEST, check
from reference.vectors.writing import beside, jsonable
from tests.tools.readmes import ROOT, blocks

PATHS = files([HERE])
VECTORS = [read_vector(path) for path in PATHS]
RECORDED = Recording({found.case.id: found.steps for found in VECTORS})
CASES = {case.id: case for case in catalogue()}
ROWS, DENSE = "skipgram-pairs-sgd-rows-f64", "classifier-dialogue-sgd-dense-f32"

Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def vectors(capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Command:
    monkeypatch.chdir(tmp_path)
    # that is looked at below, once: it takes a while
    monkeypatch.setattr("reference.checks.check.diagnose", lambda *_: {})

    def run(*arguments: object) -> tuple[int, str, str]:
        code = main(["vectors", *map(str, arguments)])
        return code, *capsys.readouterr()

    return run


# --- what stands in the repository -----------------------------------------------------------------------------------


@functools.cache
def written(name: str) -> str:
    return writing.written(CASES[name])


def exact(name: str) -> dict[str, Any]:
    return json.loads(written(name))


def test_they_are_the_selection() -> None:
    """After a change of the catalogue: twingrad vectors write reference/vectors/data."""
    assert [path.stem for path in PATHS] == [case.id for case in selection(catalogue())]
    texts = {name: (HERE / name).read_text(encoding="utf-8") for name in BESIDE}
    manifest = json.loads(texts.pop("manifest.json"))
    assert texts == beside()
    digests = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in PATHS}
    assert {name: entry["sha256"] for name, entry in manifest["files"].items()} == digests
    assert all(name == f"{entry['case']}.json" for name, entry in manifest["files"].items())
    assert manifest["version"] == exact(ROWS)["version"]


def test_a_random_sample_is_exact() -> None:
    """`make vectors` holds all of them against their exact values."""
    seed = random.SystemRandom().getrandbits(32)
    print("seed", seed)
    for path in random.Random(seed).sample(PATHS, 6):
        assert written(path.stem) == path.read_text(encoding="utf-8"), f"{path.stem}, seed {seed}"


def test_a_wrong_digit_in_a_vector_does_not_stand(tmp_path: Path) -> None:
    """The sample would find it: what is written is the same to the last digit, and no other digit is."""
    text = written(ROWS)
    at = text.rindex('"loss": ') + len('"loss": 1.2')
    wrong = text[:at] + str((int(text[at]) + 1) % 10) + text[at + 1 :]
    (tmp_path / "wrong.json").write_text(wrong, encoding="utf-8")
    assert read_vector(tmp_path / "wrong.json").steps[-1]["loss"] != exact(ROWS)["steps"][-1]["loss"]


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_numbers_are_as_short_as_their_dtype_allows(dtype: str) -> None:
    random_bits = np.random.default_rng(0).integers(0, 2**32, 2000, dtype=np.uint32)
    numbers = random_bits.view("float32") if dtype == "float32" else random_bits.astype("float64") / 3
    numbers = numbers[np.isfinite(numbers)].astype(dtype)
    written = [json.dumps(x) for x in jsonable(numbers)]
    assert np.array([float(text) for text in written]).astype(dtype).tobytes() == numbers.tobytes()
    digits = [len(text.lstrip("-").split("e")[0].replace(".", "").strip("0")) for text in written]
    assert max(digits) == (9 if dtype == "float32" else 17)


def test_everything_occurs() -> None:
    """In float64 and in float32: every flag, every option of PyTorch's that the catalogue has, both layouts."""
    for dtype in ("float64", "float32"):
        here = [found for found in VECTORS if found.case.dtype == dtype]
        models, optimizers = [found.case.model for found in here], [found.case.optimizer for found in here]
        assert {flag for found in here for flag in found.flags} == set(FLAGS)
        assert {type(m) for m in models} == set(cases.MODELS)
        assert {type(o) for o in optimizers} == set(get_args(cases.Optimizer))
        assert {m.mode for m in models if isinstance(m, cases.EmbeddingBag)} == {"mean", "sum", "max"}
        classifiers = [m for m in models if isinstance(m, cases.Classifier)]
        assert {m.mode for m in classifiers} == {"mean", "sum", "max"}
        assert {m.activation for m in classifiers} == set(cases.ACTIVATIONS)
        assert {len(m.hidden_features) for m in classifiers} == {0, 1, 2}
        losses = {(type(m.loss), m.loss.reduction) for m in classifiers}
        assert losses == {(of, how) for of in (cases.CrossEntropy, cases.MSELoss) for how in ("mean", "sum")}
        for kind in (cases.SkipGram, cases.CBOW):
            own = [m for m in models if isinstance(m, kind)]
            objectives = set(get_args(cases.Objective)) - ({cases.SharedNegatives} if kind is cases.CBOW else set())
            assert {type(m.objective) for m in own} == objectives
            assert {getattr(m.objective, "accidental_hits", "") for m in own} >= {"keep", "mask", "redraw"}
            assert {m.reduction for m in own} == {"mean", "sum"}
        tables = {(type(m), found.case.sparse) for m, found in zip(models, here, strict=True) if m.tables}
        assert len(tables) == 2 * (len(cases.MODELS) - 2)  # a layer alone has none


def test_options_are_read_back_as_they_are() -> None:
    """To the last digit, in float32 too: a norm that is exactly max_norm is not above it."""
    for found in VECTORS:
        case = CASES[found.case.id]
        assert (found.case.model, found.case.optimizer) == (case.model, case.optimizer)
        assert found.case.max_norm == case.max_norm


def test_what_is_read_back_is_the_case() -> None:
    """Both twins, on the weights and batches of a file, come to its values; a random sample of the files."""
    seed = random.SystemRandom().getrandbits(32)
    print("seed", seed)
    both = twins()
    for found in random.Random(seed).sample(VECTORS, 30):
        results = hold(found.case, both, {"vector": RECORDED})
        assert [results[name].verdict for name in both] == ["agree", "agree"], found.case.id
        assert not results["numpy_impl"].reason, "all of it was covered"


@functools.cache
def fails(place: int, name: str) -> bool:
    """Whether the mistake, or variant, of this name fails in a vector."""
    case = VECTORS[place].case
    if name not in made(case):  # it cannot
        return False
    wrong = {**MISTAKES, **VARIANTS}[name]
    return hold(case, {name: wrong}, {"vector": RECORDED})[name].verdict in ("disagree", "error")


def test_a_note_names_mistakes_that_fail_there() -> None:
    for flag, (_, note) in FLAGS.items():
        here = [place for place, found in enumerate(VECTORS) if flag in found.flags]
        for name in note.partition("[")[2].rstrip("].").split(", ") if "[" in note else ():
            assert any(fails(place, name) for place in here), f"{flag}: {name}"


# a file has no layout in memory, and a batch without any gradient is no vector
BESIDE_VECTORS = {"strides-ignored", "clipping-divides-by-0"}


def test_every_mistake_fails_in_a_vector() -> None:
    """Who is held against the vectors alone is told of every mistake that the catalogue has."""
    places = list(range(len(VECTORS)))
    for name in (name for name in MISTAKES if name not in BESIDE_VECTORS):
        found = next((place for place in places if fails(place, name)), None)
        assert found is not None, name
        places.remove(found)
        places.insert(0, found)  # what finds one mistake often finds its neighbours


# --- the schema ------------------------------------------------------------------------------------------------------

VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)
RESULTS = jsonschema.Draft202012Validator(SCHEMA["$defs"]["results"] | {"$defs": SCHEMA["$defs"]})


def test_the_schema_is_one_and_closed() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)

    def walk(part: Any) -> None:
        if isinstance(part, dict) and part.get("type") == "object":
            assert part["additionalProperties"] is False
        for inner in part.values() if isinstance(part, dict) else part if isinstance(part, list) else ():
            walk(inner)

    walk(SCHEMA)


def test_vectors_have_the_form_of_the_schema() -> None:
    for path in random.SystemRandom().sample(PATHS, 12):
        VALIDATOR.validate(json.loads(path.read_text(encoding="utf-8")))


SMALL = exact("embedding-one-sgd-rows-f64")
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 5) | st.floats(allow_nan=False, allow_infinity=False) | st.text("ab"),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["kind", "rows", "values", "a"]), inner)
    ),
    max_leaves=4,
)


def places(value: Any) -> list[tuple[Any, Any]]:
    """Every container with each of its keys."""
    keys = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [place for key, part in keys for place in ((value, key), *places(part))]


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_what_is_read_is_what_the_schema_allows(data: st.DataObject) -> None:
    """The reader and jsonschema accept and refuse the same; and whatever passes is read, or refused in words."""
    changed = copy.deepcopy(SMALL)
    for _ in range(data.draw(st.integers(1, 2))):
        container, key = data.draw(st.sampled_from(places(changed)))
        action = data.draw(st.sampled_from(["replace", "delete", "add"]))
        if action == "replace":
            container[key] = data.draw(ANYTHING)
        elif action == "delete":
            del container[key]
        elif isinstance(container, dict):
            container[data.draw(st.sampled_from(["kind", "padding_idx", "fc1.weight", "step", "x"]))] = data.draw(
                ANYTHING
            )
    refused = said_of(check, changed, SCHEMA, SCHEMA)
    assert VALIDATOR.is_valid(changed) == (not refused), refused
    if not refused:
        said_of(parsed, changed)


def said_of(function: Callable[..., Any], *arguments: Any) -> str:
    """Why the function refuses; empty where it does not. Anything but BadInput is raised."""
    try:
        function(*arguments)
    except BadInput as bad:
        return str(bad)
    return ""


# --- results held against vectors ------------------------------------------------------------------------------------


def results_of(name: str) -> dict[str, Any]:
    return {"version": 2, "case": name, "steps": exact(name)["steps"]}


def put(folder: str, name: str, content: dict[str, Any] | str) -> Path:
    path = Path(folder)
    path.mkdir(exist_ok=True)
    text = content if isinstance(content, str) else json.dumps(content)
    (path / f"{name}.json").write_text(text, encoding="utf-8")
    return path / f"{name}.json"


@pytest.fixture
def two(vectors: Command) -> Command:
    """Two vectors in the folder v, and their own values as results in r."""
    for name in (ROWS, DENSE):
        put("v", name, written(name))
        put("r", name, results_of(name))
    return vectors


def test_exact_results_agree(two: Command) -> None:
    code, out, err = two("check", "v", "--results", "r")
    assert (code, err) == (0, "")
    assert "2 of 2 compared with vectors" in out
    assert "2 cases: 2 agree" in out


@pytest.mark.parametrize(
    ("name", "stage", "tensor"),
    [(ROWS, "grads", "center.weight"), (DENSE, "grads", "fc1.bias"), (DENSE, "params", "fc2.weight")],
)
def test_a_wrong_number_is_found(two: Command, name: str, stage: str, tensor: str) -> None:
    given = results_of(name)
    wrong = given["steps"][1][stage][tensor]
    row = wrong["values"][1] if isinstance(wrong, dict) else wrong[1] if isinstance(wrong[1], list) else wrong
    row[0] *= 1 + (1e-9 if name == ROWS else 1e-2)
    put("r", name, given)
    code, out, err = two("check", "v", "--results", "r", "--json", "found.json")
    assert (code, err) == (1, "")
    assert f"disagree {name}, r: step 2, {stage}, {tensor}[" in out
    found = {line["case"]: line for line in json.loads(Path("found.json").read_text("utf-8"))["results"]}
    assert found[name]["verdict"] == "disagree"
    assert found[name]["first_divergence"]["tensor"] == tensor
    assert {line["verdict"] for line in found.values()} == {"agree", "disagree"}


def test_another_row_or_shape_or_name_is_a_disagreement(two: Command) -> None:
    given = results_of(ROWS)
    given["steps"][0]["grads"]["center.weight"]["rows"][-1] = 0
    put("r", ROWS, given)
    other = results_of(DENSE)
    other["steps"][0]["grads"]["fc1.bias"] = [1.0, 2.0]
    put("r", DENSE, other)
    code, out, _ = two("check", "v", "--results", "r")
    assert code == 1
    assert "expected a gradient in this row, be it zero, got no gradient" in out or "not looked up" in out
    assert "fc1.bias: expected float32 of shape (10,), got float32 of shape (2,)" in out


def test_rows_may_come_in_any_order_and_in_parts(two: Command) -> None:
    """As (rows, values) of any implementation may."""
    given = results_of(ROWS)
    gradient = given["steps"][0]["grads"]["center.weight"]
    half = [[x / 2 for x in line] for line in gradient["values"]]
    given["steps"][0]["grads"]["center.weight"] = {"rows": gradient["rows"][::-1] * 2, "values": half[::-1] * 2}
    assert two("check", "v", "--results", put("r", ROWS, given))[0] == 0


def test_what_is_missing_is_not_covered(two: Command) -> None:
    given = results_of(DENSE)
    given["steps"] = [{"loss": step["loss"], "grads": step["grads"]} for step in given["steps"][:2]]
    put("r", DENSE, given)
    Path("r", f"{ROWS}.json").unlink()
    code, out, _ = two("check", "v", "--results", "r")
    assert code == 0
    assert "1 of 2: no results for it" in out
    assert "1 of 2: not covered: params, steps from 3 on" in out
    assert "2 cases: 1 agree, 1 unsupported" in out


def test_the_results_that_the_readme_shows(vectors: Command) -> None:
    readme = ROOT / "reference/vectors/README.md"
    (shown,) = blocks(readme.read_text(encoding="utf-8"), "json")
    put("r", "shown", shown)
    put("v", "one", written(json.loads(shown)["case"]))
    code, out, _ = vectors("check", "v", "--results", "r/shown.json")
    assert code == 5  # a batch of one id
    assert "1 of 1: not covered: steps from 2 on" in out


def test_an_agreement_says_what_it_could_not_have_noticed(two: Command) -> None:
    """As that of `verify` does: no id of this vector occurs twice."""
    name = "embedding-one-sgd-rows-f64"
    put("v", name, written(name))
    put("r", name, results_of(name))
    code, out, _ = two("check", f"v/{name}.json", "--results", f"r/{name}.json", "--json", "found.json")
    assert code == 5  # a batch of one id
    assert "too little was covered: no case of embedding that agrees would notice duplicates-overwritten, " in out
    found = json.loads(Path("found.json").read_text("utf-8"))
    assert found["verdict"] == "too little covered"
    assert "duplicates-overwritten" in found["coverage"]["core"]["embedding"]
    Path("r", f"{name}.json").unlink()
    assert two("check", "v", "--results", "r", "--json", "found.json")[0] == 0
    assert json.loads(Path("found.json").read_text("utf-8"))["coverage"]["core"] == {}


def test_vectors_that_come_with_twingrad_are_the_default(vectors: Command) -> None:
    name = PATHS[0].stem
    _, out, _ = vectors("check", "--results", put("r", name, results_of(name)))
    assert f"{len(PATHS)} cases: 1 agree, {len(PATHS) - 1} unsupported" in out


def test_nothing_covered(two: Command) -> None:
    Path("r", f"{ROWS}.json").write_text(json.dumps(results_of(DENSE)), encoding="utf-8")
    Path("r", f"{DENSE}.json").unlink()
    Path("v", f"{DENSE}.json").rename("w.json")
    code, out, err = two("check", "v", "w.json", "--results", "r")
    assert (code, err) == (0, "")
    assert "2 cases: 1 agree, 1 unsupported" in out


def test_write_takes_any_case_that_is_not_too_large(vectors: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exact_values, "feasible", lambda case: case.id == ROWS)
    code, out, _ = vectors("write", "new/folder", "skipgram-[pz]*s-sgd-rows-f64")
    others = len(fnmatch.filter(CASES, "skipgram-[pz]*s-sgd-rows-f64")) - 1
    assert (code, out) == (0, f"1 vectors in new/folder; {others} more cases have none\n")
    assert {path.name for path in Path("new/folder").iterdir()} == {f"{ROWS}.json", *BESIDE}


@pytest.mark.parametrize("name", ["linear-small-offset-sgd-dense-f32", "*-silent-*", "embedding-wide-sgd-rows-f64"])
def test_a_case_about_memory_or_without_a_gradient_has_no_vector(vectors: Command, name: str) -> None:
    code, _, err = vectors("write", "other", name)
    assert code == 2
    number = len(fnmatch.filter(CASES, name))
    assert number
    says = f"{name}: none of these cases, {number}, has a vector; too large, about memory, or without a gradient"
    assert err == f"twingrad: {says}\n"


# --- what has changed since the last time ----------------------------------------------------------------------------


def test_write_says_what_has_changed(vectors: Command) -> None:
    """By the manifest; what is no longer asked for goes, unless somebody has changed it."""
    one, two, three = "embedding-one-sgd-rows-f64", "embedding-one-sgd-rows-f32", "embedding-one-sgd-dense-f64"
    _, out, _ = vectors("write", "v", one, two, three)
    assert out == "3 vectors in v\n"
    _, out, _ = vectors("write", "v", one, two, three)
    assert out == "3 vectors in v\nchanged since the last time: nothing\n"
    manifest = json.loads(Path("v/manifest.json").read_text("utf-8"))
    manifest["files"][f"{one}.json"]["sha256"] = "0" * 64
    manifest["files"][f"{three}.json"]["sha256"] = hashlib.sha256(b"{}").hexdigest()
    manifest["version"] = 1.0
    put("v", "manifest", manifest)
    put("v", f"{three}", "{}")
    Path("v", f"{two}.json").write_text("mine", encoding="utf-8")
    _, out, _ = vectors("write", "v", one, "embedding-one-sgd-dense-f32")
    said = "version 1 is now 2, 1 added (embedding-one-sgd-dense-f32), 2 removed ({}, {}), 1 changed ({})"
    assert out == f"2 vectors in v\nchanged since the last time: {said.format(three, two, one)}\n"
    left = {path.name for path in Path("v").iterdir()} - set(BESIDE)
    assert left == {f"{name}.json" for name in (one, two, "embedding-one-sgd-dense-f32")}


@pytest.mark.parametrize(
    ("manifest", "says"),
    {
        "[": "line 1, column 2: is not JSON",
        '{"version": 2}': "$: has no 'files', which is needed",
        '{"version": 2, "files": {"../x.json": {"case": "x", "sha256": "0"}}}': '$.files: has "../x.json"; ',
    }.items(),
)
def test_a_manifest_that_is_none_is_refused(vectors: Command, manifest: str, says: str) -> None:
    put("v", "manifest", manifest)
    refused(vectors("write", "v", "embedding-one-sgd-rows-f64"), f"v/manifest.json: {says}")
    assert [path.name for path in Path("v").iterdir()] == ["manifest.json"]


# --- hostile files ---------------------------------------------------------------------------------------------------

DEEP = "[" * 100_000
HOSTILE: dict[str, tuple[str | bytes, str]] = {
    # what stands in the file, and what is said of it
    "empty": ("", "is empty; JSON is needed"),
    "blank": (" \n", "is empty; JSON is needed"),
    "a byte order mark": (b"\xef\xbb\xbf{}", "begins with a byte order mark; JSON in UTF-8 without one is needed"),
    "binary": (b"\x7fELF\x02\x80", "is not UTF-8 at byte 5; JSON in UTF-8 is needed"),
    "another encoding": ('{"version": 1}'.encode("utf-16"), "is not UTF-8 at byte 0"),
    "not JSON": ("version: 1", "line 1, column 1: is not JSON"),
    "truncated": ('{"version": 1,\n "case": ', "line 2, column 10: is not JSON"),
    "two documents": ("{} {}", "line 1, column 4: is not JSON (Extra data)"),
    "deep": (DEEP, "is nested too deeply"),
    "deep in a tensor": (DEEP[:900] + "1" + "]" * 900, "$: is an array; an object is needed"),
    "NaN": ('{"version": NaN}', 'has NaN, which JSON does not; results may have the string "NaN"'),
    "Infinity": ('{"version": -Infinity}', "has -Infinity, which JSON does not"),
    "1e999": ('{"version": 1e999}', 'has "1e999", which is beyond a float64'),
    "many digits": ('{"version": ' + "9" * 10_000 + "}", 'has "9999'),
    "a name twice": ('{"version": 1, "version": 1}', 'has the name "version" twice in one object'),
    "another version": ('{"version": 3}', "$"),
    "null": ("null", "$: is null; an object is needed"),
    "a list": ("[]", "$: is an array; an object is needed"),
}


@pytest.mark.parametrize("of", ["vector", "results"])
@pytest.mark.parametrize(("content", "says"), HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_file_is_refused_in_one_line(two: Command, of: str, content: str | bytes, says: str) -> None:
    Path("bad.json").write_bytes(content if isinstance(content, bytes) else content.encode())
    files = ["bad.json", "--results", "r"] if of == "vector" else ["v", "--results", "bad.json"]
    refused(two("check", *files, "--json", "found.json"), f"bad.json: {says}")


def refused(told: tuple[int, str, str], says: str) -> None:
    code, out, err = told
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert err.startswith(f"twingrad: {says}"), err
    assert len(err) < 400
    assert not Path("found.json").exists()


def change(path: str, value: Any) -> Callable[[dict[str, Any]], None]:
    """Put a value at a place; a place that ends with - is taken away."""

    def changed(whole: Any) -> None:
        *keys, last = [int(key) if key.isdigit() else key for key in path.rstrip("-").split("/")]
        for key in keys:
            whole = whole[key]
        if path.endswith("-"):
            del whole[last]
        else:
            whole[last] = value

    return changed


WRONG = {
    # what is changed in the vector, and what is said
    "version": (change("version", 3), "$.version: is 3; 2 is needed"),
    "a boolean for a number": (change("version", True), "$.version: is true; 2 is needed"),
    "no weights": (change("weights-", 0), "$: has no 'weights', which is needed"),
    "one name more": (change("comment", "x"), '$: has "comment"; version, case, flags, notes, weights, batches, steps'),
    "another id": (change("case/id", "x"), "$.case.id: is 'x'; a case of this name, model and optimizer has"),
    "a model of another kind": (change("case/model/kind", "LSTM"), '$.case.model.kind: is "LSTM"; one of Embedding, '),
    "an option of another type": (change("case/model/mode", 3), "$.case.model.mode: is 3; one of mean, sum, max is"),
    "no option": (change("case/optimizer/lr-", 0), "$.case.optimizer: has no 'lr', which is needed"),
    "a rate below 0": (change("case/optimizer/lr", -1), "SGD: lr is -1; a number from 0 up is needed"),
    "another dtype": (
        change("case/dtype", "float16"),
        '$.case.dtype: is "float16"; one of float64, float32 is allowed',
    ),
    "half a step": (change("case/steps", 1.5), "$.case.steps: is 1.5; an integer is needed"),
    "more steps": (change("case/steps", 4), "$.batches: has 3 items; the case has 4 steps"),
    "a huge vocabulary": (
        change("case/model/num_embeddings", 10**18),
        "weights: embedding.weight: has the shape (10, 5)",
    ),
    "a string for a number": (change("steps/0/loss", "1"), '$.steps[0].loss: is "1"; a number is needed'),
    "true for a number": (change("steps/0/loss", True), "$.steps[0].loss: is true; a number is needed"),
    "null for a number": (
        change("weights/fc1.bias/2", None),
        '$.weights["fc1.bias"][2]: is null; a number or an array',
    ),
    "rows of two lengths": (
        change("weights/fc1.weight/2", [1, 2]),
        '$.weights["fc1.weight"]: is not an array of float32',
    ),
    "a tensor too flat": (change("weights/fc1.weight", [1, 2]), "weights: fc1.weight: has the shape (2,); (10, 5) is"),
    "beyond float32": (
        change("weights/fc1.bias/2", 1e39),
        '$.weights["fc1.bias"]: has a number that is beyond float32',
    ),
    "an id out of range": (change("batches/1/ids/0/0", 10), "$.batches[1]: ids: 10 at [0, 0] is out of range; 0 to 9"),
    "an id below 0": (change("batches/1/ids/0/0", -1), "$.batches[1]: ids: -1 at [0, 0] is out of range"),
    "a fraction of an id": (change("batches/1/ids/0/0", 0.5), "$.batches[1].ids[0][0]: is 0.5; an integer"),
    "a huge id": (change("batches/1/ids/0/0", 10**30), "$.batches[1].ids"),
    "no labels": (change("batches/0/labels-", 0), "$.batches[0]: has no 'labels', which is needed"),
    "a batch of another kind": (
        change("batches/0/kind", "DenseBatch"),
        "$.batches[0]: has no 'input', which is needed",
    ),
    "a gradient of another shape": (change("steps/2/grads/fc1.bias", [1]), "$.steps[2]: fc1.bias: expected float32 of"),
    "a gradient too few": (change("steps/2/grads/fc1.bias-", 0), "$.steps[2]: gradients: expected a dict with"),
    "rows for a dense one": (
        change("steps/0/grads/fc1.weight", {"rows": [0], "values": [[1] * 5]}),
        "$.steps[0]: fc1.w",
    ),
    "no parameters": (change("steps/1/params-", 0), "$.steps[1]: has no 'params', which is needed"),
    "parameters of another shape": (
        change("steps/1/params/fc1.bias", [1]),
        "$.steps[1]: fc1.bias: expected float32 of",
    ),
    "state of no kind": (change("steps/1/state", {"sum": {}}), "$.steps[1]: state: expected a dict with the kinds []"),
    "an unknown flag": (change("flags", ["Fun"]), '$.flags[0]: is "Fun"; one of DuplicateIds, '),
}


@pytest.mark.parametrize(("changed", "says"), WRONG.values(), ids=WRONG)
def test_a_vector_that_is_wrong_is_refused(two: Command, changed: Callable[[dict], None], says: str) -> None:
    whole = exact(DENSE)
    changed(whole)
    Path("bad.json").write_text(json.dumps(whole), encoding="utf-8")
    refused(two("check", "bad.json", "--results", "r"), f"bad.json: {says}")


UNFIT = {
    # what is changed in the results, and what is said
    "a case that is not known": (change("case", "x"), '$.case: is "x"; none of the 2 vectors has that id'),
    "another dtype": (change("dtype", "float64"), "$.dtype: is float64; the vector is float32"),
    "too many steps": (lambda w: w["steps"].append(w["steps"][0]), "$.steps: has 4 items; the vector has 3 steps"),
    "no steps": (change("steps", []), "$.steps: has 0 items; 1 are the least that is allowed"),
    "parameters now and then": (
        change("steps/1/params-", 0),
        "$.steps[1]: has loss, grads; $.steps[0] has loss, grads, pa",
    ),
    "no loss": (change("steps/0/loss-", 0), "$.steps[0]: has no 'loss', which is needed"),
    "NaN as JavaScript writes it": (change("steps/0/loss", None), '$.steps[0].loss: is null; a number or "NaN" or'),
    "NaN of another name": (
        change("steps/0/loss", "nan"),
        '$.steps[0].loss: is "nan"; one of NaN, Infinity, -Infinity',
    ),
    "rows of another name": (
        change("steps/0/grads/embedding.weight", {"indices": [1], "values": [[1.0] * 5]}),
        '$.steps[0].grads["embedding.weight"]: has no \'rows\', which is needed, as in {"rows": [0, 4], "values": [[',
    ),
    "coordinates too": (
        change("steps/0/grads/embedding.weight", {"rows": [1], "values": [[1.0] * 5], "shape": [10, 5]}),
        '$.steps[0].grads["embedding.weight"]: has "shape"; rows, values are allowed, as in {"rows": [0, 4], "values"',
    ),
    "no gradient": (
        change("steps/0/grads/embedding.weight", None),
        '$.steps[0].grads["embedding.weight"]: is null; a number or "NaN" or "Infinity" or "-Infinity" or an array '
        'or an object is needed, as in {"rows": [0, 4],',
    ),
    "a tensor with holes": (
        change("steps/0/grads/fc1.weight/1", [1]),
        '$.steps[0].grads["fc1.weight"]: is not an array',
    ),
    "a tensor of no name": (change("steps/0/grads/fc0.weight", [1]), '$.steps[0].grads: has "fc0.weight"; '),
}


@pytest.mark.parametrize(("changed", "says"), UNFIT.values(), ids=UNFIT)
def test_results_that_fit_no_vector_are_refused(two: Command, changed: Callable[[dict], None], says: str) -> None:
    whole = results_of(DENSE)
    changed(whole)
    Path("bad.json").write_text(json.dumps(whole), encoding="utf-8")
    refused(two("check", "v", "--results", "bad.json"), f"bad.json: {says}")


def test_what_is_no_file_is_refused(two: Command) -> None:
    Path("empty").mkdir()
    Path("folder", "x.json").mkdir(parents=True)
    os.mkfifo("pipe")
    with open("huge", "wb") as file:
        file.truncate(LARGEST + 1)
    for name, says in {
        "nowhere": "nowhere: cannot be read (No such file or directory)",
        "empty": "empty: is a folder without a .json file; a file, or a folder of them, is needed",
        "folder": "folder/x.json: cannot be read (Is a directory)",
        "pipe": "pipe: is a device, a pipe or a socket; a file is needed",
        "/dev/zero": "/dev/zero: is a device, a pipe or a socket; a file is needed",
        "huge": "huge: is larger than 8 MiB, which is the largest size allowed",
        "a\0b": "'a\\x00b': is not the name of a file",
    }.items():
        refused(two("check", name, "--results", "r"), says)
        refused(two("check", "v", "--results", name), says)
    refused(two("check", "v"), "the following arguments are required: --results")
    refused(two("write", "huge"), "huge: cannot be made (File exists)")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read anything")
def test_what_may_not_be_read_is_refused(two: Command) -> None:
    Path("r", f"{ROWS}.json").chmod(0)
    refused(two("check", "v", "--results", "r"), f"r/{ROWS}.json: cannot be read (Permission denied)")


def test_two_results_for_one_case_are_refused(two: Command) -> None:
    put("r", "again", results_of(ROWS))
    refused(two("check", "v", "--results", "r"), f"r/{ROWS}.json: $.case: r/again.json has results for {ROWS} too")


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_bytes_that_are_cut_or_changed_never_raise_anything_else(data: st.DataObject, tmp_path_factory: Any) -> None:
    raw = bytearray(json.dumps(SMALL).encode())
    del raw[data.draw(st.integers(0, len(raw))) :]
    for _ in range(data.draw(st.integers(0, 3)) if raw else 0):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.getbasetemp() / "changed.json"
    path.write_bytes(raw)
    assert "\n" not in said_of(read_vector, path)
