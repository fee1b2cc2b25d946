"""The manual of what to implement: models, optimizers, batches, and the case that joins them.

Argument names and defaults are PyTorch's. Letters in shapes: B bags in a batch, L ids in a bag, N pairs, V rows of a
table, D its width, H hidden units, C classes, K negatives.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import MISSING, dataclass, fields
from functools import cached_property
from typing import Any, Literal

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray

from reference.contract import BadInput

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

    @cached_property
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


# The objectives of word2vec: how a hidden vector (D,) and the word that it is to predict become a loss. Each is summed
# over what it consists of, and over the N pairs of a batch summed or averaged, as the model's `reduction` says.


@dataclass(frozen=True)
class Softmax:
    """Every word of the vocabulary competes: -log softmax(hidden @ table.T)[target] (Mikolov et al. 2013a, section 3).

    It reaches every row of the table, so the table's gradient is dense. https://arxiv.org/abs/1301.3781
    """


@dataclass(frozen=True)
class NegativeSampling:
    """The word is told from K drawn ones: -log s(h @ t) - sum over k of log s(-h @ n_k), s the sigmoid, t and n_k rows.

    The negatives are part of the batch, (N, K), drawn with a probability that is proportional to count**power.
    accidental_hits: what becomes of a negative that is the target itself. "keep": it counts, as the formula has it.
    "mask": it counts neither in the loss nor in the gradient, as in word2vec.c. "redraw": it is drawn anew until it is
    another word, so that the batch has none.

    Mikolov et al. 2013b, equation 4, https://arxiv.org/abs/1310.4546; Goldberg and Levy 2014,
    https://arxiv.org/abs/1402.3722.
    """

    num_negatives: int = 5
    accidental_hits: Literal["keep", "mask", "redraw"] = "keep"
    power: float = 0.75


@dataclass(frozen=True)
class SharedNegatives:
    """Negative sampling in which the pairs of a block of text share their negatives, so that all is matrix products.

    A block has T centres h_i, the C words t_j among which their contexts are, and S negatives n_s; a weight m_ij is 1
    where the word j is in the context of the centre i, and 0 elsewhere. Its loss is
    -sum over i, j of m_ij * (log s(h_i @ t_j) + num_negatives / S * sum over s of log s(-h_i @ n_s)):
    that of `NegativeSampling`, with as many parts of all the block's negatives in place of each pair's own. Skip-gram
    only; its batches are `BlockBatch`. shared: S. accidental_hits: "mask" leaves out, for the pair i, j, each negative
    that is the word j.

    Ji et al. 2016, https://arxiv.org/abs/1604.04661.
    """

    num_negatives: int = 5
    shared: int = 32
    accidental_hits: Literal["keep", "mask"] = "keep"
    power: float = 0.75


@dataclass(frozen=True)
class HierarchicalSoftmax:
    """The word is reached by left and right turns down a Huffman tree: -sum over its path of log s(sign * h @ node).

    The tree is built from the words' counts (`reference.huffman`); its V - 1 inner nodes are the table `nodes.weight`,
    numbered in the order in which they are made, the root last. The batch has the paths: `nodes` and `signs`, (N, L).
    Morin and Bengio 2005, https://proceedings.mlr.press/r5/morin05a.html; Mikolov et al. 2013b, equation 3.
    """


Objective = Softmax | NegativeSampling | SharedNegatives | HierarchicalSoftmax


class _Word2Vec:
    """What skip-gram and CBOW share: the words that are looked up, and the table that predicts."""

    num_embeddings: int
    embedding_dim: int
    objective: Objective
    given: str
    predicted: str

    @property
    def output(self) -> str:
        """The table that the objective holds the hidden vector against."""
        return "nodes.weight" if isinstance(self.objective, HierarchicalSoftmax) else self.predicted

    @property
    def shapes(self) -> Shapes:
        """The parameters' shapes, by name."""
        V, D = self.num_embeddings, self.embedding_dim
        return {self.given: (V, D), self.output: (V - isinstance(self.objective, HierarchicalSoftmax), D)}

    @property
    def tables(self) -> tuple[str, ...]:
        """The tables that can have row gradients."""
        return (self.given,) if isinstance(self.objective, Softmax) else (self.given, self.output)

    input_gradients = ()


@dataclass(frozen=True)
class SkipGram(_Word2Vec):
    """A centre word predicts a word of its context (Mikolov et al. 2013a, section 3.2).

    Batch: `PairBatch`, or `BlockBatch` for shared negatives. hidden = center.weight[centers], and the objective holds
    it against `context.weight` (V, D), or `nodes.weight` (V - 1, D) in hierarchical softmax. reduction: over the pairs.
    """

    num_embeddings: int
    embedding_dim: int
    objective: Objective = Softmax()
    reduction: Literal["mean", "sum"] = "mean"

    given, predicted = "center.weight", "context.weight"


@dataclass(frozen=True)
class CBOW(_Word2Vec):
    """The words of a context, averaged or summed, predict their centre (Mikolov et al. 2013a, section 3.1).

    Batch: `ContextBatch`. hidden = the mean or sum of context.weight[ids] over each context; of the mean, each word
    carries one part in as many as the context has words, backward as forward (word2vec.c itself leaves the backward
    pass undivided: https://arxiv.org/abs/2012.15332). The objective holds the hidden vector against `center.weight`
    (V, D), or `nodes.weight` (V - 1, D) in hierarchical softmax. reduction: over the contexts.
    """

    num_embeddings: int
    embedding_dim: int
    mode: Literal["mean", "sum"] = "mean"
    objective: Objective = Softmax()
    reduction: Literal["mean", "sum"] = "mean"

    given, predicted = "context.weight", "center.weight"

    def __post_init__(self) -> None:
        if isinstance(self.objective, SharedNegatives):
            raise BadInput("CBOW: has no SharedNegatives, which pair words; use NegativeSampling, or skip-gram")


Model = Embedding | EmbeddingBag | Linear | Classifier | SkipGram | CBOW

# --- optimizers ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Optimizer:
    """What they share. normalizes: the update divides by the root of squares of gradients. state: the kinds of it."""

    normalizes = True

    @property
    def label(self) -> str:
        """Its name, and the options that are not PyTorch's defaults: `sgd-momentum`, `adam-amsgrad`."""
        changed = [part.name for part in fields(self) if getattr(self, part.name) != part.default and part.name != "lr"]
        return "-".join((type(self).__name__.lower(), *(_SHORT.get(name, name) for name in changed)))

    def _at_least_0(self, *names: str) -> None:
        self._check(names, lambda value: value >= 0, "a number from 0 up")

    def _above_0(self, *names: str) -> None:
        self._check(names, lambda value: value > 0, "a number above 0")

    def _betas(self) -> None:
        self._check(["betas"], lambda betas: all(0 <= beta < 1 for beta in betas), "numbers from 0 to below 1")

    def _check(self, names: Iterable[str], allows: Callable[[Any], bool], allowed: str) -> None:
        for name in names:
            value = getattr(self, name)
            if not allows(value) or not np.isfinite(value).all():
                raise BadInput(f"{type(self).__name__}: {name} is {value}; {allowed} is needed")


_SHORT = {"weight_decay": "decay", "lr_decay": "lrdecay", "initial_accumulator_value": "accumulator"}


@dataclass(frozen=True)
class SGD(_Optimizer):
    """Gradient descent with momentum, as PyTorch has it: the learning rate stands outside the momentum.

    grad += weight_decay * param; buf = momentum * buf + (1 - dampening) * grad, in the first step buf = grad;
    param -= lr * buf, with nesterov lr * (grad + momentum * buf) (Sutskever et al. 2013). On row gradients momentum is
    that of dense ones: every row that ever had a gradient goes on moving.
    https://docs.pytorch.org/docs/stable/generated/torch.optim.SGD.html
    """

    lr: float = 1e-3
    momentum: float = 0.0
    dampening: float = 0.0
    weight_decay: float = 0.0
    nesterov: bool = False

    def __post_init__(self) -> None:
        self._at_least_0("lr", "momentum", "weight_decay")
        if self.nesterov and (self.momentum == 0 or self.dampening != 0):
            given = f"momentum {self.momentum} and dampening {self.dampening}"
            raise BadInput(f"SGD: nesterov with {given}; it needs a momentum above 0 and dampening 0")

    @property
    def state(self) -> tuple[str, ...]:
        """The kinds of its state."""
        return ("momentum_buffer",) if self.momentum else ()

    normalizes = False


@dataclass(frozen=True)
class Adagrad(_Optimizer):
    """Each entry has a learning rate of its own, which falls with the squares that it has seen (Duchi et al. 2011).

    grad += weight_decay * param; sum += grad**2; param -= lr / (1 + (step - 1) * lr_decay) * grad / (sqrt(sum) + eps).
    The sum begins at initial_accumulator_value. https://jmlr.org/papers/v12/duchi11a.html,
    https://docs.pytorch.org/docs/stable/generated/torch.optim.Adagrad.html
    """

    lr: float = 1e-2
    lr_decay: float = 0.0
    weight_decay: float = 0.0
    initial_accumulator_value: float = 0.0
    eps: float = 1e-10

    def __post_init__(self) -> None:
        self._at_least_0("lr", "lr_decay", "weight_decay", "initial_accumulator_value", "eps")

    state = ("step", "sum")


@dataclass(frozen=True)
class RMSprop(_Optimizer):
    """Divides by the root of a moving average of squares (Hinton's lectures, 2012; centered: Graves 2013).

    grad += weight_decay * param; square_avg = alpha * square_avg + (1 - alpha) * grad**2; centered: grad_avg likewise
    of grad, and square_avg - grad_avg**2 under the root; x = grad / (sqrt(square_avg) + eps), with momentum
    x = buf = momentum * buf + x; param -= lr * x. Dense gradients only. https://arxiv.org/abs/1308.0850,
    https://docs.pytorch.org/docs/stable/generated/torch.optim.RMSprop.html
    """

    lr: float = 1e-2
    alpha: float = 0.99
    eps: float = 1e-8
    weight_decay: float = 0.0
    momentum: float = 0.0
    centered: bool = False

    def __post_init__(self) -> None:
        self._at_least_0("lr", "alpha", "eps", "weight_decay", "momentum")

    @property
    def state(self) -> tuple[str, ...]:
        """The kinds of its state."""
        momentum = ("momentum_buffer",) if self.momentum else ()
        return "step", "square_avg", *momentum, *(("grad_avg",) if self.centered else ())


@dataclass(frozen=True)
class Adam(_Optimizer):
    """Moments with bias correction, eps outside the root (Kingma and Ba 2015, as PyTorch has it). Dense gradients only.

    grad += weight_decay * param; exp_avg and exp_avg_sq are the moving averages of grad and grad**2, c1 and c2 their
    corrections 1 - beta**step; param -= lr / c1 * exp_avg / (sqrt(exp_avg_sq / c2) + eps). amsgrad: the largest
    exp_avg_sq so far under the root (Reddi et al. 2018). https://arxiv.org/abs/1412.6980,
    https://docs.pytorch.org/docs/stable/generated/torch.optim.Adam.html
    """

    lr: float = 1e-3
    betas: tuple[float, float] = (0.9, 0.999)
    eps: float = 1e-8
    weight_decay: float = 0.0
    amsgrad: bool = False

    def __post_init__(self) -> None:
        self._at_least_0("lr", "eps", "weight_decay")
        self._betas()

    @property
    def state(self) -> tuple[str, ...]:
        """The kinds of its state."""
        return "step", "exp_avg", "exp_avg_sq", *(("max_exp_avg_sq",) if self.amsgrad else ())


@dataclass(frozen=True)
class AdamW(Adam):
    """Adam with the weight decay beside the gradient instead of in it: param *= 1 - lr * weight_decay comes first.

    Loshchilov and Hutter 2019, https://arxiv.org/abs/1711.05101,
    https://docs.pytorch.org/docs/stable/generated/torch.optim.AdamW.html
    """

    weight_decay: float = 1e-2


@dataclass(frozen=True)
class SparseAdam(_Optimizer):
    """Adam on row gradients alone: the moments of a row that has no gradient stay as they are. Row gradients only.

    Here eps stands beside the root of the uncorrected moment: param -= lr * sqrt(c2) / c1 * exp_avg /
    (sqrt(exp_avg_sq) + eps), as in section 2 of Kingma and Ba 2015, and as Keras has it; torch's Adam has not.
    https://docs.pytorch.org/docs/stable/generated/torch.optim.SparseAdam.html
    """

    lr: float = 1e-3
    betas: tuple[float, float] = (0.9, 0.999)
    eps: float = 1e-8

    def __post_init__(self) -> None:
        self._above_0("lr", "eps")
        self._betas()

    state = ("step", "exp_avg", "exp_avg_sq")


Optimizer = SGD | Adagrad | RMSprop | Adam | AdamW | SparseAdam

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
    """Pairs of a centre word and one word of its context. A centre with several contexts stands in several pairs.

    negatives: those of `NegativeSampling`. nodes, signs: of `HierarchicalSoftmax`, the paths to the contexts,
    the longest of L nodes: +1 where the code is 0, -1 where it is 1; after its end, the root with the sign 0.
    """

    centers: Int[ndarray, " N"]
    contexts: Int[ndarray, " N"]
    negatives: Int[ndarray, "N K"] | None = None
    nodes: Int[ndarray, "N L"] | None = None
    signs: Int[ndarray, "N L"] | None = None

    @property
    def targets(self) -> Int[ndarray, " N"]:
        """The words to be predicted."""
        return self.contexts


@dataclass(frozen=True, eq=False)
class BlockBatch:
    """N blocks of running text, for `SharedNegatives`: T centres, and C words among which their contexts are.

    inside: whether contexts[n, j] is in the context of centers[n, i]. negatives: S for each block. At the end of a text
    a block may have places that are in no context.
    """

    centers: Int[ndarray, "N T"]
    contexts: Int[ndarray, "N C"]
    inside: Bool[ndarray, "N T C"]
    negatives: Int[ndarray, "N S"] | None = None


@dataclass(frozen=True, eq=False)
class ContextBatch:
    """Contexts, one after the other, none of them empty, and the centre word of each.

    ids: those of all contexts. offsets: where each begins, the first at 0, as nn.EmbeddingBag takes them. negatives,
    nodes, signs: as in `PairBatch`, of the centres.
    """

    ids: Int[ndarray, " I"]
    offsets: Int[ndarray, " N"]
    centers: Int[ndarray, " N"]
    negatives: Int[ndarray, "N K"] | None = None
    nodes: Int[ndarray, "N L"] | None = None
    signs: Int[ndarray, "N L"] | None = None

    @property
    def targets(self) -> Int[ndarray, " N"]:
        """The words to be predicted."""
        return self.centers


Batch = LookupBatch | DenseBatch | BagBatch | PairBatch | BlockBatch | ContextBatch

# --- data: where the batches of a case come from ---------------------------------------------------------------------


@dataclass(frozen=True)
class Dialogue:
    """The small run of a written dialogue on backpropagation: four bags, or the seven-word corpus.

    A classifier sees the four bags in every step. Skip-gram and CBOW see one centre word a step, with all its contexts
    within the window; after the last word of the corpus they begin anew.
    """

    window: int = 1


@dataclass(frozen=True)
class Drawn:
    """Seeded batches, new in every step.

    shape: that of the ids, or (B,) rows, or (N,) pairs, or (N, C) for N contexts of 1 to C words, or (N, T) for N
    blocks of T words. zipf: ids as skewed as words are (density 1/rank) instead of uniform. used: how many of the
    vocabulary's rows may occur (default: all), so that some are sure never to be looked up. ragged: bags of 0 to L ids,
    the last one empty in every other step, handed over with offsets. ids_dtype: that of the ids. Where the model has a
    padding_idx, the first bag is of padding alone.
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
    ids, and their chapter; a skip-gram the pairs within `window`, or with shared negatives the text in blocks of
    `length` words with the window around them; CBOW the contexts. Of these, as word2vec has it,
    dynamic_window: each centre has a window of its own, drawn from 1 to `window`. subsample: the threshold t, above
    which frequent words are dropped before there are windows (`reference.text.kept`). Both are drawn anew in each pass.
    min_count: how often a word must occur to be one (default: 5 times, in a short text once).
    """

    source: str
    batch_size: int
    length: int = 16
    window: int = 2
    dynamic_window: bool = False
    subsample: float | None = None
    min_count: int | None = None


@dataclass(frozen=True, eq=False)
class Recorded:
    """Weights by name and batches as they stand in a test vector (`reference.vector`)."""

    weights: dict[str, ndarray]
    batches: tuple[Batch, ...]

    @property
    def ragged(self) -> bool:
        """Whether bags are handed over with offsets."""
        return any(isinstance(batch, BagBatch) and batch.offsets is not None for batch in self.batches)


Data = Dialogue | Drawn | Text | Recorded

# --- the case --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Case:
    """Everything that an implementation is held to: a model, an optimizer, data, and how to compute.

    name: what is special about it. sparse: the gradients of `model.tables` are asked for as rows. dtype: of the
    parameters, and so of all that is computed from them. steps: how many batches are trained on. gain: the initial
    weights are so many times larger than usual, so that a softmax saturates. grid: the initial weights are rounded to
    multiples of it, so that there are exact zeros and ties. max_norm: before each update the gradients of the
    parameters are scaled down to this norm of all of them together, as `torch.nn.utils.clip_grad_norm_` does.
    lr_decay_to: the learning rate falls linearly, from the optimizer's in the first step to this one after the last, as
    in word2vec; `step()` sees to it.
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
            raise BadInput(f"case {self.name}: max_norm is {self.max_norm}; a number above 0, or None, is needed")
        if self.lr_decay_to is not None and not 0 <= self.lr_decay_to <= self.optimizer.lr:
            raise BadInput(
                f"case {self.name}: lr_decay_to is {self.lr_decay_to}; a number from 0 to the lr, "
                f"{self.optimizer.lr}, or None, is needed"
            )

    @cached_property
    def id(self) -> str:
        """Readable and unique in the catalogue: `classifier-dialogue-sgd-rows-f64`."""
        layout = ("rows" if self.sparse else "dense") if self.model.tables else "dense"
        update = (self.optimizer.label, *(() if self.max_norm is None else ("clip",)))
        return "-".join((self.family, self.name, *update, layout, self.dtype.replace("loat", "")))

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
