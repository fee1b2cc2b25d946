"""The reference implementation of the contract. Returned numbers are rounded with proof; the training state is not."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from copy import deepcopy
from typing import Any

import numpy as np
from flint import arb

from reference import cases
from reference.contract import Grads, Params, RowGrad, State
from reference.errors import Unsupported
from reference.exact import (
    cbow,
    classifier,
    conv1d,
    embedding,
    embedding_bag,
    glove,
    linear,
    optimizers,
    skipgram,
    text_cnn,
)
from reference.exact.arithmetic import (
    LEAST_BITS,
    ONE,
    ZERO,
    Balls,
    Number,
    Proof,
    Table,
    TooLarge,
    Undecided,
    Variable,
    in_rows,
)

LOSSES: dict[type, Callable[..., Number]] = {
    cases.Embedding: embedding.loss,
    cases.EmbeddingBag: embedding_bag.loss,
    cases.Linear: linear.loss,
    cases.Conv1d: conv1d.loss,
    cases.Classifier: classifier.loss,
    cases.TextCNN: text_cnn.loss,
    cases.SkipGram: skipgram.loss,
    cases.CBOW: cbow.loss,
    cases.GloVe: glove.loss,
}
"""Any other model has its own loss: the method `exact_loss(m, p, batch)`."""

OPTIMIZERS: dict[type, Callable[..., optimizers.Update]] = {
    cases.SGD: optimizers.sgd,
    cases.Adagrad: optimizers.adagrad,
    cases.RMSprop: optimizers.rmsprop,
    cases.Adam: optimizers.adam,
    cases.AdamW: optimizers.adam,
    cases.SparseAdam: optimizers.sparse_adam,
}


def loss_of(m: Any, model: Any, p: dict[str, Any], batch: cases.Batch) -> Number:
    """The loss of a batch. p: by name, the parameters and the inputs of the batch that need a gradient."""
    loss = LOSSES.get(type(model))
    return loss(m, model, p, batch) if loss else model.exact_loss(m, p, batch)


def known(model: Any) -> bool:
    """Whether the model has a formula for its exact loss."""
    return type(model) in LOSSES or hasattr(model, "exact_loss")


def rows_read(model: Any, batch: Any) -> dict[str, list[int]]:
    """The sorted rows of each table that the batch looks up, without padding: the rows of a row gradient."""
    found = {name: set(ids.tolist()) - {model.padding_idx} for name, ids in model.looked_up(batch).items()}
    return {name: sorted(ids) for name, ids in found.items()}


class Attempt:
    """A case trained with a given number of bits. Only returned numbers are rounded; that may raise `Undecided`.

    done: how many entries of the trainer's past it has processed.
    """

    def __init__(self, case: cases.Case, weights: Params, bits: int, most: float = np.inf) -> None:
        self.case, self.m = case, Balls(bits, most)
        self.done = self.t = 0
        self.lr: Number = self.m.number(case.optimizer.lr)
        accumulator = getattr(case.optimizer, "initial_accumulator_value", 0)
        self.begin = {kind: arb(accumulator if kind == "sum" else 0) for kind in case.optimizer.state if kind != "step"}
        self.tables = {name: Table(weight, self.variable) for name, weight in weights.items()}
        self.inputs: dict[str, Table] = {}
        self.loss: Number = ZERO
        self.read: dict[str, list[int]] = {}

    def variable(self, x: float) -> Number:
        """A number with respect to which the loss is differentiated."""
        return Variable(self.m.tape, x, self.begin)

    def catch_up(self, past: list[cases.Batch | None]) -> None:
        """Process the rest of the past: evaluate the loss of a batch, or update."""
        for batch in past[self.done :]:
            self.update() if batch is None else self.evaluate(batch)
            self.done += 1

    def evaluate(self, batch: cases.Batch) -> None:
        """Compute the loss of the batch and its derivatives."""
        for x in self.entries():
            x.d = ZERO
        self.forward(batch)
        self.m.backward(self.loss)
        if getattr(self.case.model, "scale_grad_by_freq", False):
            for name, ids in self.case.model.looked_up(batch).items():
                for r, count in Counter(ids.tolist()).items():
                    for x in self.tables[name][r]:
                        x.d /= count

    def forward(self, batch: cases.Batch) -> None:
        """Compute the loss of the batch."""
        model = self.case.model
        self.inputs = {name: Table(getattr(batch, name), self.variable) for name in model.input_gradients}
        self.read = rows_read(model, batch)
        p = {name: table.tensor for name, table in (self.tables | self.inputs).items()}
        self.loss = loss_of(self.m, model, p, batch)

    def update(self) -> None:
        """Do one update with the latest gradients. If the case clips gradients, they are scaled first."""
        case, m, lazy = self.case, self.m, isinstance(self.case.optimizer, cases.SparseAdam)
        self.t += 1
        scale = None
        if case.max_norm is not None:
            scale = optimizers.clip_grad_norm_(m, [x.d for x in self.entries()], case.max_norm)
        change = OPTIMIZERS[type(case.optimizer)](m, case.optimizer, self.lr, self.t)
        rests = self.rests(change)
        for name, table in self.tables.items():
            for r in self.read[name] if lazy else list(table.rows) if rests else range(len(table)):
                for x in table[r]:
                    x.value = change(x.value, x.d if scale is None else x.d * scale, x.state)
        if case.lr_decay_to is not None:
            first, last = m.number(case.optimizer.lr), m.number(case.lr_decay_to)
            self.lr = first + (last - first) * min(self.t, case.steps) / case.steps

    def rests(self, change: optimizers.Update) -> bool:
        """Whether an entry that never had a gradient keeps its value and state, so that its update can be skipped."""
        state = dict(self.begin)
        return change(ONE, ZERO, state) == ONE and state == self.begin

    def entries(self) -> Iterator[Variable]:
        """All entries of the parameters that have been read."""
        return (x for table in self.tables.values() for row in table.rows.values() for x in row)

    # --- returned values, rounded

    def loss_and_grads(self) -> tuple[float, Grads]:
        """The loss, and its gradient for each parameter and for each of the model's `input_gradients`."""
        (loss,) = self.m.rounded([arb(getattr(self.loss, "value", self.loss))], self.case.dtype)
        tables = self.tables | self.inputs
        return float(loss), {name: self.gradient(name, table) for name, table in tables.items()}

    def gradient(self, name: str, table: Table) -> np.ndarray | RowGrad:
        """One gradient, dense or by rows as the case requires."""
        if name not in self.case.row_tables:
            reached = [r for r, row in table.rows.items() if any(x.d is not ZERO for x in row)]
            return self.array(table, reached, lambda x: x.d, np.zeros_like(table.array))
        rows, width = self.read[name], table.values.shape[1]
        values = self.m.rounded([x.d for r in rows for x in table[r]], self.case.dtype)
        return RowGrad(np.array(rows, np.int64), values.reshape(len(rows), width), (len(table), width))

    def params(self) -> Params:
        """The parameters."""
        return {
            name: self.array(table, table.rows, lambda x: x.value, table.array) for name, table in self.tables.items()
        }

    def state(self) -> State:
        """The optimizer's state."""
        state: State = {}
        if "step" in self.case.optimizer.state:
            state["step"] = {name: np.array(self.t) for name in self.tables}
        for kind in self.begin:
            state[kind] = {name: self.state_of(kind, table) for name, table in self.tables.items()}
        return state

    def state_of(self, kind: str, table: Table) -> np.ndarray:
        """One kind of state of one parameter."""
        rest = np.full_like(table.array, float(self.begin[kind]))
        return self.array(table, table.rows, lambda x: x.state[kind], rest)

    def array(self, table: Table, rows: Collection[int], of: Callable[[Variable], arb], rest: np.ndarray) -> np.ndarray:
        """The value `of` each entry in the given rows, rounded; in all other rows, the values of `rest`."""
        found = np.array(rest, self.case.dtype)
        if rows:
            rounded = self.m.rounded([of(x) for r in rows for x in table[r]], self.case.dtype)
            in_rows(found)[list(rows)] = rounded.reshape(len(rows), -1)
        return found


class Trainer:
    """A trainer that uses enough bits to prove every returned number. If not, it starts again with twice as many.

    proof: what has been proved so far.
    """

    def __init__(self, case: cases.Case, weights: Params) -> None:
        self.case, self.weights, self.proof = case, deepcopy(weights), Proof()
        self.past: list[cases.Batch | None] = []  # batches, and None for an update
        self.attempt = Attempt(case, self.weights, LEAST_BITS)

    def loss_and_grads(self, batch: cases.Batch) -> tuple[float, Grads]:
        """The loss of a batch, and its gradients. Raises BadInput if the batch is not valid for the case."""
        self.case.check_batch(batch)
        self.past.append(deepcopy(batch))
        return self.proved(Attempt.loss_and_grads)

    def step(self) -> None:
        """Do one update with the gradients just returned."""
        self.past.append(None)
        self.proved(lambda attempt: None)

    def params(self) -> Params:
        """The parameters."""
        return self.proved(Attempt.params)

    def state(self) -> State:
        """The optimizer's state."""
        return self.proved(Attempt.state)

    def proved(self, ask: Callable[[Attempt], Any]) -> Any:
        """The answer of `ask` for the first attempt that has enough bits to decide it."""
        while True:
            m = self.attempt.m
            try:
                with m:
                    self.attempt.catch_up(self.past)
                    found = ask(self.attempt)
            except Undecided:
                self.attempt = Attempt(self.case, self.weights, 2 * m.bits)
                continue
            self.proof += Proof(m.numbers, m.ties, m.bits)
            m.numbers = m.ties = 0
            return found


MOST_TERMS = 1_000_000
"""How many terms may be evaluated, at about 1 µs each."""


@functools.cache
def feasible(case: cases.Case) -> bool:
    """Whether exact values take only seconds. Counts the terms in the first batch's loss and in its update."""
    try:
        return terms(case) * case.steps <= MOST_TERMS
    except TooLarge:
        return False


class Count(Attempt):
    """The loss of the first batch, computed with constants only to count its terms."""

    def variable(self, x: float) -> Number:
        """A constant instead of a variable."""
        return arb(x)


def terms(case: cases.Case) -> int:
    """The number of terms in one step: those of the loss, plus the updated entries."""
    count = Count(case, case.weights(), 64, MOST_TERMS / case.steps)
    with count.m:
        count.forward(next(case.batches()))
        rests = count.rests(OPTIMIZERS[type(case.optimizer)](count.m, case.optimizer, count.lr, 1))
    tables = count.tables.values()
    return count.m.terms + sum((len(t.rows) if rests else len(t)) * t.values.shape[1] for t in tables)


def build(case: cases.Case, weights: Params) -> Trainer:
    """The trainer of a case. Raises Unsupported if the case is too large or PyTorch refuses it."""
    if case.refusal:
        raise Unsupported(case.refusal)
    if not feasible(case):
        raise Unsupported("too large for exact values")
    case.check_weights(weights)
    return Trainer(case, weights)
