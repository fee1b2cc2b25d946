"""The models in HIPS autograd, which differentiates NumPy: forward passes alone.

https://github.com/HIPS/autograd; `twingrad verify --candidate tests/third_parties/in_autograd.py`
"""

import autograd.numpy as np
from autograd import value_and_grad
from autograd.scipy.special import erf, logsumexp
from autograd.tracer import getval

from reference import Unsupported
from reference.cases import (
    CBOW,
    SGD,
    BlockBatch,
    Classifier,
    Embedding,
    EmbeddingBag,
    GloVe,
    HierarchicalSoftmax,
    Linear,
    MSELoss,
    NegativeSampling,
    PairNegativesBatch,
    SharedNegatives,
    SkipGram,
    Softmax,
)

# --- what is looked up -----------------------------------------------------------------------------------------------


def lookup(model, p, ids):
    vectors = p["embedding.weight"][ids]
    padding = (ids == model.padding_idx)[..., None]
    return np.where(padding, getval(vectors), vectors)  # there it is a constant


def bags_of(batch, padding_idx=None, include_last_offset=False):
    """Of each bag, which places of the ids are its own and count."""
    places = np.arange(batch.ids.size)
    if batch.offsets is None:
        bags = places.reshape(batch.ids.shape)
    else:
        bags = np.split(places, batch.offsets[1:-1] if include_last_offset else batch.offsets[1:])
    return [bag[batch.ids.reshape(-1)[bag] != padding_idx] for bag in bags]


def pairs_of(batch):
    """Blocks that share their negatives as pairs, each of which has all the negatives of its block."""
    if not isinstance(batch, BlockBatch):
        return batch
    n, i, j = np.nonzero(batch.inside)
    return PairNegativesBatch(batch.centers[n, i], batch.contexts[n, j], batch.negatives[n])


def pooled(table, batch, bags, mode, weights=None):
    pool = {"mean": np.mean, "sum": np.sum, "max": np.max}[mode]
    vectors = table[batch.ids.reshape(-1)]
    if weights is not None:
        vectors = vectors * weights.reshape(-1, 1)
    empty = np.zeros(table.shape[1], table.dtype)
    return np.array([pool(vectors[bag], axis=0) if len(bag) else empty for bag in bags])


# --- what becomes of it ----------------------------------------------------------------------------------------------

ACTIVATIONS = {
    "relu": lambda x: np.where(x > 0, x, 0),  # the slope of np.maximum(x, 0) at 0 is one half
    "tanh": np.tanh,
    "sigmoid": lambda x: 0.5 * (np.tanh(0.5 * x) + 1),
    "gelu": lambda x: 0.5 * x * (1 + erf(x * 0.5**0.5)),
    "gelu_tanh": lambda x: 0.5 * x * (1 + np.tanh((2 / np.pi) ** 0.5 * (x + 0.044715 * x * x * x))),
}


def linear(x, weight, bias):
    return x @ weight.T + bias


def classifier(model, p, batch):
    x = pooled(p["embedding.weight"], batch, bags_of(batch, model.padding_idx), model.mode)
    begin = 0
    for name, width in zip(model.layers, model.hidden_features, strict=False):
        x = ACTIVATIONS[model.activation](linear(x, p[f"{name}.weight"], p[f"{name}.bias"]))
        x = x * batch.keep[:, begin : begin + width] / (1 - model.dropout)
        begin += width
    x = linear(x, p[f"{model.layers[-1]}.weight"], p[f"{model.layers[-1]}.bias"])
    if isinstance(model.loss, MSELoss):
        losses = (x - batch.labels) ** 2
        return np.sum(losses) if model.loss.reduction == "sum" else np.mean(losses)
    return cross_entropy(x, batch.labels, model.loss)


def cross_entropy(logits, labels, loss):
    n, classes = logits.shape
    weight = np.array(loss.weight or (1,) * classes, logits.dtype)
    if loss.probabilities:
        q, counted, divisor = labels, np.ones(n, bool), n
    else:
        counted = labels != loss.ignore_index
        q = counted[:, None] * np.eye(classes, dtype=logits.dtype)[np.where(counted, labels, 0)]
        divisor = float(np.sum(q * weight))
    q = (1 - loss.label_smoothing) * q + loss.label_smoothing / classes * counted[:, None]
    total = -np.sum(q.astype(logits.dtype) * weight * log_softmax(logits))
    return total if loss.reduction == "sum" else total / divisor


def log_softmax(x):
    return x - logsumexp(x, axis=1, keepdims=True)


def word2vec(model, p, batch):
    if isinstance(model, SkipGram):
        hidden = p["center.weight"][batch.centers]
    else:
        hidden = pooled(p["context.weight"], batch, bags_of(batch), model.mode)
    table, n = p[model.output], len(hidden)
    match model.objective:
        case Softmax():
            losses = -log_softmax(hidden @ table.T)[np.arange(n), batch.targets]
        case NegativeSampling(accidental_hits=hits) | SharedNegatives(accidental_hits=hits):
            ids = np.concatenate([batch.targets[:, None], batch.negatives], axis=1)
            signs = np.where(np.arange(ids.shape[1]) == 0, 1, -1) * np.ones_like(ids)
            if hits == "mask":
                signs[:, 1:][batch.negatives == batch.targets[:, None]] = 0
            losses = decisions(hidden, table[ids], signs)
            if isinstance(model.objective, SharedNegatives):
                share = model.objective.num_negatives / model.objective.shared
                losses = losses * np.where(np.arange(ids.shape[1]) == 0, 1, share).astype(hidden.dtype)
        case HierarchicalSoftmax():
            losses = decisions(hidden, table[batch.nodes], batch.signs)
    return np.sum(losses) if model.reduction == "sum" else np.sum(losses) / n


def decisions(hidden, rows, signs):
    signs = signs.astype(hidden.dtype)
    scores = np.einsum("nd,nkd->nk", hidden, rows)
    return np.abs(signs) * np.logaddexp(0, -signs * scores)


def glove(model, p, batch):
    center, context = p["center.weight"][batch.centers], p["context.weight"][batch.contexts]
    biases = p["center_bias.weight"][batch.centers] + p["context_bias.weight"][batch.contexts]
    off = np.sum(center * context, axis=1) + biases[:, 0] - np.log(batch.counts)
    losses = np.minimum((batch.counts / model.x_max) ** model.alpha, 1) * off**2
    return np.sum(losses) if model.reduction == "sum" else np.mean(losses)


# --- the contract ----------------------------------------------------------------------------------------------------


def loss(p, model, batch):
    match model:
        case Embedding():
            return np.sum(lookup(model, p, batch.ids) * batch.upstream)
        case EmbeddingBag():
            bags = bags_of(batch, model.padding_idx, model.include_last_offset)
            vectors = pooled(p["embedding.weight"], batch, bags, model.mode, p.get("per_sample_weights"))
            return np.sum(vectors * batch.upstream)
        case Linear():
            return np.sum(linear(p["input"], p["linear.weight"], p["linear.bias"]) * batch.upstream)
        case Classifier():
            return classifier(model, p, batch)
        case SkipGram() | CBOW():
            return word2vec(model, p, batch)
        case GloVe():
            return glove(model, p, batch)
    raise AssertionError(model)


class Gradients:
    """Loss and gradients alone: of a case whose optimizer is another than plain SGD, the first batch is compared."""

    def __init__(self, case, weights):
        self.case, self.p = case, weights

    def loss_and_grads(self, batch):
        inputs = {name: getattr(batch, name) for name in self.case.model.input_gradients}
        value, self.grads = value_and_grad(loss)(self.p | inputs, self.case.model, pairs_of(batch))
        return value, self.grads


class Training(Gradients):
    """And the update of plain SGD."""

    def step(self):
        self.p = {name: value - self.case.optimizer.lr * self.grads[name] for name, value in self.p.items()}

    def params(self):
        return self.p


def build(case, weights):
    if case.row_tables:
        raise Unsupported("autograd has dense gradients only")
    if getattr(case.model, "max_norm", None) is not None or getattr(case.model, "scale_grad_by_freq", False):
        raise Unsupported("max_norm and scale_grad_by_freq are PyTorch's own")
    plain = case.optimizer == SGD(case.optimizer.lr) and case.max_norm is None and case.lr_decay_to is None
    return (Training if plain else Gradients)(case, weights)
