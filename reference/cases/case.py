"""The case: one training run that implementations are compared on."""

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
from reference.cases.layout import Layout
from reference.cases.model import Model
from reference.cases.optimizers import Optimizer
from reference.contract import Params
from reference.data.stream import BATCHES, NEGATIVES, WEIGHTS, Stream
from reference.errors import BadInput


@dataclass(frozen=True)
class Case:
    """One training run: a model, an optimizer, data, and how to compute.

    name: what is special about the data and sizes, or empty; the id has the options anyway. sparse: the tables in
    `model.tables` get row gradients. dtype: the dtype of the parameters, and so of everything computed from them.
    steps: the number of batches. gain: a factor on the usual initial weights; large weights saturate a softmax. grid:
    the initial weights are rounded to multiples of this, which gives exact zeros and ties. max_norm: before each
    update, all gradients together are scaled down to this norm, as `torch.nn.utils.clip_grad_norm_` does. lr_decay_to:
    the learning rate falls linearly, from the optimizer's lr in the first step to this value after the last step, as in
    word2vec; `step()` does this. layout: how the weights and the arrays of the batches lie in memory when an
    implementation gets them.
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
    layout: Layout = "contiguous"

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
        """The case's id, such as `classifier-primes-max-gelu-adam-amsgrad-clip-dense-f64`.

        It has the model, the name, every option that is not its default, the layout of the gradients, and the dtype.
        Sizes and rates are not in it.
        """
        parts = [self.family, *([self.name] if self.name else []), *labels(self.model)]
        parts += ["ragged"] if getattr(self.data, "ragged", False) else []
        parts += ["int32"] if getattr(self.data, "ids_dtype", "int64") == "int32" else []
        parts += [] if self.layout == "contiguous" else [self.layout]
        parts += [self.optimizer.label, *([] if self.max_norm is None else ["clip"])]
        parts += [] if self.lr_decay_to is None else ["lrdecayto"]
        parts += ["rows" if self.row_tables else "dense", self.dtype.replace("loat", "")]
        return "-".join(parts)

    @property
    def family(self) -> str:
        """The model's name in lower case. The table of `verify` has one row for it."""
        return self.model.family

    @property
    def row_tables(self) -> tuple[str, ...]:
        """The tables that get row gradients."""
        return self.model.tables if self.sparse else ()

    @property
    def plain(self) -> bool:
        """Whether all options have their defaults, as in a first implementation. Sizes and rates may be any.

        Gradients are dense, bags have one length, and there is one hidden layer, no clipping and no decay of the
        learning rate. The memory layout may be any: the numbers are the same.
        """
        options = (part for part in fields(self.optimizer) if part.name != "lr")
        usual = all(getattr(self.optimizer, part.name) == part.default for part in options)
        more = self.sparse, self.max_norm, self.lr_decay_to is not None, getattr(self.data, "ragged", False)
        return usual and self.model.plain and not any(more)

    @property
    def refusal(self) -> str:
        """Why PyTorch, and so both twins, refuses this combination, and what to use instead; empty if it does not."""
        rows = self.row_tables
        dense = [name for name in self.model.shapes if name not in rows]
        refusals = []
        if rows:
            refusals += [self.optimizer.rows_refused, self.model.rows_refused]
        if dense and self.optimizer.dense_refused:
            refusals.append(self.optimizer.dense_refused.format(dense[0]))
        return next(filter(None, refusals), "")

    def weights(self) -> Params:
        """New arrays of initial weights, by name: tables uniform in ±1, layers in ±1/sqrt(fan in) as in PyTorch."""
        if isinstance(self.data, Recorded):
            return deepcopy(self.data.weights)
        stream, bound = Stream(self.seed, WEIGHTS), 1.0
        drawn = {}
        for name, shape in self.model.shapes.items():
            if name.endswith(".weight"):
                bound = 1.0 if name in self.model.embeddings else 1 / math.sqrt(math.prod(shape[1:]))
            values = stream.signed(shape, self.gain * bound)
            drawn[name] = (np.round(values / self.grid) * self.grid if self.grid else values).astype(self.dtype)
        return drawn

    def batches(self) -> Iterator[Batch]:
        """The batches, one per step, as new arrays.

        Raises:
            BadInput: the text cannot be read, or has too few words or examples, or the model has no batches of
                this data.
        """
        data, model, stream = self.data, self.model, Stream(self.seed, BATCHES)
        match data:
            case Recorded():
                return map(deepcopy, data.batches[: self.steps])
            case Dialogue():
                found = model.dialogue(data)
            case Drawn():
                drawn = ((step, model.draw(data, stream, self.dtype, step)) for step in count(1))
                found = (model.silenced(batch) if step in data.silent else batch for step, batch in drawn)
            case Text():
                found = _from_text(model, data, stream)
            case _:
                assert_never(data)
        complete = islice(model.complete(found, data, Stream(self.seed, NEGATIVES)), self.steps)
        return (_with_floats(batch, self.dtype) for batch in complete)

    @cached_property
    def examples(self) -> int:
        """The number of examples in the first pass over the text. Passes are random; later ones have about as many."""
        assert isinstance(self.data, Text)
        return len(self.model.examples(self.data.corpus, self.data, Stream(self.seed, BATCHES))[1])

    def check_weights(self, weights: Params) -> None:
        """Raise BadInput unless the weights are finite and have the case's names, shapes and dtype."""
        shapes = self.model.shapes
        if weights.keys() != shapes.keys():
            raise BadInput(f"weights: have the names {sorted(weights)}; {self.family} has {sorted(shapes)}")
        for name, shape in shapes.items():
            validation.floats(f"weights: {name}", weights[name], shape, self.dtype)

    def check_batch(self, batch: Batch) -> None:
        """Raise BadInput if the case's model cannot be trained on the batch."""
        self.model.check(batch, self.dtype)

    @cached_property
    def eps(self) -> float:
        """The distance from 1 to the next number of the dtype. Errors are given in this unit."""
        return float(np.finfo(self.dtype).eps)


def _with_floats(batch: Batch, dtype: str) -> Batch:
    """The batch with its floats in the dtype."""
    parts = {part.name: getattr(batch, part.name) for part in fields(batch)}
    return replace(batch, **{name: part.astype(dtype) for name, part in parts.items() if part.dtype.kind == "f"})


def _from_text(model: Model, data: Text, stream: Stream) -> Iterator[Batch]:
    """Endless mini-batches. Each pass has its own order; the examples left over come first in the next batch."""
    rest: list[np.ndarray] = []
    while True:
        parts = model.examples(data.corpus, data, stream)
        examples = len(parts[1])
        if not rest and not 1 <= data.batch_size <= examples:
            raise BadInput(f"batch_size {data.batch_size}: {data.source} has {examples} examples; 1 to {examples} fit")
        order = stream.order(examples)
        found = [part[order] for part in parts]
        rest = [np.concatenate(both) for both in zip(rest, found, strict=True)] if rest else found
        while len(rest[1]) >= data.batch_size:
            yield model.collate(*(part[: data.batch_size] for part in rest))
            rest = [part[data.batch_size :] for part in rest]
