"""A text as ids: words, vocabulary, sentences, the pairs of a window, paragraphs with their chapter."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from pydoc_data.topics import topics
from unicodedata import normalize

import numpy as np
import regex

from reference.data.files import read_bounded
from reference.errors import BadInput

TOPICS = "pydoc_data.topics"
"""English that ships with CPython, about 64,000 words in 79 chapters. It differs between patch releases."""

CHAPTERS = 16
"""The number of chapters: the longest ones of the topics, or equal parts of a file."""

LARGEST = 16 * 2**20
"""Bytes of a file: two to three million words of English. Their pairs take about a gigabyte."""

WORD = regex.compile(r"(?V1w)\b(?:[^\p{L}\p{N}](?!\b))*[\p{L}\p{N}].*?\b")
"""A word: what is between two word boundaries, if it has a letter or a number.

The flag `w` makes \\b the default word boundary of Unicode (UAX #29). It needs no dictionary, so Thai comes in single
letters with their marks, and Chinese and Japanese in single characters.
https://www.unicode.org/reports/tr29/#Word_Boundaries
"""

FORMAT = regex.compile(r"(?V1)[\p{Word_Break=Format}&&\p{Default_Ignorable_Code_Point}]")
"""What shapes a text and is no part of its spelling: soft hyphens, marks of direction, byte order marks."""

THIN_SPACE = regex.compile(r"(?V1)\u202F(?!\w)|(?<!\w)\u202F")
"""The space before French punctuation. Between letters it stays: there it joins numbers, and Mongolian suffixes."""


@dataclass(frozen=True, eq=False)
class Corpus:
    """A text as ids, most frequent word first.

    words: the vocabulary by id. counts: (V,) occurrences of each in the text. sentences: the ids of each paragraph.
    chapters: the chapter of each paragraph.
    """

    words: tuple[str, ...]
    counts: np.ndarray
    sentences: tuple[np.ndarray, ...]
    chapters: np.ndarray

    @cached_property
    def num_chapters(self) -> int:
        """The number of chapters, which are a classifier's classes: at least two."""
        return max(2, int(self.chapters.max()) + 1)

    @staticmethod
    def pairs(ids: np.ndarray, window: int, own: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """All (centre, context) pairs at most `window` words apart, in the order of the centres.

        own: a window for each centre, none larger than `window`. Returns centres, contexts and the centres' positions,
        (N,) each.
        """
        reach = min(window, len(ids))  # no further, or a window of a billion takes all memory
        offsets = np.concatenate([np.arange(-reach, 0), np.arange(1, reach + 1)])
        at = np.arange(len(ids))[:, None]
        other = at + offsets
        inside = (other >= 0) & (other < len(ids))
        if own is not None:
            inside &= abs(offsets) <= own[:, None]
        positions = np.broadcast_to(at, other.shape)[inside]
        return ids[positions], ids[other[inside]], positions

    def all_pairs(self, window: int) -> tuple[np.ndarray, np.ndarray]:
        """The pairs of every paragraph, one after the other: centres and contexts, (N,) each."""
        found = [self.pairs(ids, window)[:2] for ids in self.sentences]
        return np.concatenate([a for a, _ in found]), np.concatenate([b for _, b in found])

    def bags(self, length: int) -> tuple[np.ndarray, np.ndarray]:
        """Every paragraph in bags of `length` ids, the last one filled by repetition: ids (B, L) and chapters (B,)."""
        runs = [
            (np.resize(ids[start : start + length], length), chapter)
            for ids, chapter in zip(self.sentences, self.chapters, strict=True)
            for start in range(0, len(ids), length)
        ]
        return np.stack([ids for ids, _ in runs]), np.array([chapter for _, chapter in runs])


def kept(counts: np.ndarray, threshold: float) -> np.ndarray:
    """The probability that subsampling keeps each word: (sqrt(f/t) + 1) t/f, at most 1; f is its share of all words.

    This is the formula of word2vec.c. The paper's, sqrt(t/f), keeps a little less (Mikolov et al. 2013b, section 2.3).
    """
    ratio = threshold * counts.sum() / counts
    return np.minimum(np.sqrt(ratio) + ratio, 1)


@cache
def read(source: str, min_count: int | None = None) -> Corpus:
    """A corpus from `pydoc_data.topics` or from a UTF-8 file, of the words that occur at least min_count times.

    min_count: 5 by default, or 1 for a file of fewer than 1000 words.

    Raises:
        BadInput: the file is missing, empty, binary, not UTF-8, larger than `LARGEST` or no regular file, or the text
            has fewer than two different words.
    """
    if source == TOPICS:
        chapters = sorted(map(_paragraphs, topics.values()), key=_number, reverse=True)[:CHAPTERS]
        return _corpus(chapters, TOPICS, min_count or 5)
    found = _paragraphs(decoded(Path(source)))
    return _corpus(_parts(found), source, min_count or (5 if _number(found) >= 1000 else 1))


def read_string(content: str, min_count: int, name: str = "the text") -> Corpus:
    """A corpus from a string, split into CHAPTERS parts with about the same number of paragraphs."""
    return _corpus(_parts(_paragraphs(content)), name, min_count)


def decoded(path: Path) -> str:
    """The text of a UTF-8 file. Raises BadInput if it cannot be read, is too large, or is not UTF-8 text."""
    raw = read_bounded(path, LARGEST, f"--text {path}")
    if not raw:
        raise BadInput(f"--text {path}: is empty; a text of at least two different words is needed")
    if raw[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise BadInput(f"--text {path}: is UTF-16 by its byte order mark; a UTF-8 text file is needed")
    if b"\0" in raw:
        raise BadInput(f"--text {path}: is binary (a NUL byte at offset {raw.index(0)}); a UTF-8 text file is needed")
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise BadInput(f"--text {path}: is not UTF-8 (byte {raw[error.start]:#04x} at offset {error.start})") from None


def paragraphs(content: str) -> list[str]:
    """The paragraphs of a text: they end at a blank line, or at a paragraph separator.

    A line ends as in The Unicode Standard, section 5.8: at CR, LF, CRLF, NEL, VT, FF or a line separator.
    """
    lines = content.replace("\u2029", "\n\n").splitlines()
    return re.split(r"\n\s*\n", "\n".join(lines))


def words(content: str) -> list[str]:
    """The words of a text. Spellings that Unicode holds for the same word without regard to case are one (D145)."""
    if not content.isascii():
        content = normalize("NFD", FORMAT.sub("", THIN_SPACE.sub(" ", content)))
    return WORD.findall(normalize("NFC", content.casefold()))


def shown(word: str) -> str:
    """A word for a message: a giant one is cut."""
    return word if len(word) <= 40 else f"{word[:39]}…"


def _paragraphs(content: str) -> list[list[str]]:
    return [found for paragraph in paragraphs(content) if (found := words(paragraph))]


def _parts(paragraphs: list[list[str]]) -> list[list[list[str]]]:
    parts = np.array_split(np.arange(len(paragraphs)), max(1, min(CHAPTERS, len(paragraphs))))
    return [[paragraphs[i] for i in part] for part in parts]


def _number(paragraphs: list[list[str]]) -> int:
    return sum(map(len, paragraphs))


def _corpus(chapters: list[list[list[str]]], name: str, min_count: int) -> Corpus:
    counts = Counter(word for chapter in chapters for words in chapter for word in words)
    kept = sorted((word for word in counts if counts[word] >= min_count), key=lambda word: (-counts[word], word))
    if len(kept) < 2:
        often = f" that occur {min_count} times" if min_count > 1 else ""
        raise BadInput(f"--text {name}: has {len(kept)} different words{often}; at least two are needed")
    index = {word: i for i, word in enumerate(kept)}
    sentences, labels = [], []
    for label, chapter in enumerate(chapters):
        for words in chapter:
            ids = np.array([index[word] for word in words if word in index], np.int64)
            if len(ids) > 1:
                sentences.append(ids)
                labels.append(label)
    if not sentences:
        raise BadInput(f"--text {name}: no paragraph has two words side by side; a running text is needed")
    return Corpus(tuple(kept), np.array([counts[word] for word in kept]), tuple(sentences), np.array(labels))
