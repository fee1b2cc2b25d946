"""The manual of what to implement: models, optimizers, batches, and the case that joins them.

Argument names and defaults are PyTorch's. Letters in shapes: B bags in a batch, L ids in a bag, N pairs, V rows of a
table, D its width, H hidden units, C classes.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray

Shapes = dict[str, tuple[int, ...]]

# --- models: what is computed, and the names and shapes of its parameters -------------------------------------------


@dataclass(frozen=True)
class Embedding:
    """A lookup alone, under a given upstream gradient: loss = sum(embedding.weight[ids] * upstream).

    Batch: `LookupBatch`. padding_idx: the row that gets no gradient. max_norm: rows that are looked up and whose
    norm_type-norm is larger are first rescaled to it, in the table itself. scale_grad_by_freq: the gradient of a row is
    divided by how often its id occurs in the batch.
    https://docs.pytorch.org/docs/stable/generated/torch.nn.Embedding.html
    """

    num_embeddings: int
    embedding_dim: int
    padding_idx: int | None = None
    max_norm: float | None = None
    norm_type: float = 2.0
    scale_grad_by_freq: bool = False

    @property
    def shapes(self) -> Shapes:
        """The parameters' shapes, by name."""
        return {"embedding.weight": (self.num_embeddings, self.embedding_dim)}

    tables = ("embedding.weight",)
    input_gradients = ()


@dataclass(frozen=True)
class EmbeddingBag:
    """Bags of vectors pooled into one each, under a given upstream gradient: loss = sum(pooled * upstream).

    Batch: `BagBatch` with `upstream`, of fixed bags (B, L) or of ragged ones, ids (N,) with offsets. mode: what a bag
    becomes; the maximum goes to the first of equals. An empty bag is zero, has no gradient, and so has a bag of padding
    alone: padding_idx is left out of the pooling and of the mean's divisor. include_last_offset: the offsets end with
    the number of ids. weighted: the batch has per_sample_weights, each vector is multiplied by its own first, and their
    gradient is asked for under that name (mode sum only). max_norm, norm_type, scale_grad_by_freq: as in `Embedding`.
    https://docs.pytorch.org/docs/stable/generated/torch.nn.EmbeddingBag.html
    """

    num_embeddings: int
    embedding_dim: int
    mode: Literal["mean", "sum", "max"] = "mean"
    padding_idx: int | None = None
    include_last_offset: bool = False
    weighted: bool = False
    max_norm: float | None = None
    norm_type: float = 2.0
    scale_grad_by_freq: bool = False

    @property
    def shapes(self) -> Shapes:
        """The parameters' shapes, by name."""
        return {"embedding.weight": (self.num_embeddings, self.embedding_dim)}

    tables = ("embedding.weight",)

    @property
    def input_gradients(self) -> tuple[str, ...]:
        """The fields of the batch whose gradient is asked for."""
        return ("per_sample_weights",) if self.weighted else ()


@dataclass(frozen=True)
class Linear:
    """A dense layer alone, under a given upstream gradient: loss = sum((input @ weight.T + bias) * upstream).

    Batch: `DenseBatch`. Its gradients are those of the parameters and of the batch's input, under the name `input`.
    https://docs.pytorch.org/docs/stable/generated/torch.nn.Linear.html
    """

    in_features: int
    out_features: int

    @property
    def shapes(self) -> Shapes:
        """The parameters' shapes, by name."""
        return {"linear.weight": (self.out_features, self.in_features), "linear.bias": (self.out_features,)}

    tables = ()
    input_gradients = ("input",)


@dataclass(frozen=True)
class CrossEntropy:
    """Softmax cross-entropy.

    weight: one a class; the mean divides by the weights of the targets that count. ignore_index: the label that does
    not count. probabilities: the labels of the batch are distributions (B, C), and the mean divides by B.
    https://docs.pytorch.org/docs/stable/generated/torch.nn.CrossEntropyLoss.html
    """

    weight: tuple[float, ...] | None = None
    ignore_index: int = -100
    reduction: Literal["mean", "sum"] = "mean"
    label_smoothing: float = 0.0
    probabilities: bool = False


@dataclass(frozen=True)
class MSELoss:
    """Squared error, for regression: the labels of the batch are (B, C) numbers.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.MSELoss.html
    """

    reduction: Literal["mean", "sum"] = "mean"


@dataclass(frozen=True)
class Classifier:
    """Pooled embedding, hidden layers each with an activation, a linear layer, and a loss averaged over the batch.

    Batch: `BagBatch` with `labels`. hidden_features: the width of each hidden layer, `fc1`, `fc2`, ...; the last layer
    gives num_classes outputs. mode, padding_idx: as in `EmbeddingBag`; under `mean` each occurrence of an id carries
    1/L of its bag's gradient. activation: `gelu_tanh` is gelu with approximate="tanh". dropout: the probability of a
    hidden unit to be dropped; the batch says which are kept.
    """

    num_embeddings: int
    embedding_dim: int
    hidden_features: tuple[int, ...]
    num_classes: int
    mode: Literal["mean", "sum", "max"] = "mean"
    padding_idx: int | None = None
    activation: Literal["relu", "tanh", "sigmoid", "gelu", "gelu_tanh"] = "relu"
    dropout: float = 0.0
    loss: CrossEntropy | MSELoss = CrossEntropy()

    @property
    def layers(self) -> tuple[str, ...]:
        """The names of the dense layers, the hidden ones first."""
        return tuple(f"fc{i}" for i in range(1, len(self.hidden_features) + 2))

    @property
    def shapes(self) -> Shapes:
        """The parameters' shapes, by name."""
        widths = (self.embedding_dim, *self.hidden_features, self.num_classes)
        shapes: Shapes = {"embedding.weight": (self.num_embeddings, self.embedding_dim)}
        for name, features, outputs in zip(self.layers, widths[:-1], widths[1:], strict=True):
            shapes |= {f"{name}.weight": (outputs, features), f"{name}.bias": (outputs,)}
        return shapes

    tables = ("embedding.weight",)
    input_gradients = ()


@dataclass(frozen=True)
class SkipGram:
    """A centre word predicts a word of its context, by a softmax over the whole vocabulary (Mikolov et al. 2013).

    Batch: `PairBatch`. logits = center.weight[centers] @ context.weight.T; the loss is the cross-entropy of the
    contexts, over the pairs averaged or summed. Only the centre table can have a row gradient: the softmax reaches
    every row of the context table.
    """

    num_embeddings: int
    embedding_dim: int
    reduction: Literal["mean", "sum"] = "mean"

    @property
    def shapes(self) -> Shapes:
        """The parameters' shapes, by name."""
        shape = (self.num_embeddings, self.embedding_dim)
        return {"center.weight": shape, "context.weight": shape}

    tables = ("center.weight",)
    input_gradients = ()


Model = Embedding | EmbeddingBag | Linear | Classifier | SkipGram

# --- optimizers ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class SGD:
    """Gradient descent: param -= lr * grad.

    https://docs.pytorch.org/docs/stable/generated/torch.optim.SGD.html
    """

    lr: float = 1e-3
    state = ()
    normalizes = False


@dataclass(frozen=True)
class Adam:
    """Moments with bias correction, eps outside the root (Kingma and Ba 2015, as PyTorch has it). Dense gradients only.

    https://docs.pytorch.org/docs/stable/generated/torch.optim.Adam.html
    """

    lr: float = 1e-3
    betas: tuple[float, float] = (0.9, 0.999)
    eps: float = 1e-8
    state = ("step", "exp_avg", "exp_avg_sq")
    normalizes = True


Optimizer = SGD | Adam

# --- batches ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class LookupBatch:
    """Ids of any rank, and the gradient that reaches each vector looked up."""

    ids: Int[ndarray, "..."]
    upstream: Float[ndarray, "... D"]


@dataclass(frozen=True, eq=False)
class DenseBatch:
    """Input rows, and the gradient that reaches each output row."""

    input: Float[ndarray, "B D"]
    upstream: Float[ndarray, "B C"]


@dataclass(frozen=True, eq=False)
class BagBatch:
    """B bags of ids, and what they should become.

    ids: (B, L), or all bags one after the other, (N,), with the offsets at which each begins (and, if the model says
    so, the number of ids as a last one). labels: the class of each bag, or (B, C) numbers, as the loss wants them.
    per_sample_weights: shaped as the ids. upstream: the gradient that reaches each pooled vector, for an
    `EmbeddingBag` alone. keep: which units of all hidden layers side by side dropout leaves alone, (B, H1 + H2 + ...).
    """

    ids: Int[ndarray, "B L"] | Int[ndarray, " N"]
    labels: Int[ndarray, " B"] | Float[ndarray, "B C"] | None = None
    offsets: Int[ndarray, " B"] | None = None
    per_sample_weights: Float[ndarray, "*ids"] | None = None
    upstream: Float[ndarray, "B D"] | None = None
    keep: Bool[ndarray, "B H"] | None = None


@dataclass(frozen=True, eq=False)
class PairBatch:
    """Pairs of a centre word and one word of its context. A centre with several contexts stands in several pairs."""

    centers: Int[ndarray, " N"]
    contexts: Int[ndarray, " N"]


Batch = LookupBatch | DenseBatch | BagBatch | PairBatch

# --- data: where the batches of a case come from ---------------------------------------------------------------------


@dataclass(frozen=True)
class Dialogue:
    """The small run of a written dialogue on backpropagation: four bags, or the seven-word corpus.

    A classifier sees the four bags in every step. A skip-gram sees one centre word a step, with all its contexts within
    the window; after the last word of the corpus it begins anew.
    """

    window: int = 1


@dataclass(frozen=True)
class Drawn:
    """Seeded batches, new in every step.

    shape: that of the ids, or (B,) rows, or (N,) pairs. zipf: ids as skewed as words are (density 1/rank) instead of
    uniform. used: how many of the vocabulary's rows may occur (default: all), so that some are sure never to be
    looked up. ragged: bags of 0 to L ids, the last one empty in every other step, handed over with offsets. ids_dtype:
    that of the ids. Where the model has a padding_idx, the first bag is of padding alone.
    """

    shape: tuple[int, ...]
    zipf: bool = False
    used: int | None = None
    ragged: bool = False
    ids_dtype: Literal["int64", "int32"] = "int64"


@dataclass(frozen=True)
class Text:
    """Mini-batches of a real text, in an order drawn once for each pass.

    source: `pydoc_data.topics` or the path of a UTF-8 file. A classifier gets paragraphs, cut or repeated to `length`
    ids, and their chapter; a skip-gram the pairs within `window`.
    """

    source: str
    batch_size: int
    length: int = 16
    window: int = 2


Data = Dialogue | Drawn | Text

# --- the case --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Case:
    """Everything that an implementation is held to: a model, an optimizer, data, and how to compute.

    name: what is special about it. sparse: the gradients of `model.tables` are asked for as rows. dtype: of the
    parameters, and so of all that is computed from them. steps: how many batches are trained on. gain: the initial
    weights are so many times larger than usual, so that a softmax saturates.
    """

    name: str
    model: Model
    optimizer: Optimizer
    data: Data
    steps: int = 3
    sparse: bool = False
    dtype: Literal["float64", "float32"] = "float64"
    seed: int = 0
    gain: float = 1.0

    @cached_property
    def id(self) -> str:
        """Readable and unique in the catalogue: `classifier-dialogue-sgd-rows-f64`."""
        layout = ("rows" if self.sparse else "dense") if self.model.tables else "dense"
        parts = (self.family, self.name, type(self.optimizer).__name__.lower(), layout, self.dtype.replace("loat", ""))
        return "-".join(parts)

    @property
    def family(self) -> str:
        """The model's name in lower case, by which the table of `verify` is laid out."""
        return type(self.model).__name__.lower()

    @property
    def row_tables(self) -> tuple[str, ...]:
        """The tables whose gradient is asked for as rows."""
        return self.model.tables if self.sparse else ()

    @property
    def refusal(self) -> str:
        """Why PyTorch refuses this combination, and so both twins do, and what to use instead; empty if it does not."""
        if not self.sparse:
            return ""
        if isinstance(self.optimizer, Adam):
            return "Adam takes dense gradients only; use SGD for row gradients"
        if getattr(self.model, "mode", None) == "max":
            return "mode max has dense gradients only; use sparse=False, or mode mean or sum"
        if getattr(self.model, "scale_grad_by_freq", False):
            return "scale_grad_by_freq has dense gradients only; use sparse=False"
        return ""

    @cached_property
    def eps(self) -> float:
        """The distance from 1 to the next number of the dtype, the unit in which errors are given."""
        return float(np.finfo(self.dtype).eps)
