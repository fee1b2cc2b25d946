"""What a model has learned: its vectors as text, which words are near each other, and how many paragraphs it tells."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from reference.cases import Case, Classifier, Text
from reference.contract import Params
from reference.data import text


def word2vec(words: Sequence[str], vectors: Float[ndarray, "V D"]) -> str:
    """The vectors in word2vec's text format: `V D`, then a word and its numbers a line.

    Nine digits are what a float32 needs to be read back as the same one.
    """
    lines = (" ".join([word, *(f"{x:.9g}" for x in row.tolist())]) for word, row in zip(words, vectors, strict=True))
    return "\n".join([f"{len(words)} {vectors.shape[1]}", *lines, ""])


def neighbours(
    corpus: text.Corpus, vectors: Float[ndarray, "V D"], words: int = 8, near: int = 5
) -> list[tuple[str, list[tuple[str, float]]]]:
    """The words nearest, by cosine, to some frequent ones: those that tell most about the chapter they stand in.

    What a word tells is count · KL(chapters given the word ‖ chapters), so that "the" tells nothing in any language.
    """
    found = np.zeros((len(corpus.words), corpus.num_chapters))
    for ids, chapter in zip(corpus.sentences, corpus.chapters, strict=True):
        np.add.at(found[:, chapter], ids, 1)
    by_chance = found.sum(axis=1, keepdims=True) * found.sum(axis=0) / found.sum()
    told = (found * np.log(found / by_chance, out=np.zeros_like(found), where=found > 0)).sum(axis=1)
    told[[len(word) < 2 for word in corpus.words]] = -1
    unit = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), np.finfo(vectors.dtype).tiny)
    listed = []
    for word in np.argsort(-told, kind="stable")[:words]:
        cosines = unit @ unit[word]
        nearest = [other for other in np.argsort(-cosines, kind="stable") if other != word][:near]
        listed.append((corpus.words[word], [(corpus.words[other], float(cosines[other])) for other in nearest]))
    return listed


def accuracy(case: Case, params: Params) -> tuple[float, float]:
    """The share of training paragraphs whose chapter the classifier tells, and that of the most frequent chapter."""
    assert isinstance(case.data, Text)
    assert isinstance(case.model, Classifier)
    ids, labels = text.read(case.data.source, case.data.min_count).bags(case.data.length)
    active = params["embedding.weight"][ids].mean(axis=1)
    *hidden, last = case.model.layers
    for name in hidden:
        active = np.maximum(active @ params[f"{name}.weight"].T + params[f"{name}.bias"], 0)
    guesses = (active @ params[f"{last}.weight"].T + params[f"{last}.bias"]).argmax(axis=1)
    return float((guesses == labels).mean()), float(np.bincount(labels).max() / len(labels))
