"""The options that a case needs for a mistake to make a difference: without padding, nobody can forget the padding.

The need is written as a pattern of the case's id, which lists every option that is not the default. It does not depend
on sizes: a case without duplicates does not notice that duplicates are overwritten, but others with its options do.
"""

from __future__ import annotations

import re

from reference.cases import Case

AVERAGED, BAG_MEAN = r"^(?!.*-summed-)", r"^(?!.*-(sum|max)-)"
NEEDS: dict[str, tuple[str, ...]] = {
    # options of a classifier and its loss
    "-dropout-": (
        "dropout-unscaled",
        "dropout-by-p",
        "dropout-not-in-the-backward",
        "dropout-unscaled-in-the-backward",
    ),
    r"-weight-": ("class-weights-in-the-loss-alone",),
    r"-smoothing-": ("smoothing-in-the-loss-alone",),
    r"-ignore-": ("ignore-index-forgotten",),
    r"-ignore-(?!summed-)": ("ignored-in-the-divisor",),
    r"-ignore-(.*-)?smoothing-": ("ignored-targets-smoothed",),
    AVERAGED: (
        "batch-mean-forgotten",
        "mean-over-classes",
        "mse-mean-forgotten",
        "mse-over-the-batch",
        "mse-gradient-over-the-batch",
        "pair-mean-forgotten",
        "squares-mean-forgotten",
    ),
    # only a square layer can be transposed by mistake
    r"^(?!classifier.*-hidden0-)(?!textcnn(?!.*-widths2-))": (
        "weight-transposed",
        "weight-gradient-transposed",
        "input-gradient-transposed",
    ),
    # options of a lookup and of bags
    r"-padding-": ("padding-row-kept", "padding-pooled"),
    r"-padding-weighted-": ("padding-weight-gradient-kept",),
    r"-maxnorm-": ("max-norm-on-a-copy", "max-norm-of-every-row", "max-norm-forgotten", "max-norm-scales-up"),
    r"-norm1-": ("norm-type-forgotten",),
    BAG_MEAN: ("mean-undivided", "mean-divided-twice"),
    r"^(?!.*-max-)": ("duplicates-lost-within-a-bag",),
    BAG_MEAN + r"(cbow|.*-(ragged|padding)-)": ("mean-over-the-longest",),
    BAG_MEAN + r".*-padding-": ("padding-in-the-divisor",),
    BAG_MEAN + r".*-(ragged|padding)-": ("empty-bag-nan",),
    r"-max-(.*-)?(ragged|padding)-": ("empty-bag-infinite",),
    r"^cbow-|^(?!.*-lastoffset-).*-ragged-": ("last-bag-dropped",),
    r"^cbow-|-ragged-": ("last-id-of-a-bag-dropped",),
    r"-max-": ("max-to-all", "max-to-each-equal"),
    # word2vec
    r"^skipgram(?!.*-(negatives|shared|tree)-)": ("one-context-subtracted",),
    r"^skipgram(?!.*-shared-)": ("centre-of-one-context",),
    r"^skipgram(?!.*-(shared|tree)-)": ("centre-and-context-swapped",),
    r"^(?!.*-shared-)": ("window-one-short",),
    r"^(?!.*-tree-)": ("tables-tied",),
    # a row gradient and a dense one are not swapped; the output table of a softmax has a dense one
    r"^(?!.*-tree-)(.*-(negatives|shared)-|.*-dense-)": ("tables-swapped",),
    r"-negatives-": ("negatives-counted-once", "duplicates-lost-within-a-pair"),
    r"-mask-": ("hits-masked-in-the-loss-alone",),
    r"-negatives-(?!redraw-)": ("hits-masked-in-the-gradient-alone", "hits-delete-the-target"),
    # convolutions
    r"-stride\d-": ("stride-forgotten",),
    r"-dilation\d-": ("dilation-forgotten",),
    r"-(padding\d|same)-": ("padding-cut-wrong",),
    r"-same-": ("same-padded-on-the-left",),
    r"^textcnn.*-ragged-": ("lengths-sorted-alone",),
    r"^textcnn.*-(padding\d|same)-.*-ragged-": ("beyond-the-length-read",),
    r"^textcnn(?!.*-mean-).*-ragged-": ("padding-wins-the-maximum",),
    r"^textcnn.*-mean-.*-ragged-": ("padding-averaged", "time-mean-over-the-longest"),
    r"^textcnn.*-mean-": ("mean-by-the-whole-mask", "time-mean-undivided"),
    r"^textcnn(?!.*-mean-)": ("maximum-to-every-window",),
    # options of an optimizer
    r"-(sgd-momentum|rmsprop|adam|adamw|adagrad|sparseadam)-": ("state-forgotten",),
    r"-dampening-": ("dampened-at-first", "dampening-forgotten"),
    r"^(?!linear|conv1d).*-dampening-": ("dampened-from-each-rows-second",),
    r"-nesterov-": ("nesterov-forgotten", "nesterov-of-the-new-velocity"),
    r"-(decay|adamw)-": ("decay-forgotten", "decay-turned"),
    r"-adamw-": ("decay-by-the-corrected-lr",),
    r"^(?!linear|conv1d).*-(decay|adamw)-": ("decay-of-touched-rows",),
    r"-adagrad-lrdecay-": ("lr-decayed-at-first", "lr-decay-forgotten"),
    r"-accumulator-": ("accumulator-begins-at-0",),
    r"-centered-": ("centering-forgotten",),
    r"-rmsprop-(?!alpha-)": ("alpha-for-the-new",),  # the other alpha is 1/2
    r"-amsgrad-": ("amsgrad-forgotten",),
    r"-eps-|-adagrad-": ("eps-of-its-own",),  # the others have that eps
    r"-(adagrad|sparseadam)-.*rows": ("duplicates-squared-first",),
    r"^(?!embedding)": ("step-of-each-parameter",),  # one parameter has one step
    r"-lrdecayto-": ("schedule-forgotten", "schedule-a-step-ahead"),
    # what only special data shows: arguments that are exactly 0, saturated rows, layouts, no gradient, a loose limit
    r"-zeros-": ("kink-at-0", "gelu-over-its-input"),
    r"-(saturated|small-rows)-": ("sigmoid-minus-one",),
    r"-(fortran|strided|offset|broadcast|unaligned)-": ("strides-ignored",),
    r"-silent-": ("clipping-divides-by-0",),
    r"-limit-": ("max-norm-at-the-limit", "clipped-above-the-limit-alone"),
    r"-subnormal-": ("subnormals-flushed",),
    r"-subnormal-max-": ("max-above-minus-zero",),
    r"-loose-": ("clipping-scales-up",),
    r"^(?!cbow)(?!.*-weighted-)": ("ids-sorted-in-place",),
}
"""The mistakes, by the pattern of what they need. All others make a difference wherever their functions are called."""

_PATTERN = {mistake: re.compile(pattern) for pattern, mistakes in NEEDS.items() for mistake in mistakes}


def differs(mistake: str, case: Case) -> bool:
    """Whether the mistake of this name can make a difference under the options of the case."""
    return mistake not in _PATTERN or bool(_PATTERN[mistake].search(case.id))
