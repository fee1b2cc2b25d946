"""Which shapes hide which mistakes: a test with one step, one channel or one window passes what is wrong.

Each shape is the same case as the one that notices everything, but for one thing. The catalogue has other shapes too.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from reference.cases import SGD, Case, Conv1d, Drawn, TextCNN
from reference.commands import mistakes
from reference.mistakes import MISTAKES

ALONE = {
    "stride-forgotten",
    "dilation-forgotten",
    "windows-overwritten",
    "padding-cut-wrong",
    "channels-not-transposed",
    "kernel-reversed-in-the-backward",
    "kernel-reversed",
    "kernel-gradient-averaged",
    "bias-of-one-window",
    "vectors-viewed",
}
LAYER = Case("", Conv1d(3, 4, 3, stride=2, dilation=2, padding=1), SGD(lr=0.1), Drawn((2, 9)), steps=1)
EVEN = replace(LAYER, model=Conv1d(3, 4, 2, padding="same"))
SENTENCES = TextCNN(9, 3, 2, (2, 3), 2, padding="same", activation="tanh")
MAXIMUM = Case("", SENTENCES, SGD(lr=0.1), Drawn((4, 6), ragged=True), steps=1, seed=8)
MEAN = replace(MAXIMUM, model=replace(SENTENCES, mode="mean"))
OF_LENGTHS = {"beyond-the-length-read", "lengths-sorted-alone"}
OF_MAXIMA = OF_LENGTHS | {"padding-wins-the-maximum", "maximum-to-every-window"}
OF_MEANS = OF_LENGTHS | {
    "padding-averaged",
    "time-mean-over-the-longest",
    "mean-by-the-whole-mask",
    "time-mean-undivided",
}
ONE_WIDE = {"dilation-forgotten", "windows-overwritten", "kernel-reversed-in-the-backward", "kernel-reversed"}


def of(case: Case, shape: tuple[int, ...] | None = None, ragged: bool | None = None, **options: object) -> Case:
    """The case with other options, or with other data."""
    data = replace(case.data, shape=shape or case.data.shape, ragged=case.data.ragged if ragged is None else ragged)
    return replace(case, model=replace(case.model, **options), data=data)


HIDDEN = {
    # what is given: the case, the mistakes that can be made in it, and those of them that it hides
    "all": (LAYER, ALONE, set()),
    "stride 1": (of(LAYER, stride=1), ALONE, {"stride-forgotten"}),
    "dilation 1": (of(LAYER, dilation=1), ALONE, {"dilation-forgotten"}),
    "padding 0": (of(LAYER, padding=0), ALONE, {"padding-cut-wrong"}),
    "a kernel of one step": (of(LAYER, kernel_size=1), ALONE, ONE_WIDE),
    "windows that do not overlap": (of(LAYER, stride=5), ALONE, {"windows-overwritten"}),
    "one window": (
        of(LAYER, (2, 4), dilation=2),
        ALONE,
        {"stride-forgotten", "windows-overwritten", "bias-of-one-window"},
    ),
    "one window of one example": (
        of(LAYER, (1, 4)),
        ALONE,
        {"stride-forgotten", "windows-overwritten", "bias-of-one-window", "kernel-gradient-averaged"},
    ),
    "one channel in": (of(LAYER, in_channels=1), ALONE, {"channels-not-transposed", "vectors-viewed"}),
    "one channel out": (of(LAYER, out_channels=1), ALONE, {"channels-not-transposed"}),
    "an even kernel": (EVEN, {"same-padded-on-the-left"}, set()),
    "an odd kernel": (of(EVEN, kernel_size=3), {"same-padded-on-the-left"}, {"same-padded-on-the-left"}),
    "sequences under a maximum": (MAXIMUM, OF_MAXIMA, set()),
    "sequences under a mean": (MEAN, OF_MEANS, set()),
    "sequences from long to short": (replace(MAXIMUM, seed=0), OF_MAXIMA, {"lengths-sorted-alone"}),
    "whole sequences under a maximum": (
        of(MAXIMUM, ragged=False),
        OF_MAXIMA,
        OF_LENGTHS | {"padding-wins-the-maximum"},
    ),
    "whole sequences under a mean": (
        of(MEAN, ragged=False),
        OF_MEANS,
        OF_LENGTHS | {"padding-averaged", "time-mean-over-the-longest"},
    ),
    "no zeros at the ends": (of(MEAN, padding=0), OF_MEANS, {"beyond-the-length-read"}),
    "one sequence": (of(MEAN, (1, 6)), OF_MEANS, OF_MEANS - {"time-mean-undivided"}),
    "one step under a maximum": (of(MAXIMUM, (4, 1)), OF_MAXIMA, OF_MAXIMA),
    "one step under a mean": (of(MEAN, (4, 1)), OF_MEANS, OF_MEANS - {"mean-by-the-whole-mask"}),
}


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize(("case", "possible", "hidden"), HIDDEN.values(), ids=HIDDEN)
def test_a_shape_hides_these_mistakes_and_no_others(case: Case, possible: set, hidden: set, dtype: str) -> None:
    results = mistakes.make(replace(case, dtype=dtype), {name: MISTAKES[name] for name in possible})
    assert {name for name in possible if name not in results or results[name].verdict == "agree"} == hidden
