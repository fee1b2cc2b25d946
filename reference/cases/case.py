"""The case: everything that an implementation is held to."""

from __future__ import annotations

import math
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass, fields, replace
from functools import cached_property
from itertools import count, islice
from typing import Literal, assert_never

import numpy as np

from reference.cases import validation
from reference.cases.batches import Batch
from reference.cases.data import Data, Dialogue, Drawn, Recorded, Text
from reference.cases.labels import labels
from reference.cases.model import Model
from reference.cases.optimizers import Optimizer
from reference.contract import Params
from reference.data.stream import BATCHES, NEGATIVES, WEIGHTS, Stream
from reference.errors import BadInput


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
        return self.model.family

    @property
    def row_tables(self) -> tuple[str, ...]:
        """The tables whose gradient is asked for as rows."""
        return self.model.tables if self.sparse else ()

    @property
    def plain(self) -> bool:
        """No option is other than its default, but for sizes and rates: what a first implementation does.

        Dense gradients, bags of one length, one hidden layer, no clipping and no decay of the learning rate.
        """
        options = (part for part in fields(self.optimizer) if part.name != "lr")
        usual = all(getattr(self.optimizer, part.name) == part.default for part in options)
        more = self.sparse, self.max_norm, self.lr_decay_to is not None, getattr(self.data, "ragged", False)
        return usual and self.model.plain and not any(more)

    @property
    def refusal(self) -> str:
        """Why PyTorch refuses this combination, and so both twins do, and what to use instead; empty if it does not."""
        rows = self.row_tables
        dense = [name for name in self.model.shapes if name not in rows]
        refusals = []
        if rows:
            refusals += [self.optimizer.rows_refused, self.model.rows_refused]
        if dense and self.optimizer.dense_refused:
            refusals.append(self.optimizer.dense_refused.format(dense[0]))
        return next(filter(None, refusals), "")

    def weights(self) -> Params:
        """Initial weights by name: tables uniform in ±1, layers in ±1/sqrt(fan in) as PyTorch's are; new arrays."""
        if isinstance(self.data, Recorded):
            return deepcopy(self.data.weights)
        stream, bound = Stream(self.seed, WEIGHTS), 1.0
        drawn = {}
        for name, shape in self.model.shapes.items():
            if name.endswith(".weight"):
                bound = 1.0 if name in self.model.embeddings else 1 / math.sqrt(shape[-1])
            values = stream.signed(shape, self.gain * bound)
            drawn[name] = (np.round(values / self.grid) * self.grid if self.grid else values).astype(self.dtype)
        return drawn

    def batches(self) -> Iterator[Batch]:
        """The batches, one a step, in arrays of their own.

        Raises:
            BadInput: the text cannot be read or has no two words, or the model has no batches of this data.
        """
        data, model, stream = self.data, self.model, Stream(self.seed, BATCHES)
        match data:
            case Recorded():
                return map(deepcopy, data.batches[: self.steps])
            case Dialogue():
                found = model.dialogue(data)
            case Drawn():
                found = (model.draw(data, stream, self.dtype, step) for step in count(1))
            case Text():
                found = _from_text(model, data, stream)
            case _:
                assert_never(data)
        complete = islice(model.complete(found, data, Stream(self.seed, NEGATIVES)), self.steps)
        return (_with_floats(batch, self.dtype) for batch in complete)

    @property
    def examples(self) -> int:
        """How many examples the first pass over the case's text has; the other passes, random as they are, about."""
        assert isinstance(self.data, Text)
        return len(self.model.examples(self.data.corpus, self.data, Stream(self.seed, BATCHES))[1])

    def check_weights(self, weights: Params) -> None:
        """Raise BadInput unless these are finite weights of the case's names, shapes and dtype."""
        shapes = self.model.shapes
        if weights.keys() != shapes.keys():
            raise BadInput(f"weights: have the names {sorted(weights)}; {self.family} has {sorted(shapes)}")
        for name, shape in shapes.items():
            validation.floats(f"weights: {name}", weights[name], shape, self.dtype)

    def check_batch(self, batch: Batch) -> None:
        """Raise BadInput unless the batch is one that the case's model can be trained on."""
        self.model.check(batch, self.dtype)

    @cached_property
    def eps(self) -> float:
        """The distance from 1 to the next number of the dtype, the unit in which errors are given."""
        return float(np.finfo(self.dtype).eps)


def _with_floats(batch: Batch, dtype: str) -> Batch:
    """The batch with its floats in the dtype."""
    parts = {part.name: getattr(batch, part.name) for part in fields(batch)}
    return replace(batch, **{name: part.astype(dtype) for name, part in parts.items() if part.dtype.kind == "f"})


def _from_text(model: Model, data: Text, stream: Stream) -> Iterator[Batch]:
    """Mini-batches without end: each pass over the text in an order of its own, what is left of one before the next."""
    rest: list[np.ndarray] = []
    while True:
        parts = model.examples(data.corpus, data, stream)
        order = stream.order(len(parts[1]))
        found = [part[order] for part in parts]
        rest = [np.concatenate(both) for both in zip(rest, found, strict=True)] if rest else found
        while len(rest[1]) >= data.batch_size:
            yield model.collate(*(part[: data.batch_size] for part in rest))
            rest = [part[data.batch_size :] for part in rest]
