"""The case: everything that an implementation is held to."""

from __future__ import annotations

from dataclasses import MISSING, dataclass, fields
from functools import cached_property
from typing import Literal

import numpy as np

from reference.cases.cbow import CBOW
from reference.cases.classifier import Classifier
from reference.cases.data import Data
from reference.cases.embedding import Embedding
from reference.cases.embedding_bag import EmbeddingBag
from reference.cases.labels import labels
from reference.cases.linear import Linear
from reference.cases.optimizers import SGD, Adagrad, Adam, Optimizer, RMSprop, SparseAdam
from reference.cases.skipgram import SkipGram
from reference.errors import BadInput

Model = Embedding | EmbeddingBag | Linear | Classifier | SkipGram | CBOW


@dataclass(frozen=True)
class Case:
    """Everything that an implementation is held to: a model, an optimizer, data, and how to compute.

    name: what is special about its data and sizes, empty where nothing is; options stand in the id by themselves.
    sparse: the gradients of `model.tables` are asked for as rows. dtype: of the parameters, and so of all that is
    computed from them. steps: how many batches are trained on. gain: the initial weights are so many times larger than
    usual, so that a softmax saturates. grid: the initial weights are rounded to multiples of it, so that there are
    exact zeros and ties. max_norm: before each update the gradients of the parameters are scaled down to this norm of
    all of them together, as `torch.nn.utils.clip_grad_norm_` does. lr_decay_to: the learning rate falls linearly, from
    the optimizer's in the first step to this one after the last, as in word2vec; `step()` sees to it.
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
    max_norm: float | None = None
    lr_decay_to: float | None = None
    grid: float | None = None

    def __post_init__(self) -> None:
        if self.max_norm is not None and not 0 < self.max_norm < np.inf:
            raise BadInput(f"case {self.id}: max_norm is {self.max_norm}; a number above 0, or None, is needed")
        if self.lr_decay_to is not None and not 0 <= self.lr_decay_to <= self.optimizer.lr:
            raise BadInput(
                f"case {self.id}: lr_decay_to is {self.lr_decay_to}; a number from 0 to the lr, "
                f"{self.optimizer.lr}, or None, is needed"
            )

    @cached_property
    def id(self) -> str:
        """What it is, but for sizes and rates: `classifier-primes-max-gelu-adam-amsgrad-clip-dense-f64`.

        The model, the name, every option that is not its default, the layout of the gradients, and the dtype.
        """
        parts = [self.family, *([self.name] if self.name else []), *labels(self.model)]
        parts += ["ragged"] if getattr(self.data, "ragged", False) else []
        parts += ["int32"] if getattr(self.data, "ids_dtype", "int64") == "int32" else []
        parts += [self.optimizer.label, *([] if self.max_norm is None else ["clip"])]
        parts += [] if self.lr_decay_to is None else ["lrdecayto"]
        parts += ["rows" if self.row_tables else "dense", self.dtype.replace("loat", "")]
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
    def plain(self) -> bool:
        """No option is other than its default, but for sizes and rates: what a first implementation does.

        Dense gradients, bags of one length, one hidden layer, no clipping and no decay of the learning rate.
        """
        options = (
            getattr(part, option.name) == option.default
            for part in (self.model, self.optimizer)
            for option in fields(part)
            if option.default is not MISSING and option.name != "lr"
        )
        more = self.sparse, self.max_norm, self.lr_decay_to is not None, getattr(self.data, "ragged", False)
        return all(options) and not any(more) and len(getattr(self.model, "hidden_features", "1")) == 1

    @property
    def refusal(self) -> str:
        """Why PyTorch refuses this combination, and so both twins do, and what to use instead; empty if it does not."""
        name, rows = type(self.optimizer).__name__, self.row_tables
        dense = [parameter for parameter in self.model.shapes if parameter not in rows]
        match self.optimizer:
            case Adam() | RMSprop() if rows:
                return f"{name} takes dense gradients only; use SparseAdam, Adagrad or SGD for row gradients"
            case SGD(weight_decay=decay) | Adagrad(weight_decay=decay) if rows and decay:
                return f"{name} takes no weight_decay with row gradients; use weight_decay=0, or dense gradients"
            case SparseAdam() if dense:
                return f"{name} takes row gradients only, that of {dense[0]} is dense; use Adagrad, SGD or dense Adam"
        if rows and getattr(self.model, "mode", None) == "max":
            return "mode max has dense gradients only; use sparse=False, or mode mean or sum"
        if rows and getattr(self.model, "scale_grad_by_freq", False):
            return "scale_grad_by_freq has dense gradients only; use sparse=False"
        return ""

    @cached_property
    def eps(self) -> float:
        """The distance from 1 to the next number of the dtype, the unit in which errors are given."""
        return float(np.finfo(self.dtype).eps)
