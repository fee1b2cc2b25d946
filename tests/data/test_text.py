"""A text as ids: words, vocabulary, pairs and bags, each against its plain definition."""

from collections import Counter
from itertools import chain, cycle, islice
from pathlib import Path
from unicodedata import category, normalize

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


WORDS = {
    "case": ("The cat, the CAT!", "the cat the cat"),
    "apostrophes": (
        "Don't -- it's rock'n'roll. that’s 'quoted' ''twice''",
        "don't it's rock'n'roll that’s quoted twice",
    ),
    "hyphens": ("state-of-the-art", "state of the art"),
    "code": ("snake_case(x1) == 42; __init__ _ __", "snake_case x1 42 __init__"),
    "space": ("one\ntwo\tthree\u00a0four", "one two three four"),
    "points": ("3.14, 1,000 and .5; e.g. os.path.", "3.14 1,000 and 5 e.g os.path"),
    "letters and numbers alone": ("² Ⅷ ½ + ¢ ☃", "² ⅷ ½"),
    "scripts": ("Ärger, ÉTÉ и Мир; iPhoneмир", "ärger été и мир iphoneмир"),
    "decomposed": ("re\u0301sume\u0301 RÉSUMÉ", "résumé résumé"),
    "marks in two orders": ("a\u0323\u0301 a\u0301\u0323", "ạ́ ạ́"),
    "dotted I": ("İstanbul i\u0307stanbul", "i\u0307stanbul i\u0307stanbul"),
    "full case folding": ("Straße STRASSE ΣΊΣΥΦΟΣ Σίσυφος", "strasse strasse σίσυφοσ σίσυφοσ"),
    "Greek iota below": ("ᾳ ΑΙ ᾳ\u0323 Α\u0323Ι", "αι αι α\u0323ι α\u0323ι"),
    "Hindi": ("हिन्दी में लिखा", "हिन्दी में लिखा"),
    "Hebrew": ("שָׁלוֹם עוֹלָם צה\"ל ג'", "שָׁלוֹם עוֹלָם צה\"ל ג'"),
    "Arabic": ("عَرَبِيّ ٣٫١٤", "عَرَبِيّ ٣٫١٤"),
    "Korean in parts": ("\u1112\u1161\u11ab글", "한글"),
    "Thai, without a dictionary": ("สวัสดี ครับ", "ส วั ส ดี ค รั บ"),
    "Chinese and Japanese, without a dictionary": ("日本 ひら カタカナ", "日 本 ひ ら カタカナ"),
    "soft hyphens": ("co\u00adoperate cooperate re\u0301\u00adsume\u0301", "cooperate cooperate résumé"),
    "marks of direction": ("\u200fשלום\u200f \u202bab\u202c \ufeffcd", "שלום ab cd"),
    "joiners are spelling": ("می\u200cخواهم", "می\u200cخواهم"),
    "emoji": ("a 😀 👩\u200d👧 🇩🇪 b❤", "a b"),
    "French spaces": ("«\u202fBonjour\u202f!\u202f»", "bonjour"),
    "numbers in groups": ("10\u202f000", "10\u202f000"),
}


@pytest.mark.parametrize(("content", "expected"), WORDS.values(), ids=WORDS)
def test_words_are_those_of_unicode(content: str, expected: str) -> None:
    """UAX #29, with what is the same in NFC and in full case folding made one."""
    assert text.words(content) == expected.split(" ")


@given(content=st.text("aAéİßσΣ1_.'\" -\u0301\u0316\u0307\u0345\u00ad\u200d\u202fबि한日א🇩\n"))
def test_words_do_not_depend_on_how_characters_are_composed(content: str) -> None:
    whole = text.words(content)
    assert text.words(normalize("NFD", content)) == whole
    assert text.words(normalize("NFC", content)) == whole
    assert all(normalize("NFC", word) == word for word in whole)
    assert all(any(category(letter)[0] in "LN" for letter in word) for word in whole)


def test_a_giant_word_is_cut_where_it_is_shown() -> None:
    assert text.shown("a" * 40) == "a" * 40
    assert text.shown("a" * 10**6) == "a" * 39 + "…"


@pytest.mark.parametrize("end", ["\n", "\r", "\r\n", "\x85", "\v", "\f", "\u2028"], ids=ascii)
def test_paragraphs_end_at_a_blank_line(end: str) -> None:
    corpus = text.read_string(f"a{end}b{end}{end}c d{end} \t{end}{end}e{end}f{end}", min_count=1)
    assert words_of(corpus) == [["a", "b"], ["c", "d"], ["e", "f"]]


def test_paragraphs_end_at_a_paragraph_separator() -> None:
    corpus = text.read_string("a b\u2029c d\u2029\u2029e f", min_count=1)
    assert words_of(corpus) == [["a", "b"], ["c", "d"], ["e", "f"]]


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


@given(ids=st.lists(st.integers(0, 9), max_size=20), window=st.integers(1, 6) | st.just(2**40))
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
