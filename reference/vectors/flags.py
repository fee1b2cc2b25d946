"""What a test vector is for: flags read off its data, each with a note on the mistakes that a failure points to.

The names in brackets are those of `reference.mistakes`, where each stands with its source
and the right line beside the wrong one.
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
    """What flags are read off: a case, its initial weights, its batches, and the norms of the gradients, if known."""

    case: Case
    weights: Params
    batches: Sequence[Any]
    norms: Sequence[float] = ()

    def option(self, name: str, default: Any = None) -> Any:
        """An option of the model, or of its loss."""
        return getattr(self.case.model, name, getattr(getattr(self.case.model, "loss", None), name, default))

    def setting(self, name: str) -> Any:
        """An option of the optimizer; None where it has no such option."""
        return getattr(self.case.optimizer, name, None)

    @property
    def looked_up(self) -> list[dict[str, np.ndarray]]:
        """In each batch the ids that are looked up, padding not among them, by table."""
        padding = self.option("padding_idx")
        return [{name: ids[ids != padding] for name, ids in self.case.model.looked_up(b).items()} for b in self.batches]

    @property
    def bags(self) -> list[np.ndarray]:
        """The ids of every bag, padding among them, of the models that have bags."""
        if not isinstance(self.case.model, EmbeddingBag | Classifier | CBOW):
            return []
        return [
            batch.ids.reshape(-1)[list(places)]
            for batch in self.batches
            for places in bags(batch.ids, batch.offsets, self.option("include_last_offset", False))
        ]

    def rows(self, seldom: bool) -> bool:
        """Whether a table has a row that is never looked up; seldom: one that is in the first batch, and not later."""
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
    for bag in seen.bags[: len(seen.bags) // len(seen.batches)]:  # later the weights are other ones
        vectors = table[np.unique(bag[bag != padding])]
        if len(vectors) and bool((np.equal(vectors, vectors.max(axis=0)).sum(axis=0) > 1).any()):
            return True
    return False


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
    """In the first batch of a skip-gram's pairs the products (N, V) of hidden vectors with rows of the output table."""
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
    """The labels, where there are any."""
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
        "A row that no batch looks up has no gradient. But for a weight decay it stays as it is, bit for bit "
        "[not-scattered, rows-shifted, decay-of-touched-rows].",
    ),
    "SeldomRows": (
        lambda s: s.rows(seldom=True),
        "A row has a gradient in the first step and none in a later one: what its state does then "
        "[moments-lazy, moments-dense, momentum-lazy].",
    ),
    "Row0": (
        lambda s: any((ids == 0).any() for found in s.looked_up for ids in found.values()),
        "The id 0 is one like any other [row-0-dropped].",
    ),
    "PaddingRow": (
        lambda s: any(
            s.option("padding_idx") in ids.tolist() for b in s.batches for ids in s.case.model.looked_up(b).values()
        ),
        "The row padding_idx has no gradient; in a bag it is not there at all, and the mean does not divide by it "
        "[padding-row-kept, padding-in-the-divisor, padding-pooled, padding-counted].",
    ),
    "MaxNorm": (
        lambda s: s.option("max_norm") is not None,
        "Rows that are looked up and longer than max_norm are rescaled in the table itself, before the forward pass; "
        "no others [max-norm-forgotten, max-norm-on-a-copy, max-norm-of-every-row, norm-type-forgotten].",
    ),
    "ScaleGradByFreq": (
        lambda s: s.option("scale_grad_by_freq"),
        "The gradient of a row is divided by how often its id occurs in the batch "
        "[frequency-forgotten, frequency-of-another-id].",
    ),
    "Int32Ids": (
        lambda s: getattr(s.case.data, "ids_dtype", "") == "int32",
        "The ids are int32, as an embedding may be asked with; those of labels never are.",
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
        "Bags of different lengths one after the other, with the offsets at which they begin: each is divided by its "
        "own length, and the last one ends with the ids [mean-over-the-longest, last-bag-dropped].",
    ),
    "LastOffset": (
        lambda s: s.option("include_last_offset"),
        "The offsets have the number of ids as a last one, at which no bag begins [last-id-of-a-bag-dropped].",
    ),
    "EmptyBag": (
        lambda s: any(not len(bag) for bag in s.bags),
        "A bag without ids is pooled to zero and has no gradient [empty-bag-nan, empty-bag-infinite].",
    ),
    "BagOfPadding": (
        lambda s: any(len(bag) and (bag == s.option("padding_idx")).all() for bag in s.bags),
        "A bag of padding alone is an empty one: zero, without a gradient [padding-counted, empty-bag-nan].",
    ),
    "MeanPooling": (
        lambda s: s.option("mode") == "mean" and any(len(bag) > 1 for bag in s.bags),
        "Each id of a bag has one part in as many of the gradient as the bag has ids that count "
        "[mean-undivided, mean-divided-twice].",
    ),
    "MaxPooling": (
        lambda s: s.option("mode") == "max",
        "Of each column, the gradient goes to the row that has the maximum and to no other [max-to-all].",
    ),
    "TiedMax": (
        tied_maxima,
        "Different rows of a bag have the same maximum: all of the gradient goes to the first of them "
        "[max-to-each-equal, max-ties-shared, max-ties-to-the-last].",
    ),
    "PerSampleWeights": (
        lambda s: s.option("weighted"),
        "Each vector is multiplied by its weight, forward and backward, and the weights have a gradient, that of "
        "padding zero [weights-forgotten-in-the-backward, weight-gradient-forgotten].",
    ),
    # --- layers and losses
    "InputGradient": (
        lambda s: isinstance(s.case.model, Linear),
        "The layer's input has a gradient too [input-gradient-transposed].",
    ),
    "ReluAt0": (
        relu_at_0,
        "A hidden unit is exactly 0, where the slope of relu is 0 [relu-slope-1-at-0, relu-slope-half-at-0].",
    ),
    "Dropout": (
        lambda s: s.option("dropout"),
        "Units that are kept are divided by 1 - p, the others have no gradient "
        "[dropout-unscaled, dropout-by-p, dropout-not-in-the-backward, dropout-unscaled-in-the-backward].",
    ),
    "ClassWeights": (
        lambda s: isinstance(s.option("weight"), tuple),
        "The mean divides by the weights of the labels; where the labels are probabilities, by the number of bags "
        "[class-weights-in-the-loss-alone, class-weights-over-n].",
    ),
    "LabelSmoothing": (
        lambda s: s.option("label_smoothing"),
        "The target is (1 - s) q + s / C [smoothing-in-the-loss-alone, smoothing-over-the-others].",
    ),
    "IgnoredLabels": (
        lambda s: s.option("ignore_index", -100) in [n for b in s.batches for n in labels_of(b)],
        "A label that is ignored counts neither in the sum nor in what the mean divides by "
        "[ignore-index-forgotten, ignored-in-the-divisor, ignored-targets-smoothed].",
    ),
    "ProbabilityLabels": (
        lambda s: s.option("probabilities"),
        "The labels are distributions; with class weights, the mean divides by their number.",
    ),
    # --- word2vec
    "SeveralContexts": (
        lambda s: any(isinstance(b, PairBatch) and len(np.unique(b.centers)) < len(b.centers) for b in s.batches),
        "One centre has several contexts: the probabilities count for each of them "
        "[one-context-subtracted, centre-of-one-context].",
    ),
    "AccidentalHits": (
        hits,
        "A negative is the target itself. Under keep it counts, under mask neither in the loss nor in the gradient "
        "[hits-masked-in-the-loss-alone, hits-masked-in-the-gradient-alone, hits-masked, hits-kept].",
    ),
    "RepeatedNegatives": (
        repeated_negatives,
        "A negative that is drawn twice for one target counts twice [negatives-counted-once].",
    ),
    "NegativeSampling": (
        lambda s: isinstance(s.option("objective"), NegativeSampling),
        "The target is pulled near and the negatives are pushed away "
        "[negatives-pulled, target-1-not-subtracted, negatives-averaged].",
    ),
    "SharedNegatives": (
        lambda s: isinstance(s.option("objective"), SharedNegatives),
        "The pairs of a block share its negatives, of which each counts num_negatives / shared "
        "[shared-negatives-whole].",
    ),
    "HuffmanPaths": (
        lambda s: isinstance(s.option("objective"), HierarchicalSoftmax),
        "Paths of different lengths; a sign of 0 is past the end, where nothing counts "
        "[turns-turned, root-left-out, turns-one-node-late].",
    ),
    "SaturatedSoftmax": (
        saturated_softmax,
        "Probabilities under the dtype's eps: log(softmax(x)) loses its digits, or is -inf "
        "[log-of-shifted-probability, softmax-overflows].",
    ),
    "SaturatedSigmoid": (
        saturated_sigmoid,
        "Sigmoids that are 1 in the dtype: log(1 - sigmoid(x)) is -inf, and a gradient is not 0 for that "
        "[log-of-one-minus-sigmoid, saturated-skipped].",
    ),
    # --- counts
    "CountBeyondTheCap": (
        lambda s: any(isinstance(b, CooccurrenceBatch) and (b.counts > s.option("x_max")).any() for b in s.batches),
        "A pair that occurs more than x_max times has the weight 1, as one at x_max has; all others have less "
        "[cap-forgotten, cap-from-below, alpha-forgotten].",
    ),
    "CountBelow1": (
        lambda s: any(isinstance(b, CooccurrenceBatch) and (b.counts < 1).any() for b in s.batches),
        "The logarithm of a count below 1 is negative, and it is that of the count itself "
        "[log-of-1-and-counts, log-of-counts-added, log-of-counts-forgotten].",
    ),
    # --- the update
    "Momentum": (
        lambda s: s.setting("momentum"),
        "The first momentum is the gradient itself; of row gradients, every row that ever had one goes on moving "
        "[momentum-averaged, dampened-at-first, momentum-of-updates].",
    ),
    "Dampening": (lambda s: s.setting("dampening"), "Not in the first step [dampening-forgotten, dampened-at-first]."),
    "Nesterov": (lambda s: s.setting("nesterov"), "The gradient plus momentum times the new sum [nesterov-forgotten]."),
    "WeightDecay": (
        lambda s: s.setting("weight_decay") and not isinstance(s.case.optimizer, AdamW),
        "The decay is part of the gradient, before anything is made of it "
        "[decay-forgotten, decay-turned, decay-of-touched-rows, decay-decoupled, decay-doubled].",
    ),
    "DecoupledWeightDecay": (
        lambda s: s.setting("weight_decay") and isinstance(s.case.optimizer, AdamW),
        "The parameters decay by lr * weight_decay, apart from the gradient "
        "[decay-coupled, decay-without-the-lr, decay-last].",
    ),
    "BiasCorrection": (
        lambda s: isinstance(s.case.optimizer, Adam | SparseAdam),
        "Moments that began at 0 are divided by 1 - beta^step, the step counted from 1 "
        "[bias-correction-forgotten, bias-correction-a-step-ahead, bias-correction-a-step-behind, betas-swapped].",
    ),
    "SparseMoments": (
        lambda s: isinstance(s.case.optimizer, SparseAdam),
        "The moments of rows without a gradient stay as they are, and eps stands beside the uncorrected root "
        "[moments-dense, eps-after-the-correction].",
    ),
    "LargeEps": (
        lambda s: (s.setting("eps") or 0) > 1e-6,
        "An eps that shows: outside of the root, after its bias correction "
        "[eps-forgotten, eps-of-its-own, eps-inside-the-root, eps-before-the-correction].",
    ),
    "AMSGrad": (
        lambda s: s.setting("amsgrad"),
        "The largest second moment so far, uncorrected [amsgrad-forgotten, amsgrad-of-the-corrected].",
    ),
    "Centered": (
        lambda s: isinstance(s.case.optimizer, RMSprop) and s.case.optimizer.centered,
        "The square of the mean gradient is subtracted under the root [centering-forgotten].",
    ),
    "InitialAccumulator": (
        lambda s: isinstance(s.case.optimizer, Adagrad) and s.case.optimizer.initial_accumulator_value,
        "The sum of squares begins above 0 [accumulator-begins-at-0].",
    ),
    "LearningRateDecay": (
        lambda s: s.setting("lr_decay") or s.case.lr_decay_to is not None,
        "The first step has the whole learning rate "
        "[lr-decayed-at-first, lr-decay-forgotten, schedule-forgotten, schedule-a-step-ahead].",
    ),
    "Clipping": (
        lambda s: s.case.max_norm is not None and any(norm > s.case.max_norm for norm in s.norms),
        "All gradients together are scaled down to the norm max_norm, over their norm + 1e-6 "
        "[clipping-forgotten, clipped-by-value, clipped-by-the-largest, clipped-one-by-one].",
    ),
}
"""By name, how a flag is read off, and the note."""


def flags_of(seen: Seen) -> list[str]:
    """The flags of a vector, in the order of the list."""
    return [name for name, (holds, _) in FLAGS.items() if holds(seen)]
