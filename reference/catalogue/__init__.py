"""All cases in one list, for pytest and for the command line."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase

from reference.cases import Case
from reference.catalogue.bags import BAGS, bags
from reference.catalogue.classifier import CLASSIFIER, classifier_options, classifiers
from reference.catalogue.convolution import CONV1D, TEXTCNN, convolutions
from reference.catalogue.glove import GLOVE, glove, glove_texts
from reference.catalogue.layers import layers, lookups
from reference.catalogue.optimizers import OPTIONS, optimizers, table
from reference.catalogue.pairwise import Table
from reference.catalogue.plain import plain
from reference.catalogue.seams import seams
from reference.catalogue.telling import saturated, telling
from reference.catalogue.texts import texts
from reference.catalogue.word2vec import SHARED, WORD2VEC, skipgrams, word2vec
from reference.data import text
from reference.errors import BadInput

__all__ = ["OPTIONS", "TABLES", "catalogue", "matching", "select"]

TABLES: tuple[Table, ...] = (BAGS, CLASSIFIER, WORD2VEC, SHARED, GLOVE, CONV1D, TEXTCNN, *map(table, OPTIONS))
"""All tables of option pairs (`python -m reference.catalogue.grow` appends to their rows)."""


def catalogue(source: str = text.TOPICS) -> list[Case]:
    """Every case, with the text cases over the source: `pydoc_data.topics` or the path of a UTF-8 file.

    Raises:
        BadInput: the text cannot be read or has fewer than two words.
    """
    return [*without_text(), *texts(source), *glove_texts(source)]


@functools.cache
def without_text() -> tuple[Case, ...]:
    """Every case but those of a text; what is plain and has been listed before is not listed again."""
    cases = (
        *layers(),
        *bags(),
        *lookups(),
        *classifiers(),
        *classifier_options(),
        *skipgrams(),
        *optimizers(),
        *word2vec(),
        *glove(),
        *convolutions(),
        *telling(),
        *saturated(),
        *seams(),
    )
    known = {case.id for case in cases}
    return (*cases, *(case for case in plain() if case.id not in known))


def select(cases: Sequence[Case], patterns: Sequence[str] = (), without: Sequence[str] = ()) -> list[Case]:
    """The cases with an id that matches one of the patterns (all, if there are none) and none of those in `without`.

    Raises:
        BadInput: a pattern matches no case, or no case is left.
    """
    named = {case.id: case for case in cases}
    chosen = {name for pattern in patterns for name in _some(named, pattern)} if patterns else set(named)
    left_out = {name for pattern in without for name in _some(named, pattern)}
    found = [case for name, case in named.items() if name in chosen - left_out]
    if not found:
        raise BadInput(f"no case is left; all {len(chosen)} chosen cases are excluded")
    return found


def _some(names: Iterable[str], pattern: str) -> list[str]:
    found = matching(names, pattern)
    if not found:
        raise BadInput(f"no case matches {pattern!r}; `twingrad verify --list` names all {len(list(names))}")
    return found


def matching(names: Iterable[str], pattern: str | None) -> list[str]:
    """The names that contain the pattern. A pattern with `*`, `?` or `[` must match the whole name."""
    glob = pattern if pattern and any(sign in pattern for sign in "*?[") else f"*{pattern or ''}*"
    return [name for name in names if fnmatchcase(name, glob)]
