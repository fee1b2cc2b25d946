"""What a test vector is for: flags found in its data, each with a note on the mistakes that a failure points to.

The names in brackets are in `reference.mistakes`, each with its sources, the wrong line and the right one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from reference.cases import (
    CBOW,
    Adagrad,
    Adam,
    AdamW,
    Batch,
    BlockBatch,
    Case,
    Classifier,
    ContextNegativesBatch,
    CooccurrenceBatch,
    EmbeddingBag,
    HierarchicalSoftmax,
    LabelledBatch,
    Linear,
    NegativeSampling,
    PairBatch,
    PairNegativesBatch,
    PairPathsBatch,
    RaggedLabelledBatch,
    RMSprop,
    SequenceBatch,
    SharedNegatives,
    SkipGram,
    Softmax,
    SparseAdam,
)
from reference.contract import Params
from reference.exact.arithmetic import MOST_BITS, Balls, numbers
from reference.exact.embedding_bag import bags, embedding_bag
from reference.exact.linear import linear


@dataclass(frozen=True)
class Seen:
    """What flags depend on: a case, its initial weights, its batches, and the norms of the gradients, if known."""

    case: Case
    weights: Params
    batches: Sequence[Any]
    norms: Sequence[float] = ()

    def option(self, name: str, default: Any = None) -> Any:
        """An option of the model, or of its loss."""
        return getattr(self.case.model, name, getattr(getattr(self.case.model, "loss", None), name, default))

    def setting(self, name: str) -> Any:
        """An option of the optimizer; None if it has no such option."""
        return getattr(self.case.optimizer, name, None)

    @property
    def looked_up(self) -> list[dict[str, np.ndarray]]:
        """The ids that each batch looks up, by table, without padding."""
        padding = self.option("padding_idx")
        return [{name: ids[ids != padding] for name, ids in self.case.model.looked_up(b).items()} for b in self.batches]

    @property
    def bags(self) -> list[np.ndarray]:
        """The ids of every bag, with padding; empty for models without bags."""
        if not isinstance(self.case.model, EmbeddingBag | Classifier | CBOW):
            return []
        return [
            batch.ids.reshape(-1)[list(places)]
            for batch in self.batches
            for places in bags(batch.ids, batch.offsets, self.option("include_last_offset", False))
        ]

    def rows(self, seldom: bool) -> bool:
        """Whether a table has a row that is never looked up; seldom: a row that only the first batch looks up."""
        for table in self.case.model.tables:
            first, *later = [set(found[table].tolist()) for found in self.looked_up]
            everything = set(range(self.case.model.shapes[table][0]))
            if any(first - ids for ids in later) if seldom else everything - first.union(*later):
                return True
        return False


def tied_maxima(seen: Seen) -> bool:
    """Two different rows of a bag share the maximum of a column."""
    if seen.option("mode") != "max":
        return False
    table, padding = seen.weights["embedding.weight"], seen.option("padding_idx")
    for bag in seen.bags[: len(seen.bags) // len(seen.batches)]:  # in later steps the weights have changed
        vectors = table[np.unique(bag[bag != padding])]
        if len(vectors) and bool((np.equal(vectors, vectors.max(axis=0)).sum(axis=0) > 1).any()):
            return True
    return False


def at_the_limit(seen: Seen) -> bool:
    """The norm of a row that is looked up first is exactly max_norm, or that of all gradients within 1e-6 below it."""
    limit = seen.option("max_norm")
    if limit is None or seen.option("norm_type") != 2:
        return any(limit - 1e-6 < norm <= limit for limit in [seen.case.max_norm] if limit for norm in seen.norms)
    (name, ids), *_ = seen.looked_up[0].items()
    squares = (seen.weights[name][ids].astype(float) ** 2).sum(axis=1)
    return bool((squares == limit**2).any())


def odd_zeros(seen: Seen) -> bool:
    """An odd number of zeros is added to both ends together."""
    widths = seen.option("kernel_sizes", (seen.option("kernel_size", 1),))
    return seen.option("padding") == "same" and any(seen.option("dilation") * (width - 1) % 2 for width in widths)


def subnormal_maxima(seen: Seen) -> bool:
    """There are subnormal numbers among those whose maximum is taken."""
    sizes = np.abs(seen.weights["embedding.weight"]) if seen.option("mode") == "max" else np.zeros(1)
    return bool(((sizes > 0) & (sizes < np.finfo(seen.case.dtype).tiny)).any())


def relu_at_0(seen: Seen) -> bool:
    """A unit of the first hidden layer is exactly 0 in the first batch."""
    model, batch = seen.case.model, seen.batches[0]
    if not isinstance(model, Classifier) or model.activation != "relu" or not model.hidden_features:
        return False
    with Balls(MOST_BITS) as m:
        p = {name: numbers(m, weight) for name, weight in seen.weights.items()}
        pooled = embedding_bag(m, batch.ids, p["embedding.weight"], batch.offsets, model.mode, model.padding_idx)
        hidden = linear(m, pooled, p["fc1.weight"], p["fc1.bias"])
        return any(u.contains(0) for line in hidden for u in line)


def scores(seen: Seen) -> np.ndarray:
    """The products (N, V) of hidden vectors and rows of the output table, in the first batch of a skip-gram."""
    batch, model = seen.batches[0], seen.case.model
    if not isinstance(batch, PairBatch) or not isinstance(model, SkipGram):
        return np.zeros((1, 1))
    hidden, table = seen.weights["center.weight"][batch.centers], seen.weights[model.output]
    return hidden.astype(float) @ table.T.astype(float)


def saturated_softmax(seen: Seen) -> bool:
    """The probability of a word is so small that 1 - p is 1 in the dtype."""
    whole = isinstance(seen.option("objective"), Softmax)
    return whole and bool(np.ptp(scores(seen), axis=1).max() > -np.log(seen.case.eps))


def saturated_sigmoid(seen: Seen) -> bool:
    """A score of a target, a negative or a node is so large that its sigmoid is 1 in the dtype."""
    batch, found = seen.batches[0], scores(seen)
    match batch:
        case PairPathsBatch():
            ids = batch.nodes
        case PairNegativesBatch():
            ids = np.column_stack([batch.targets, batch.negatives])
        case _:
            return False
    return bool(np.abs(np.take_along_axis(found, ids, axis=1)).max() > -np.log(seen.case.eps))


def hits(seen: Seen) -> bool:
    """A negative is the target itself."""
    for b in seen.batches:
        if isinstance(b, PairNegativesBatch | ContextNegativesBatch):
            if np.equal(b.negatives, b.targets[:, None]).any():
                return True
        elif isinstance(b, BlockBatch):
            same = np.equal(b.negatives[:, None], b.contexts[:, :, None]).any(axis=2)
            if (same & b.inside.any(axis=1)).any():
                return True
    return False


def labels_of(batch: Batch) -> list[float]:
    """The labels, if there are any."""
    return batch.labels.ravel().tolist() if isinstance(batch, LabelledBatch | RaggedLabelledBatch) else []


def repeated_negatives(seen: Seen) -> bool:
    """A negative is drawn twice for one target, or for one block."""
    found = [getattr(batch, "negatives", None) for batch in seen.batches]
    return any(len(set(line)) < len(line) for drawn in found if drawn is not None for line in drawn.tolist())


FLAGS: dict[str, tuple[Callable[[Seen], Any], str]] = {
    # --- what is looked up
    "DuplicateIds": (
        lambda s: any(len(ids) > len(np.unique(ids)) for found in s.looked_up for ids in found.values()),
        "An id occurs more than once in a batch: the gradient of its row is the sum over all its places "
        "[duplicates-overwritten, duplicates-first-kept, duplicates-averaged].",
    ),
    "UntouchedRows": (
        lambda s: s.rows(seldom=False),
        "A row that no batch looks up has no gradient. Without weight decay it stays the same, bit for bit "
        "[not-scattered, rows-shifted, decay-of-touched-rows].",
    ),
    "SeldomRows": (
        lambda s: s.rows(seldom=True),
        "A row has a gradient in the first step and none in a later one: this shows what its state does then "
        "[moments-lazy, moments-dense, momentum-lazy].",
    ),
    "Row0": (
        lambda s: any((ids == 0).any() for found in s.looked_up for ids in found.values()),
        "The id 0 is an id like any other [row-0-dropped].",
    ),
    "PaddingRow": (
        lambda s: any(
            s.option("padding_idx") in ids.tolist() for b in s.batches for ids in s.case.model.looked_up(b).values()
        ),
        "The row padding_idx has no gradient. In a bag it is left out, and the mean does not divide by it "
        "[padding-row-kept, padding-in-the-divisor, padding-pooled, padding-counted].",
    ),
    "MaxNorm": (
        lambda s: s.option("max_norm") is not None,
        "Looked-up rows with a norm above max_norm are rescaled in the table itself, before the forward pass; other "
        "rows are not [max-norm-forgotten, max-norm-on-a-copy, max-norm-of-every-row, norm-type-forgotten].",
    ),
    "NormAtTheLimit": (
        at_the_limit,
        "A row whose norm is exactly max_norm stays as it is. Gradients with that norm are scaled down, for the 1e-6 "
        "in the divisor [max-norm-at-the-limit, clipped-above-the-limit-alone].",
    ),
    "ScaleGradByFreq": (
        lambda s: s.option("scale_grad_by_freq"),
        "The gradient of a row is divided by how often its id occurs in the batch "
        "[frequency-forgotten, frequency-of-another-id].",
    ),
    "Int32Ids": (
        lambda s: getattr(s.case.data, "ids_dtype", "") == "int32",
        "The ids are int32, which an embedding must take. Class labels are always int64.",
    ),
    # --- bags
    "RaggedBags": (
        lambda s: (
            (
                isinstance(s.case.model, EmbeddingBag | Classifier)
                and any(getattr(b, "offsets", None) is not None for b in s.batches)
            )
            or (isinstance(s.case.model, CBOW) and len({len(bag) for bag in s.bags}) > 1)
        ),
        "Bags of different lengths one after the other, with the offsets at which they begin. Each is divided by its "
        "own length, and the last one ends at the last id [mean-over-the-longest, last-bag-dropped].",
    ),
    "LastOffset": (
        lambda s: s.option("include_last_offset"),
        "The last offset is the number of ids, and no bag begins there [last-id-of-a-bag-dropped].",
    ),
    "EmptyBag": (
        lambda s: any(not len(bag) for bag in s.bags),
        "A bag without ids is pooled to zero and has no gradient [empty-bag-nan, empty-bag-infinite].",
    ),
    "BagOfPadding": (
        lambda s: any(len(bag) and (bag == s.option("padding_idx")).all() for bag in s.bags),
        "A bag with nothing but padding is an empty one: zero, without a gradient [padding-counted, empty-bag-nan].",
    ),
    "MeanPooling": (
        lambda s: s.option("mode") == "mean" and any(len(bag) > 1 for bag in s.bags),
        "In a bag with n ids that count, each id gets 1/n of the gradient [mean-undivided, mean-divided-twice].",
    ),
    "MaxPooling": (
        lambda s: s.option("mode") == "max",
        "The gradient of each column goes only to the row that has the maximum [max-to-all].",
    ),
    "TiedMax": (
        tied_maxima,
        "Different rows of a bag have the same maximum: all of the gradient goes to the first of them "
        "[max-to-each-equal, max-ties-shared, max-ties-to-the-last].",
    ),
    "SubnormalMax": (
        subnormal_maxima,
        "Subnormal numbers are not 0, and 0.0 is not larger than -0.0 [subnormals-flushed, max-above-minus-zero].",
    ),
    "PerSampleWeights": (
        lambda s: s.option("weighted"),
        "Each vector is multiplied by its weight, forward and backward. The weights have a gradient too, zero for "
        "padding [weights-forgotten-in-the-backward, weight-gradient-forgotten].",
    ),
    # --- layers and losses
    "InputGradient": (
        lambda s: isinstance(s.case.model, Linear),
        "The layer's input has a gradient too [input-gradient-transposed].",
    ),
    "ReluAt0": (
        relu_at_0,
        "A hidden unit is exactly 0. The slope of relu is 0 there [relu-slope-1-at-0, relu-slope-half-at-0].",
    ),
    "Dropout": (
        lambda s: s.option("dropout"),
        "Kept units are divided by 1 - p; the others have no gradient "
        "[dropout-unscaled, dropout-by-p, dropout-not-in-the-backward, dropout-unscaled-in-the-backward].",
    ),
    "ClassWeights": (
        lambda s: isinstance(s.option("weight"), tuple),
        "The mean divides by the weights of the labels, or by the number of bags if the labels are probabilities "
        "[class-weights-in-the-loss-alone, class-weights-over-n].",
    ),
    "LabelSmoothing": (
        lambda s: s.option("label_smoothing"),
        "The target is (1 - s) q + s / C [smoothing-in-the-loss-alone, smoothing-over-the-others].",
    ),
    "IgnoredLabels": (
        lambda s: s.option("ignore_index", -100) in [n for b in s.batches for n in labels_of(b)],
        "An ignored label counts neither in the sum nor in the mean's divisor "
        "[ignore-index-forgotten, ignored-in-the-divisor, ignored-targets-smoothed].",
    ),
    "ProbabilityLabels": (
        lambda s: s.option("probabilities"),
        "The labels are distributions. The mean divides by the number of labels, also with class weights.",
    ),
    # --- word2vec
    "SeveralContexts": (
        lambda s: any(isinstance(b, PairBatch) and len(np.unique(b.centers)) < len(b.centers) for b in s.batches),
        "One centre has several contexts, and the probabilities count for each of them "
        "[one-context-subtracted, centre-of-one-context].",
    ),
    "AccidentalHits": (
        hits,
        "A negative is the target itself. With keep it counts; with mask it counts neither in the loss nor in the "
        "gradient "
        "[hits-masked-in-the-loss-alone, hits-masked-in-the-gradient-alone, hits-delete-the-target, hits-masked, "
        "hits-kept].",
    ),
    "RepeatedNegatives": (
        repeated_negatives,
        "A negative drawn twice for one target counts twice [negatives-counted-once, duplicates-lost-within-a-pair].",
    ),
    "NegativeSampling": (
        lambda s: isinstance(s.option("objective"), NegativeSampling),
        "The target is pulled near and the negatives are pushed away "
        "[negatives-pulled, target-1-not-subtracted, negatives-averaged].",
    ),
    "SharedNegatives": (
        lambda s: isinstance(s.option("objective"), SharedNegatives),
        "The pairs of a block share its negatives. Each negative counts num_negatives / shared "
        "[shared-negatives-whole].",
    ),
    "HuffmanPaths": (
        lambda s: isinstance(s.option("objective"), HierarchicalSoftmax),
        "Paths have different lengths. A sign of 0 is past the end and does not count "
        "[turns-turned, turns-turned-in-the-loss-alone, root-left-out, turns-one-node-late].",
    ),
    "SaturatedSoftmax": (
        saturated_softmax,
        "Probabilities are below the dtype's eps: log(softmax(x)) loses its digits, or is -inf "
        "[log-of-shifted-probability, softmax-overflows].",
    ),
    "SaturatedSigmoid": (
        saturated_sigmoid,
        "Sigmoids are 1 in the dtype: log(1 - sigmoid(x)) is -inf, but the gradient is not 0 "
        "[log-of-one-minus-sigmoid, saturated-skipped].",
    ),
    # --- counts
    "CountBeyondTheCap": (
        lambda s: any(isinstance(b, CooccurrenceBatch) and (b.counts > s.option("x_max")).any() for b in s.batches),
        "A pair that occurs x_max times or more has the weight 1; all others have less "
        "[cap-forgotten, cap-from-below, alpha-forgotten].",
    ),
    "CountBelow1": (
        lambda s: any(isinstance(b, CooccurrenceBatch) and (b.counts < 1).any() for b in s.batches),
        "The loss uses log(count) itself, which is negative for a count below 1 "
        "[log-of-1-and-counts, log-of-counts-added, log-of-counts-forgotten].",
    ),
    # --- windows
    "StridedWindows": (
        lambda s: s.option("stride", 1) > 1,
        "Windows begin several steps apart; a tail that fills none has no gradient [stride-forgotten].",
    ),
    "DilatedWindows": (
        lambda s: s.option("dilation", 1) > 1,
        "The steps of a window are apart, forward and back [dilation-forgotten].",
    ),
    "PaddedWindows": (
        lambda s: isinstance(s.option("padding"), str | int) and s.option("padding") != 0,
        "Zeros are added at both ends, and cut off their gradient [padding-cut-wrong].",
    ),
    "OddZeros": (
        odd_zeros,
        "With padding 'same' and an even kernel, the right end gets one zero more [same-padded-on-the-left].",
    ),
    "StepsBeyondTheLength": (
        lambda s: any(isinstance(b, SequenceBatch) and (b.lengths < b.ids.shape[1]).any() for b in s.batches),
        "A sequence gives what it gives alone: zeros follow it, and only its own windows are pooled "
        "[padding-wins-the-maximum, padding-averaged, time-mean-over-the-longest, beyond-the-length-read, "
        "lengths-sorted-alone].",
    ),
    # --- the update
    "Momentum": (
        lambda s: s.setting("momentum"),
        "The first momentum is the gradient itself. With row gradients, every row that ever had one keeps moving "
        "[momentum-averaged, dampened-at-first, momentum-of-updates].",
    ),
    "Dampening": (lambda s: s.setting("dampening"), "Not in the first step [dampening-forgotten, dampened-at-first]."),
    "Nesterov": (
        lambda s: s.setting("nesterov"),
        "The gradient plus momentum times the new sum [nesterov-forgotten, nesterov-of-the-new-velocity].",
    ),
    "WeightDecay": (
        lambda s: s.setting("weight_decay") and not isinstance(s.case.optimizer, AdamW),
        "The decay is added to the gradient first "
        "[decay-forgotten, decay-turned, decay-of-touched-rows, decay-decoupled, decay-doubled].",
    ),
    "DecoupledWeightDecay": (
        lambda s: s.setting("weight_decay") and isinstance(s.case.optimizer, AdamW),
        "The parameters decay by lr * weight_decay, apart from the gradient "
        "[decay-coupled, decay-without-the-lr, decay-by-the-corrected-lr, decay-last].",
    ),
    "BiasCorrection": (
        lambda s: isinstance(s.case.optimizer, Adam | SparseAdam),
        "Moments start at 0, so they are divided by 1 - beta^step, where steps count from 1 "
        "[bias-correction-forgotten, bias-correction-a-step-ahead, bias-correction-a-step-behind, betas-swapped].",
    ),
    "SparseMoments": (
        lambda s: isinstance(s.case.optimizer, SparseAdam),
        "The moments of rows without a gradient do not change, and eps is added to the uncorrected root "
        "[moments-dense, eps-after-the-correction].",
    ),
    "LargeEps": (
        lambda s: (s.setting("eps") or 0) > 1e-6,
        "An eps large enough to show: it is added outside the root, after the bias correction "
        "[eps-forgotten, eps-of-its-own, eps-inside-the-root, eps-before-the-correction].",
    ),
    "AMSGrad": (
        lambda s: s.setting("amsgrad"),
        "The largest second moment so far, uncorrected [amsgrad-forgotten, amsgrad-of-the-corrected].",
    ),
    "Centered": (
        lambda s: isinstance(s.case.optimizer, RMSprop) and s.case.optimizer.centered,
        "The square of the mean gradient is subtracted inside the root [centering-forgotten].",
    ),
    "InitialAccumulator": (
        lambda s: isinstance(s.case.optimizer, Adagrad) and s.case.optimizer.initial_accumulator_value,
        "The sum of squares starts above 0 [accumulator-begins-at-0].",
    ),
    "LearningRateDecay": (
        lambda s: s.setting("lr_decay") or s.case.lr_decay_to is not None,
        "The first step uses the full learning rate "
        "[lr-decayed-at-first, lr-decay-forgotten, schedule-forgotten, schedule-a-step-ahead].",
    ),
    "Clipping": (
        lambda s: s.case.max_norm is not None and any(norm > s.case.max_norm for norm in s.norms),
        "All gradients together are scaled by max_norm / (norm + 1e-6) if their norm is above max_norm "
        "[clipping-forgotten, clipped-by-value, clipped-by-the-largest, clipped-one-by-one].",
    ),
}
"""For each flag, by name: how it is found, and its note."""


def flags_of(seen: Seen) -> list[str]:
    """The flags of a vector, in the order of the list."""
    return [name for name, (holds, _) in FLAGS.items() if holds(seen)]
