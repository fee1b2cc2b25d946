"""word2vec's objectives and data, each against its formula: alias table, Huffman tree, losses, gradients, windows."""

from __future__ import annotations

import cmath
import heapq
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations, islice, pairwise, product
from pathlib import Path

import mpmath
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import numpy_impl.functional
import torch_impl.functional
from reference.cases import (
    CBOW,
    SGD,
    Adam,
    Batch,
    Case,
    ContextBatch,
    Dialogue,
    Drawn,
    Embedding,
    HierarchicalSoftmax,
    NegativeSampling,
    Objective,
    PairBatch,
    PairNegativesBatch,
    SharedNegatives,
    SkipGram,
    Softmax,
    SparseAdam,
    Text,
)
from reference.catalogue import catalogue
from reference.checks.twins import TWINS, twin
from reference.data import text
from reference.data.alias import AliasTable
from reference.data.dialogue import DIALOGUE_CORPUS
from reference.data.huffman import huffman
from reference.data.stream import Stream
from reference.errors import BadInput
from reference.judge.form import as_grads

twins = pytest.mark.parametrize("name", TWINS)
count_lists = st.lists(st.integers(0, 60), min_size=2, max_size=60)

# --- negatives -------------------------------------------------------------------------------------------------------


@given(counts=count_lists.filter(any))
def test_alias_table_holds_the_powers_of_the_counts(counts: list[int]) -> None:
    table = AliasTable(np.array(counts) ** 0.75)
    held = [0.0] * len(counts)
    for column, (keep, other) in enumerate(zip(table.keep, table.other, strict=True)):
        assert 0 <= keep <= 1
        held[column] += keep / len(counts)
        held[other] += (1 - keep) / len(counts)
    total = sum(count**0.75 for count in counts)
    np.testing.assert_allclose(held, [count**0.75 / total for count in counts], rtol=1e-12, atol=1e-15)


def test_negatives_are_drawn_as_the_table_says() -> None:
    counts = np.array([1000, 100, 10, 0])
    drawn = np.bincount(AliasTable(counts**0.75).draw(Stream(2), (50_000, 4)).ravel(), minlength=4)
    np.testing.assert_allclose(drawn / drawn.sum(), counts**0.75 / (counts**0.75).sum(), atol=0.005)
    assert drawn[3] == 0


def negatives(accidental_hits: str, seed: int = 0) -> PairNegativesBatch:
    objective = NegativeSampling(7, accidental_hits, power=1.0)
    case = Case("x", SkipGram(4, 2, objective), SGD(), Drawn((2000,), zipf=True), steps=1, seed=seed)
    return next(case.batches())


def test_redrawing_changes_the_hits_alone() -> None:
    kept, masked, redrawn = map(negatives, ("keep", "mask", "redraw"))
    hits = kept.negatives == kept.contexts[:, None]
    assert 0.2 < hits.mean() < 0.5
    for batch in (masked, redrawn):
        np.testing.assert_array_equal(batch.contexts, kept.contexts)
        np.testing.assert_array_equal(batch.centers, kept.centers)
    np.testing.assert_array_equal(masked.negatives, kept.negatives)
    np.testing.assert_array_equal(redrawn.negatives == kept.negatives, ~hits)
    assert not (redrawn.negatives == redrawn.contexts[:, None]).any()


def test_redrawn_negatives_are_the_other_words_by_their_counts() -> None:
    batch = negatives("redraw")
    found = np.bincount(batch.negatives[batch.contexts == 0].ravel(), minlength=4)
    others = np.array([0, 500, 333, 250])
    np.testing.assert_allclose(found / found.sum(), others / others.sum(), atol=0.02)


def test_negatives_do_not_depend_on_the_objectives_around_them() -> None:
    """The pairs are those of the softmax, whatever else is drawn."""
    pairs = Case("x", SkipGram(9, 2), SGD(), Drawn((5,)))
    plain = [batch.contexts.tolist() for batch in pairs.batches()]
    for objective in OBJECTIVES.values():
        case = replace(pairs, model=SkipGram(9, 2, objective))
        assert [batch.contexts.tolist() for batch in case.batches()] == plain


@pytest.mark.parametrize("hits", ["keep", "mask"])
@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("name", TWINS)
def test_shared_negatives_are_negatives_of_every_pair(hits: str, reduction: str, name: str) -> None:
    """With as many negatives as are shared, a block is its pairs one by one, each with all of the block's negatives."""
    shared = Case("", SkipGram(5, 3, SharedNegatives(4, 4, hits), reduction), SGD(), Drawn((3, 6)), steps=1)
    (block,) = shared.batches()
    n, i, j = block.inside.nonzero()
    pairs = PairNegativesBatch(block.centers[n, i], block.contexts[n, j], block.negatives[n])
    assert (pairs.negatives == pairs.contexts[:, None]).any()
    alone = replace(shared, model=replace(shared.model, objective=NegativeSampling(4, hits)))
    weights = shared.weights()
    (loss, grads), (expected_loss, expected) = (
        twin(name).build(case, weights).loss_and_grads(batch) for case, batch in ((shared, block), (alone, pairs))
    )
    assert loss == pytest.approx(expected_loss, rel=1e-14)
    for table in shared.model.tables:
        np.testing.assert_allclose(np.asarray(grads[table]), np.asarray(expected[table]), atol=1e-14)


def test_a_part_of_the_shared_negatives_counts() -> None:
    """Two negatives for each pair, of eight that a block has, are a quarter of all eight."""
    case = Case("", SkipGram(9, 3, SharedNegatives(2, 8)), SGD(), Drawn((2, 5)), steps=1)
    (batch,) = case.batches()
    none, quarter, whole = (
        numpy_impl.build(replace(case, model=SkipGram(9, 3, SharedNegatives(k, 8))), case.weights()).loss_and_grads(
            batch
        )[0]
        for k in (0, 2, 8)
    )
    assert none < quarter < whole
    assert quarter - none == pytest.approx((whole - none) / 4)


@pytest.mark.parametrize("length", [1, 4, 7, 1000])
def test_blocks_have_the_pairs_of_the_text(length: int, tmp_path: Path) -> None:
    """However the text is cut, and across no paragraph."""
    path = tmp_path / "text.txt"
    path.write_text(DIALOGUE_CORPUS, encoding="utf-8")
    drawn = Text(str(path), 1, length=length, window=2)
    case = Case("", SkipGram(7, 3, SharedNegatives(2, 3)), SGD(), drawn, steps=10**6)
    blocks = list(islice(case.batches(), case.examples))
    found = sorted(
        (int(block.centers[n, i]), int(block.contexts[n, j]))
        for block in blocks
        for n, i, j in np.argwhere(block.inside)
    )
    assert {block.centers.shape[1] for block in blocks} == {length}
    assert found == sorted(zip(*(ids.tolist() for ids in text.read(str(path)).all_pairs(2)), strict=True))


@pytest.mark.parametrize("objective", [NegativeSampling(2, "redraw"), HierarchicalSoftmax()])
def test_a_vocabulary_of_one_word_is_refused(objective: Objective) -> None:
    with pytest.raises(BadInput, match="at least two"):
        next(Case("x", SkipGram(5, 2, objective), SGD(), Drawn((3,), used=1)).batches())


# --- the tree --------------------------------------------------------------------------------------------------------


def optimal(counts: Sequence[int]) -> int:
    """The sum of count x depth in a tree of least such sum, by a heap."""
    heap, total = list(counts), 0
    heapq.heapify(heap)
    while len(heap) > 1:
        joined = heapq.heappop(heap) + heapq.heappop(heap)
        total += joined
        heapq.heappush(heap, joined)
    return total


@given(counts=count_lists)
def test_huffman_tree_is_one_and_shortest(counts: list[int]) -> None:
    V, tree = len(counts), huffman(np.array(counts))
    paths = [
        [(int(node), int(sign)) for node, sign in zip(nodes, signs, strict=True) if sign]
        for nodes, signs in zip(tree.nodes, tree.signs, strict=True)
    ]
    assert sum(count * len(path) for count, path in zip(counts, paths, strict=True)) == optimal(counts)
    for nodes, signs, path in zip(tree.nodes, tree.signs, paths, strict=True):
        assert (signs[len(path) :] == 0).all()
        assert (nodes[len(path) :] == V - 2).all()
    codes = sorted(tuple(sign for _, sign in path) for path in paths)
    assert not any(b[: len(a)] == a for a, b in pairwise(codes))  # of sorted codes a prefix comes just before
    turns_before = {(tuple(sign for _, sign in path[:i]), node) for path in paths for i, (node, _) in enumerate(path)}
    assert sorted(node for _, node in turns_before) == list(range(V - 1))  # each node in one place
    assert ((), V - 2) in turns_before


def create_binary_tree(counts: Sequence[int]) -> list[tuple[list[int], list[int]]]:
    """Point and code of each word, as word2vec.c has it, line by line; counts that fall."""
    n = len(counts)
    count = [*counts, *[10**15] * n]
    binary, parent = [0] * 2 * n, [0] * 2 * n
    pos1, pos2 = n - 1, n
    for a in range(n - 1):
        least = []
        for _ in range(2):
            if pos1 >= 0 and count[pos1] < count[pos2]:
                least.append(pos1)
                pos1 -= 1
            else:
                least.append(pos2)
                pos2 += 1
        count[n + a] = count[least[0]] + count[least[1]]
        parent[least[0]] = parent[least[1]] = n + a
        binary[least[1]] = 1
    found = []
    for a in range(n):
        b, code, point = a, [], []
        while b != 2 * n - 2:
            code.append(binary[b])
            point.append(b)
            b = parent[b]
        found.append(([n - 2] + [p - n for p in point[:0:-1]], code[::-1]))
    return found


@given(counts=st.lists(st.integers(1, 9), min_size=2, max_size=40))
def test_ties_are_decided_as_in_word2vec(counts: list[int]) -> None:
    counts.sort(reverse=True)
    tree = huffman(np.array(counts))
    for word, (point, code) in enumerate(create_binary_tree(counts)):
        assert tree.nodes[word, : len(point)].tolist() == point
        assert [(1 - sign) // 2 for sign in tree.signs[word, : len(point)].tolist()] == code


@pytest.mark.parametrize(
    ("counts", "nodes", "signs"),
    [
        ([1, 1], [[0], [0]], [[-1], [1]]),
        ([1, 1, 1], [[1, 1], [1, 0], [1, 0]], [[1, 0], [-1, -1], [-1, 1]]),
        ([1, 5, 2], [[1, 0], [1, 1], [1, 0]], [[1, 1], [-1, 0], [1, -1]]),
    ],
)
def test_small_trees(counts: list[int], nodes: list, signs: list) -> None:
    tree = huffman(np.array(counts))
    assert (tree.nodes.tolist(), tree.signs.tolist()) == (nodes, signs)


def test_paths_are_as_long_as_the_longest_of_theirs() -> None:
    tree = huffman(np.array([100, 10, 5, 1]))
    assert [nodes.shape for nodes in tree.paths(np.array([0, 0]))] == [(2, 1)] * 2
    assert [nodes.shape for nodes in tree.paths(np.array([0, 3, 1]))] == [(3, 3)] * 2


# --- losses and gradients --------------------------------------------------------------------------------------------

OBJECTIVES = {
    "softmax": Softmax(),
    "keep": NegativeSampling(6, "keep"),
    "mask": NegativeSampling(6, "mask"),
    "redraw": NegativeSampling(6, "redraw"),
    "tree": HierarchicalSoftmax(),
}
MODELS = {
    "skipgram": (lambda of, reduction: SkipGram(4, 3, of, reduction), Drawn((5,), zipf=True)),
    "cbow-mean": (lambda of, reduction: CBOW(4, 3, "mean", of, reduction), Drawn((5, 4), zipf=True)),
    "cbow-sum": (lambda of, reduction: CBOW(4, 3, "sum", of, reduction), Drawn((5, 4), zipf=True)),
}


def log_sigmoid(x: complex) -> complex:
    return -cmath.log(1 + cmath.exp(-x))


def formula(case: Case, weights: dict[str, list], batch: Batch) -> complex:
    """The loss in loops over single numbers, real or complex."""
    model = case.model

    def dot(a: Sequence, b: Sequence) -> complex:
        return sum(x * y for x, y in zip(a, b, strict=True))

    if isinstance(batch, PairBatch):
        hidden = [weights["center.weight"][center] for center in batch.centers]
        targets = batch.contexts.tolist()
    else:
        ends = [*batch.offsets.tolist()[1:], len(batch.ids)]
        hidden, targets = [], batch.centers.tolist()
        for begin, end in zip(batch.offsets, ends, strict=True):
            vectors = [weights["context.weight"][i] for i in batch.ids[begin:end]]
            divisor = len(vectors) if model.mode == "mean" else 1
            hidden.append([sum(column) / divisor for column in zip(*vectors, strict=True)])
    (words,) = (weights[table] for table in weights if table != model.given)
    total = 0
    for n, (h, target) in enumerate(zip(hidden, targets, strict=True)):
        match model.objective:
            case Softmax():
                total -= dot(h, words[target]) - cmath.log(sum(cmath.exp(dot(h, word)) for word in words))
            case NegativeSampling(accidental_hits=hits):
                total -= log_sigmoid(dot(h, words[target]))
                for negative in batch.negatives[n].tolist():
                    if hits != "mask" or negative != target:
                        total -= log_sigmoid(-dot(h, words[negative]))
            case HierarchicalSoftmax():
                point, code = create_binary_tree(case.data.counts(case.model.num_embeddings).tolist())[target]
                for node, bit in zip(point, code, strict=True):
                    total -= log_sigmoid((1 - 2 * bit) * dot(h, words[node]))
    return total / (len(targets) if model.reduction == "mean" else 1)


@twins
@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("objective", OBJECTIVES)
@pytest.mark.parametrize("model", MODELS)
def test_loss_and_gradients_are_those_of_the_formula(model: str, objective: str, reduction: str, name: str) -> None:
    """The gradient by a complex step: exact, since nothing is subtracted."""
    make, drawn = MODELS[model]
    case = Case("x", make(OBJECTIVES[objective], reduction), SGD(), drawn, seed=3)
    weights, batch = case.weights(), next(case.batches())
    if objective in ("keep", "mask", "redraw"):
        assert (batch.negatives == batch.targets[:, None]).any() == (objective != "redraw")
        assert any(max(Counter(row).values()) > 1 for row in batch.negatives.tolist())
    loss, found = twin(name).build(case, weights).loss_and_grads(batch)
    lists = {table: weight.astype(complex).tolist() for table, weight in weights.items()}
    assert loss == pytest.approx(formula(case, lists, batch).real, rel=1e-13)
    grads = as_grads(case, found, {})
    for table, rows in lists.items():
        expected = np.zeros_like(weights[table])
        for i, j in product(range(len(rows)), range(3)):
            rows[i][j] += 1e-40j
            expected[i, j] = formula(case, lists, batch).imag / 1e-40
            rows[i][j] = rows[i][j].real
        np.testing.assert_allclose(grads[table], expected, rtol=1e-12, atol=1e-14)


@twins
def test_a_context_of_n_words_carries_one_nth_each(name: str) -> None:
    """Nasty case 8: as much as a centre would that is their mean, over n, and under the sum as a centre that is it."""
    for mode, ids in product(("mean", "sum"), ([2], [0, 4], [1, 2, 5])):
        bag = Case("x", CBOW(6, 3, mode), SGD(), Drawn((1, 1)))
        weights, n = bag.weights(), len(ids) if mode == "mean" else 1
        batch = ContextBatch(np.array(ids), np.array([0]), np.array([3]))
        _, grads = twin(name).build(bag, weights).loss_and_grads(batch)
        table = np.zeros((6, 3))
        table[0] = weights["context.weight"][ids].sum(axis=0) / n
        pair = Case("x", SkipGram(6, 3), SGD(), Drawn((1,)))
        alone = {"center.weight": table, "context.weight": weights["center.weight"]}
        one = PairBatch(np.array([0]), np.array([3]))
        _, expected = twin(name).build(pair, alone).loss_and_grads(one)
        expected = np.tile(np.asarray(expected["center.weight"])[0] / n, (len(ids), 1))
        np.testing.assert_allclose(np.asarray(grads["context.weight"])[ids], expected, rtol=1e-13)


POINTS = [-800.0, -90.0, -40.0, -17.0, -1.0, -1e-9, 0.0, 1e-9, 1.0, 17.0, 40.0, 90.0, 800.0]


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@twins
def test_log_sigmoid_is_exact_where_the_sigmoid_is_saturated(name: str, dtype: str) -> None:
    """Nasty cases 17 and 19: log(sigmoid(x)) would be -inf, 1 - sigmoid(x) zero."""
    x = np.array(POINTS, dtype)
    if name == "numpy_impl":
        value, backward = numpy_impl.functional.log_sigmoid(x)
        slope = backward(np.ones_like(x))
    else:
        tensor = torch.tensor(x, requires_grad=True)
        out = torch_impl.functional.log_sigmoid(tensor)
        out.sum().backward()
        value, slope = out.detach().numpy(), tensor.grad.numpy()
    assert value.dtype == slope.dtype == dtype
    with mpmath.workdps(400):
        exact = [-mpmath.log1p(mpmath.exp(-mpmath.mpf(float(at)))) for at in x]
        slopes = [1 / (1 + mpmath.exp(mpmath.mpf(float(at)))) for at in x]
    eps, tiny = np.finfo(dtype).eps, np.finfo(dtype).tiny
    np.testing.assert_allclose(value, np.array(exact, float), rtol=4 * eps, atol=tiny)
    np.testing.assert_allclose(slope, np.array(slopes, float), rtol=4 * eps, atol=tiny)


# --- data ------------------------------------------------------------------------------------------------------------


def test_kept_is_the_formula_of_word2vec() -> None:
    counts = [9000, 900, 90, 9, 1]
    for sample in (1e-1, 1e-3, 1e-5):
        threshold = sample * sum(counts)
        expected = [min(((count / threshold) ** 0.5 + 1) * threshold / count, 1) for count in counts]
        np.testing.assert_allclose(text.kept(np.array(counts), sample), expected, rtol=1e-14)


def test_frequent_words_are_dropped_as_often_as_the_formula_says(tmp_path: Path) -> None:
    words = ["a"] * 3000 + ["b"] * 600 + ["c"] * 120
    file = tmp_path / "a.txt"
    file.write_text(" ".join(words[i] for i in Stream(1).order(len(words))))
    of = Text(str(file), 100, window=1, subsample=0.01)
    case = Case("x", CBOW(3, 2), SGD(), of, steps=150)  # a word that stays is a centre once a pass
    found = np.bincount(np.concatenate([batch.centers for batch in case.batches()]), minlength=3)
    expected = text.read(str(file)).counts * text.kept(np.array([3000, 600, 120]), 0.01)
    np.testing.assert_allclose(found / found.sum(), expected / expected.sum(), atol=0.02)


def test_a_text_of_which_nothing_is_left_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "a.txt"
    file.write_text("one two")
    case = Case("x", SkipGram(2, 2), SGD(), Text(str(file), 4, subsample=1e-30))
    with pytest.raises(BadInput, match="no two words"):
        next(case.batches())


@pytest.fixture
def distinct(tmp_path: Path) -> str:
    """A text of 900 words, each once, in the order of their ids."""
    file = tmp_path / "a.txt"
    file.write_text(" ".join(f"w{i:03}" for i in range(900)))
    return str(file)


def test_dynamic_windows_are_uniform(distinct: str) -> None:
    """So a word at distance d is in the window of 5 in (6 - d)/5 of the cases."""
    case = Case("x", SkipGram(900, 2), SGD(), Text(distinct, 500, window=5, dynamic_window=True), steps=60)
    distances = Counter(
        abs(int(a) - int(b)) for batch in case.batches() for a, b in zip(batch.centers, batch.contexts, strict=True)
    )
    assert distances.keys() == {1, 2, 3, 4, 5}
    for distance, often in distances.items():
        assert often / distances.total() == pytest.approx((6 - distance) / 15, abs=0.01)


def contexts_of(case: Case) -> list[tuple[int, list[int]]]:
    return [
        (int(center), ids.tolist())
        for batch in case.batches()
        for center, ids in zip(batch.centers, np.split(batch.ids, batch.offsets[1:]), strict=True)
    ]


@pytest.mark.parametrize("dynamic", [False, True])
def test_contexts_are_whole_windows(distinct: str, dynamic: bool) -> None:
    case = Case("x", CBOW(900, 2), SGD(), Text(distinct, 90, window=4, dynamic_window=dynamic), steps=20)
    found = contexts_of(case)
    widths = Counter()
    for center, ids in found:
        width = max(abs(center - i) for i in ids)
        widths[width] += 1
        assert ids == [i for i in range(max(0, center - width), min(900, center + width + 1)) if i != center]
    assert widths.keys() == ({1, 2, 3, 4} if dynamic else {4})
    first, second = found[:900], found[900:]
    assert sorted(center for center, _ in first) == sorted(center for center, _ in second) == list(range(900))
    assert (sorted(first) != sorted(second)) == dynamic  # drawn anew in each pass


def test_the_dialogue_has_one_context_a_step() -> None:
    lines = [line.split() for line in DIALOGUE_CORPUS.split("\n\n")]
    words = text.read_string(DIALOGUE_CORPUS, min_count=1).words
    expected = [(line[i], line[max(0, i - 2) : i] + line[i + 1 : i + 3]) for line in lines for i in range(len(line))]
    case = Case("x", CBOW(7, 2), SGD(), Dialogue(window=2), steps=15)
    assert [(words[center], [words[i] for i in ids]) for center, ids in contexts_of(case)] == expected


@twins
@pytest.mark.parametrize("last", [0.0, 0.1, 0.4])
def test_the_learning_rate_falls_linearly(last: float, name: str) -> None:
    """Under a given gradient, the steps themselves say what it was."""
    case = Case("x", Embedding(2, 1), SGD(lr=0.4), Drawn((1,), used=1), steps=8, lr_decay_to=last)
    trainer, rates = twin(name).build(case, case.weights()), []
    for batch in case.batches():
        before = float(np.asarray(trainer.params()["embedding.weight"])[0, 0])
        trainer.loss_and_grads(batch)
        trainer.step()
        after = float(np.asarray(trainer.params()["embedding.weight"])[0, 0])
        rates.append((before - after) / float(batch.upstream[0, 0]))
    np.testing.assert_allclose(rates, [0.4 + (last - 0.4) * t / 8 for t in range(8)], rtol=1e-10)


@twins
def test_past_its_last_step_the_learning_rate_stays(name: str) -> None:
    case = Case("x", Embedding(2, 1), SGD(lr=0.4), Drawn((1,), used=1), steps=2, lr_decay_to=0.1)
    batch, weights, moved = next(case.batches()), case.weights(), []
    trainer = twin(name).build(case, weights)
    for _ in range(5):
        before = float(np.asarray(trainer.params()["embedding.weight"])[0, 0])
        trainer.loss_and_grads(batch)
        trainer.step()
        moved.append(before - float(np.asarray(trainer.params()["embedding.weight"])[0, 0]))
    np.testing.assert_allclose(np.array(moved) / moved[0] * 0.4, [0.4, 0.25, 0.1, 0.1, 0.1], rtol=1e-10)


@pytest.mark.parametrize("last", [-0.1, 0.5, float("nan")])
def test_a_learning_rate_that_grows_is_refused(last: float) -> None:
    with pytest.raises(BadInput, match="lr_decay_to"):
        Case("x", Embedding(2, 1), SGD(lr=0.4), Drawn((1,)), lr_decay_to=last)


# --- the catalogue ---------------------------------------------------------------------------------------------------


def test_every_two_options_occur_together() -> None:
    """Model with pooling, objective with accidental hits, reduction, optimizer with layout, dtype."""
    met = set()
    for case in catalogue():
        model = case.model
        if isinstance(model, SkipGram | CBOW):
            of = model.objective
            options = (
                getattr(model, "mode", None),
                (type(of), getattr(of, "accidental_hits", None)),
                model.reduction,
                (type(case.optimizer), case.sparse),
                case.dtype,
            )
            met |= set(combinations(enumerate(options), 2))
    every = [
        (None, "mean", "sum"),
        [(type(of), getattr(of, "accidental_hits", None)) for of in OBJECTIVES.values()],
        ("mean", "sum"),
        ((SGD, False), (SGD, True), (Adam, False), (SparseAdam, True)),
        ("float64", "float32"),
    ]
    for (a, first), (b, second) in combinations(enumerate(every), 2):
        for pair in product(first, second):
            if pair != ((Softmax, None), (SparseAdam, True)):  # its output table is dense
                assert ((a, pair[0]), (b, pair[1])) in met, pair
