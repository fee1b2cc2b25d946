"""The definition: what the loss, gradients, parameters and state of a case are, exactly.

Every formula stands here once more in scalars, term by term, as the specification of what the twins compute in arrays;
it shares no code with them. Gradients are not derived by hand either. They come from the formula of the loss itself, by
complex step: f'(x) = Im f(x + ih) / h, with an error of the order of h² and without a difference in which digits
could be lost (Squire and Trapp 1998, https://doi.org/10.1137/S003614459631241X). With 50 digits and h = 2^-133 nothing
is left of that error, and what is returned is the exact value, rounded once to the case's dtype.

That takes one evaluation of the loss for each parameter. Where a case is too large for it, the same formulas run in
complex128 with h = 1e-100, for many parameters at once; where it is too large for that too, `build` refuses it.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np

from reference import cases
from reference.arithmetic import Arithmetic, Batched, Exact, Number, Tensor, Vector, numbers
from reference.contract import Grads, Params, RowGrad, State
from reference.errors import Unsupported

Weights = dict[str, Tensor]


# --- layers ----------------------------------------------------------------------------------------------------------


def row(m: Arithmetic, table: list[Vector], i: int, padding_idx: int | None = None) -> Vector:
    """Row i of a table. That of the padding is a constant: no gradient goes into it."""
    return [m.real(x) for x in table[i]] if i == padding_idx else table[i]


def pool(m: Arithmetic, vectors: list[Vector], mode: str, width: int) -> Vector:
    """The mean, sum or maximum of a bag's vectors, of equal ones the first; zero for an empty bag."""
    if not vectors:
        return [0] * width
    columns = zip(*vectors, strict=True)
    if mode == "max":
        return [max(column, key=m.real) for column in columns]
    return [m.sum(column) / (len(vectors) if mode == "mean" else 1) for column in columns]


def linear(m: Arithmetic, x: Vector, weight: list[Vector], bias: Vector) -> Vector:
    """The product weight @ x, and the bias."""
    return [m.dot(w, x) + b for w, b in zip(weight, bias, strict=True)]


def activation(m: Arithmetic, name: str, x: Number) -> Number:
    """relu, tanh, sigmoid, gelu = x Φ(x), or its approximation by tanh (Hendrycks and Gimpel 2016)."""
    match name:
        case "relu":
            return x if m.real(x) > 0 else 0
        case "tanh":
            return m.tanh(x)
        case "sigmoid":
            return 1 / (1 + m.exp(-x))
        case "gelu":
            return x * (1 + m.erf(x / m.sqrt(2))) / 2
        case "gelu_tanh":
            return x * (1 + m.tanh(m.sqrt(2 / m.pi) * (x + m.number(44715) / 10**6 * x * x * x))) / 2
    raise AssertionError(name)


def log_softmax(m: Arithmetic, logits: Vector) -> Vector:
    """log(exp(x_c) / Σ_k exp(x_k)) for every c."""
    log_total = m.log(m.sum([m.exp(x) for x in logits]))
    return [x - log_total for x in logits]


def log_sigmoid(m: Arithmetic, x: Number) -> Number:
    """log(1 / (1 + exp(-x)))."""
    return -m.log(1 + m.exp(-x))


# --- losses ----------------------------------------------------------------------------------------------------------


def cross_entropy(m: Arithmetic, outputs: list[Vector], labels: list, loss: cases.CrossEntropy) -> Number:
    """-Σ_n Σ_c weight_c q_nc log softmax(outputs_n)_c, q the target distribution, smoothed: (1 - s) q + s / C.

    The mean divides by the weights of the labels that count, where the labels are probabilities by their number.
    """
    classes = range(len(outputs[0]))
    weight = [m.number(w) for w in loss.weight or [1] * len(classes)]
    smoothing = m.number(loss.label_smoothing)
    total, divisor = 0, 0
    for logits, label in zip(outputs, labels, strict=True):
        if not loss.probabilities and label == loss.ignore_index:
            continue
        q = [m.number(x) for x in label] if loss.probabilities else [int(c == label) for c in classes]
        log_p = log_softmax(m, logits)
        total -= m.sum([weight[c] * ((1 - smoothing) * q[c] + smoothing / len(classes)) * log_p[c] for c in classes])
        divisor += 1 if loss.probabilities else weight[label]
    return total / divisor if loss.reduction == "mean" else total


def mse_loss(m: Arithmetic, outputs: list[Vector], labels: list, loss: cases.MSELoss) -> Number:
    """Σ (output - label)², over all entries of it in the mean."""
    squares = [(x - y) * (x - y) for xs, ys in zip(outputs, labels, strict=True) for x, y in zip(xs, ys, strict=True)]
    return m.sum(squares) / (len(squares) if loss.reduction == "mean" else 1)


# --- objectives of word2vec: of one hidden vector and what is to be told from it -------------------------------------


def softmax(m: Arithmetic, hidden: Vector, table: list[Vector], batch: Any, n: int) -> Number:
    """What the target has of the negative log of the softmax of table @ hidden."""
    return -log_softmax(m, [m.dot(hidden, words) for words in table])[batch.targets[n]]


def negative_sampling(m: Arithmetic, hidden: Vector, table: list[Vector], batch: Any, n: int, hits: str) -> Number:
    """-log σ(h · target) - Σ_k log σ(-h · negative_k); under "mask" no negative is the target."""
    target = int(batch.targets[n])
    counted = [k for k in batch.negatives[n] if not (hits == "mask" and k == target)]
    noes = [log_sigmoid(m, -m.dot(hidden, table[k])) for k in counted]
    return -log_sigmoid(m, m.dot(hidden, table[target])) - m.sum(noes)


def shared_negatives(
    m: Arithmetic, hidden: Vector, table: list[Vector], target: int, negatives: list[int], o: cases.SharedNegatives
) -> Number:
    """-log σ(h · target) - K/S Σ_s log σ(-h · negative_s), the S negatives those of the pair's block."""
    counted = [k for k in negatives if not (o.accidental_hits == "mask" and k == target)]
    noes = m.sum([log_sigmoid(m, -m.dot(hidden, table[k])) for k in counted])
    return -log_sigmoid(m, m.dot(hidden, table[target])) - m.number(o.num_negatives) / len(negatives) * noes


def hierarchical_softmax(m: Arithmetic, hidden: Vector, table: list[Vector], batch: Any, n: int) -> Number:
    """-Σ_j log σ(sign_j h · node_j) along the path to the target; a sign of 0 is past its end."""
    path = [(k, int(sign)) for k, sign in zip(batch.nodes[n], batch.signs[n], strict=True) if sign]
    return -m.sum([log_sigmoid(m, sign * m.dot(hidden, table[k])) for k, sign in path])


# --- models: the loss of a batch, of the parameters p ----------------------------------------------------------------


def loss_of(m: Arithmetic, model: cases.Model, p: Weights, batch: Any) -> Number:
    """The loss of the batch. p: the parameters, and the inputs of the batch whose gradient is asked for, by name."""
    match model:
        case cases.Embedding():
            ids = [int(i) for i in batch.ids.flat]
            upstream = numbers(m, batch.upstream.reshape(len(ids), -1))
            vectors = [row(m, p["embedding.weight"], i, model.padding_idx) for i in ids]
            return m.sum([m.dot(*pair) for pair in zip(vectors, upstream, strict=True)])
        case cases.Linear():
            outputs = [linear(m, x, p["linear.weight"], p["linear.bias"]) for x in p["input"]]
            return m.sum([m.dot(*pair) for pair in zip(outputs, numbers(m, batch.upstream), strict=True)])
        case cases.EmbeddingBag():
            pooled = pooled_of(m, model, p["embedding.weight"], batch, p.get("per_sample_weights"))
            return m.sum([m.dot(*pair) for pair in zip(pooled, numbers(m, batch.upstream), strict=True)])
        case cases.Classifier():
            pooled = pooled_of(m, model, p["embedding.weight"], batch)
            outputs = [classify(m, model, p, x, keep_of(batch, b)) for b, x in enumerate(pooled)]
            if isinstance(model.loss, cases.MSELoss):
                return mse_loss(m, outputs, numbers(m, batch.labels), model.loss)
            return cross_entropy(m, outputs, batch.labels.tolist(), model.loss)
        case cases.SkipGram(objective=cases.SharedNegatives() as objective):
            table, found = p[model.output], []
            for n, i, j in np.argwhere(batch.inside):
                hidden, target = p["center.weight"][batch.centers[n, i]], int(batch.contexts[n, j])
                found.append(shared_negatives(m, hidden, table, target, batch.negatives[n].tolist(), objective))
            return m.sum(found) / (len(found) if model.reduction == "mean" else 1)
        case cases.SkipGram():
            hiddens = [row(m, p["center.weight"], i) for i in batch.centers]
        case cases.CBOW():
            hiddens = pooled_of(m, model, p["context.weight"], batch)
    losses = [objective_of(m, model.objective, hidden, p[model.output], batch, n) for n, hidden in enumerate(hiddens)]
    return m.sum(losses) / (len(losses) if model.reduction == "mean" else 1)


def pooled_of(
    m: Arithmetic, model: Any, table: list[Vector], batch: Any, weights: Tensor | None = None
) -> list[Vector]:
    """Each bag pooled, without its padding; each vector times its own weight first, where there are weights."""
    ids, padding = batch.ids.reshape(-1), getattr(model, "padding_idx", None)
    flat = weights if weights is None or batch.ids.ndim == 1 else [w for bag in weights for w in bag]
    pooled = []
    for places in bags_of(model, batch):
        counted = [n for n in places if ids[n] != padding]
        vectors = [table[ids[n]] for n in counted]
        if flat is not None:
            vectors = [[flat[n] * x for x in table[ids[n]]] for n in counted]
        pooled.append(pool(m, vectors, model.mode, len(table[0])))
    return pooled


def bags_of(model: Any, batch: Any) -> list[range]:
    """The places of each bag among all ids, one after the other."""
    if getattr(batch, "offsets", None) is None:
        length = batch.ids.shape[1]
        return [range(b * length, (b + 1) * length) for b in range(len(batch.ids))]
    starts = [int(offset) for offset in batch.offsets]
    if not getattr(model, "include_last_offset", False):
        starts.append(len(batch.ids))
    return [range(*pair) for pair in pairwise(starts)]


def keep_of(batch: cases.LabelledBatch, b: int) -> list[bool]:
    """Which hidden units of bag b dropout leaves alone, those of all layers side by side."""
    return batch.keep[b].tolist()


def classify(m: Arithmetic, model: cases.Classifier, p: Weights, x: Vector, keep: list[bool] | None) -> Vector:
    """The outputs of one bag: through each hidden layer, its activation and its dropout, and the last layer."""
    before = 0
    for name, width in zip(model.layers[:-1], model.hidden_features, strict=True):
        x = [activation(m, model.activation, u) for u in linear(m, x, p[f"{name}.weight"], p[f"{name}.bias"])]
        if keep is not None:
            kept = keep[before : before + width]
            x = [u / (1 - m.number(model.dropout)) if k else 0 for u, k in zip(x, kept, strict=True)]
        before += width
    last = model.layers[-1]
    return linear(m, x, p[f"{last}.weight"], p[f"{last}.bias"])


def objective_of(
    m: Arithmetic, objective: cases.Objective, hidden: Vector, table: list[Vector], batch: Any, n: int
) -> Number:
    """The n-th loss of the batch."""
    match objective:
        case cases.Softmax():
            return softmax(m, hidden, table, batch, n)
        case cases.NegativeSampling(accidental_hits=hits):
            return negative_sampling(m, hidden, table, batch, n, hits)
        case cases.HierarchicalSoftmax():
            return hierarchical_softmax(m, hidden, table, batch, n)


# --- what stands beside the derivative of a loss: which rows are looked up, and two conventions of torch --------------


def rows_read(model: cases.Model, batch: Any) -> dict[str, list[int]]:
    """The rows of each table that the batch looks up, sorted, without the padding: what a row gradient is made of."""
    found = {name: set(ids.tolist()) - {model.padding_idx} for name, ids in model.looked_up(batch).items()}
    return {name: sorted(ids) for name, ids in found.items()}


def renorm(m: Arithmetic, table: list[Vector], ids: np.ndarray, max_norm: float, norm_type: float) -> None:
    """Rescale each row that is looked up and whose norm is above max_norm; 1e-7 as torch has it."""
    for i in {int(i) for i in ids.flat}:
        norm = m.sum([abs(x) ** m.number(norm_type) for x in table[i]]) ** (1 / m.number(norm_type))
        if norm > max_norm:
            table[i] = [x * (m.number(max_norm) / (norm + m.number(1e-7))) for x in table[i]]


# --- optimizers: one entry x of a parameter, its gradient g, its state s by kind, in step t = 1, 2, … ----------------


def sgd(m: Arithmetic, o: cases.SGD, lr: Number, x: Number, g: Number, s: dict[str, Number], t: int) -> Number:
    """With momentum; see `cases.SGD`."""
    momentum = m.number(o.momentum)
    g = g + m.number(o.weight_decay) * x
    if not o.momentum:
        return x - lr * g
    s["momentum_buffer"] = g if t == 1 else momentum * s["momentum_buffer"] + (1 - m.number(o.dampening)) * g
    return x - lr * (g + momentum * s["momentum_buffer"] if o.nesterov else s["momentum_buffer"])


def adagrad(m: Arithmetic, o: cases.Adagrad, lr: Number, x: Number, g: Number, s: dict[str, Number], t: int) -> Number:
    """Duchi et al. 2011; see `cases.Adagrad`."""
    g = g + m.number(o.weight_decay) * x
    s["sum"] += g * g
    return x - lr / (1 + (t - 1) * m.number(o.lr_decay)) * g / (m.sqrt(s["sum"]) + m.number(o.eps))


def rmsprop(m: Arithmetic, o: cases.RMSprop, lr: Number, x: Number, g: Number, s: dict[str, Number], t: int) -> Number:
    """Hinton 2012, centered: Graves 2013; see `cases.RMSprop`."""
    alpha = m.number(o.alpha)
    g = g + m.number(o.weight_decay) * x
    s["square_avg"] = alpha * s["square_avg"] + (1 - alpha) * g * g
    variance = s["square_avg"]
    if o.centered:
        s["grad_avg"] = alpha * s["grad_avg"] + (1 - alpha) * g
        variance = variance - s["grad_avg"] * s["grad_avg"]
    change = g / (m.sqrt(variance) + m.number(o.eps))
    if o.momentum:
        change = s["momentum_buffer"] = m.number(o.momentum) * s["momentum_buffer"] + change
    return x - lr * change


def adam(m: Arithmetic, o: cases.Adam, lr: Number, x: Number, g: Number, s: dict[str, Number], t: int) -> Number:
    """Kingma and Ba 2015, amsgrad: Reddi et al. 2018, AdamW: Loshchilov and Hutter 2019; see `cases.Adam`."""
    decay = m.number(o.weight_decay)
    if isinstance(o, cases.AdamW):
        x = x * (1 - lr * decay)
    else:
        g = g + decay * x
    first, second = moments(m, o.betas, g, s, t)
    if o.amsgrad:
        s["max_exp_avg_sq"] = max(s["max_exp_avg_sq"], s["exp_avg_sq"])
        second = s["max_exp_avg_sq"] / (1 - m.number(o.betas[1]) ** t)
    return x - lr * first / (m.sqrt(second) + m.number(o.eps))


def sparse_adam(
    m: Arithmetic, o: cases.SparseAdam, lr: Number, x: Number, g: Number, s: dict[str, Number], t: int
) -> Number:
    """As Adam, with eps beside the root of the uncorrected moment; only for rows that have a gradient."""
    first, second = moments(m, o.betas, g, s, t)
    return x - lr * first / (m.sqrt(second) + m.number(o.eps) / m.sqrt(1 - m.number(o.betas[1]) ** t))


def moments(
    m: Arithmetic, betas: tuple[float, float], g: Number, s: dict[str, Number], t: int
) -> tuple[Number, Number]:
    """The moving averages of g and g², without the zero that they began with: over 1 - beta^t."""
    beta1, beta2 = (m.number(beta) for beta in betas)
    s["exp_avg"] = beta1 * s["exp_avg"] + (1 - beta1) * g
    s["exp_avg_sq"] = beta2 * s["exp_avg_sq"] + (1 - beta2) * g * g
    return s["exp_avg"] / (1 - beta1**t), s["exp_avg_sq"] / (1 - beta2**t)


UPDATES: dict[type, Callable[..., Number]] = {
    cases.SGD: sgd,
    cases.Adagrad: adagrad,
    cases.RMSprop: rmsprop,
    cases.Adam: adam,
    cases.AdamW: adam,
    cases.SparseAdam: sparse_adam,
}


# --- the implementation ----------------------------------------------------------------------------------------------


class Trainer:
    """A case in the numbers of an arithmetic. What comes out is rounded; what goes on is not."""

    def __init__(self, case: cases.Case, weights: Params, arithmetic: Arithmetic) -> None:
        self.case, self.m, self.t, self.lr = case, arithmetic, 0, arithmetic.number(case.optimizer.lr)
        self.p: Weights = {name: numbers(self.m, weight) for name, weight in weights.items()}
        self.g: Weights = {}
        self.read: dict[str, list[int]] = {}
        begin = {kind: getattr(case.optimizer, "initial_accumulator_value", 0) * (kind == "sum") for kind in self.kinds}
        self.s = {name: [[dict(begin) for _ in row] for row in rows_of(weight)] for name, weight in self.p.items()}

    @property
    def kinds(self) -> list[str]:
        """The kinds of state that each entry of a parameter has for itself."""
        return [kind for kind in self.case.optimizer.state if kind != "step"]

    def loss_and_grads(self, batch: cases.Batch) -> tuple[float, Grads]:
        """The loss, and its gradient by each parameter and by each input that the model names."""
        self.case.check_batch(batch)
        m, model = self.m, self.case.model
        if getattr(model, "max_norm", None) is not None:
            renorm(m, self.p["embedding.weight"], batch.ids, model.max_norm, model.norm_type)
        variables = self.p | {name: numbers(m, getattr(batch, name)) for name in model.input_gradients}
        self.read = rows_read(model, batch)

        def loss() -> Number:
            return loss_of(m, model, variables, batch)

        for name, tensor in variables.items():
            rows = rows_of(tensor)
            self.g[name] = [[0] * len(row) for row in rows]
            places = [(r, i) for r in self.read.get(name, range(len(rows))) for i in range(len(rows[r]))]
            slopes = m.derivatives(loss, [(rows[r], i) for r, i in places])
            for (r, i), slope in zip(places, slopes, strict=True):
                self.g[name][r][i] = slope
        if getattr(model, "scale_grad_by_freq", False):
            for r in self.read["embedding.weight"]:
                self.g["embedding.weight"][r] = [g / int((batch.ids == r).sum()) for g in self.g["embedding.weight"][r]]
        grads = {name: self.gradient(name, np.shape(tensor)) for name, tensor in variables.items()}
        return float(self.m.rounded(loss(), self.case.dtype)), grads

    def gradient(self, name: str, shape: tuple[int, ...]) -> np.ndarray | RowGrad:
        """One gradient, in the form that the case asks for."""
        if name not in self.case.row_tables:
            return self.array(self.g[name], shape)
        rows = self.read[name]
        values = self.array([self.g[name][r] for r in rows], (len(rows), shape[1]))
        return RowGrad(np.array(rows, np.int64), values, (shape[0], shape[1]))

    def step(self) -> None:
        """One update with the gradients just returned, scaled down before where the case clips them."""
        case, m = self.case, self.m
        self.t += 1
        scale: Number = 1
        if case.max_norm is not None:
            entries = [g for name in self.p for row in self.g[name] for g in row]
            norm = m.sqrt(m.dot(entries, entries))
            scale = min(m.number(case.max_norm) / (norm + m.number(1e-6)), 1)
        update = UPDATES[type(case.optimizer)]
        for name, weight in self.p.items():
            rows, lazy = rows_of(weight), isinstance(case.optimizer, cases.SparseAdam)
            for r in self.read[name] if lazy else range(len(rows)):
                for i, x in enumerate(rows[r]):
                    g = self.g[name][r][i] * scale
                    rows[r][i] = update(m, case.optimizer, self.lr, x, g, self.s[name][r][i], self.t)
        if case.lr_decay_to is not None:
            first, last = m.number(case.optimizer.lr), m.number(case.lr_decay_to)
            self.lr = first + (last - first) * min(self.t, case.steps) / case.steps

    def params(self) -> Params:
        """The parameters, rounded."""
        return {name: self.array(rows_of(self.p[name]), shape) for name, shape in self.case.model.shapes.items()}

    def state(self) -> State:
        """The optimizer's state, rounded."""
        shapes = self.case.model.shapes
        state: State = {}
        if "step" in self.case.optimizer.state:
            state["step"] = {name: np.array(self.t) for name in shapes}
        for kind in self.kinds:
            state[kind] = {
                name: self.array([[entry[kind] for entry in row] for row in self.s[name]], shape)
                for name, shape in shapes.items()
            }
        return state

    def array(self, rows: list[Vector], shape: tuple[int, ...]) -> np.ndarray:
        """Rounded, in an array of the shape."""
        return np.array([self.m.rounded(x, self.case.dtype) for row in rows for x in row], self.case.dtype).reshape(
            shape
        )


def rows_of(tensor: Tensor) -> list[Vector]:
    """A matrix by its rows; of a vector, that one."""
    return tensor if isinstance(tensor[0], list) else [tensor]


def arithmetic_for(case: cases.Case) -> Arithmetic | None:
    """Exact where that takes well under a second, else complex128 where that does, else none."""
    if isinstance(case.data, cases.Text):
        return None
    entries, terms = size_of(case)
    if entries * terms * case.steps <= EXACT_TERMS:
        return Exact()
    if math.ceil(entries / Batched.parallel) * terms * case.steps <= BATCHED_TERMS:
        return Batched()
    return None


EXACT_TERMS, BATCHED_TERMS = 600_000, 300_000
"""So many terms of the loss may be evaluated: at 1.5 and 3 µs each."""


@functools.cache
def size_of(case: cases.Case) -> tuple[int, int]:
    """How many derivatives the first step has, and how many terms its loss: counted, by evaluating it once."""
    m, batch, weights = Batched(), next(case.batches()), case.weights()
    inputs = {name: getattr(batch, name) for name in case.model.input_gradients}
    read = rows_read(case.model, batch)
    with np.errstate(all="ignore"):
        loss_of(m, case.model, {name: numbers(m, array) for name, array in (weights | inputs).items()}, batch)
    entries = [len(read.get(name, weight)) * math.prod(weight.shape[1:]) for name, weight in weights.items()]
    return sum(entries), m.terms


def build(case: cases.Case, weights: Params) -> Trainer:
    """The trainer of a case. Raises Unsupported where the case is too large, or PyTorch refuses it."""
    if case.refusal:
        raise Unsupported(case.refusal)
    arithmetic = arithmetic_for(case)
    if not arithmetic:
        raise Unsupported("too large for one evaluation of the loss a parameter")
    case.check_weights(weights)
    return Trainer(case, weights, arithmetic)
