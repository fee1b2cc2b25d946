"""The manual of what to implement: models, optimizers, batches, and the case that joins them.

Argument names and defaults are PyTorch's. Letters in shapes: B bags in a batch, L ids in a bag, N pairs, V rows of a
table, D its width, H hidden units, C classes.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

Shapes = dict[str, tuple[int, ...]]

# --- models: what is computed, and the names and shapes of its parameters -------------------------------------------


@dataclass(frozen=True)
class Embedding:
    """A lookup alone, under a given upstream gradient: loss = sum(embedding.weight[ids] * upstream).

    Batch: `LookupBatch`. https://docs.pytorch.org/docs/stable/generated/torch.nn.Embedding.html
    """

    num_embeddings: int
    embedding_dim: int

    @property
    def shapes(self) -> Shapes:
        """The parameters' shapes, by name."""
        return {"embedding.weight": (self.num_embeddings, self.embedding_dim)}

    tables = ("embedding.weight",)
    gradient_of_input = False


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
    gradient_of_input = True


@dataclass(frozen=True)
class Classifier:
    """Mean-pooled embedding, linear, ReLU, linear, softmax cross-entropy averaged over the batch.

    Batch: `BagBatch`. The pooled vector is the mean over the L ids of a bag, so each occurrence of an id carries 1/L of
    the bag's gradient.
    """

    num_embeddings: int
    embedding_dim: int
    hidden_features: int
    num_classes: int

    @property
    def shapes(self) -> Shapes:
        """The parameters' shapes, by name."""
        return {
            "embedding.weight": (self.num_embeddings, self.embedding_dim),
            "fc1.weight": (self.hidden_features, self.embedding_dim),
            "fc1.bias": (self.hidden_features,),
            "fc2.weight": (self.num_classes, self.hidden_features),
            "fc2.bias": (self.num_classes,),
        }

    tables = ("embedding.weight",)
    gradient_of_input = False


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
    gradient_of_input = False


Model = Embedding | Linear | Classifier | SkipGram

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
    """Bags of L ids each, and the class of each bag."""

    ids: Int[ndarray, "B L"]
    labels: Int[ndarray, " B"]


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
    looked up.
    """

    shape: tuple[int, ...]
    zipf: bool = False
    used: int | None = None


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

    @cached_property
    def eps(self) -> float:
        """The distance from 1 to the next number of the dtype, the unit in which errors are given."""
        return float(np.finfo(self.dtype).eps)
