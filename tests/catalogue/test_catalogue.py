"""Ids are made of content, rows are only ever appended to, and an id never comes to mean another case."""

from __future__ import annotations

import copy
import dataclasses
import itertools
import shutil
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from reference.cases import (
    CBOW,
    SGD,
    AdamW,
    Case,
    Classifier,
    CrossEntropy,
    Drawn,
    Embedding,
    EmbeddingBag,
    Model,
    MSELoss,
    NegativeSampling,
    Recorded,
    SharedNegatives,
    SkipGram,
)
from reference.cases.labels import jsonable, labels, written
from reference.catalogue import TABLES, catalogue, digests, pairwise
from reference.catalogue.bags import BAGS
from reference.catalogue.classifier import CLASSIFIER
from reference.catalogue.pairwise import Table

CASES = catalogue()

# --- ids -------------------------------------------------------------------------------------------------------------

WEIGHTS = (1.0, 2.0)
IDS = {
    "embedding-sgd-dense-f64": Case("", Embedding(3, 2), SGD(), Drawn((1,))),
    "embedding-x-byfreq-int32-adamw-decay-clip-lrdecayto-dense-f32": Case(
        "x",
        Embedding(3, 2, scale_grad_by_freq=True),
        AdamW(lr=0.2, weight_decay=0.5),
        Drawn((1,), zipf=True, ids_dtype="int32"),
        steps=9,
        dtype="float32",
        seed=4,
        max_norm=0.1,
        lr_decay_to=0.1,
    ),
    "embeddingbag-max-padding-maxnorm-norm1-ragged-int32-sgd-rows-f64": Case(
        "",
        EmbeddingBag(3, 2, "max", 0, max_norm=1.0, norm_type=1.0),
        SGD(),
        Drawn((2, 2), False, None, True, "int32"),
        sparse=True,
    ),
    "classifier-hidden0-mse-summed-sgd-dense-f64": Case(
        "", Classifier(3, 2, (), 2, loss=MSELoss("sum")), SGD(), Drawn((2, 2))
    ),
    "classifier-hidden2-sum-padding-gelu_tanh-dropout-weight-ignore-smoothing-sgd-dense-f64": Case(
        "",
        Classifier(3, 2, (4, 4), 2, "sum", 0, "gelu_tanh", 0.5, CrossEntropy(WEIGHTS, 0, label_smoothing=0.1)),
        SGD(),
        Drawn((2, 2)),
    ),
    "cbow-sum-negatives-mask-sgd-dense-f64": Case(
        "", CBOW(3, 2, "sum", NegativeSampling(7, "mask")), SGD(), Drawn((2, 2))
    ),
    "cbow-negatives-summed-sgd-dense-f64": Case(
        "", CBOW(3, 2, "mean", NegativeSampling(7), "sum"), SGD(), Drawn((2, 2))
    ),
    "skipgram-shared-s4-sgd-dense-f64": Case("", SkipGram(3, 2, SharedNegatives(2, 4)), SGD(), Drawn((2, 2))),
}


@pytest.mark.parametrize("name", IDS)
def test_an_id_says_what_is_not_a_default(name: str) -> None:
    assert IDS[name].id == name


def test_ids_are_unique_and_can_be_names_of_files() -> None:
    names = [case.id for case in CASES]
    assert len(set(names)) == len(names)
    assert all(set(name) <= set("abcdefghijklmnopqrstuvwxyz0123456789-_.") and len(name) < 120 for name in names)


def test_what_is_recorded_has_the_same_id() -> None:
    for one in IDS.values():
        if one.steps == 3 and one.name == "":
            recorded = Recorded(one.weights(), tuple(one.batches()))
            assert replace(one, data=recorded).id == one.id


@dataclass(frozen=True)
class Gate:
    kind: str
    bias: bool = True


@dataclass(frozen=True)
class Mine(Model):
    """As somebody's own model, of which nothing here knows."""

    num_embeddings: int
    widths: tuple[int, ...]
    num_layers: int = 1
    batch_first: bool = False
    bias: bool = True
    clamp: float | None = 1.0
    scale: float = 1.0
    gate: Gate = Gate("tanh")
    extra: tuple[int, ...] = field(default_factory=tuple)

    tables = ()


def test_a_model_of_ones_own_has_labels_by_itself() -> None:
    assert labels(Mine(5, (4,))) == []
    changed = Mine(5, (4, 4), 2, True, False, None, 0.5, Gate("relu", bias=False), (1,))
    assert labels(changed) == [
        "widths2",
        "layers2",
        "batchfirst",
        "nobias",
        "noclamp",
        "scale",
        "relu",
        "nobias",
        "extra",
    ]
    assert written(Mine(5, (4,), gate=Gate("relu"))) == "Mine(5, (4,), gate=Gate('relu'))"
    assert Case("", changed, SGD(), Drawn((1,))).id.startswith("mine-widths2-layers2-batchfirst-")


# --- rows ------------------------------------------------------------------------------------------------------------

each_table = pytest.mark.parametrize("table", TABLES, ids=lambda table: table.file)


def pairs(row: dict[str, str]) -> set[frozenset]:
    return set(map(frozenset, itertools.combinations(row.items(), 2)))


@each_table
def test_every_possible_pair_is_in_a_committed_row(table: Table) -> None:
    """A pair that is in none is impossible whatever the other options are: all of them are tried."""
    met = set().union(*map(pairs, table.labels()))
    for (a, first), (b, second) in itertools.combinations(table.options.items(), 2):
        for x, y in itertools.product(first, second):
            if frozenset({(a, x), (b, y)}) not in met:
                wanted = {name: of.values() for name, of in table.options.items()}
                wanted |= {a: [first[x]], b: [second[y]]}
                every = (dict(zip(wanted, of, strict=True)) for of in itertools.product(*wanted.values()))
                assert not any(map(table.possible, every)), f"{a} {x}, {b} {y}: add the rows with `make rows`"


@each_table
def test_every_committed_row_is_possible_and_there_once(table: Table) -> None:
    rows = table.labels()
    assert len({tuple(row.values()) for row in rows}) == len(rows) > 5
    for row in rows:
        assert table.possible(table.meant(row)), row
    assert set(table.path.read_text(encoding="utf-8").splitlines()[0].split(",")) == set(table.options)


@pytest.fixture
def copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(pairwise, "ROWS", Path(shutil.copytree(pairwise.ROWS, tmp_path / "rows")))
    return tmp_path / "rows"


def test_nothing_is_appended_where_nothing_is_missing(copied: Path) -> None:
    before = {path.name: path.read_bytes() for path in copied.iterdir()}
    assert [table.grow() for table in TABLES] == [0] * len(TABLES)
    assert {path.name: path.read_bytes() for path in copied.iterdir()} == before


def test_a_new_value_only_appends(copied: Path) -> None:
    activations = {**CLASSIFIER.options["activation"], "swish": "swish"}
    table = replace(CLASSIFIER, options={**CLASSIFIER.options, "activation": activations})
    old, lines = table.labels(), table.path.read_bytes()
    added = table.grow()
    assert table.path.read_bytes().startswith(lines)
    assert table.labels()[: len(old)] == old == CLASSIFIER.labels()[: len(old)]
    assert added == len(table.labels()) - len(old) >= 9  # with each of nine losses
    assert all(row["activation"] == "swish" for row in table.labels()[len(old) :])
    test_every_possible_pair_is_in_a_committed_row(table)
    assert table.grow() == 0


def test_a_new_option_has_its_first_value_in_old_rows(copied: Path) -> None:
    options = {"bias": {"yes": True, "no": False}, **BAGS.options}
    table = replace(BAGS, options=options)
    old, first, lines = BAGS.labels(), *table.path.read_text().split("\n", 1)
    table.grow()
    assert table.path.read_text().startswith(f"{first},bias\n{lines}")
    assert table.labels()[: len(old)] == [{"bias": "yes", **row} for row in old]
    assert {row["bias"] for row in table.labels()[len(old) :]} == {"no"}
    test_every_possible_pair_is_in_a_committed_row(table)


def test_rows_of_a_file_that_is_not_there_yet(copied: Path) -> None:
    table = Table("new", {"a": {"x": 1, "y": 2}, "b": {"u": 3, "v": 4}}, lambda row: row != {"a": 2, "b": 4})
    assert table.grow() == 3
    assert table.path.read_text() == "a,b\nx,u\nx,v\ny,u\n"


# --- digests ---------------------------------------------------------------------------------------------------------


def test_released_ids_mean_what_they_did() -> None:
    now, kept = digests.meanings(CASES), digests.kept()
    assert digests.changes(kept, now) == []
    assert digests.unkept(kept, now) == [], "new ids: `make digests` keeps what they mean"


SMALL = Case("x", Classifier(5, 3, (4,), 2), SGD(lr=0.1), Drawn((3, 2)))
OTHERS = {
    "model": replace(SMALL, model=replace(SMALL.model, dropout=0.1)),
    "loss": replace(SMALL, model=replace(SMALL.model, loss=CrossEntropy(label_smoothing=0.1))),
    "optimizer": replace(SMALL, optimizer=SGD(lr=0.2)),
    "steps": replace(SMALL, steps=4),
    "layout": replace(SMALL, sparse=True),
    "dtype": replace(SMALL, dtype="float32"),
    "clipping": replace(SMALL, max_norm=1.0),
    "weights and batches": replace(SMALL, seed=1),
    "weights": replace(SMALL, gain=2.0),
    "batches": replace(SMALL, data=Drawn((3, 2), zipf=True)),
    "dtype of the ids": replace(SMALL, data=Drawn((3, 2), ids_dtype="int32")),
}


@pytest.mark.parametrize("other", OTHERS.values(), ids=OTHERS)
def test_a_digest_tells_what_is_other(other: Case) -> None:
    assert digests.digest(other) != digests.digest(SMALL)


def test_a_digest_does_not_look_at_names_order_or_new_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    expected = digests.digest(SMALL)
    assert digests.digest(replace(SMALL, name="y")) == expected
    fields = dataclasses.fields(Classifier)

    @dataclass(frozen=True)
    class Later(Classifier):
        bias: bool = True

    Later.__name__ = "Classifier"
    later = replace(SMALL, model=Later(5, 3, (4,), 2))
    assert len(dataclasses.fields(later.model)) == len(fields) + 1
    assert digests.digest(later) == expected
    assert digests.digest(replace(later, model=replace(later.model, bias=False))) != expected
    order = list(jsonable(SMALL))
    monkeypatch.setattr("reference.cases.labels.fields", lambda part: dataclasses.fields(part)[::-1])
    assert list(jsonable(SMALL)) != order
    assert digests.digest(SMALL) == expected


def test_a_digest_of_a_text_case_does_not_look_at_the_text(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text(" ".join(f"w{i % 50} w{i % 7}" for i in range(6000)), encoding="utf-8")
    of_the_manual = {one.id: digests.digest(one) for one in CASES if one.name == "text"}
    of_a_file = {one.id: digests.digest(one) for one in catalogue(str(tmp_path / "a.txt")) if one.name == "text"}
    assert of_a_file == of_the_manual != {}


def test_a_change_is_told_in_words() -> None:
    before = digests.meanings([SMALL])
    gone, changed, default = copy.deepcopy(before), copy.deepcopy(before), copy.deepcopy(before)
    gone["cases"] = {}
    changed["cases"][SMALL.id] = "0"
    default["defaults"]["Classifier.mode"] = '"max"'
    assert digests.changes(before, before) == []
    (told,) = digests.changes(before, gone)
    assert told.startswith(f"{SMALL.id}: the case is gone")
    assert "put its case back" in told
    (told,) = digests.changes(before, changed)
    assert told.startswith(f"{SMALL.id}: means another case than before")
    assert "its own name" in told
    (told,) = digests.changes(before, default)
    assert told.startswith('Classifier.mode: its default was "mean" and is now "max"')
    assert digests.unkept({"cases": {}}, before) == [SMALL.id]


def test_new_digests_are_appended_and_no_other_is_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setattr(digests, "PATH", tmp_path / "digests.json")
    monkeypatch.setattr(digests, "catalogue", lambda: [SMALL])
    assert digests.main() == 0
    first = digests.kept()
    monkeypatch.setattr(digests, "catalogue", lambda: [SMALL, OTHERS["dtype"]])
    assert digests.main() == 0
    second = digests.kept()
    assert list(second["cases"]) == [SMALL.id, OTHERS["dtype"].id]
    assert second["cases"][SMALL.id] == first["cases"][SMALL.id]
    monkeypatch.setattr(digests, "catalogue", lambda: [OTHERS["steps"], OTHERS["dtype"]])
    assert digests.main() == 1
    assert capsys.readouterr().err.startswith(f"{SMALL.id}: means another case")
    assert digests.kept() == second
