"""Bad input: one line that says what was given, where, and what is allowed; never a traceback or half a file."""

import os
import socket
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from reference.cases import (
    CBOW,
    SGD,
    Batch,
    BlockBatch,
    Case,
    ContextBatch,
    Conv1d,
    ConvBatch,
    CooccurrenceBatch,
    DenseBatch,
    Drawn,
    GloVe,
    LabelledBatch,
    LookupBatch,
    PairBatch,
    PairNegativesBatch,
    PairPathsBatch,
    RaggedLabelledBatch,
    SequenceBatch,
    SharedNegatives,
    Text,
    TextCNN,
)
from reference.catalogue import catalogue
from reference.checks.twins import TWINS, twin
from reference.commands.cli import main
from reference.contract import Params
from reference.data import text
from reference.errors import BadInput

CASES = {case.id: case for case in catalogue()}
ONE = "classifier-one-sgd-dense-f64"

# --- batches ---------------------------------------------------------------------------------------------------------

LOOKUP, DENSE = CASES["embedding-small-sgd-rows-f64"], CASES["linear-small-sgd-dense-f64"]  # 10 rows of 5; 5 to 3
BAGS, PAIRS = CASES["classifier-dialogue-sgd-dense-f64"], CASES["skipgram-pairs-sgd-dense-f64"]  # 10 rows, 2 classes; 7
ids, labels, up = np.arange(8).reshape(4, 2), np.array([0, 1, 0, 1]), np.ones((4, 2, 5))
words, rows, up3, keep = np.arange(7), np.ones((4, 5)), np.ones((4, 3)), np.ones((4, 10), bool)


NEGATIVES = CASES["skipgram-hits-negatives-sgd-rows-f64"]  # 3 words, 7
REDRAWN = CASES["skipgram-hits-negatives-redraw-sgd-rows-f64"]
TREE, CONTEXTS = CASES["skipgram-three-words-tree-sgd-rows-f64"], CASES["cbow-lengths-sgd-rows-f64"]  # 3 words, 4 words
BLOCKS = CASES["skipgram-one-shared-s1-sgd-rows-f64"]  # 2 words, one negative
COUNTS = CASES["glove-sgd-dense-f64"]  # 7 words
WINDOWS = CASES["conv1d-whole-sgd-dense-f64"]  # 3 channels to 2, a kernel of 5
SENTENCES = CASES["textcnn-dialogue-widths2-sgd-dense-f64"]  # 10 words, 2 classes, kernels of 2 and 3
nine, drawn = np.arange(9) % 3, np.arange(63).reshape(9, 7) % 3
paths, turns = np.ones((9, 2), int), np.ones((9, 2), int)


def pairs(**given: object) -> PairBatch:
    kind = PairNegativesBatch if "negatives" in given else PairPathsBatch if given else PairBatch
    return kind(nine, nine, **given)


def blocks(
    centers: object = ((0, 1),), contexts: object = ((1, 0),), inside: object = True, negatives: object = ((1,),)
) -> BlockBatch:
    within = np.array(inside) if np.ndim(inside) else np.full((1, 2, 2), inside)
    return BlockBatch(np.array(centers), np.array(contexts), within, negatives and np.array(negatives))


def counted(centers: object = words, contexts: object = words, counts: object = np.ones(7)) -> CooccurrenceBatch:
    return CooccurrenceBatch(centers, contexts, counts)


def contexts(
    ids: object = (0, 1, 2, 3, 0, 1), offsets: object = (0, 3, 4), centers: object = (0, 1, 2)
) -> ContextBatch:
    return ContextBatch(np.array(ids), np.array(offsets), np.array(centers))


def with_(array: np.ndarray, value: float, *index: int) -> np.ndarray:
    array = array.copy()
    array[index] = value
    return array


def windows(input: object = np.ones((4, 3, 5)), upstream: object = np.ones((4, 2, 1))) -> ConvBatch:
    return ConvBatch(input, upstream)


def sentences(ids: object = np.arange(16).reshape(4, 4) % 10, lengths: object = (4, 3, 4, 3), **more: object) -> Batch:
    return SequenceBatch(ids, np.array(lengths), **{"labels": labels, "keep": np.ones((4, 6), bool)} | more)


def labelled(ids: object, labels: object) -> LabelledBatch:
    return LabelledBatch(ids, labels, keep)


def ragged(offsets: object) -> RaggedLabelledBatch:
    return RaggedLabelledBatch(ids.reshape(-1), np.asarray(offsets), labels, keep)


BATCHES = {
    "lookup of -1": (LOOKUP, LookupBatch(with_(ids, -1, 2, 1), up), "ids: -1 at [2, 1]", "0 to 9"),
    "lookup of V": (LOOKUP, LookupBatch(with_(ids, 10, 0, 1), up), "ids: 10 at [0, 1]", "0 to 9"),
    "lookup by float": (LOOKUP, LookupBatch(ids.astype(float), up), "ids: are float64", "integers"),
    "lookup by bool": (LOOKUP, LookupBatch(ids > 0, up), "ids: are bool", "integers"),
    "lookup by list": (LOOKUP, LookupBatch(ids.tolist(), up), "ids: are list", "an array of integers"),
    "lookup of nothing": (LOOKUP, LookupBatch(ids[:0], up[:0]), "ids: are empty, shape (0, 2)", "at least one"),
    "upstream NaN": (LOOKUP, LookupBatch(ids, with_(up, np.nan, 3, 1, 4)), "upstream: nan at [3, 1, 4]", "finite"),
    "upstream of another shape": (LOOKUP, LookupBatch(ids, up[0]), "upstream: has the shape (2, 5)", "(4, 2, 5)"),
    "upstream in float32": (LOOKUP, LookupBatch(ids, up.astype("f")), "upstream: is float32", "float64"),
    "upstream of none": (LOOKUP, LookupBatch(ids, None), "upstream: is NoneType", "an array of float64"),
    "input infinite": (DENSE, DenseBatch(with_(rows, -np.inf, 1, 2), up3), "input: -inf at [1, 2]", "finite"),
    "input of none": (DENSE, DenseBatch(None, up3), "input: is NoneType", "an array of float64"),
    "input by list": (DENSE, DenseBatch(rows.tolist(), up3), "input: is list", "an array of float64"),
    "input empty": (DENSE, DenseBatch(rows[:0], up3[:0]), "input: are empty, shape (0, 5)", "at least one"),
    "input of no rank": (DENSE, DenseBatch(np.array(1.0), up3), "input: has the shape ()", "5"),
    "input of rank 1": (DENSE, DenseBatch(rows[0], up3), "input: has the shape (5,)", "(5, 5)"),
    "input too wide": (DENSE, DenseBatch(np.ones((4, 6)), up3), "input: has the shape (4, 6)", "(4, 5)"),
    "input of integers": (DENSE, DenseBatch(rows.astype(int), up3), "input: is int64", "float64"),
    "input longer than upstream": (DENSE, DenseBatch(rows, up3[:3]), "upstream: has the shape (3, 3)", "(4, 3)"),
    "bag with -1": (BAGS, labelled(with_(ids, -1, 3, 0), labels), "ids: -1 at [3, 0]", "0 to 9"),
    "bag with V": (BAGS, labelled(with_(ids, 10, 3, 0), labels), "ids: 10 at [3, 0]", "0 to 9"),
    "bags by float": (BAGS, labelled(ids.astype("f"), labels), "ids: are float32", "integers"),
    "bags of rank 1": (BAGS, labelled(ids[0], labels[:2]), "ids: have 1 dimensions, shape (2,)", "2"),
    "bags of rank 3": (BAGS, labelled(ids[None], labels), "ids: have 3 dimensions, shape (1, 4, 2)", "2"),
    "no bags": (BAGS, labelled(ids[:0], labels[:0]), "ids: are empty, shape (0, 2)", "at least one"),
    "empty bags": (BAGS, labelled(ids[:, :0], labels), "ids: are empty, shape (4, 0)", "at least one"),
    "label C": (BAGS, labelled(ids, with_(labels, 2, 1)), "labels: 2 at [1]", "0 to 1"),
    "label -1": (BAGS, labelled(ids, with_(labels, -1, 3)), "labels: -1 at [3]", "0 to 1"),
    "labels by float": (BAGS, labelled(ids, labels / 1), "labels: are float64", "integers"),
    "labels one-hot": (
        BAGS,
        labelled(ids, np.eye(2, dtype=int)[labels]),
        "labels: have 2 dimensions, shape (4, 2)",
        "1",
    ),
    "a label too few": (BAGS, labelled(ids, labels[:3]), "labels: there are 3", "4 bags"),
    "labels in int32": (BAGS, labelled(ids, labels.astype("int32")), "labels: are int32", "int64"),
    "keep by number": (BAGS, LabelledBatch(ids, labels, keep * 1), "keep: a boolean array", "(4, 10)"),
    "keep of another shape": (BAGS, LabelledBatch(ids, labels, keep[:, :9]), "keep: a boolean array", "(4, 10)"),
    "offset not 0": (BAGS, ragged([1, 2, 4, 6]), "offsets: begin with 1", "0"),
    "offsets backward": (BAGS, ragged([0, 4, 2, 6]), "offsets: 2 at [2]", "backward"),
    "offset beyond": (BAGS, ragged([0, 2, 4, 9]), "offsets: 9 at [3]", "0 to 8"),
    "offsets in int32": (BAGS, ragged(np.arange(4, dtype="int32")), "offsets: are int32", "int64"),
    "a bag too few": (BAGS, ragged([0, 2, 4]), "labels: there are 4", "3 bags"),
    "ragged of rank 2": (
        BAGS,
        RaggedLabelledBatch(ids, np.arange(4), labels, keep),
        "ids: have 2 dimensions, shape (4, 2)",
        "1",
    ),
    "centre -1": (PAIRS, PairBatch(with_(words, -1, 5), words), "centers: -1 at [5]", "0 to 6"),
    "centre V": (PAIRS, PairBatch(with_(words, 7, 5), words), "centers: 7 at [5]", "0 to 6"),
    "context V": (PAIRS, PairBatch(words, with_(words, 7, 0)), "contexts: 7 at [0]", "0 to 6"),
    "contexts by float": (PAIRS, PairBatch(words, words / 1), "contexts: are float64", "integers"),
    "a context too few": (PAIRS, PairBatch(words, words[1:]), "contexts: there are 6", "7 centers"),
    "contexts by centre": (PAIRS, PairBatch(words, words[:, None]), "contexts: have 2 dimensions, shape (7, 1)", "1"),
    "no pairs": (PAIRS, PairBatch(words[:0], words[:0]), "centers: are empty, shape (0,)", "at least one"),
    "centre V of a count": (COUNTS, counted(with_(words, 7, 2)), "centers: 7 at [2]", "0 to 6"),
    "context -1 of a count": (COUNTS, counted(contexts=with_(words, -1, 6)), "contexts: -1 at [6]", "0 to 6"),
    "contexts of another dtype": (COUNTS, counted(contexts=words.astype("int32")), "contexts: are int32", "int64"),
    "a context of a count too few": (COUNTS, counted(contexts=words[1:]), "contexts: there are 6", "7 centers"),
    "a count too few": (COUNTS, counted(counts=np.ones(6)), "counts: has the shape (6,)", "(7,)"),
    "counts of integers": (COUNTS, counted(counts=np.ones(7, int)), "counts: is int64", "an array of float64"),
    "count 0": (COUNTS, counted(counts=with_(np.ones(7), 0, 3)), "counts: 0.0 at [3]", "above 0"),
    "count below 0": (COUNTS, counted(counts=with_(np.ones(7), -2, 5)), "counts: -2.0 at [5]", "above 0"),
    "count NaN": (COUNTS, counted(counts=with_(np.ones(7), np.nan, 1)), "counts: nan at [1]", "finite"),
    "count infinite": (COUNTS, counted(counts=with_(np.ones(7), np.inf, 1)), "counts: inf at [1]", "finite"),
    "no counts": (COUNTS, counted(words[:0], words[:0], np.ones(0)), "centers: are empty, shape (0,)", "at least one"),
    "pairs without counts": (COUNTS, PairBatch(words, words), "batch: is a PairBatch", "a CooccurrenceBatch"),
    "steps fewer than the kernel": (WINDOWS, windows(np.ones((4, 3, 4))), "steps: there are 4", "at least 5"),
    "steps of no channels": (WINDOWS, windows(np.ones((4, 5))), "input: has the shape (4, 5)", "(1, 3, 1)"),
    "steps before channels": (WINDOWS, windows(np.ones((4, 5, 3))), "input: has the shape (4, 5, 3)", "(4, 3, 3)"),
    "no steps": (WINDOWS, windows(np.ones((4, 3, 0))), "input: are empty, shape (4, 3, 0)", "at least one"),
    "upstream of two windows": (WINDOWS, windows(upstream=np.ones((4, 2, 2))), "upstream: has the shape", "(4, 2, 1)"),
    "step NaN": (WINDOWS, windows(with_(np.ones((4, 3, 5)), np.nan, 1, 2, 3)), "input: nan at [1, 2, 3]", "finite"),
    "length 0": (SENTENCES, sentences(lengths=[4, 3, 0, 3]), "lengths: 0 at [2] is out of range", "3 to 4"),
    "length beyond": (SENTENCES, sentences(lengths=[4, 3, 4, 5]), "lengths: 5 at [3] is out of range", "3 to 4"),
    "length less than the kernel": (SENTENCES, sentences(lengths=[4, 2, 4, 4]), "lengths: 2 at [1]", "3 to 4"),
    "a length too few": (SENTENCES, sentences(lengths=[4, 3, 4]), "lengths: there are 3", "4 sequences"),
    "lengths by float": (SENTENCES, sentences(lengths=[4.0, 3, 4, 3]), "lengths: are float64", "integers, int64"),
    "lengths of rank 2": (SENTENCES, sentences(lengths=[[4], [3], [4], [3]]), "lengths: have 2 dimensions", "1"),
    "sequences too short": (SENTENCES, sentences(ids[:, :2]), "ids: there are 2 in a sequence", "at least 3"),
    "id V of a sequence": (SENTENCES, sentences(with_(np.ones((4, 4), int), 10, 3, 3)), "ids: 10 at [3, 3]", "0 to 9"),
    "label C of a sequence": (SENTENCES, sentences(labels=with_(labels, 2, 1)), "labels: 2 at [1]", "0 to 1"),
    "features kept too few": (SENTENCES, sentences(keep=np.ones((4, 5), bool)), "keep: a boolean array", "(4, 6)"),
    "bags for sequences": (SENTENCES, labelled(ids, labels), "batch: is a LabelledBatch", "SequenceBatch"),
    "negatives missing": (NEGATIVES, pairs(), "batch: is a PairBatch", "PairNegativesBatch"),
    "negatives for a softmax": (PAIRS, pairs(negatives=drawn), "batch: is a PairNegativesBatch", "a PairBatch"),
    "paths for negative sampling": (
        NEGATIVES,
        pairs(nodes=paths, signs=turns),
        "batch: is a PairPathsBatch",
        "a PairNegativesBatch",
    ),
    "negative V": (NEGATIVES, pairs(negatives=with_(drawn, 3, 8, 6)), "negatives: 3 at [8, 6]", "0 to 2"),
    "negative -1": (NEGATIVES, pairs(negatives=with_(drawn, -1, 0, 1)), "negatives: -1 at [0, 1]", "0 to 2"),
    "block of rank 1": (BLOCKS, blocks([0, 1]), "centers: have 1 dimensions, shape (2,)", "2"),
    "centre of a block V": (BLOCKS, blocks([[0, 2]]), "centers: 2 at [0, 1]", "0 to 1"),
    "context of a block V": (BLOCKS, blocks(contexts=[[-1, 0]]), "contexts: -1 at [0, 0]", "0 to 1"),
    "contexts of two blocks": (BLOCKS, blocks(contexts=[[0], [1]]), "contexts: there are 2", "1 blocks"),
    "inside by number": (BLOCKS, blocks(inside=1), "inside: a boolean array", "(1, 2, 2)"),
    "inside of another shape": (BLOCKS, blocks(inside=[[True] * 3]), "inside: a boolean array", "(1, 2, 2)"),
    "nothing inside": (BLOCKS, blocks(inside=False), "inside: is false everywhere", "at least one pair"),
    "shared negatives missing": (BLOCKS, blocks(negatives=None), "negatives: are NoneType", "integers"),
    "shared negative V": (BLOCKS, blocks(negatives=[[2]]), "negatives: 2 at [0, 0]", "0 to 1"),
    "shared negatives too many": (BLOCKS, blocks(negatives=[[1, 0]]), "negatives: have the shape (1, 2)", "(1, 1)"),
    "pairs for blocks": (BLOCKS, pairs(), "batch: is a PairBatch", "BlockBatch"),
    "blocks for pairs": (PAIRS, blocks(), "batch: is a BlockBatch", "PairBatch"),
    "negatives by float": (NEGATIVES, pairs(negatives=drawn / 1), "negatives: are float64", "integers"),
    "negatives too few": (NEGATIVES, pairs(negatives=drawn[:, :6]), "negatives: have the shape (9, 6)", "(9, 7)"),
    "negatives of too few": (NEGATIVES, pairs(negatives=drawn[:8]), "negatives: have the shape (8, 7)", "(9, 7)"),
    "negatives in one row": (NEGATIVES, pairs(negatives=drawn[0]), "negatives: have 1 dimensions, shape (7,)", "2"),
    "a hit under redraw": (
        REDRAWN,
        pairs(negatives=with_(np.where(drawn == nine[:, None], (drawn + 1) % 3, drawn), 1, 4, 3)),
        "negatives: 1 at [4, 3]",
        "another word is needed",
    ),
    "paths missing": (TREE, pairs(), "batch: is a PairBatch", "PairPathsBatch"),
    "signs missing": (TREE, pairs(nodes=paths, signs=None), "signs: are NoneType", "integers"),
    "node V - 1": (TREE, pairs(nodes=with_(paths, 2, 1, 0), signs=turns), "nodes: 2 at [1, 0]", "0 to 1"),
    "node -1": (TREE, pairs(nodes=with_(paths, -1, 1, 1), signs=turns), "nodes: -1 at [1, 1]", "0 to 1"),
    "sign 2": (TREE, pairs(nodes=paths, signs=with_(turns, 2, 3, 1)), "signs: 2 at [3, 1]", "-1 to 1"),
    "signs by float": (TREE, pairs(nodes=paths, signs=turns / 1), "signs: are float64", "integers"),
    "signs too few": (TREE, pairs(nodes=paths, signs=turns[:, :1]), "signs: have the shape (9, 1)", "(9, 2)"),
    "paths too few": (TREE, pairs(nodes=paths[:8], signs=turns[:8]), "nodes: have the shape (8, 2)", "(9, 2)"),
    "contexts not from 0": (CONTEXTS, contexts(offsets=[1, 2, 4]), "offsets: 1 at [0]", "begins at the first id"),
    "contexts backward": (CONTEXTS, contexts(offsets=[0, 4, 2]), "offsets: 2 at [2]", "needs a word"),
    "an empty context": (CONTEXTS, contexts(offsets=[0, 3, 3]), "offsets: 3 at [2]", "needs a word"),
    "an empty last context": (CONTEXTS, contexts(offsets=[0, 3, 6]), "offsets: 6 at [2]", "0 to 5"),
    "offsets by float": (CONTEXTS, contexts(offsets=[0.0, 1.0, 2.0]), "offsets: are float64", "integers"),
    "offsets of no batch": (CONTEXTS, contexts(offsets=np.zeros(0, int)), "offsets: are empty", "at least one"),
    "a word of no context": (CONTEXTS, contexts(ids=[0, 4, 0, 1, 2, 3]), "ids: 4 at [1]", "0 to 3"),
    "contexts of rank 2": (CONTEXTS, contexts(ids=[[0, 1, 2], [0, 1, 2]]), "ids: have 2 dimensions", "1"),
    "centre of a context": (CONTEXTS, contexts(centers=[0, 1, 4]), "centers: 4 at [2]", "0 to 3"),
    "a centre too few": (CONTEXTS, contexts(centers=[0, 1]), "centers: there are 2", "3 offsets"),
    "pairs for CBOW": (CONTEXTS, PairBatch(words[:3], words[:3]), "batch: is a PairBatch", "ContextBatch"),
    "pairs for a classifier": (BAGS, PairBatch(words, words), "batch: is a PairBatch", "LabelledBatch"),
    "bags for a skip-gram": (PAIRS, labelled(ids, labels), "batch: is a LabelledBatch", "PairBatch"),
    "a lookup for a layer": (DENSE, LookupBatch(ids, up), "batch: is a LookupBatch", "DenseBatch"),
    "a layer's for a lookup": (LOOKUP, DenseBatch(rows, up3), "batch: is a DenseBatch", "LookupBatch"),
    "a tuple": (BAGS, (ids, labels), "batch: is a tuple", "LabelledBatch"),
    "None": (BAGS, None, "batch: is a NoneType", "LabelledBatch"),
}


def trained_on(name: str) -> Callable[[Case, Batch], object]:
    return lambda case, batch: twin(name).build(case, case.weights()).loss_and_grads(batch)


@pytest.mark.parametrize("judge", [Case.check_batch, *map(trained_on, TWINS)], ids=["validator", *TWINS])
@pytest.mark.parametrize(("case", "batch", "given", "allowed"), BATCHES.values(), ids=BATCHES)
def test_batch(judge: Callable, case: Case, batch: Batch, given: str, allowed: str) -> None:
    refused(judge, case, batch, given, allowed)


def refused(judge: Callable, case: Case, what: object, given: str, allowed: str) -> None:
    with pytest.raises(BadInput) as caught:
        judge(case, what)
    before, _, after = str(caught.value).partition(given)
    assert before == ""
    assert allowed in after
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("dtype", ["int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"])
def test_integers_that_the_validator_lets_pass_are_those_that_both_twins_take(dtype: str) -> None:
    batch = labelled(ids.astype(dtype), labels)
    judges = [Case.check_batch, *map(trained_on, TWINS)]
    try:
        BAGS.check_batch(batch)
    except BadInput:
        for judge in judges:
            refused(judge, BAGS, batch, f"ids: are {dtype}", "integers")
    else:
        for judge in judges:
            judge(BAGS, batch)


# --- weights ---------------------------------------------------------------------------------------------------------


def instead(name: str, change: Callable[[np.ndarray], object]) -> Callable[[Params], Params]:
    return lambda weights: weights | {name: change(weights[name])}


WEIGHTS = {
    "NaN": (instead("fc1.weight", lambda w: with_(w, np.nan, 2, 1)), "weights: fc1.weight: nan at [2, 1]", "finite"),
    "infinite": (instead("fc2.bias", lambda w: with_(w, np.inf, 1)), "weights: fc2.bias: inf at [1]", "finite"),
    "transposed": (
        instead("embedding.weight", np.transpose),
        "weights: embedding.weight: has the shape (5, 10)",
        "(10, 5)",
    ),
    "float32": (instead("fc1.bias", lambda w: w.astype("f")), "weights: fc1.bias: is float32", "float64"),
    "integers": (instead("fc1.bias", lambda w: w.astype(int)), "weights: fc1.bias: is int64", "float64"),
    "list": (instead("fc1.bias", list), "weights: fc1.bias: is list", "an array of float64"),
    "name missing": (
        lambda weights: {name: w for name, w in weights.items() if name != "fc2.bias"},
        "weights: have the names ['embedding.weight', 'fc1.bias', 'fc1.weight', 'fc2.weight']",
        "'fc2.bias'",
    ),
    "name unknown": (
        lambda weights: weights | {"fc3.bias": weights["fc2.bias"]},
        "weights: have the names",
        "fc2.bias",
    ),
    "none": (lambda weights: {}, "weights: have the names []", "embedding.weight"),
}


@pytest.mark.parametrize(
    "judge", [Case.check_weights, *(twin(name).build for name in TWINS)], ids=["validator", *TWINS]
)
@pytest.mark.parametrize(("change", "given", "allowed"), WEIGHTS.values(), ids=WEIGHTS)
def test_weights(judge: Callable, change: Callable[[Params], Params], given: str, allowed: str) -> None:
    refused(judge, BAGS, change(BAGS.weights()), given, allowed)


def test_cbow_shares_no_negatives() -> None:
    with pytest.raises(BadInput, match="CBOW: has no SharedNegatives, which need word pairs; use NegativeSampling"):
        CBOW(7, 3, objective=SharedNegatives())


@pytest.mark.parametrize(
    ("option", "given"), [("x_max", 0.0), ("x_max", np.inf), ("alpha", -0.5), ("alpha", np.nan)], ids=str
)
def test_options_of_glove(option: str, given: float) -> None:
    with pytest.raises(BadInput, match=f"GloVe: {option} is {given}; a number .* is needed"):
        GloVe(7, 3, **{option: given})


@pytest.mark.parametrize(
    ("options", "given"),
    [
        ({"stride": 0}, "stride is 0; 1 or more"),
        ({"dilation": -1}, "dilation is -1; 1 or more"),
        ({"padding": -1}, "padding is -1; a number from 0 up, or 'same'"),
        ({"padding": "valid"}, "padding is 'valid'; a number from 0 up, or 'same'"),
        ({"padding": "same", "stride": 2}, "padding is 'same' with stride 2; 'same' needs stride 1"),
    ],
    ids=str,
)
@pytest.mark.parametrize("model", [lambda **o: Conv1d(3, 2, 2, **o), lambda **o: TextCNN(7, 3, 2, (2,), 2, **o)])
def test_options_of_a_convolution(model: Callable, options: dict[str, object], given: str) -> None:
    with pytest.raises(BadInput, match=f"(Conv1d|TextCNN): {given}"):
        model(**options)


@pytest.mark.parametrize("model", [lambda: Conv1d(3, 2, 0), lambda: TextCNN(7, 3, 2, (), 2)])
def test_a_convolution_has_a_kernel(model: Callable) -> None:
    with pytest.raises(BadInput, match="kernel_size is 0; 1 or more"):
        model()


def test_nothing_shorter_than_the_kernel_is_drawn() -> None:
    for model in (Conv1d(3, 2, 3, dilation=2), TextCNN(7, 3, 2, (3,), 2, dilation=2)):
        with pytest.raises(BadInput, match=r"there are 4.*needs at least 5"):
            next(Case("", model, SGD(), Drawn((2, 4))).batches())


@pytest.mark.parametrize("drawn", [{"dynamic_window": True}, {"subsample": 1e-3}], ids=str)
def test_glove_counts_a_text_once(drawn: dict[str, object]) -> None:
    data = Text("pydoc_data.topics", 8, **drawn)
    with pytest.raises(BadInput, match="GloVe: counts a text once, with one window; use dynamic_window=False"):
        next(Case("", GloVe(len(data.corpus.words), 2), SGD(), data).batches())


# --- the command -----------------------------------------------------------------------------------------------------

TRAINER = """
import numpy_impl

class Trainer:
    def __init__(self, case, weights):
        self.twin = numpy_impl.build(case, weights)
        self.step, self.params = self.twin.step, self.twin.params
    def loss_and_grads(self, batch):
        loss, grads = self.twin.loss_and_grads(batch)
        {}

def build(case, weights):
    return Trainer(case, weights)
"""
BUILD = "def build(case, weights): {}\n"

FILES = {
    "out.json": b"before",
    "empty.txt": b"",
    "binary.txt": b"two words\0",
    "latin1.txt": "café au lait".encode("latin-1"),
    "marked.txt": b"\xef\xbb\xbftwo words\xff",
    "utf16.txt": "two words".encode("utf-16"),
    "blank.txt": b" \n\n -- \n",
    "word.txt": b"word, Word!\n\nword\n",
    "apart.txt": b"one\n\ntwo\n\nthree\n",
    "no_build.py": b"x = 1\n",
    "build_is_a_number.py": b"build = 1\n",
    "syntax.py": b"def build(case, weights:\n",
    "needs.py": b"import not_installed_anywhere\n",
    "raises.py": b"raise RuntimeError('two\\nlines')\n",
    "exits.py": b"import sys\nsys.exit(0)\n",
    "binary.py": b"\xff\0\xfe",
    "folder/inside": b"",
    "folder.py/inside": b"",
}


@dataclass
class Ended:
    code: int
    out: str
    err: str


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, content in FILES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    return tmp_path


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def verify(capsys: pytest.CaptureFixture) -> Callable[..., Ended]:
    def run(*arguments: str) -> Ended:
        try:
            code = main(["verify", *arguments])
        except SystemExit as exit:
            code = exit.code
        return Ended(code, *capsys.readouterr())

    return run


REFUSED = {
    "text missing": ("--text missing.txt", "--text missing.txt: cannot be read (No such file"),
    "text a folder": ("--text folder", "--text folder: cannot be read (Is a directory"),
    "text without a name": ("--text=", "--text"),
    "text empty": ("--text empty.txt", "--text empty.txt: is empty; a text of at least two different words"),
    "text binary": ("--text binary.txt", "--text binary.txt: is binary (a NUL byte at offset 9)"),
    "text not UTF-8": ("--text latin1.txt", "--text latin1.txt: is not UTF-8 (byte 0xe9 at offset 3)"),
    "text marked and not UTF-8": ("--text marked.txt", "--text marked.txt: is not UTF-8 (byte 0xff at offset 12)"),
    "text in UTF-16": ("--text utf16.txt", "--text utf16.txt: is UTF-16 by its byte order mark; a UTF-8 text file"),
    "text a device": ("--text /dev/zero", "--text /dev/zero: is a device, a pipe or a socket; a file is needed"),
    "text of no word": ("--text blank.txt", "--text blank.txt: has 0 different words; at least two"),
    "text of one word": ("--text word.txt", "--text word.txt: has 1 different word"),
    "text of lone words": ("--text apart.txt", "--text apart.txt: no paragraph has two words side by side"),
    "unknown module": ("--candidate no_such_module", "implementation no_such_module: there is no such module"),
    "unknown part of a module": ("--candidate json.nothing", "implementation json.nothing: there is no such module"),
    "unknown package": ("--candidate nowhere.nothing", "implementation nowhere.nothing: there is no such module"),
    "no module": ("--candidate=", "implementation"),
    "relative module": ("--candidate .mine", "implementation .mine"),
    "module without build": ("--candidate json", "implementation json: has no function build(case, weights)"),
    "file missing": ("--candidate missing.py", "implementation missing.py: there is no such file"),
    "folder named .py": ("--candidate folder.py", "implementation folder.py: there is no such file"),
    "file without build": ("--candidate no_build.py", "no_build.py: has no function build(case, weights)"),
    "build not a function": ("--candidate build_is_a_number.py", "has no function build(case, weights)"),
    "syntax error": ("--candidate syntax.py", "syntax.py: importing it raised SyntaxError"),
    "binary file": ("--candidate binary.py", "binary.py: importing it raised"),
    "import that raises": (
        "--candidate raises.py",
        "raises.py: importing it raised in raises.py, line 1: RuntimeError: two lines",
    ),
    "import that exits": ("--candidate exits.py", "exits.py: importing it raised in exits.py, line 2: SystemExit"),
    "import not installed": (
        "--candidate needs.py",
        "needs.py: needs.py, line 1 needs not_installed_anywhere, which is neither installed nor beside it",
    ),
    "json in no folder": ("--json nowhere/out.json", "--json nowhere/out.json: the folder nowhere does not exist"),
    "json below a file": ("--json word.txt/out.json", "--json word.txt/out.json: the folder word.txt does not exist"),
    "json a folder": ("--json folder", "--json folder: is a folder"),
    "unknown option": ("--bogus", "--bogus"),
    "option without its value": ("--json", "--json"),
}


@pytest.mark.parametrize(("arguments", "message"), REFUSED.values(), ids=REFUSED)
def test_refused_with_one_line(folder: Path, verify: Callable, arguments: str, message: str) -> None:
    first = [] if "--json" in arguments else ["--json", "out.json"]
    ended = verify(*first, ONE, *arguments.split())
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith("twingrad: ")
    assert message in ended.err
    assert ended.err.count("\n") == 1
    assert contents(folder) == FILES


@pytest.mark.parametrize("pattern", ["no-such-case", "embedding-dialogue", "*nothing*"])
def test_unknown_case(folder: Path, verify: Callable, pattern: str) -> None:
    ended = verify(pattern, "--json", "out.json")
    allowed = f"`twingrad verify --list` names all {len(CASES)}"
    assert ended == Ended(2, "", f"twingrad: no case matches {pattern!r}; {allowed}\n")
    assert contents(folder) == FILES


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with a name on this system")
def test_text_that_would_never_end_is_refused_at_once(folder: Path, verify: Callable) -> None:
    os.mkfifo("pipe")
    with socket.socket(socket.AF_UNIX) as bound, open("huge", "wb") as huge:
        bound.bind("socket")
        huge.truncate(text.LARGEST + 1)
        for name, says in {
            "pipe": "is a device, a pipe or a socket; a file is needed",
            "socket": "is a device, a pipe or a socket; a file is needed",
            "huge": "is larger than 16 MiB, which is the largest size allowed",
        }.items():
            assert verify(ONE, "--text", name) == Ended(2, "", f"twingrad: --text {name}: {says}\n")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with a name on this system")
def test_json_is_not_put_in_place_of_a_device(folder: Path, verify: Callable) -> None:
    """Or `--json /dev/null`, as root, would do away with it."""
    os.mkfifo("pipe")
    ended = verify(ONE, "--json", "pipe")
    assert Path("pipe").is_fifo()
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith("twingrad: --json pipe: ")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write anywhere")
def test_json_without_permission(folder: Path, verify: Callable) -> None:
    Path("folder").chmod(0o500)
    ended = verify(ONE, "--json", "folder/out.json")
    assert ended == Ended(2, "", "twingrad: --json folder/out.json: cannot be written (permission denied)\n")


FAILING = {
    "build raises": (
        BUILD.format("raise OSError('no\\ndisk')"),
        "error",
        "build raised in failing.py, line 1: OSError: no disk",
    ),
    "build exits": (BUILD.format("raise SystemExit(0)"), "error", "build raised in failing.py, line 1: SystemExit: 0"),
    "build returns None": (BUILD.format("return None"), "error", "build returned a NoneType"),
    "build takes nothing": ("def build(): pass\n", "error", "build raised TypeError: build() takes 0 positional"),
    "batch raises": (
        TRAINER.format("return 1 / 0"),
        "error",
        "step 1: loss_and_grads raised in failing.py, line 10: ZeroDivisionError",
    ),
    "batch exits": (
        TRAINER.format("raise SystemExit(0)"),
        "error",
        "step 1: loss_and_grads raised in failing.py, line 10: SystemExit",
    ),
    "returns None": (TRAINER.format("return None"), "error", "returned a NoneType, not (loss, gradients)"),
    "returns the loss alone": (TRAINER.format("return loss"), "error", "returned a float, not (loss, gradients)"),
    "wrong shape": (
        TRAINER.format("return loss, grads | {'fc1.weight': grads['fc1.weight'].T}"),
        "disagree",
        "step 1, grads, fc1.weight: expected float64 of shape (3, 1), got float64 of shape (1, 3)",
    ),
    "wrong name": (
        TRAINER.format("return loss, {name.replace('.', '_'): grad for name, grad in grads.items()}"),
        "form",
        "got a dict with ['embedding_weight', 'fc1_bias'",
    ),
    "step raises": (
        TRAINER.format("self.step = lambda: {}['key']; return loss, grads").replace("{{}}", "{}"),
        "error",
        "step 1: the update raised in failing.py, line 10: KeyError: 'key'",
    ),
}


@pytest.mark.parametrize(("source", "verdict", "message"), FAILING.values(), ids=FAILING)
def test_candidate_that_runs_and_fails(folder: Path, verify: Callable, source: str, verdict: str, message: str) -> None:
    Path("failing.py").write_text(source)
    ended = verify(ONE, "--candidate", "failing.py", "--json", "out.json")
    assert (ended.code, ended.err) == (1, "")
    told = [line for line in ended.out.splitlines() if line.startswith(f"{verdict} {ONE}, failing.py: ")]
    assert len(told) == 1
    assert message in told[0]
    assert "Traceback" not in ended.out
    assert contents(folder).keys() == FILES.keys() | {"failing.py"}
