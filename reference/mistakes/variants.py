"""What frameworks do differently, where neither is wrong.

A variant is written like a mistake, so it can be planted and recognized. Its sentence names the framework.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from numpy_impl.embedding_bag import flat
from numpy_impl.functional import gelu as erf_form
from numpy_impl.functional import gelu_tanh as tanh_form
from numpy_impl.functional import sigmoid
from numpy_impl.kernels.rows import rows_of
from numpy_impl.optimizers import AdamW, place, total_norm, with_decay
from reference.mistakes.losses import distribution
from reference.mistakes.objectives import answered, divisor_of, scores_of
from reference.mistakes.optimizers import dampened_at_first, optioned
from reference.mistakes.planting import Mistake, entered_in, in_backward

VARIANTS: dict[str, Mistake] = {}
variant = entered_in(VARIANTS)

# --- ties and kinks --------------------------------------------------------------------------------------------------


def max_with_ties(share: Callable) -> Callable:
    """A plant: share(places, bag) distributes the gradient of a maximum over its places (N, D)."""

    def plant(right: Callable) -> Callable:
        def wrong(ids, weight, sparse, offsets=None, mode="mean", padding_idx=None, include_last_offset=False):
            pooled, backward = right(ids, weight, sparse, offsets, mode, padding_idx, include_last_offset)
            if mode != "max":
                return pooled, backward
            all_ids, bag, _ = flat(ids, offsets, include_last_offset)
            all_ids, bag = all_ids[all_ids != padding_idx], bag[all_ids != padding_idx]
            places = weight[all_ids] == pooled[bag]
            return pooled, lambda d: rows_of(all_ids, share(places, bag).astype(d.dtype) * d[bag], len(weight)).dense()

        return wrong

    return plant


@variant(
    "embedding_bag",
    "the gradient of a maximum that equal maxima share evenly, as in JAX and torch.amax",
    wrong="d_vectors = d * ties / ties.sum(axis=0)",
    right="d_vectors = d * (np.arange(L) == vectors.argmax(axis=0))",
    sources=("tensorflow/tensorflow#51682", "tensorflow/tensorflow#4886"),
)
def max_ties_shared(right: Callable) -> Callable:
    def share(places, bag):
        number = np.zeros((bag.max(initial=0) + 1, places.shape[1]))
        np.add.at(number, bag, places)
        return places / number[bag]

    return max_with_ties(share)(right)


@variant(
    "embedding_bag",
    "the gradient of a maximum that goes to the last of equal maxima, as in a loop with >=",
    wrong="if vector >= largest: largest, winner = vector, i",
    right="if vector > largest: largest, winner = vector, i",
)
def max_ties_to_the_last(right: Callable) -> Callable:
    def share(places, bag):
        order = np.where(places, np.arange(1, len(places) + 1)[:, None], 0)
        last = np.zeros((bag.max(initial=0) + 1, places.shape[1]), order.dtype)
        np.maximum.at(last, bag, order)
        return places & (order == last[bag])

    return max_with_ties(share)(right)


def over_time_with_ties(share: Callable) -> Callable:
    """A plant: share(places) distributes the gradient of a maximum over time over its places (B, H, T)."""

    def plant(right: Callable) -> Callable:
        def wrong(x, inside, mode):
            pooled, backward = right(x, inside, mode)
            if mode != "max":
                return pooled, backward
            places = inside[:, None] & (x == pooled[:, :, None])
            return pooled, lambda d: d[:, :, None] * share(places).astype(d.dtype)

        return wrong

    return plant


@variant(
    "over_time",
    "the gradient of a maximum over time that equal windows share evenly, as in JAX and torch.amax",
    wrong="d_active = d * ties / ties.sum(axis=2)",
    right="d_active = d * (np.arange(S) == active.argmax(axis=2))",
    sources=("tensorflow/tensorflow#51681", "jax-ml/jax#13600", "pytorch/pytorch#56734"),
)
def time_ties_shared(right: Callable) -> Callable:
    return over_time_with_ties(lambda places: places / places.sum(axis=2, keepdims=True))(right)


@variant(
    "over_time",
    "the gradient of a maximum over time that every equal window gets whole, as in MXNet",
    wrong="d_active = d * ties",
    right="d_active = d * (np.arange(S) == active.argmax(axis=2))",
    sources=("apache/mxnet#18563",),
)
def time_ties_to_each(right: Callable) -> Callable:
    return over_time_with_ties(lambda places: places)(right)


@variant(
    "relu",
    "the gradient that passes relu where its input is exactly 0 too, as in torch.clamp(min=0)",
    wrong="dx = d * (x >= 0)",
    right="dx = d * (x > 0)",
    sources=("iamtrask/Grokking-Deep-Learning#13", "jax-ml/jax#37821"),
)
@in_backward
def relu_slope_1_at_0(gradient, d, x):
    return gradient + d * (x == 0)


@variant(
    "relu",
    "the gradient that relu halves where its input is exactly 0, as in JAX's maximum(x, 0)",
    wrong="dx = d * ((x > 0) + 0.5 * (x == 0))",
    right="dx = d * (x > 0)",
    sources=("jax-ml/jax#37821",),
)
@in_backward
def relu_slope_half_at_0(gradient, d, x):
    return gradient + d * (x == 0) / 2


@variant(
    "gelu",
    "the tanh form of gelu instead of the erf form, as is JAX's default",
    wrong="y = jax.nn.gelu(x)",
    right="y = jax.nn.gelu(x, approximate=False)",
    sources=("https://docs.jax.dev/en/latest/_autosummary/jax.nn.gelu.html",),
)
def gelu_by_tanh(right: Callable) -> Callable:
    return tanh_form


@variant(
    "gelu_tanh",
    "the erf form of gelu instead of the tanh form, as is PyTorch's default",
    wrong="y = gelu(x)",
    right='y = gelu(x, approximate="tanh")',
    sources=("https://docs.pytorch.org/docs/stable/generated/torch.nn.GELU.html",),
)
def gelu_by_erf(right: Callable) -> Callable:
    return erf_form


@variant(
    ("gelu", "gelu_tanh"),
    "the form x * sigmoid(1.702 x) of gelu, as in the CLIP models",
    wrong="y = x * sigmoid(1.702 * x)",
    right="y = gelu(x)",
    sources=(
        "https://arxiv.org/abs/1606.08415",
        "https://github.com/openai/CLIP/blob/main/clip/model.py",
    ),
)
def gelu_by_sigmoid(right: Callable) -> Callable:
    def wrong(x):
        y, d_sigmoid = sigmoid(1.702 * x)
        return x * y, lambda d: d * y + 1.702 * d_sigmoid(d * x)

    return wrong


# --- duplicates ------------------------------------------------------------------------------------------------------


@variant(
    "rows_of",
    "the gradient that averages duplicate ids instead of summing them, as in DGL's sparse optimizers",
    wrong="table_grad[rows] = sums / counts[:, None]",
    right="table_grad[rows] = sums",
    sources=("https://github.com/dmlc/dgl/blob/master/python/dgl/optim/pytorch/sparse_optim.py",),
)
def duplicates_averaged(right: Callable) -> Callable:
    def wrong(ids, d, num_embeddings, source=None):
        grad = right(ids, d, num_embeddings, source)
        counts = np.bincount(ids, minlength=num_embeddings)[grad.rows]
        return replace(grad, values=grad.values / np.maximum(counts, 1)[:, None].astype(d.dtype))

    return wrong


# --- padding, norms --------------------------------------------------------------------------------------------------


@variant(
    "embedding_bag",
    "the pooled vector that treats padding like any other word, as in Keras without mask_zero",
    wrong="pooled = weight[ids].mean(axis=1)",
    right="pooled = weight[ids[ids != padding_idx]].mean(axis=0)",
    sources=("https://keras.io/api/layers/core_layers/embedding/",),
)
def padding_counted(right: Callable) -> Callable:
    def wrong(ids, weight, sparse, offsets=None, mode="mean", padding_idx=None, *options):
        return right(ids, weight, sparse, offsets, mode, None, *options)

    return wrong


@variant(
    "renorm",
    "the table with rows rescaled to exactly max_norm, as in TensorFlow; PyTorch divides by the norm + 1e-7",
    wrong="weight[rows] *= max_norm / norms",
    right="weight[rows] *= max_norm / (norms + 1e-7)",
    sources=("https://www.tensorflow.org/api_docs/python/tf/clip_by_norm",),
)
def max_norm_itself(right: Callable) -> Callable:
    def wrong(weight, ids, max_norm, norm_type):
        rows = np.unique(ids)
        norms = np.linalg.norm(weight[rows], norm_type, axis=1)
        right(weight, ids, max_norm, norm_type)
        large = norms > max_norm
        weight[rows[large]] *= ((norms[large] + 1e-7) / norms[large])[:, None]

    return wrong


@variant(
    "renorm",
    "the table with shorter rows divided by (norm + 1e-7) and multiplied by the norm too, as in Keras's MaxNorm",
    wrong="weight[rows] *= np.clip(norms, 0, max_norm) / (norms + 1e-7)",
    right="weight[rows] *= np.where(norms > max_norm, max_norm / (norms + 1e-7), 1)",
    sources=("https://github.com/keras-team/keras/blob/master/keras/src/constraints/constraints.py",),
)
def max_norm_of_short_rows(right: Callable) -> Callable:
    def wrong(weight, ids, max_norm, norm_type):
        rows = np.unique(ids)
        norms = np.linalg.norm(weight[rows], norm_type, axis=1)
        right(weight, ids, max_norm, norm_type)
        short = norms <= max_norm
        weight[rows[short]] *= (norms[short] / (norms[short] + 1e-7))[:, None]

    return wrong


# --- losses ----------------------------------------------------------------------------------------------------------


@variant(
    "cross_entropy",
    "the weighted loss that divides by the number of targets that count, not by their weights, as in Keras",
    wrong="loss = (class_weight[target] * losses).sum() / (target != ignore_index).sum()",
    right="loss = (class_weight[target] * losses).sum() / class_weight[target].sum()",
    sources=("pytorch/pytorch#107680",),
)
def class_weights_over_n(right: Callable) -> Callable:
    def wrong(logits, target, weight=None, **options):
        loss, backward = right(logits, target, weight=weight, **options)
        if weight is None:
            return loss, backward
        weighted, plain = (distribution(logits, target, w, **options)[1] for w in (weight, None))
        return loss * (weighted / plain), lambda: backward() * (weighted / plain)

    return wrong


@variant(
    "cross_entropy",
    "the loss that smooths labels over the other C - 1 classes, as in fairseq",
    wrong="q = np.full((N, C), s / (C - 1)); q[range(N), target] = 1 - s",
    right="q = np.full((N, C), s / C); q[range(N), target] += 1 - s",
    sources=(
        "https://github.com/facebookresearch/fairseq/blob/main/fairseq/criterions/label_smoothed_cross_entropy.py",
    ),
)
def smoothing_over_the_others(right: Callable) -> Callable:
    def wrong(logits, target, label_smoothing=0.0, **options):
        classes = logits.shape[1]
        return right(logits, target, label_smoothing=label_smoothing * classes / (classes - 1), **options)

    return wrong


@variant(
    "cross_entropy",
    "the loss of probabilities clipped at {}, as Keras clips them at 1e-7",
    wrong="p = np.clip(p, {}, 1 - {})",
    right="loss = -log_softmax(logits)[range(N), target].mean()",
    sources=("https://github.com/keras-team/keras/blob/master/keras/src/backend/tensorflow/nn.py",),
    number=1e-7,
)
def probabilities_clipped(right: Callable, least: float) -> Callable:
    def wrong(logits, target, **options):
        q, divisor = distribution(logits, target, **options)
        p = np.exp(logits - logits.max(axis=1, keepdims=True))
        p /= p.sum(axis=1, keepdims=True)
        low, high = logits.dtype.type(least), logits.dtype.type(1 - least)
        inside = q * ((p >= low) & (p <= high))
        if (inside == q).all():
            return right(logits, target, **options)
        loss = -(q * np.log(np.clip(p, low, high))).sum() / divisor
        return loss, lambda: (p * inside.sum(axis=1, keepdims=True) - inside) / divisor

    return wrong


@variant(
    "mse_loss",
    "half the squared error, as in scikit-learn",
    wrong="loss = ((output - target) ** 2).mean() / 2",
    right="loss = ((output - target) ** 2).mean()",
    sources=("scikit-learn/scikit-learn#30712",),
)
def mse_halved(right: Callable) -> Callable:
    def wrong(*given, **options):
        loss, backward = right(*given, **options)
        return loss / 2, lambda: backward() / 2

    return wrong


@variant(
    "mse_loss",
    "the squared error summed over the examples but averaged over the outputs of each, as in Keras",
    wrong="loss = ((output - target) ** 2).mean(axis=1).sum()",
    right="loss = ((output - target) ** 2).sum()",
    sources=("https://keras.io/api/losses/regression_losses/",),
)
def mse_averaged_over_outputs(right: Callable) -> Callable:
    def wrong(output, target, reduction):
        loss, backward = right(output, target, reduction=reduction)
        divisor = output.dtype.type(output.shape[1] if reduction == "sum" else 1)
        return loss / divisor, lambda: backward() / divisor

    return wrong


@variant(
    "least_squares",
    "half the weighted squares, as in glove.c",
    wrong="loss = (weight * difference ** 2).sum() / 2",
    right="loss = (weight * difference ** 2).sum()",
    sources=("https://github.com/stanfordnlp/GloVe/blob/master/src/glove.c",),
)
def weighted_squares_halved(right: Callable) -> Callable:
    return mse_halved(right)


@variant(
    "negative_sampling",
    "the loss without accidental hits, as in word2vec.c, although they should be kept",
    wrong="if negative == target: continue",
    right="losses = [loss_of(n) for n in negatives]",
    sources=("https://github.com/tmikolov/word2vec/blob/master/word2vec.c",),
)
def hits_masked(right: Callable) -> Callable:
    def wrong(hidden, table, batch, accidental_hits, **options):
        asked = "mask" if accidental_hits == "keep" else accidental_hits
        return right(hidden, table, batch, accidental_hits=asked, **options)

    return wrong


@variant(
    "negative_sampling",
    "the loss with accidental hits, as in the formula, although they should be masked",
    wrong="losses = [loss_of(n) for n in negatives]",
    right="if negative == target: continue",
    sources=("https://arxiv.org/abs/1402.3722", "theeluwin/pytorch-sgns#9"),
)
def hits_kept(right: Callable) -> Callable:
    def wrong(hidden, table, batch, accidental_hits, **options):
        return right(hidden, table, batch, accidental_hits="keep", **options)

    return wrong


@variant(
    "decisions",
    "the gradient with the sigmoid from a table of 1000 entries from -6 to 6, and 0 or 1 beyond, as in word2vec.c",
    wrong="sigmoid = table[int((score + 6) * 83)] if abs(score) <= 6 else float(score > 0)",
    right="sigmoid = 1 / (1 + np.exp(-score))",
    sources=("https://github.com/tmikolov/word2vec/blob/master/word2vec.c",),
)
@in_backward
def sigmoid_from_a_table(gradients, hidden, table, ids, signs, reduction, sparse):
    scores = scores_of(hidden, table, ids)
    entry = np.floor((scores + 6) * 83)  # 1000 / 6 / 2 in integers
    found = np.where(np.abs(scores) > 6, scores > 0, sigmoid(entry / 500 * 6 - 6)[0])
    d = (found - (signs > 0)) * np.abs(signs) / divisor_of(hidden, reduction)
    return answered(hidden, table, ids, d.astype(hidden.dtype), sparse)


# --- optimizers: eps and where sums begin ----------------------------------------------------------------------------


@variant(
    "root",
    "the update with eps inside the root, as in Keras's Adagrad and RMSprop",
    wrong="param -= lr * grad / np.sqrt(v + eps)",
    right="param -= lr * grad / (np.sqrt(v) + eps)",
    sources=("pytorch/pytorch#23796", "FluxML/Flux.jl#448", "CyberZHG/keras-radam#29"),
)
def eps_inside_the_root(right: Callable) -> Callable:
    return lambda v, eps, correction=1.0: np.sqrt(v / correction + eps)


@variant(
    "root",
    "the update with eps added before the bias correction, as in Keras's and TensorFlow's Adam",
    wrong="param -= lr * np.sqrt(c2) / c1 * m / (np.sqrt(v) + eps)",
    right="param -= lr / c1 * m / (np.sqrt(v / c2) + eps)",
    sources=("tensorflow/tensorflow#9047", "keras-team/keras#17391"),
)
def eps_before_the_correction(right: Callable) -> Callable:
    return lambda v, eps, correction=1.0: (np.sqrt(v) + eps) / correction**0.5


@variant(
    "SparseAdam.update",
    "the update of rows with eps added after the bias correction, as in torch's Adam but not its SparseAdam",
    wrong="param[rows] -= lr / c1 * m / (np.sqrt(v / c2) + eps)",
    right="param[rows] -= lr * np.sqrt(c2) / c1 * m / (np.sqrt(v) + eps)",
    sources=("https://docs.pytorch.org/docs/stable/generated/torch.optim.Adam.html",),
)
def eps_after_the_correction(right: Callable) -> Callable:
    def wrong(self, name, *given):
        step = float(self.state["step"][name]) + 1
        correction = 1 - self.options.betas[1] ** step
        optioned(lambda o: {"eps": o.eps * correction**0.5})(right)(self, name, *given)

    return wrong


@variant(
    "Adagrad.__init__",
    "the update with an accumulator that starts at 0.1, as is Keras's default, instead of 0",
    wrong="total = np.full_like(param, 0.1)",
    right="total = np.zeros_like(param)",
    sources=("https://www.tensorflow.org/versions/r2.7/api_docs/python/tf/keras/optimizers/Adagrad",),
)
def accumulator_begins_at_a_tenth(right: Callable) -> Callable:
    def wrong(self, options, weights):
        right(self, replace(options, initial_accumulator_value=options.initial_accumulator_value or 0.1), weights)
        self.options = options

    return wrong


@variant(
    "RMSprop.update",
    "the update with a moving average of squares that starts at 1, as in TensorFlow 1's RMSProp",
    wrong="square_avg = np.ones_like(param)",
    right="square_avg = np.zeros_like(param)",
    sources=("google-deepmind/optax#49", "jax-ml/jax#975"),
)
def squares_begin_at_1(right: Callable) -> Callable:
    def wrong(self, name, *given):
        if not self.state["step"][name]:
            self.state["square_avg"][name][...] = 1
        right(self, name, *given)

    return wrong


@variant(
    "SGD.update",
    "the update with the learning rate inside the momentum, as in Keras and Caffe",
    wrong="buf = momentum * buf + lr * grad; param -= buf",
    right="buf = momentum * buf + grad; param -= lr * buf",
    sources=("pytorch/pytorch#1099",),
)
def momentum_of_updates(right: Callable) -> Callable:
    def wrong(self, name, param, at, grad):
        if not self.options.momentum:
            return right(self, name, param, at, grad)
        (buf,), lr = self.state_of(name), self.lr
        buf /= lr
        right(self, name, param, at, grad)
        buf *= lr

    return wrong


@variant(
    "SGD.update",
    "the update with momentum that averages the gradients instead of summing them, as in HIPS autograd",
    wrong="buf = momentum * buf + (1 - momentum) * grad",
    right="buf = momentum * buf + grad",
    sources=("HIPS/autograd#289",),
)
def momentum_averaged(right: Callable) -> Callable:
    averaged = optioned(lambda o: {"dampening": o.momentum})(dampened_at_first(right))

    def wrong(self, *given):
        plain = self.options.dampening or self.options.nesterov
        return right(self, *given) if plain else averaged(self, *given)

    return wrong


@variant(
    "RMSprop.update",
    "the update of RMSprop with the learning rate inside the momentum, as in Keras and Optax",
    wrong="buf = momentum * buf + lr * grad / (np.sqrt(v) + eps); param -= buf",
    right="buf = momentum * buf + grad / (np.sqrt(v) + eps); param -= lr * buf",
    sources=("https://www.tensorflow.org/api_docs/python/tf/raw_ops/ApplyRMSProp",),
)
def momentum_of_scaled_updates(right: Callable) -> Callable:
    def wrong(self, name, *given):
        if not self.options.momentum:
            return right(self, name, *given)
        buf, lr = self.state["momentum_buffer"][name], self.lr
        buf /= lr
        right(self, name, *given)
        buf *= lr

    return wrong


@variant(
    "Adagrad.update",
    "the update with one accumulator for each row, of the mean of its squares, as in FBGEMM, TorchRec and DLRM",
    wrong="total += (grad ** 2).mean(axis=1); param -= lr * grad / (np.sqrt(total) + eps)[:, None]",
    right="total += grad ** 2; param -= lr * grad / (np.sqrt(total) + eps)",
    sources=("https://github.com/facebookresearch/dlrm/blob/main/optim/rwsadagrad.py",),
)
def accumulator_of_each_row(right: Callable) -> Callable:
    def wrong(self, name, param, at, grad):
        if param.ndim > 1:
            squares = with_decay(grad, param, self.options.weight_decay) ** 2
            self.state["sum"][name][at] += squares.mean(axis=-1, keepdims=True) - squares
        right(self, name, param, at, grad)

    return wrong


@variant(
    "Adam.update",
    "the update where amsgrad takes the largest bias-corrected second moment, as in Optax",
    wrong="largest = np.maximum(largest, v / c2); param -= lr / c1 * m / (np.sqrt(largest) + eps)",
    right="largest = np.maximum(largest, v); param -= lr / c1 * m / (np.sqrt(largest / c2) + eps)",
    sources=("google-deepmind/optax#1389",),
)
def amsgrad_of_the_corrected(right: Callable) -> Callable:
    def wrong(self, name, *given):
        if not self.options.amsgrad:
            return right(self, name, *given)
        beta2, largest = self.options.betas[1], self.state["max_exp_avg_sq"][name]
        correction = 1 - beta2 ** (float(self.state["step"][name]) + 1)
        largest *= correction  # with the bias of this step's second moment
        right(self, name, *given)
        largest /= correction

    return wrong


@variant(
    "Adagrad.update",
    "the update of glove.c: the squares include lr, start at 1, and are added after the division by their root",
    wrong="update = lr * grad; param -= update / np.sqrt(total); total += update ** 2",
    right="total += grad ** 2; param -= lr * grad / (np.sqrt(total) + eps)",
    sources=("stanfordnlp/GloVe#134",),
)
def adagrad_of_glove(right: Callable) -> Callable:
    def wrong(self, name, param, at, grad):
        step, total = self.state_of(name)
        if step == 0:
            total[...] = 1
        step += 1
        update = self.lr * grad
        param[at] -= update / np.sqrt(total[at])
        total[at] += update * update

    return wrong


@variant(
    "Adagrad.update",
    "the update of biases without the learning rate, as in glove.c",
    wrong="bias -= grad / np.sqrt(total)",
    right="bias -= lr * grad / (np.sqrt(total) + eps)",
    sources=("stanfordnlp/GloVe#209",),
)
def biases_without_the_lr(right: Callable) -> Callable:
    def wrong(self, name, *given):
        lr = self.lr
        self.lr = 1.0 if name.endswith("_bias.weight") else lr
        try:
            right(self, name, *given)
        finally:
            self.lr = lr

    return wrong


# --- optimizers: rows without a gradient -----------------------------------------------------------------------------


@variant(
    "Adam.update",
    "the update that does not change rows without a gradient or their moments, as in TensorFlow's LazyAdam",
    wrong="m[rows] = beta1 * m[rows] + (1 - beta1) * grad[rows]",
    right="m = beta1 * m + (1 - beta1) * grad",
    sources=("https://www.tensorflow.org/addons/api_docs/python/tfa/optimizers/LazyAdam",),
)
def moments_lazy(right: Callable) -> Callable:
    def wrong(self, name, param, at, grad):
        tensors = [param, *(state for state in self.state_of(name) if state.shape)]
        before = [tensor.copy() for tensor in tensors]
        resting = ~grad.any(axis=-1)
        right(self, name, param, at, grad)
        if grad.ndim > 1:
            for tensor, old in zip(tensors, before, strict=True):
                tensor[resting] = old[resting]

    return wrong


@variant(
    "SparseAdam.update",
    "the update that also moves rows without a gradient, as in TensorFlow's Adam but not in torch's SparseAdam",
    wrong="m *= beta1; m[rows] += (1 - beta1) * grad; param -= lr * update(m, v)",
    right="m[rows] = beta1 * m[rows] + (1 - beta1) * grad; param[rows] -= lr * update(m[rows], v[rows])",
    sources=("https://www.tensorflow.org/api_docs/python/tf/compat/v1/train/AdamOptimizer",),
)
def moments_dense(right: Callable) -> Callable:
    def wrong(self, name, param, at, grad):
        dense = np.zeros_like(param)
        dense[at] = grad
        right(self, name, param, ..., dense)

    return wrong


@variant(
    "SparseAdam.update",
    "the update with a bias correction by the steps of each row, as in DGL, instead of those of the table",
    wrong="steps[rows] += 1; c1, c2 = 1 - beta1 ** steps[rows], 1 - beta2 ** steps[rows]",
    right="step += 1; c1, c2 = 1 - beta1 ** step, 1 - beta2 ** step",
    sources=("https://github.com/dmlc/dgl/blob/master/python/dgl/optim/pytorch/sparse_optim.py",),
)
def steps_of_each_row(right: Callable) -> Callable:
    def wrong(self, name, param, at, grad):
        before = param[at].copy()
        steps = vars(self).setdefault("steps", {}).setdefault(name, np.zeros(len(param)))
        steps[at] += 1
        right(self, name, param, at, grad)
        every = corrected(self.options.betas, float(self.state["step"][name]))
        factor = corrected(self.options.betas, steps[at])[:, None] / every
        param[at] = before + (param[at] - before) * factor.astype(param.dtype)

    return wrong


def corrected(betas, step):
    """The factor by which the bias correction changes the learning rate."""
    return (1 - betas[1] ** step) ** 0.5 / (1 - betas[0] ** step)


@variant(
    "union",
    "the update with momentum that moves only rows with a gradient in this step, as in TensorFlow",
    wrong="buf[rows] = momentum * buf[rows] + grad; param[rows] -= lr * buf[rows]",
    right="buf *= momentum; buf[rows] += grad; param -= lr * buf",
    sources=("https://www.tensorflow.org/api_docs/python/tf/raw_ops/SparseApplyMomentum",),
)
def momentum_lazy(right: Callable) -> Callable:
    return lambda before, now: now


# --- optimizers: weight decay ----------------------------------------------------------------------------------------


@variant(
    "AdamW.decayed",
    "the update with weight decay in the gradient, as in torch's Adam, instead of AdamW's",
    wrong="grad = grad + weight_decay * param",
    right="param *= 1 - lr * weight_decay",
    sources=("pytorch/pytorch#48793", "https://arxiv.org/abs/1711.05101"),
)
def decay_coupled(right: Callable) -> Callable:
    return lambda self, grad, param: with_decay(grad, param, self.options.weight_decay)


@variant(
    ("SGD.update", "Adagrad.update", "RMSprop.update", "Adam.update"),
    "the update with decoupled weight decay, as in AdamW and in every optimizer of Keras",
    wrong="param *= 1 - lr * weight_decay",
    right="grad = grad + weight_decay * param",
    sources=("https://github.com/keras-team/keras/blob/master/keras/src/optimizers/base_optimizer.py",),
)
def decay_decoupled(right: Callable) -> Callable:
    def wrong(self, name, param, *given):
        if isinstance(self, AdamW) or not self.options.weight_decay:
            return right(self, name, param, *given)
        param *= 1 - self.lr * self.options.weight_decay
        return optioned(lambda o: {"weight_decay": 0.0})(right)(self, name, param, *given)

    return wrong


@variant(
    "AdamW.decayed",
    "the update with weight decay not multiplied by the learning rate, as in TensorFlow Addons",
    wrong="param *= 1 - weight_decay",
    right="param *= 1 - lr * weight_decay",
    sources=("egg-west/AdamW-pytorch#1", "https://www.tensorflow.org/addons/api_docs/python/tfa/optimizers/AdamW"),
)
def decay_without_the_lr(right: Callable) -> Callable:
    def wrong(self, grad, param):
        param *= 1 - self.options.weight_decay
        return grad

    return wrong


@variant(
    "Adam.update",
    "the update with weight decay at the end, as in Hugging Face's AdamW",
    wrong="param -= lr * update; param *= 1 - lr * weight_decay",
    right="param *= 1 - lr * weight_decay; param -= lr * update",
    sources=("kyleliang919/C-Optim#3", "bitsandbytes-foundation/bitsandbytes#2010"),
)
def decay_last(right: Callable) -> Callable:
    def wrong(self, name, param, *given):
        if not isinstance(self, AdamW):
            return right(self, name, param, *given)
        optioned(lambda o: {"weight_decay": 0.0})(right)(self, name, param, *given)
        param *= 1 - self.lr * self.options.weight_decay

    return wrong


@variant(
    "with_decay",
    "the update with twice the weight decay, as from Keras's l2 penalty weight_decay * sum(param**2)",
    wrong="grad = grad + 2 * weight_decay * param",
    right="grad = grad + weight_decay * param",
    sources=("https://www.tensorflow.org/api_docs/python/tf/keras/regularizers/L2",),
)
def decay_doubled(right: Callable) -> Callable:
    return lambda grad, param, weight_decay: right(grad, param, 2 * weight_decay)


# --- clipping --------------------------------------------------------------------------------------------------------


@variant(
    "clip_grad_norm_",
    "the update with gradients clipped one tensor at a time, as in Keras's clipnorm",
    wrong="for grad in grads: grad *= min(max_norm / norm(grad), 1)",
    right="factor = min(max_norm / total_norm(grads), 1); for grad in grads: grad *= factor",
    sources=("keras-team/keras#13575", "huggingface/transformers#581"),
)
def clipped_one_by_one(right: Callable) -> Callable:
    def wrong(grads, max_norm):
        for grad in grads:
            right([grad], max_norm)

    return wrong


@variant(
    "clip_grad_norm_",
    "the update with gradients clipped to exactly max_norm, as in TensorFlow; PyTorch divides by the norm + 1e-6",
    wrong="grad *= min(max_norm / total_norm, 1)",
    right="grad *= min(max_norm / (total_norm + 1e-6), 1)",
    sources=("https://www.tensorflow.org/api_docs/python/tf/clip_by_global_norm",),
)
def clipped_to_the_norm_itself(right: Callable) -> Callable:
    def wrong(grads, max_norm):
        values = [place(grad)[1] for grad in grads]
        factor = max_norm / max(total_norm(values), max_norm)
        for value in values:
            value *= factor

    return wrong
