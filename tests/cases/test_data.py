"""Weights and batches: the same for everyone, in range, and as skewed as they say."""

import hashlib
import math
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import fields, replace
from itertools import combinations, cycle, islice
from pathlib import Path

import numpy as np
import pytest

from reference.cases import (
    SGD,
    Batch,
    BlockBatch,
    Case,
    Classifier,
    Drawn,
    Embedding,
    Linear,
    PairBatch,
    SkipGram,
    Text,
)
from reference.catalogue import catalogue
from reference.data import text
from reference.data.stream import Stream
from reference.errors import BadInput

CASES = catalogue()
DISTINCT = list({(case.model, case.data, case.dtype, case.seed, case.gain): case for case in CASES}.values())

each_case = pytest.mark.parametrize("case", DISTINCT, ids=lambda case: case.id)


def arrays(batch: Batch) -> list[np.ndarray]:
    return [getattr(batch, field.name) for field in fields(batch)]


def drawn(case: Case, steps: int = 4) -> Iterator[np.ndarray]:
    """The weights, then the first batches, one array after the other."""
    yield from case.weights().values()
    for batch in islice(case.batches(), steps):
        yield from arrays(batch)


def as_bytes(arrays: Iterable[np.ndarray]) -> list[bytes]:
    return [array.tobytes() for array in arrays]


@each_case
def test_same_case_same_data_in_arrays_of_its_own(case: Case) -> None:
    """Whoever writes into one spoils no other."""
    once, again = list(drawn(case, steps=20)), list(drawn(case, steps=20))
    assert as_bytes(once) == as_bytes(again)
    assert not any(np.may_share_memory(a, b) for a, b in combinations([*once, *again], 2))
    other = replace(case, seed=99)
    assert case.weights().keys() == other.weights().keys()
    assert as_bytes(once) != as_bytes(drawn(other, steps=20))


@pytest.mark.parametrize(
    ("case", "digest"),
    [
        (
            Case("lookup", Embedding(10, 5), SGD(), Drawn((4, 3))),
            "8b8cab2e484f180a98afbd0de46f0f2646df3a5ba1a5af92c5992c9a6348acf6",
        ),
        (
            Case("dense", Linear(5, 3), SGD(), Drawn((4,))),
            "0535a503d33c1d5bb89836b8bfe9fda5f525a281f0ba1de453bdb79005cdcd7a",
        ),
        (
            Case("bags", Classifier(101, 13, (9,), 5), SGD(), Drawn((11, 3), used=97), seed=4),
            "bb29ff8c6bb81d2801dadadfb39a8eb16168ffaa05f8da80e02d529f7140740f",
        ),
        (
            Case("pairs", SkipGram(1009, 33), SGD(), Drawn((32,), zipf=True)),
            "093d2c3d4bbce162c066c6aa1254ebc857e17d085a4b15f02d0821fade151fac",
        ),
        (
            Case("pairs", SkipGram(1009, 33), SGD(), Drawn((32,), zipf=True), dtype="float32"),
            "d06b37faf90ed2cc675e80fc2588809af46bef6804b15375f61dc78d85755955",
        ),
    ],
    ids=lambda value: value.id if isinstance(value, Case) else value[:8],
)
def test_digest(case: Case, digest: str) -> None:
    """A promise to users, not an expected value of the maths: a case means the same numbers in every version."""
    content = b"".join(array.astype(array.dtype.newbyteorder("<")).tobytes() for array in drawn(case))
    assert hashlib.sha256(content).hexdigest() == digest


def test_uniform_ids_are_uniform() -> None:
    counts = np.bincount(Stream(5).ids((100_000,), 50), minlength=50)
    assert len(counts) == 50
    np.testing.assert_allclose(counts, 2000, rtol=0.15)  # a standard deviation is 2 %


def test_zipf_ids_fall_as_one_over_rank() -> None:
    n = 1023
    counts = np.bincount(Stream(5).ids((200_000,), n, zipf=True), minlength=n)
    assert len(counts) == n
    octaves = np.array([counts[2**i - 1 : 2 ** (i + 1) - 1].mean() for i in range(10)])  # ranks 1, 2-3, 4-7, ...
    np.testing.assert_allclose(octaves[:-1] / octaves[1:], 2, rtol=0.15)


@pytest.mark.parametrize("zipf", [False, True])
@pytest.mark.parametrize("n", [1, 2, 7, 1009])
def test_ids_reach_both_ends_and_no_further(n: int, zipf: bool) -> None:
    ids = Stream(3).ids((40 * n, 5), n, zipf)
    assert ids.shape == (40 * n, 5)
    assert ids.dtype == np.int64
    assert (ids.min(), ids.max()) == (0, n - 1)


def test_order_is_a_permutation() -> None:
    order = Stream(1).order(100)
    assert sorted(order) == list(range(100)) != order.tolist()


@each_case
def test_batches_fit_the_model(case: Case) -> None:
    found = list(case.batches())
    assert len(found) == case.steps
    for batch in found:
        case.check_batch(batch)
        ids = batch.centers if isinstance(batch, PairBatch | BlockBatch) else getattr(batch, "ids", np.zeros(1))
        if isinstance(case.data, Drawn) and case.data.used:
            assert ids.max() < case.data.used
        if getattr(batch, "upstream", None) is not None and batch.upstream.size >= 20:
            assert batch.upstream.min() < 0 < batch.upstream.max()


@each_case
def test_weights(case: Case) -> None:
    weights, model = case.weights(), case.model
    assert {name: weight.shape for name, weight in weights.items()} == model.shapes
    for name, weight in weights.items():
        layer = name.rpartition(".")[0]
        table = layer in ("embedding", "center", "context", "nodes")
        bound = case.gain * (1 if table else math.prod(model.shapes[f"{layer}.weight"][1:]) ** -0.5)
        assert weight.dtype == case.dtype
        assert np.isfinite(weight).all()
        assert np.abs(weight).max() <= bound * (1 + case.eps) + (case.grid or 0) / 2
        if weight.size >= 20:
            assert weight.min() < -bound / 2 < bound / 2 < weight.max()


PARAGRAPHS = [[f"w{i}x{j}" for j in range(5 + i)] for i in range(6)]


@pytest.fixture
def source(tmp_path: Path) -> str:
    file = tmp_path / "a.txt"
    file.write_text("\n\n".join(map(" ".join, PARAGRAPHS)))
    return str(file)


def test_pairs_of_a_text_come_once_a_pass(source: str) -> None:
    every = Counter(
        (words[i], words[j])
        for words in PARAGRAPHS
        for i in range(len(words))
        for j in range(len(words))
        if 0 < abs(i - j) <= 2
    )
    words = text.read(source).words
    case = Case("text", SkipGram(len(words), 3), SGD(), Text(source, batch_size=7, window=2), steps=100)
    batches = list(case.batches())
    assert {len(batch.centers) for batch in batches} == {7}
    seen = [(words[a], words[b]) for batch in batches for a, b in zip(batch.centers, batch.contexts, strict=True)]
    once_a_pass(seen, every)


@pytest.mark.parametrize("model", [SkipGram(9, 3), Classifier(9, 3, (4,), 6)], ids=["pairs", "bags"])
def test_a_batch_has_no_more_examples_than_the_text(source: str, model: SkipGram | Classifier) -> None:
    words = len(text.read(source).words)
    case = Case("text", replace(model, num_embeddings=words), SGD(), Text(source, batch_size=1), steps=1)
    every = case.examples
    whole = replace(case, data=Text(source, batch_size=every))
    assert len(next(whole.batches()).ids if isinstance(model, Classifier) else next(whole.batches()).centers) == every
    for size in (0, every + 1, 10**12):
        wrong = replace(case, data=Text(source, batch_size=size))
        with pytest.raises(BadInput, match=rf"^batch_size {size}: .* has {every} examples; 1 to {every} fit$"):
            next(wrong.batches())


def test_the_catalogue_fits_a_short_text(tmp_path: Path) -> None:
    file = tmp_path / "short.txt"
    file.write_text("one two three\n\nfour five")
    cases = [case for case in catalogue(str(file)) if isinstance(case.data, Text)]
    assert len(cases) == 13
    for case in cases:
        next(case.batches())


def test_bags_of_a_text_come_once_a_pass(source: str) -> None:
    every = Counter(
        (tuple(islice(cycle(words[start : start + 4]), 4)), chapter)
        for chapter, words in enumerate(PARAGRAPHS)
        for start in range(0, len(words), 4)
    )
    words = text.read(source).words
    case = Case("text", Classifier(len(words), 3, (4,), 6), SGD(), Text(source, batch_size=5, length=4), steps=20)
    batches = list(case.batches())
    assert {len(batch.ids) for batch in batches} == {5}
    seen = [
        (tuple(words[i] for i in bag), label)
        for batch in batches
        for bag, label in zip(batch.ids, batch.labels, strict=True)
    ]
    once_a_pass(seen, every)


def once_a_pass(seen: list, every: Counter) -> None:
    """Every example in each pass, in an order of its own; the sizes here are such that batches cross the passes."""
    n = every.total()
    first, second = seen[:n], seen[n : 2 * n]
    assert Counter(first) == Counter(second) == every
    assert first != second
