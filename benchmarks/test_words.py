"""Skip-gram with negative sampling on a text, from ids to vectors: words per second, and the loss reached."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from time import perf_counter

import numpy as np
import pytest

from reference.cases import SGD, Case, NegativeSampling, SharedNegatives, SkipGram, Text
from reference.checks.twins import twin as twin_of
from reference.data import text

WIDTH, NEGATIVES, WINDOW, EPOCHS, LR, SUBSAMPLE = 100, 5, 5, 3, 0.1, 1e-3
Vectors = tuple[np.ndarray, np.ndarray]


def cases() -> Iterator[tuple[str, Case]]:
    """The two forms that are trained: separate negatives for each pair, and blocks of 16 words with shared ones."""
    words = len(text.read(text.TOPICS).words)
    for name, objective, batch_size in (
        ("exact", NegativeSampling(NEGATIVES, "mask"), 64),
        ("shared negatives", SharedNegatives(NEGATIVES, 16, "mask"), 8),
    ):
        source = Text(text.TOPICS, batch_size, length=16, window=WINDOW, dynamic_window=True, subsample=SUBSAMPLE)
        model = SkipGram(words, WIDTH, objective, "sum")
        case = Case(name, model, SGD(lr=LR), source, 10**9, sparse=True, dtype="float32", lr_decay_to=LR * 1e-4)
        yield name, replace(case, steps=round(EPOCHS * case.examples / batch_size))


def trained(case: Case, twin: str) -> Callable[[], tuple[float, Vectors]]:
    """A function that trains, and returns the seconds it took and both tables."""

    def run() -> tuple[float, Vectors]:
        weights = case.weights()
        weights["center.weight"] /= 2 * WIDTH
        weights["context.weight"][:] = 0
        trainer = twin_of(twin).build(case, weights)
        begin = perf_counter()
        for batch in case.batches():
            trainer.loss_and_grads(batch)
            trainer.step()
        seconds = perf_counter() - begin
        return seconds, tuple(np.asarray(table) for table in trainer.params().values())

    return run


def gensim(workers: int) -> Callable[[], tuple[float, Vectors]]:
    from gensim.models import Word2Vec  # noqa: PLC0415

    corpus = text.read(text.TOPICS)
    sentences = [[corpus.words[i] for i in sentence] for sentence in corpus.sentences]

    def run() -> tuple[float, Vectors]:
        options = {"sg": 1, "negative": NEGATIVES, "sample": SUBSAMPLE, "alpha": LR, "min_alpha": LR * 1e-4}
        model = Word2Vec(vector_size=WIDTH, window=WINDOW, min_count=1, workers=workers, seed=1, **options)
        model.build_vocab(sentences)
        begin = perf_counter()
        model.train(sentences, total_examples=len(sentences), epochs=EPOCHS)
        seconds = perf_counter() - begin
        order = [model.wv.key_to_index[word] for word in corpus.words]
        return seconds, (model.wv.vectors[order], model.syn1neg[order])

    return run


def loss_of(vectors: Vectors) -> float:
    """The mean loss of the text's pairs. Each pair has the same five negatives for all contenders."""
    corpus, random = text.read(text.TOPICS), np.random.default_rng(0)
    centers, contexts = corpus.all_pairs(WINDOW)
    some = random.random(len(centers)) < 0.3
    centers, contexts = centers[some], contexts[some]
    often = corpus.counts**0.75
    negatives = random.choice(len(often), (len(centers), NEGATIVES), p=often / often.sum())
    hidden, table, total = *vectors, 0.0
    for k in range(0, len(centers), 10_000):
        part = slice(k, k + 10_000)
        yes = np.einsum("nd,nd->n", hidden[centers[part]], table[contexts[part]])
        no = np.einsum("nd,nkd->nk", hidden[centers[part]], table[negatives[part]])
        total += np.logaddexp(0, -yes).sum() + np.logaddexp(0, no).sum()
    return total / len(centers)


def race_of_words(measure, contenders: dict[str, Callable[[], tuple[float, Vectors]]], rounds: int = 3) -> None:
    """Train in turns; measure the median words per second, and the loss, which is the same in each round."""
    corpus = text.read(text.TOPICS)
    words, seconds, losses = EPOCHS * sum(map(len, corpus.sentences)), {name: [] for name in contenders}, {}
    for _ in range(rounds):
        for name, train in contenders.items():
            took, vectors = train()
            seconds[name].append(took)
            losses[name] = float(loss_of(vectors))
            assert losses[name] < 3, f"{name}: has learned nothing"  # 6 log 2 is 4.16
    speeds = {name: words / float(np.median(took)) for name, took in seconds.items()}
    measure("words a second", f"{words // EPOCHS:,} words", {}, speeds)
    measure("loss of the vectors", f"{words // EPOCHS:,} words", {}, losses)


def test_words_a_second(measure) -> None:
    contenders = {f"NumPy, {name}": trained(case, "numpy_impl") for name, case in cases()}
    contenders |= {f"PyTorch, {name}": trained(case, "torch_impl") for name, case in cases()}
    race_of_words(measure, contenders, rounds=1)


@pytest.mark.peers
def test_words_a_second_and_gensim(measure) -> None:
    pytest.importorskip("gensim")
    contenders = {f"NumPy, {name}": trained(case, "numpy_impl") for name, case in cases()}
    race_of_words(measure, contenders | {"gensim, 1 worker": gensim(1), "gensim, 2 workers": gensim(2)})
