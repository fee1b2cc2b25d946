"""The models in JAX: forward passes alone, compiled, with the gradients of `jax.value_and_grad`.

https://docs.jax.dev; `twingrad verify --candidate tests/third_parties/in_jax.py`
"""

from dataclasses import asdict

import jax
import jax.numpy as jnp
import numpy as np
from jax.nn import gelu, log_sigmoid, log_softmax, relu, sigmoid, tanh
from jax.ops import segment_max, segment_sum

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

jax.config.update("jax_enable_x64", True)  # without it, float64 becomes float32 in silence
jax.config.update("jax_platforms", "cpu")
jax.config.update("jax_disable_most_optimizations", True)  # nearly all of the time goes into compiling small cases

# --- what is looked up -----------------------------------------------------------------------------------------------


def lookup(model, p, batch):
    vectors = p["embedding.weight"][batch["ids"]]
    padding = (batch["ids"] == (-1 if model.padding_idx is None else model.padding_idx))[..., None]
    return jnp.where(padding, jax.lax.stop_gradient(vectors), vectors)


def in_bags(batch, padding_idx=None, include_last_offset=False):
    """All ids, the bag that each is in, and how many bags there are; ids that do not count are in a bag beyond them."""
    ids = batch.ids.reshape(-1)
    if batch.offsets is None:
        bags = len(batch.ids)
        bag = np.repeat(np.arange(bags), batch.ids.shape[1])
    else:
        bags = len(batch.offsets) - include_last_offset
        bag = np.searchsorted(batch.offsets[:bags], np.arange(len(ids)), side="right") - 1
    return {"ids": ids, "bag": np.where(ids == padding_idx, bags, bag), "empty": np.zeros(bags)}


def pairs_of(batch):
    """Blocks that share their negatives as pairs, each of which has all the negatives of its block."""
    if not isinstance(batch, BlockBatch):
        return batch
    n, i, j = np.nonzero(batch.inside)
    return PairNegativesBatch(batch.centers[n, i], batch.contexts[n, j], batch.negatives[n])


def pooled(table, batch, mode, weights=None):
    bag, bags = batch["bag"], len(batch["empty"])
    vectors = table[batch["ids"]]
    if weights is not None:
        vectors = vectors * weights.reshape(-1, 1)
    sizes = segment_sum(jnp.ones(len(bag), table.dtype), bag, bags)[:, None]
    if mode == "max":
        return jnp.where(sizes > 0, segment_max(vectors, bag, bags), 0)
    total = segment_sum(vectors, bag, bags)
    return total / jnp.maximum(sizes, 1) if mode == "mean" else total


# --- what becomes of it ----------------------------------------------------------------------------------------------

ACTIVATIONS = {
    "relu": relu,
    "tanh": tanh,
    "sigmoid": sigmoid,
    "gelu": lambda x: gelu(x, approximate=False),
    "gelu_tanh": gelu,
}


def linear(x, weight, bias):
    return x @ weight.T + bias


def classifier(model, p, batch):
    x = pooled(p["embedding.weight"], batch, model.mode)
    begin = 0
    for name, width in zip(model.layers, model.hidden_features, strict=False):
        x = ACTIVATIONS[model.activation](linear(x, p[f"{name}.weight"], p[f"{name}.bias"]))
        if model.dropout:
            x = jnp.where(batch["keep"][:, begin : begin + width], x / (1 - model.dropout), 0)
        begin += width
    x = linear(x, p[f"{model.layers[-1]}.weight"], p[f"{model.layers[-1]}.bias"])
    if isinstance(model.loss, MSELoss):
        losses = (x - batch["labels"]) ** 2
        return losses.sum() if model.loss.reduction == "sum" else losses.mean()
    return cross_entropy(x, batch["labels"], model.loss)


def cross_entropy(logits, labels, loss):
    n, classes = logits.shape
    weight = jnp.array(loss.weight or (1,) * classes, logits.dtype)
    if loss.probabilities:
        q, counted, divisor = labels, jnp.ones(n, logits.dtype), n
    else:
        counted = (labels != loss.ignore_index).astype(logits.dtype)
        q = counted[:, None] * jax.nn.one_hot(labels, classes, dtype=logits.dtype)
        divisor = (q * weight).sum()
    q = (1 - loss.label_smoothing) * q + loss.label_smoothing / classes * counted[:, None]
    total = -(q * weight * log_softmax(logits)).sum()
    return total if loss.reduction == "sum" else total / divisor


def word2vec(model, p, batch):
    if isinstance(model, SkipGram):
        hidden, targets = p["center.weight"][batch["centers"]], batch["contexts"]
    else:
        hidden, targets = pooled(p["context.weight"], batch, model.mode), batch["centers"]
    table = p[model.output]
    match model.objective:
        case Softmax():
            losses = -jnp.take_along_axis(log_softmax(hidden @ table.T), targets[:, None], axis=1)
        case NegativeSampling(accidental_hits=hits) | SharedNegatives(accidental_hits=hits):
            ids = jnp.concatenate([targets[:, None], batch["negatives"]], axis=1)
            negative = jnp.arange(ids.shape[1]) > 0
            hit = negative & (ids == targets[:, None]) & (hits == "mask")
            signs = jnp.where(hit, 0, jnp.where(negative, -1, 1))
            losses = decisions(hidden, table[ids], signs)
            if isinstance(model.objective, SharedNegatives):
                losses = jnp.where(negative, model.objective.num_negatives / model.objective.shared, 1) * losses
        case HierarchicalSoftmax():
            losses = decisions(hidden, table[batch["nodes"]], batch["signs"])
    return losses.sum() if model.reduction == "sum" else losses.sum() / len(hidden)


def decisions(hidden, rows, signs):
    scores = jnp.einsum("nd,nkd->nk", hidden, rows)
    return -jnp.where(signs == 0, 0, log_sigmoid(signs.astype(hidden.dtype) * scores))


def glove(model, p, batch):
    center, context = p["center.weight"][batch["centers"]], p["context.weight"][batch["contexts"]]
    biases = p["center_bias.weight"][batch["centers"]] + p["context_bias.weight"][batch["contexts"]]
    off = (center * context).sum(axis=1) + biases[:, 0] - jnp.log(batch["counts"])
    losses = jnp.minimum((batch["counts"] / model.x_max) ** model.alpha, 1) * off**2
    return losses.sum() if model.reduction == "sum" else losses.mean()


# --- the contract ----------------------------------------------------------------------------------------------------


def loss(p, model, batch):
    match model:
        case Embedding():
            return (lookup(model, p, batch) * batch["upstream"]).sum()
        case EmbeddingBag():
            return (
                pooled(p["embedding.weight"], batch, model.mode, p.get("per_sample_weights")) * batch["upstream"]
            ).sum()
        case Linear():
            return (linear(p["input"], p["linear.weight"], p["linear.bias"]) * batch["upstream"]).sum()
        case Classifier():
            return classifier(model, p, batch)
        case SkipGram() | CBOW():
            return word2vec(model, p, batch)
        case GloVe():
            return glove(model, p, batch)
    raise AssertionError(model)


loss_and_grads = jax.jit(jax.value_and_grad(loss), static_argnames="model")


class Gradients:
    """Loss and gradients alone: of a case whose optimizer is another than plain SGD, the first batch is compared."""

    def __init__(self, case, weights):
        self.case, self.p = case, weights

    def loss_and_grads(self, batch):
        model = self.case.model
        inputs = {name: getattr(batch, name) for name in model.input_gradients}
        batch = pairs_of(batch)
        given = {name: value for name, value in asdict(batch).items() if value is not None}
        if isinstance(model, EmbeddingBag | Classifier | CBOW):
            options = getattr(model, "padding_idx", None), getattr(model, "include_last_offset", False)
            given |= in_bags(batch, *options)
        value, self.grads = loss_and_grads(self.p | inputs, model, given)
        return value, self.grads


class Training(Gradients):
    """And the update of plain SGD."""

    def step(self):
        self.p = {name: value - self.case.optimizer.lr * self.grads[name] for name, value in self.p.items()}

    def params(self):
        return self.p


def build(case, weights):
    if case.row_tables:
        raise Unsupported("JAX has dense gradients only")
    if getattr(case.model, "max_norm", None) is not None or getattr(case.model, "scale_grad_by_freq", False):
        raise Unsupported("max_norm and scale_grad_by_freq are PyTorch's own")
    plain = case.optimizer == SGD(case.optimizer.lr) and case.max_norm is None and case.lr_decay_to is None
    return (Training if plain else Gradients)(case, weights)
