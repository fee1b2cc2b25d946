"""The one check of weights and batches, made before any framework sees them.

What the frameworks do with a wrong id differs: NumPy wraps -1 round to the last row, PyTorch raises, JAX clamps the
read and drops the gradient. Here it is refused, in words that say what was given, where, and what is allowed.
"""

from __future__ import annotations

from typing import assert_never

import numpy as np

from reference.cases import BagBatch, Batch, Case, Classifier, DenseBatch, Embedding, Linear, LookupBatch, PairBatch
from reference.contract import BadInput, Params

BATCH_OF = {Embedding: LookupBatch, Linear: DenseBatch, Classifier: BagBatch}


def check_weights(case: Case, weights: Params) -> None:
    """Raise BadInput unless these are finite weights of the case's names, shapes and dtype."""
    shapes = case.model.shapes
    if weights.keys() != shapes.keys():
        raise BadInput(f"weights: have the names {sorted(weights)}; {case.family} has {sorted(shapes)}")
    for name, shape in shapes.items():
        _floats(f"weights: {name}", weights[name], shape, case.dtype)


def check_batch(case: Case, batch: Batch) -> None:
    """Raise BadInput unless the batch is one that the case's model can be trained on."""
    model = case.model
    expected = BATCH_OF.get(type(model), PairBatch)
    if not isinstance(batch, expected):
        raise BadInput(f"batch: is a {type(batch).__name__}; {case.family} takes a {expected.__name__}")
    match batch:
        case LookupBatch():
            assert isinstance(model, Embedding)
            _ids("ids", batch.ids, model.num_embeddings)
            _floats("upstream", batch.upstream, (*batch.ids.shape, model.embedding_dim), case.dtype)
        case DenseBatch():
            assert isinstance(model, Linear)
            rows = np.shape(batch.input)[:1] or (1,)
            _floats("input", batch.input, (*rows, model.in_features), case.dtype)
            _nonempty("input", batch.input)
            _floats("upstream", batch.upstream, (*rows, model.out_features), case.dtype)
        case BagBatch():
            assert isinstance(model, Classifier)
            _ids("ids", batch.ids, model.num_embeddings, ndim=2)
            _ids("labels", batch.labels, model.num_classes, ndim=1, noun="classes")
            _same_length("labels", batch.labels, "ids", batch.ids)
        case PairBatch():
            assert not isinstance(model, Linear | Classifier)
            _ids("centers", batch.centers, model.num_embeddings, ndim=1)
            _ids("contexts", batch.contexts, model.num_embeddings, ndim=1)
            _same_length("contexts", batch.contexts, "centers", batch.centers)
        case _:
            assert_never(batch)


def _ids(name: str, given: np.ndarray, n: int, ndim: int | None = None, noun: str = "rows of the table") -> None:
    if not isinstance(given, np.ndarray) or given.dtype != np.int64:
        kind = given.dtype if isinstance(given, np.ndarray) else type(given).__name__
        raise BadInput(f"{name}: are {kind}; an array of integers, int64, is needed")
    if ndim is not None and given.ndim != ndim:
        raise BadInput(f"{name}: have {given.ndim} dimensions, shape {given.shape}; {ndim} are needed")
    _nonempty(name, given)
    if given.min() < 0 or given.max() >= n:
        where = tuple(int(i) for i in np.argwhere((given < 0) | (given >= n))[0])
        raise BadInput(
            f"{name}: {given[where]} at {list(where)} is out of range; 0 to {n - 1} are allowed ({n} {noun})"
        )


def _floats(name: str, given: np.ndarray, shape: tuple[int, ...], dtype: str) -> None:
    if not isinstance(given, np.ndarray) or given.dtype != dtype:
        kind = given.dtype if isinstance(given, np.ndarray) else type(given).__name__
        raise BadInput(f"{name}: is {kind}; an array of {dtype} is needed")
    if given.shape != shape:
        raise BadInput(f"{name}: has the shape {given.shape}; {shape} is needed")
    if not np.isfinite(given).all():
        where = tuple(int(i) for i in np.argwhere(~np.isfinite(given))[0])
        raise BadInput(f"{name}: {given[where]} at {list(where)}; only finite numbers are allowed")


def _nonempty(name: str, given: np.ndarray) -> None:
    if given.size == 0:
        raise BadInput(f"{name}: are empty, shape {given.shape}; a batch of at least one is needed")


def _same_length(name: str, given: np.ndarray, other: str, beside: np.ndarray) -> None:
    if len(given) != len(beside):
        raise BadInput(f"{name}: are {len(given)}, but there are {len(beside)} {other}; as many are needed")
