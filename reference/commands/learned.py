"""What a model has learned: its vectors as text, the nearest words, and how many paragraphs it classifies right."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from reference.cases import Case, Classifier, Text
from reference.contract import Params
from reference.data import text


def word2vec(words: Sequence[str], vectors: Float[ndarray, "V D"]) -> str:
    """The vectors in word2vec's text format: a line `V D`, then one line per word with its numbers.

    A float32 needs nine digits to be read back exactly.
    """
    lines = (" ".join([word, *(f"{x:.9g}" for x in row.tolist())]) for word, row in zip(words, vectors, strict=True))
    return "\n".join([f"{len(words)} {vectors.shape[1]}", *lines, ""])


def neighbours(
    corpus: text.Corpus, vectors: Float[ndarray, "V D"], words: int = 8, near: int = 5
) -> list[tuple[str, list[tuple[str, float]]]]:
    """The nearest words, by cosine, to some frequent words that say most about the chapter they are in.

    A word is rated by count · KL(chapters given the word ‖ chapters). So "the" rates low in any language. Single ASCII
    characters are left out: they are variables and numbers, while a Chinese character says something.
    """
    found = np.zeros((len(corpus.words), corpus.num_chapters))
    for ids, chapter in zip(corpus.sentences, corpus.chapters, strict=True):
        np.add.at(found[:, chapter], ids, 1)
    by_chance = found.sum(axis=1, keepdims=True) * found.sum(axis=0) / found.sum()
    told = (found * np.log(found / by_chance, out=np.zeros_like(found), where=found > 0)).sum(axis=1)
    told[[len(word) < 2 and word.isascii() for word in corpus.words]] = -1
    unit = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), np.finfo(vectors.dtype).tiny)
    listed = []
    for word in np.argsort(-told, kind="stable")[:words]:
        cosines = unit @ unit[word]
        nearest = [other for other in np.argsort(-cosines, kind="stable") if other != word][:near]
        listed.append((corpus.words[word], [(corpus.words[other], float(cosines[other])) for other in nearest]))
    return listed


def accuracy(case: Case, params: Params) -> tuple[float, float]:
    """The share of training paragraphs that are classified right, and the share of the most frequent chapter."""
    assert isinstance(case.data, Text)
    assert isinstance(case.model, Classifier)
    ids, labels = text.read(case.data.source, case.data.min_count).bags(case.data.length)
    active = params["embedding.weight"][ids].mean(axis=1)
    *hidden, last = case.model.layers
    for name in hidden:
        active = np.maximum(active @ params[f"{name}.weight"].T + params[f"{name}.bias"], 0)
    guesses = (active @ params[f"{last}.weight"].T + params[f"{last}.bias"]).argmax(axis=1)
    return float((guesses == labels).mean()), float(np.bincount(labels).max() / len(labels))
