"""The one check of weights and batches, made before any framework sees them.

What the frameworks do with a wrong id differs: NumPy wraps -1 round to the last row, PyTorch raises, JAX clamps the
read and drops the gradient. Here it is refused, in words that say what was given, where, and what is allowed.
"""

from __future__ import annotations

from typing import assert_never

import numpy as np

from reference.cases.batches import BagBatch, Batch, BlockBatch, ContextBatch, DenseBatch, LookupBatch, PairBatch
from reference.cases.case import Case
from reference.cases.cbow import CBOW
from reference.cases.classifier import Classifier
from reference.cases.embedding import Embedding
from reference.cases.embedding_bag import EmbeddingBag
from reference.cases.linear import Linear
from reference.cases.losses import CrossEntropy
from reference.cases.objectives import HierarchicalSoftmax, NegativeSampling, SharedNegatives
from reference.cases.skipgram import SkipGram
from reference.contract import Params
from reference.errors import BadInput

BATCH_OF = {
    Embedding: LookupBatch,
    EmbeddingBag: BagBatch,
    Linear: DenseBatch,
    Classifier: BagBatch,
    SkipGram: PairBatch,
    CBOW: ContextBatch,
}


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
    blocks = isinstance(getattr(model, "objective", None), SharedNegatives)
    expected = BlockBatch if blocks else BATCH_OF[type(model)]
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
            assert isinstance(model, EmbeddingBag | Classifier)
            bags = _check_bags(model, batch)
            if isinstance(model, EmbeddingBag):
                if model.weighted:
                    _floats("per_sample_weights", batch.per_sample_weights, batch.ids.shape, case.dtype)
                _floats("upstream", batch.upstream, (bags, model.embedding_dim), case.dtype)
            else:
                _check_labels(case, model, batch, bags)
        case PairBatch():
            assert isinstance(model, SkipGram)
            _ids("centers", batch.centers, model.num_embeddings, ndim=1)
            _ids("contexts", batch.contexts, model.num_embeddings, ndim=1, dtypes=("int64",))
            _same_length("contexts", batch.contexts, "centers", batch.centers)
            _for_objective(model, batch)
        case BlockBatch():
            assert isinstance(model, SkipGram)
            assert isinstance(model.objective, SharedNegatives)
            _ids("centers", batch.centers, model.num_embeddings, ndim=2)
            _ids("contexts", batch.contexts, model.num_embeddings, ndim=2)
            _same_length("contexts", batch.contexts, "blocks of centers", batch.centers)
            shape = (*batch.centers.shape, batch.contexts.shape[1])
            if not isinstance(batch.inside, np.ndarray) or batch.inside.dtype != bool or batch.inside.shape != shape:
                raise BadInput(f"inside: a boolean array of shape {shape} is needed, one for each centre and context")
            if not batch.inside.any():
                raise BadInput("inside: is false everywhere; a batch of at least one pair is needed")
            if batch.negatives is None:
                raise BadInput("negatives: are missing; SharedNegatives takes negatives")
            _ids("negatives", batch.negatives, model.num_embeddings, ndim=2)
            _shape("negatives", batch.negatives, (len(batch.centers), model.objective.shared))
        case ContextBatch():
            assert isinstance(model, CBOW)
            _ids("ids", batch.ids, model.num_embeddings, ndim=1)
            _ids("offsets", batch.offsets, len(batch.ids), ndim=1, noun="places", dtypes=(str(batch.ids.dtype),))
            late = (np.arange(len(batch.offsets)) == 0) & (batch.offsets != 0)
            _where("offsets", batch.offsets, late, "is not 0; the first context begins at the first id")
            empty = np.diff(batch.offsets, prepend=-1) <= 0  # word2vec leaves a centre without context out
            _where("offsets", batch.offsets, empty, "is not after the one before; each context needs a word")
            _ids("centers", batch.centers, model.num_embeddings, ndim=1, dtypes=("int64",))
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
        _ids("signs", batch.signs, 2, ndim=2, noun="turns", least=-1)
        _shape("signs", batch.signs, batch.nodes.shape)


def _where(name: str, given: np.ndarray, wrong: np.ndarray, what: str) -> None:
    if wrong.any():
        where = tuple(int(i) for i in np.argwhere(wrong)[0])
        raise BadInput(f"{name}: {given[where]} at {list(where)} {what}")


def _shape(name: str, given: np.ndarray, shape: tuple[int, ...]) -> None:
    if given.shape != shape:
        raise BadInput(f"{name}: have the shape {given.shape}; {shape} is needed")


def _check_bags(model: EmbeddingBag | Classifier, batch: BagBatch) -> int:
    """Check the ids, with their offsets; returns how many bags there are."""
    if batch.offsets is None:
        _ids("ids", batch.ids, model.num_embeddings, ndim=2)
        return len(batch.ids)
    n = len(batch.ids)
    _ids("ids", batch.ids, model.num_embeddings, ndim=1)
    _ids("offsets", batch.offsets, n + 1, ndim=1, noun="places", dtypes=(str(batch.ids.dtype),))
    steps = np.diff(batch.offsets)
    if batch.offsets[0] != 0:
        raise BadInput(f"offsets: begin with {batch.offsets[0]}; 0 is needed, the first bag begins at the first id")
    if (steps < 0).any():
        at = int(np.argmax(steps < 0)) + 1
        raise BadInput(f"offsets: {batch.offsets[at]} at [{at}] is less than the one before; they may not run backward")
    last = isinstance(model, EmbeddingBag) and model.include_last_offset
    if last and (batch.offsets[-1] != n or len(batch.offsets) < 2):
        raise BadInput(
            f"offsets: end with {batch.offsets[-1]}; with include_last_offset {n} is needed, one for each id"
        )
    return len(batch.offsets) - last


def _check_labels(case: Case, model: Classifier, batch: BagBatch, bags: int) -> None:
    loss, labels = model.loss, batch.labels
    if not isinstance(loss, CrossEntropy) or loss.probabilities:
        _floats("labels", labels, (bags, model.num_classes), case.dtype)
    else:
        if isinstance(labels, np.ndarray) and labels.dtype.kind in "iu":
            labels = np.where(labels == loss.ignore_index, 0, labels)
        _ids("labels", labels, model.num_classes, ndim=1, noun="classes", dtypes=("int64",))
        assert labels is not None
        if len(labels) != bags:
            raise BadInput(f"labels: are {len(labels)}, but there are {bags} bags; as many are needed")
    if model.dropout:
        shape = (bags, sum(model.hidden_features))
        if not isinstance(batch.keep, np.ndarray) or batch.keep.dtype != bool or batch.keep.shape != shape:
            raise BadInput(f"keep: a boolean array of shape {shape} is needed, one for each hidden unit of each bag")


def _ids(
    name: str,
    given: np.ndarray | None,
    n: int,
    ndim: int | None = None,
    noun: str = "rows of the table",
    dtypes: tuple[str, ...] = ("int64", "int32"),
    least: int = 0,
) -> None:
    """Ids are int64 or int32, as for torch's embeddings; the targets of a cross-entropy are int64 alone."""
    if not isinstance(given, np.ndarray) or given.dtype not in dtypes:
        kind = given.dtype if isinstance(given, np.ndarray) else type(given).__name__
        raise BadInput(f"{name}: are {kind}; an array of integers, {' or '.join(dtypes)}, is needed")
    if ndim is not None and given.ndim != ndim:
        raise BadInput(f"{name}: have {given.ndim} dimensions, shape {given.shape}; {ndim} are needed")
    _nonempty(name, given)
    if given.min() < least or given.max() >= n:
        where = tuple(int(i) for i in np.argwhere((given < least) | (given >= n))[0])
        raise BadInput(
            f"{name}: {given[where]} at {list(where)} is out of range; {least} to {n - 1} are allowed ({n} {noun})"
        )


def _floats(name: str, given: np.ndarray | None, shape: tuple[int, ...], dtype: str) -> None:
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
