"""A text as ids: words, vocabulary, pairs and bags, each against its plain definition."""

from collections import Counter
from itertools import chain, cycle, islice
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference.cases import SGD, Case, Dialogue, SkipGram
from reference.data import text
from reference.data.dialogue import DIALOGUE_CORPUS
from reference.errors import BadInput

paragraphs = st.lists(st.lists(st.sampled_from("abcde"), min_size=1, max_size=14), min_size=1, max_size=20)


def written(paragraphs: list[list[str]]) -> str:
    return "\n\n".join(map(" ".join, paragraphs))


def words_of(corpus: text.Corpus) -> list[list[str]]:
    return [[corpus.words[i] for i in ids] for ids in corpus.sentences]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("The cat, the CAT!", "the cat the cat"),
        ("Don't -- it's rock'n'roll.", "don't it's rock'n'roll"),
        ("that’s 'quoted' ''twice''", "that’s quoted twice"),
        ("state-of-the-art", "state of the art"),
        ("snake_case(x1) == 42;", "snake_case x1 42"),
        ("Ärger, ÉTÉ и Мир 日本", "ärger été и мир 日本"),
        ("one\ntwo\tthree", "one two three"),
    ],
)
def test_words(content: str, expected: str) -> None:
    assert words_of(text.read_string(content, min_count=1)) == [expected.split()]


@given(paragraphs=paragraphs, min_count=st.integers(1, 5))
def test_vocabulary_is_the_frequent_words_most_frequent_first(paragraphs: list[list[str]], min_count: int) -> None:
    every = list(chain.from_iterable(paragraphs))
    frequent = {word for word in every if every.count(word) >= min_count}
    sentences = [kept for words in paragraphs if len(kept := [word for word in words if word in frequent]) > 1]
    if len(frequent) < 2 or not sentences:
        with pytest.raises(BadInput, match=r"^--text the text: .* (are|is) needed$"):
            text.read_string(written(paragraphs), min_count)
        return
    corpus = text.read_string(written(paragraphs), min_count)
    assert list(corpus.words) == sorted(frequent, key=lambda word: (-every.count(word), word))
    assert corpus.counts.tolist() == [every.count(word) for word in corpus.words]
    assert words_of(corpus) == sentences


@given(ids=st.lists(st.integers(0, 9), max_size=20), window=st.integers(1, 6))
def test_pairs_are_all_words_within_the_window(ids: list[int], window: int) -> None:
    expected = []
    for position, centre in enumerate(ids):
        for other, context in enumerate(ids):
            if other != position and abs(other - position) <= window:
                expected.append((centre, context, position))
    found = text.Corpus.pairs(np.array(ids, int), window)
    assert list(zip(*(part.tolist() for part in found), strict=True)) == expected


def test_pairs_do_not_cross_paragraphs() -> None:
    corpus = text.read_string("a b\n\nc d", min_count=1)
    centers, contexts = corpus.all_pairs(window=5)
    found = [corpus.words[a] + corpus.words[b] for a, b in zip(centers, contexts, strict=True)]
    assert found == ["ab", "ba", "cd", "dc"]


@given(paragraphs=st.lists(st.integers(2, 30), min_size=1, max_size=20), length=st.integers(1, 12))
def test_bags_are_cut_or_repeated_to_the_length(paragraphs: list[int], length: int) -> None:
    contents = [[f"w{i}x{j}" for j in range(size)] for i, size in enumerate(paragraphs)]
    corpus = text.read_string(written(contents), min_count=1)
    expected = [
        (list(islice(cycle(words[start : start + length]), length)), chapter)
        for words, chapter in zip(contents, corpus.chapters, strict=True)
        for start in range(0, len(words), length)
    ]
    bags, chapters = corpus.bags(length)
    assert bags.shape == (len(chapters), length)
    assert [([corpus.words[i] for i in bag], c) for bag, c in zip(bags, chapters, strict=True)] == expected


@pytest.mark.parametrize(
    ("number", "expected"), [(1, [1]), (2, [1, 1]), (16, [1] * 16), (17, [2] + [1] * 15), (40, [3] * 8 + [2] * 8)]
)
def test_chapters_are_equal_parts_in_order(number: int, expected: list[int]) -> None:
    corpus = text.read_string(written([["two", "words"]] * number), min_count=1)
    assert corpus.chapters.tolist() == sorted(corpus.chapters.tolist())
    assert np.bincount(corpus.chapters).tolist() == expected
    assert corpus.num_chapters == max(2, len(expected))


def test_topics_are_as_skewed_as_language() -> None:
    """No figure of it is pinned: it differs between patch releases of Python."""
    corpus = text.read(text.TOPICS)
    assert 300 < len(corpus.words) < 10_000
    assert corpus.counts.min() >= 5
    assert (np.diff(corpus.counts) <= 0).all()
    assert corpus.words[0] == "the"
    assert corpus.counts[:10].sum() > 0.15 * corpus.counts.sum()
    assert corpus.num_chapters == text.CHAPTERS == 16
    assert set(corpus.chapters.tolist()) == set(range(16))


def test_dialogue_has_seven_words_and_one_step_a_word() -> None:
    lines = [line.split() for line in DIALOGUE_CORPUS.split("\n\n")]
    words = text.read_string(DIALOGUE_CORPUS, min_count=1).words
    assert set(words) == {"the", "cat", "sat", "on", "mat", "dog", "barked"}
    epoch = []
    for line in lines:
        for i, centre in enumerate(line):
            contexts = line[max(0, i - 1) : i] + line[i + 1 : i + 2]
            epoch.append((Counter({centre: len(contexts)}), Counter(contexts)))
    assert len(epoch) == 15
    case = Case("dialogue", SkipGram(7, 3, reduction="sum"), SGD(), Dialogue(), steps=31)
    found = [
        (Counter(words[i] for i in batch.centers), Counter(words[i] for i in batch.contexts))
        for batch in case.batches()
    ]
    assert found == epoch + epoch + epoch[:1]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"One two.\n\nThree four.", [["one", "two"], ["three", "four"]]),
        ("\ufeffOne two.\r\n\r\nThree four.\r\n".encode(), [["one", "two"], ["three", "four"]]),
        (b"one two\n \t\n\n\nthree  four\n\n--\n\nfive", [["one", "two"], ["three", "four"]]),
    ],
    ids=["plain", "byte-order mark and CRLF", "blank lines and words alone"],
)
def test_file(content: bytes, expected: list[list[str]], tmp_path: Path) -> None:
    file = tmp_path / "a.txt"
    file.write_bytes(content)
    assert words_of(text.read(str(file))) == expected


@pytest.mark.parametrize(("often", "words"), [(498, ("a", "b", "rare")), (500, ("a", "b"))], ids=["short", "long"])
def test_a_long_file_loses_its_rare_words(often: int, words: tuple[str, ...], tmp_path: Path) -> None:
    file = tmp_path / "a.txt"
    file.write_text("a b " * often + "rare " * 3)
    assert text.read(str(file)).words == words
