"""Checks of batches. Each raises BadInput, and says what was given, where, and what is allowed.

A batch is checked before any framework sees it, because frameworks treat a wrong id differently: NumPy takes -1 for the
last row, PyTorch raises, JAX clamps the read and drops the gradient.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from reference.errors import BadInput


def kind(batch: Any, *kinds: type) -> None:
    """Check that the batch is of one of these kinds."""
    if type(batch) not in kinds:
        names = " or ".join(f"{'an' if kind.__name__[0] in 'AEIOU' else 'a'} {kind.__name__}" for kind in kinds)
        raise BadInput(f"batch: is a {type(batch).__name__}; {names} is needed")


def bags(given: np.ndarray, offsets: np.ndarray | None, num_embeddings: int, include_last_offset: bool = False) -> int:
    """Check the ids of bags, (B, L), or (N,) with their offsets; returns the number of bags."""
    if offsets is None:
        ids("ids", given, num_embeddings, ndim=2)
        return len(given)
    n = len(given)
    ids("ids", given, num_embeddings, ndim=1)
    ids("offsets", offsets, n + 1, ndim=1, noun="places", dtypes=(str(given.dtype),))
    steps = np.diff(offsets)
    if offsets[0] != 0:
        raise BadInput(f"offsets: begin with {offsets[0]}; 0 is needed, the first bag begins at the first id")
    if (steps < 0).any():
        at = int(np.argmax(steps < 0)) + 1
        raise BadInput(f"offsets: {offsets[at]} at [{at}] is less than the one before; they may not run backward")
    if include_last_offset and (offsets[-1] != n or len(offsets) < 2):
        raise BadInput(f"offsets: end with {offsets[-1]}; with include_last_offset {n} is needed, one for each id")
    return len(offsets) - include_last_offset


def booleans(name: str, given: Any, shape: tuple[int, ...], what: str) -> None:
    """Check that it is a boolean array of the shape."""
    if not isinstance(given, np.ndarray) or given.dtype != bool or given.shape != shape:
        raise BadInput(f"{name}: a boolean array of shape {shape} is needed, {what}")


def some(name: str, given: np.ndarray, what: str) -> None:
    """Check that at least one of these booleans is true."""
    if not given.any():
        raise BadInput(f"{name}: is false everywhere; {what}")


def where(name: str, given: np.ndarray, wrong: np.ndarray, what: str) -> None:
    """Check that no entry is wrong. what: what is wrong with the entry."""
    if wrong.any():
        place = tuple(int(i) for i in np.argwhere(wrong)[0])
        raise BadInput(f"{name}: {given[place]} at {list(place)} {what}")


def shape(name: str, given: np.ndarray, needed: tuple[int, ...]) -> None:
    """Check that the array has the shape."""
    if given.shape != needed:
        raise BadInput(f"{name}: have the shape {given.shape}; {needed} is needed")


def ids(
    name: str,
    given: Any,
    n: int,
    ndim: int | None = None,
    noun: str = "rows of the table",
    dtypes: tuple[str, ...] = ("int64", "int32"),
    least: int = 0,
) -> None:
    """Check that these are integers from `least` to n - 1: int64 or int32, as nn.Embedding takes them, or as given."""
    integers(name, given, ndim, dtypes)
    if given.min() < least or given.max() >= n:
        place = tuple(int(i) for i in np.argwhere((given < least) | (given >= n))[0])
        raise BadInput(
            f"{name}: {given[place]} at {list(place)} is out of range; {least} to {n - 1} are allowed ({n} {noun})"
        )


def integers(name: str, given: Any, ndim: int | None, dtypes: tuple[str, ...]) -> None:
    """Check that these are integers of one of the dtypes, at least one, in an array of this many dimensions."""
    if not isinstance(given, np.ndarray) or given.dtype not in dtypes:
        found = given.dtype if isinstance(given, np.ndarray) else type(given).__name__
        raise BadInput(f"{name}: are {found}; an array of integers, {' or '.join(dtypes)}, is needed")
    if ndim is not None and given.ndim != ndim:
        raise BadInput(f"{name}: have {given.ndim} dimensions, shape {given.shape}; {ndim} are needed")
    nonempty(name, given)


def floats(name: str, given: Any, shape: tuple[int, ...], dtype: str) -> None:
    """Check that it is an array of finite numbers with the shape and dtype."""
    if not isinstance(given, np.ndarray) or given.dtype != dtype:
        found = given.dtype if isinstance(given, np.ndarray) else type(given).__name__
        raise BadInput(f"{name}: is {found}; an array of {dtype} is needed")
    if given.shape != shape:
        raise BadInput(f"{name}: has the shape {given.shape}; {shape} is needed")
    if not np.isfinite(given).all():
        place = tuple(int(i) for i in np.argwhere(~np.isfinite(given))[0])
        raise BadInput(f"{name}: {given[place]} at {list(place)}; only finite numbers are allowed")


def nonempty(name: str, given: np.ndarray) -> None:
    """Check that there is at least one entry."""
    if given.size == 0:
        raise BadInput(f"{name}: are empty, shape {given.shape}; a batch of at least one is needed")


def same_length(name: str, given: np.ndarray, other: str, beside: np.ndarray) -> None:
    """Check that both arrays have the same length."""
    if len(given) != len(beside):
        raise BadInput(f"{name}: there are {len(given)}, but {len(beside)} {other}; the numbers must be equal")
