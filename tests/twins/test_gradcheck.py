"""PyTorch's own `gradcheck` over the NumPy layers: central differences of the forward pass against the backward pass.

It is a judge that knows nothing of the twins. With its default tolerances an error of 0.1 % passes (nasty case 27);
with those below, one of two millionths is noticed.

gradcheck refuses a sparse gradient of a dense input: "grad is incorrect layout" (pytorch#14596, #96187). So a table
whose gradient comes as rows is handed over as a sparse tensor that has every row. check_undefined_grad is off for it:
that compares the gradient with 0, and has no kernel to do so where it is sparse (torch 2.13.0: aten::eq.Scalar).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from numpy import ndarray
from torch.autograd.gradcheck import GradcheckError

import numpy_impl
from numpy_impl import functional
from numpy_impl.conv1d import conv1d
from numpy_impl.embedding import embedding
from numpy_impl.embedding_bag import embedding_bag, weighted_bag
from numpy_impl.linear import linear
from numpy_impl.objectives import decisions
from reference.cases import (
    ACTIVATIONS,
    CBOW,
    SGD,
    Case,
    Classifier,
    Conv1d,
    Dialogue,
    Drawn,
    Embedding,
    EmbeddingBag,
    GloVe,
    HierarchicalSoftmax,
    Linear,
    MSELoss,
    NegativeSampling,
    SharedNegatives,
    SkipGram,
    TextCNN,
)
from reference.contract import Implementation, RowGrad
from reference.data.stream import Stream
from reference.mistakes import MISTAKES

NOTICED = 2e-6
"""The smallest relative error of a gradient entry of size 1 that must fail."""

Layer = Callable[..., tuple[Any, Callable]]


class Wrapped(torch.autograd.Function):
    """A NumPy layer for autograd: the forward pass keeps the backward pass, as the layer returns it."""

    @staticmethod
    def forward(ctx: Any, layer: Layer, *inputs: torch.Tensor) -> torch.Tensor:
        output, ctx.layers_backward = layer(*(tensor.detach().to_dense().numpy() for tensor in inputs))
        return torch.as_tensor(np.asarray(output))

    @staticmethod
    def backward(ctx: Any, d: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        grads = ctx.layers_backward(d.numpy())
        return None, *(as_tensor(grad) for grad in (grads if isinstance(grads, tuple) else (grads,)))


def as_tensor(grad: ndarray | RowGrad) -> torch.Tensor:
    if isinstance(grad, RowGrad):
        return torch.sparse_coo_tensor(grad.rows[None], grad.values, grad.shape)
    return torch.as_tensor(grad)


def times(d: ndarray, grad: ndarray | RowGrad) -> ndarray | RowGrad:
    """The chain rule for the gradient of a loss, d being that of the loss itself."""
    return RowGrad(grad.rows, d * grad.values, grad.shape) if isinstance(grad, RowGrad) else d * grad


@pytest.fixture(autouse=True)
def _sparse_tensors_are_checked() -> Iterator[None]:
    with torch.sparse.check_sparse_tensor_invariants(enable=True):  # unsaid, torch warns
        yield


def gradcheck(layer: Layer, *inputs: ndarray, tables: tuple[int, ...] = ()) -> None:
    """Raise GradcheckError where the Jacobians differ. tables: the inputs whose gradients come as rows."""
    tensors = [torch.tensor(array) for array in inputs]
    tensors = [tensor.to_sparse(1) if i in tables else tensor for i, tensor in enumerate(tensors)]
    function = partial(Wrapped.apply, layer)
    # a central difference is wrong by f''' eps² / 6, under 1e-8 here, and by its rounding, under 1e-11
    torch.autograd.gradcheck(
        function,
        [tensor.requires_grad_() for tensor in tensors],
        eps=1e-4,
        atol=3e-8,
        rtol=NOTICED / 4,
        check_undefined_grad=not tables,
    )


# --- the layers ------------------------------------------------------------------------------------------------------

stream = Stream(27)
draw = stream.signed
IDS = np.array([[1, 2, 3, 1], [4, 4, 4, 0], [2, 2, 2, 2]])  # row 5 is never looked up
RAGGED = np.array([1, 2, 2, 4, 1, 1, 0])
OFFSETS = np.array([0, 3, 3, 6])  # the second bag is empty
TABLE, INPUT = draw((6, 3)), draw((4, 3))
KEEP = stream.uniform((4, 3)) > 0.4
PATHS = np.array([[0, 2, 2], [1, 1, 0], [3, 0, 5], [4, 4, 4]])
SIGNS = np.array([[1.0, -1, 0], [1, 1, -1], [-1, 1, 1], [1, 0, 1]])
CONVOLUTION = draw((2, 3, 8)), draw((4, 3, 4)), draw((4,))
STEPS, LENGTHS = draw((3, 2, 5)), np.array([5, 1, 3])
INSIDE = functional.within(LENGTHS, 5)


def loss(function: Layer, target: ndarray, **options: Any) -> Layer:
    """A loss takes no upstream: it is the end of the chain."""

    def layer(x: ndarray) -> tuple[Any, Callable]:
        value, backward = function(x, target, **options)
        return value, lambda d: d * backward()

    return layer


def table(function: Layer, ids: ndarray, *options: Any, **more: Any) -> Layer:
    return lambda weight: function(ids, weight, *options, **more)


def decided(hidden: ndarray, nodes: ndarray, sparse: bool) -> tuple[Any, Callable]:
    value, backward = decisions(hidden, nodes, PATHS, SIGNS, "mean", sparse)
    return value, lambda d: tuple(times(d, grad) for grad in backward())


def weighted(weight: ndarray, per_sample: ndarray, sparse: bool) -> tuple[Any, Callable]:
    return weighted_bag(RAGGED, weight, per_sample, sparse, OFFSETS, padding_idx=4)


CLASS_WEIGHTS = np.array([0.5, 2.0, 1.25])
LABELS = np.array([0, 2, 1, 2])
SHARES = np.array([[0.2, 0.3, 0.5], [1, 0, 0], [0.1, 0.8, 0.1], [0.4, 0.3, 0.3]])

DENSE: dict[str, tuple[Layer, tuple[ndarray, ...]]] = {
    "linear": (linear, (INPUT, draw((2, 3)), draw((2,)))),
    **{name: (getattr(functional, name), (INPUT,)) for name in ACTIVATIONS},
    "log_sigmoid": (functional.log_sigmoid, (4 * INPUT,)),
    "dropout": (lambda x: functional.dropout(x, KEEP, 0.4), (INPUT,)),
    "conv1d": (lambda *given: conv1d(*given, 2, 2, 1), CONVOLUTION),
    "conv1d, same": (lambda *given: conv1d(*given, 1, 1, "same"), CONVOLUTION),
    "cut": (lambda x: functional.cut(x, LENGTHS), (STEPS.transpose(0, 2, 1),)),
    "over_time, max": (lambda x: functional.over_time(x, INSIDE, "max"), (STEPS,)),
    "over_time, mean": (lambda x: functional.over_time(x, INSIDE, "mean"), (STEPS,)),
    "mse_loss": (loss(functional.mse_loss, draw((4, 3))), (INPUT,)),
    "cross_entropy": (loss(functional.cross_entropy, LABELS), (INPUT,)),
    "cross_entropy, sum": (loss(functional.cross_entropy, LABELS, reduction="sum"), (INPUT,)),
    "cross_entropy, weight, ignore_index, smoothing": (
        loss(functional.cross_entropy, LABELS, weight=CLASS_WEIGHTS, ignore_index=1, label_smoothing=0.1),
        (INPUT,),
    ),
    "cross_entropy, probabilities": (loss(functional.cross_entropy, SHARES, weight=CLASS_WEIGHTS), (INPUT,)),
    "embedding_bag, max": (table(embedding_bag, RAGGED, False, OFFSETS, "max", padding_idx=4), (TABLE,)),
}
ROWS: dict[str, tuple[Callable[[bool], Layer], tuple[ndarray, ...], tuple[int, ...]]] = {
    # a layer that has both layouts, its inputs, and which of them are tables
    "embedding": (lambda sparse: table(embedding, IDS, sparse), (TABLE,), (0,)),
    "embedding_bag": (lambda sparse: table(embedding_bag, IDS, sparse), (TABLE,), (0,)),
    "embedding_bag, ragged": (lambda sparse: table(embedding_bag, RAGGED, sparse, OFFSETS), (TABLE,), (0,)),
    "embedding_bag, sum": (lambda sparse: table(embedding_bag, IDS, sparse, None, "sum", 4), (TABLE,), (0,)),
    "weighted_bag": (lambda sparse: partial(weighted, sparse=sparse), (TABLE, draw((7,))), (0,)),
    "decisions": (lambda sparse: partial(decided, sparse=sparse), (INPUT, TABLE), (1,)),
}
LAYERS = {name: (layer, inputs, ()) for name, (layer, inputs) in DENSE.items()}
LAYERS |= {f"{name}, dense": (layer(False), inputs, ()) for name, (layer, inputs, _) in ROWS.items()}
LAYERS |= {f"{name}, rows": (layer(True), inputs, tables) for name, (layer, inputs, tables) in ROWS.items()}


@pytest.mark.parametrize("layer", LAYERS.values(), ids=LAYERS)
def test_a_layers_backward_pass_is_the_derivative_of_its_forward_pass(layer: tuple) -> None:
    function, inputs, tables = layer
    gradcheck(function, *inputs, tables=tables)


@pytest.mark.parametrize("layer", LAYERS.values(), ids=LAYERS)
def test_an_error_of_two_millionths_is_noticed(layer: tuple) -> None:
    function, inputs, tables = layer

    def wrong(*inputs: ndarray) -> tuple[Any, Callable]:
        output, backward = function(*inputs)
        return output, lambda d: backward(d * (1 + NOTICED))

    with pytest.raises(GradcheckError, match="Jacobian mismatch"):
        gradcheck(wrong, *inputs, tables=tables)


def test_rows_of_a_dense_table_are_refused_by_gradcheck_itself() -> None:
    """The reason for handing tables over as sparse tensors."""
    layer, inputs, _ = LAYERS["embedding, rows"]
    with pytest.raises(GradcheckError, match="grad is incorrect layout"):
        gradcheck(layer, *inputs)


# --- whole models, and the mistakes in them --------------------------------------------------------------------------


def gradcheck_of(implementation: Implementation, case: Case) -> None:
    """Hold the gradients of a whole model, of the case's first batch, against differences of its loss."""
    weights, batch = case.weights(), next(case.batches())

    def loss_of(*parameters: ndarray) -> tuple[Any, Callable]:
        trainer = implementation.build(case, dict(zip(weights, parameters, strict=True)))
        value, grads = trainer.loss_and_grads(batch)
        return value, lambda d: tuple(times(d, grads[name]) for name in weights)

    tables = tuple(i for i, name in enumerate(weights) if name in case.row_tables)
    gradcheck(loss_of, *weights.values(), tables=tables)


CLASSIFIER = Case("dialogue", Classifier(10, 3, (4,), 2, activation="tanh"), SGD(), Dialogue())
PAIRS = Case("dialogue", SkipGram(7, 3, reduction="sum"), SGD(), Dialogue(), seed=1)
HITS = Case("hits", SkipGram(3, 4, NegativeSampling(7, "mask")), SGD(), Drawn((9,)))
CONTEXTS = Case("lengths", CBOW(5, 6, "mean", NegativeSampling()), SGD(), Drawn((7, 9)))
COUNTS = Case("counts", GloVe(5, 3), SGD(), Drawn((9,)), seed=2)
SOFTMAX = replace(CONTEXTS, model=CBOW(5, 6, "sum"))
TREE = Case("tree", SkipGram(5, 3, HierarchicalSoftmax()), SGD(), Drawn((6,), zipf=True))
BLOCKS = Case("blocks", SkipGram(5, 3, SharedNegatives(2, 4, "mask")), SGD(), Drawn((2, 3)))
LOOKUP = Case("lookup", Embedding(6, 3), SGD(), Drawn((4, 3)))
BAGS = Case("bags", EmbeddingBag(6, 3, "sum", padding_idx=2, weighted=True), SGD(), Drawn((4, 3), ragged=True))
DENSE_LAYER = Case("layer", Linear(4, 3), SGD(), Drawn((5,)))
DROPPED = Case(
    "dropped", Classifier(6, 3, (4, 3), 2, dropout=0.4, activation="tanh", loss=MSELoss()), SGD(), Drawn((4, 3))
)
WINDOWS = Case("windows", Conv1d(3, 4, 3, stride=2, dilation=2, padding=1), SGD(), Drawn((2, 8)))
SENTENCES = Case(
    "sentences",
    TextCNN(6, 3, 2, (2, 3), 2, padding="same", activation="tanh", dropout=0.4),
    SGD(),
    Drawn((4, 5), ragged=True),
)
MODELS = [CLASSIFIER, PAIRS, HITS, CONTEXTS, SOFTMAX, TREE, BLOCKS, LOOKUP, BAGS, DENSE_LAYER, DROPPED, COUNTS]
MODELS += [WINDOWS, SENTENCES]
"""One of each model and objective."""

MISTAKEN = [
    ("not-scattered", CLASSIFIER),
    ("duplicates-overwritten", CLASSIFIER),
    ("mean-undivided", CLASSIFIER),
    ("bias-not-summed", CLASSIFIER),
    ("logits-for-probabilities", CLASSIFIER),
    ("sign-turned", CLASSIFIER),
    ("mean-undivided", CONTEXTS),
    ("negatives-pulled", CONTEXTS),
    ("hits-masked-in-the-loss-alone", HITS),
    ("square-slope-without-2", COUNTS),
    ("biases-not-trained", COUNTS),
    ("windows-overwritten", SENTENCES),
    ("padding-cut-wrong", SENTENCES),
]
both_layouts = pytest.mark.parametrize("sparse", [False, True], ids=["dense", "rows"])


@both_layouts
@pytest.mark.parametrize("case", MODELS, ids=lambda case: case.id)
def test_a_models_gradients_are_the_derivative_of_its_loss(case: Case, sparse: bool) -> None:
    gradcheck_of(numpy_impl, replace(case, sparse=sparse))


@both_layouts
@pytest.mark.parametrize(("mistake", "case"), MISTAKEN, ids=lambda value: value if isinstance(value, str) else value.id)
def test_a_planted_mistake_fails(mistake: str, case: Case, sparse: bool) -> None:
    with pytest.raises(GradcheckError, match="Jacobian mismatch"):
        gradcheck_of(MISTAKES[mistake], replace(case, sparse=sparse))
