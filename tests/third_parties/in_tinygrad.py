"""The models in tinygrad: forward passes alone, with the gradients of `Tensor.gradient`.

https://docs.tinygrad.org; `twingrad verify --candidate tests/third_parties/in_tinygrad.py`. DEV=PYTHON, an
interpreter that needs no compiler, is taken unless the environment says otherwise.
"""

import math
import os
from dataclasses import fields

import numpy as np

os.environ.setdefault("DEV", "PYTHON")
from tinygrad import Tensor

from reference import Unsupported
from reference.cases import (
    CBOW,
    SGD,
    BlockBatch,
    Classifier,
    CrossEntropy,
    Embedding,
    EmbeddingBag,
    GloVe,
    HierarchicalSoftmax,
    Linear,
    NegativeSampling,
    PairNegativesBatch,
    SharedNegatives,
    SkipGram,
    Softmax,
)

LARGEST = 120
"""So many parameters an interpreter does in well under a second."""

# --- what is looked up -----------------------------------------------------------------------------------------------


def lookup(model, p, t):
    vectors = p["embedding.weight"][t["ids"]]
    if model.padding_idx is None:
        return vectors
    return (t["ids"] == model.padding_idx).unsqueeze(-1).where(vectors.detach(), vectors)


def membership(batch, dtype, padding_idx=None, include_last_offset=False):
    """Which bag each id counts in: (B, N), one where it does."""
    ids = batch.ids.reshape(-1)
    if batch.offsets is None:
        bags = len(batch.ids)
        bag = np.repeat(np.arange(bags), batch.ids.shape[1])
    else:
        bags = len(batch.offsets) - include_last_offset
        bag = np.searchsorted(batch.offsets[:bags], np.arange(len(ids)), side="right") - 1
    return ((np.arange(bags)[:, None] == bag) & (ids != padding_idx)).astype(dtype)


def pairs_of(batch):
    """Blocks that share their negatives as pairs, each of which has all the negatives of its block."""
    if not isinstance(batch, BlockBatch):
        return batch
    n, i, j = np.nonzero(batch.inside)
    return PairNegativesBatch(batch.centers[n, i], batch.contexts[n, j], batch.negatives[n])


def pooled(table, t, mode, weights=None):
    vectors, member = table[t["ids"].flatten()], t["member"]
    if weights is not None:
        vectors = vectors * weights.reshape(-1, 1)
    sizes = member.sum(axis=1, keepdim=True)
    if mode == "max":
        largest = (member.unsqueeze(-1) == 1).where(vectors, -math.inf).max(axis=1)
        return (sizes > 0).where(largest, 0)
    total = member @ vectors
    return total / sizes.maximum(1) if mode == "mean" else total


# --- what becomes of it ----------------------------------------------------------------------------------------------

ACTIVATIONS = {
    "relu": Tensor.relu,
    "tanh": Tensor.tanh,
    "sigmoid": Tensor.sigmoid,
    "gelu_tanh": Tensor.gelu,
    "gelu": lambda x: x.gelu(approximate="none"),
}


def classifier(model, p, t):
    x, begin = pooled(p["embedding.weight"], t, model.mode), 0
    for name, width in zip(model.layers, model.hidden_features, strict=False):
        x = ACTIVATIONS[model.activation](x.linear(p[f"{name}.weight"].T, p[f"{name}.bias"]))
        if model.dropout:
            x = t["keep"][:, begin : begin + width].where(x / (1 - model.dropout), 0)
        begin += width
    x = x.linear(p[f"{model.layers[-1]}.weight"].T, p[f"{model.layers[-1]}.bias"])
    if isinstance(model.loss, CrossEntropy):
        return cross_entropy(x, t["labels"], model.loss)
    losses = (x - t["labels"]).square()
    return losses.sum() if model.loss.reduction == "sum" else losses.mean()


def cross_entropy(logits, labels, loss):
    n, classes = logits.shape
    weight = Tensor(loss.weight or (1,) * classes, dtype=logits.dtype)
    if loss.probabilities:
        q, counted, divisor = labels, Tensor.ones(n, 1, dtype=logits.dtype), n
    else:
        counted = (labels != loss.ignore_index).cast(logits.dtype).unsqueeze(1)
        q = counted * labels.one_hot(classes).cast(logits.dtype)
        divisor = (q * weight).sum()
    q = (1 - loss.label_smoothing) * q + loss.label_smoothing / classes * counted
    total = -(q * weight * logits.log_softmax(axis=1)).sum()
    return total if loss.reduction == "sum" else total / divisor


def word2vec(model, p, t):
    if isinstance(model, SkipGram):
        hidden, targets = p["center.weight"][t["centers"]], t["contexts"].unsqueeze(1)
    else:
        hidden, targets = pooled(p["context.weight"], t, model.mode), t["centers"].unsqueeze(1)
    table = p[model.output]
    match model.objective:
        case Softmax():
            losses = -(hidden @ table.T).log_softmax(axis=1).gather(1, targets)
        case NegativeSampling(accidental_hits=hits) | SharedNegatives(accidental_hits=hits):
            counted = (t["negatives"] != targets) if hits == "mask" else t["negatives"] >= 0
            signs = (targets >= 0).int().cat(-counted.int(), dim=1)
            losses = decisions(hidden, table[targets.cat(t["negatives"], dim=1)], signs)
            if isinstance(model.objective, SharedNegatives):
                share = model.objective.num_negatives / model.objective.shared
                losses = losses[:, :1].sum() + share * losses[:, 1:].sum()
        case HierarchicalSoftmax():
            losses = decisions(hidden, table[t["nodes"]], t["signs"])
    return losses.sum() / (len(hidden) if model.reduction == "mean" else 1)


def decisions(hidden, rows, signs):
    signs = signs.cast(hidden.dtype)
    scores = Tensor.einsum("nd,nkd->nk", hidden, rows)
    return -signs.abs() * (signs * scores).logsigmoid()


def glove(model, p, t):
    center, context = p["center.weight"][t["centers"]], p["context.weight"][t["contexts"]]
    biases = p["center_bias.weight"][t["centers"]] + p["context_bias.weight"][t["contexts"]]
    off = (center * context).sum(axis=1) + biases[:, 0] - t["counts"].log()
    losses = ((t["counts"] / model.x_max) ** model.alpha).minimum(1) * off * off
    return losses.sum() if model.reduction == "sum" else losses.mean()


# --- the contract ----------------------------------------------------------------------------------------------------


def loss(model, p, t):
    match model:
        case Embedding():
            return (lookup(model, p, t) * t["upstream"]).sum()
        case EmbeddingBag():
            return (pooled(p["embedding.weight"], t, model.mode, p.get("per_sample_weights")) * t["upstream"]).sum()
        case Linear():
            return (p["input"].linear(p["linear.weight"].T, p["linear.bias"]) * t["upstream"]).sum()
        case Classifier():
            return classifier(model, p, t)
        case SkipGram() | CBOW():
            return word2vec(model, p, t)
        case GloVe():
            return glove(model, p, t)
    raise AssertionError(model)


class Gradients:
    """Loss and gradients alone: of a case whose optimizer is another than plain SGD, the first batch is compared."""

    def __init__(self, case, weights):
        self.case, self.p = case, weights

    def loss_and_grads(self, batch):
        model = self.case.model
        batch = pairs_of(batch)
        given = {part.name: getattr(batch, part.name) for part in fields(batch)}
        t = {name: Tensor(value) for name, value in given.items() if value is not None}
        if isinstance(model, EmbeddingBag | Classifier | CBOW):
            options = getattr(model, "padding_idx", None), getattr(model, "include_last_offset", False)
            t["member"] = Tensor(membership(batch, self.case.dtype, *options))
        p = {name: Tensor(value) for name, value in self.p.items()}
        p |= {name: t[name] for name in model.input_gradients}
        value = loss(model, p, t)
        grads = value.gradient(*p.values())
        Tensor.realize(value, *grads)
        self.grads = {name: gradient.numpy() for name, gradient in zip(p, grads, strict=True)}
        return value.item(), self.grads


class Training(Gradients):
    """And the update of plain SGD."""

    def step(self):
        self.p = {name: value - self.case.optimizer.lr * self.grads[name] for name, value in self.p.items()}

    def params(self):
        return self.p


def build(case, weights):
    if case.row_tables:
        raise Unsupported("tinygrad has dense gradients only")
    if getattr(case.model, "max_norm", None) is not None or getattr(case.model, "scale_grad_by_freq", False):
        raise Unsupported("max_norm and scale_grad_by_freq are PyTorch's own")
    if sum(map(math.prod, case.model.shapes.values())) > LARGEST:
        raise Unsupported(f"more than {LARGEST} parameters; an interpreter does the small cases")
    plain = case.optimizer == SGD(case.optimizer.lr) and case.max_norm is None and case.lr_decay_to is None
    return (Training if plain else Gradients)(case, weights)
