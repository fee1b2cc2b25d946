"""The one check of weights and batches, made before any framework sees them.

What the frameworks do with a wrong id differs: NumPy wraps -1 round to the last row, PyTorch raises, JAX clamps the
read and drops the gradient. Here it is refused, in words that say what was given, where, and what is allowed.
"""

from __future__ import annotations

from typing import assert_never

import numpy as np

from reference.cases import (
    CBOW,
    BagBatch,
    Batch,
    Case,
    Classifier,
    ContextBatch,
    DenseBatch,
    Embedding,
    HierarchicalSoftmax,
    Linear,
    LookupBatch,
    NegativeSampling,
    PairBatch,
    SkipGram,
)
from reference.contract import BadInput, Params

BATCH_OF = {Embedding: LookupBatch, Linear: DenseBatch, Classifier: BagBatch, CBOW: ContextBatch}


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
            _nonempty("input", batch.input)
            _floats("input", batch.input, (len(batch.input), model.in_features), case.dtype)
            _floats("upstream", batch.upstream, (len(batch.input), model.out_features), case.dtype)
        case BagBatch():
            assert isinstance(model, Classifier)
            _ids("ids", batch.ids, model.num_embeddings, ndim=2)
            _ids("labels", batch.labels, model.num_classes, ndim=1, noun="classes")
            _same_length("labels", batch.labels, "ids", batch.ids)
        case PairBatch():
            assert isinstance(model, SkipGram)
            _ids("centers", batch.centers, model.num_embeddings, ndim=1)
            _ids("contexts", batch.contexts, model.num_embeddings, ndim=1)
            _same_length("contexts", batch.contexts, "centers", batch.centers)
            _for_objective(model, batch)
        case ContextBatch():
            assert isinstance(model, CBOW)
            _ids("ids", batch.ids, model.num_embeddings, ndim=1)
            _offsets(batch.offsets, len(batch.ids))
            _ids("centers", batch.centers, model.num_embeddings, ndim=1)
            _same_length("centers", batch.centers, "offsets", batch.offsets)
            _for_objective(model, batch)
        case _:
            assert_never(batch)


def _for_objective(model: SkipGram | CBOW, batch: PairBatch | ContextBatch) -> None:
    """Raise BadInput unless the batch has what the model's objective needs, and nothing else."""
    objective, n = model.objective, len(batch.targets)
    needed = {NegativeSampling: {"negatives"}, HierarchicalSoftmax: {"nodes", "signs"}}.get(type(objective), set())
    for name in ("negatives", "nodes", "signs"):
        if (getattr(batch, name) is None) == (name in needed):
            what = f"takes {' and '.join(sorted(needed))}" if needed else "takes none"
            given = "are missing" if name in needed else "are given"
            raise BadInput(f"{name}: {given}; {type(objective).__name__} {what}")
    if isinstance(objective, NegativeSampling):
        assert batch.negatives is not None
        _ids("negatives", batch.negatives, model.num_embeddings, ndim=2)
        _shape("negatives", batch.negatives, (n, objective.num_negatives))
        if objective.accidental_hits == "redraw":
            hits = batch.negatives == batch.targets[:, None]
            _where("negatives", batch.negatives, hits, "is the target itself; another word is needed under redraw")
    elif isinstance(objective, HierarchicalSoftmax):
        assert batch.nodes is not None
        assert batch.signs is not None
        _ids("nodes", batch.nodes, model.num_embeddings - 1, ndim=2, noun="inner nodes")
        _shape("nodes", batch.nodes, (n, batch.nodes.shape[1]))
        _integers("signs", batch.signs)
        _shape("signs", batch.signs, batch.nodes.shape)
        _where("signs", batch.signs, ~np.isin(batch.signs, (-1, 0, 1)), "is no turn; 1, -1 or 0 is needed")


def _offsets(given: np.ndarray, n: int) -> None:
    """Contexts that are all of them non-empty: word2vec leaves a centre without context out, and so do the batches."""
    _ids("offsets", given, n, ndim=1, noun="ids")
    if given[0] != 0:
        raise BadInput(f"offsets: {given[0]} at [0]; the first must be 0")
    empty = np.append(False, given[1:] <= given[:-1])
    _where("offsets", given, empty, "is not after the one before; contexts of at least one word are needed")


def _where(name: str, given: np.ndarray, wrong: np.ndarray, what: str) -> None:
    if wrong.any():
        where = tuple(int(i) for i in np.argwhere(wrong)[0])
        raise BadInput(f"{name}: {given[where]} at {list(where)} {what}")


def _shape(name: str, given: np.ndarray, shape: tuple[int, ...]) -> None:
    if given.shape != shape:
        raise BadInput(f"{name}: have the shape {given.shape}; {shape} is needed")


def _integers(name: str, given: np.ndarray) -> None:
    if not isinstance(given, np.ndarray) or given.dtype.kind not in "iu":
        kind = given.dtype if isinstance(given, np.ndarray) else type(given).__name__
        raise BadInput(f"{name}: are {kind}; an array of integers is needed")


def _ids(name: str, given: np.ndarray, n: int, ndim: int | None = None, noun: str = "rows of the table") -> None:
    _integers(name, given)
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
