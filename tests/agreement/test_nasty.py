"""Where real implementations disagree, each by name with its source: what both twins do, or what PyTorch does wrong.

What is a matter of a whole run stands in the catalogue; here is what a run cannot show.
"""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from numpy_impl import functional as by_hand
from numpy_impl.embedding_bag import embedding_bag, weighted_bag
from reference.cases import (
    SGD,
    BagBatch,
    Case,
    Classifier,
    Conv1d,
    ConvBatch,
    CrossEntropy,
    Drawn,
    EmbeddingBag,
    LabelledBatch,
    LookupBatch,
    MSELoss,
    RaggedBagBatch,
    SequenceBatch,
    TextCNN,
)
from reference.cases import Embedding as EmbeddingModel
from reference.catalogue import catalogue
from reference.checks.twins import twins
from reference.contract import RowGrad
from reference.errors import BadInput
from reference.judge.form import as_grads
from reference.judge.run import hold
from reference.mistakes import MISTAKES
from reference.mistakes.variants import VARIANTS
from torch_impl import functional as in_torch

TWINS = twins()

WHERE = {
    # where each known disagreement stands: case: an id of the catalogue begins so; test: a test's name begins so;
    # mistake, variant: planted in the NumPy twin; not: why it does not
    "1 duplicates are summed [gensim#242, HIPS/autograd#136 and #263, pytensor#2242, numpy#16790]": (
        "mistake duplicates-overwritten",
        "case embedding-duplicates",
    ),
    "2 squared before duplicates are summed [Keras 3.15.1 on TensorFlow: Adam, Adagrad, RMSprop]": (
        "mistake duplicates-squared-first",
        "case embedding-seldom-adagrad",
    ),
    "3 scale_grad_by_freq of EmbeddingBag [pytorch#190063, #189720]": (
        "test test_3_",
        "mistake frequency-of-another-id",
        "case embedding-byfreq",
    ),
    "4 padding_idx [pytorch#26302, #28716, #3506, #99181, #82486]": (
        "test test_4_",
        "mistake padding-row-kept",
        "case embedding-padding",
        "case embedding-900-ids-padding",
    ),
    "5 empty bags, bags of padding alone [pytorch#11739, #21400, #4169]": ("test test_5_", "mistake empty-bag-nan"),
    "6 offsets [pytorch#76885, #106374, #167974, #52851]": (
        "case embeddingbag-lastoffset",
        "mistake last-bag-dropped",
        "test test_batch",
    ),
    "7 a masked mean's divisor [keras#10895, keras-bert#34]": (
        "case embeddingbag-padding",
        "mistake padding-in-the-divisor",
    ),
    "8 a mean undivided backward [fastText#910, gensim#697 and #1873, arXiv 2012.15332]": (
        "mistake mean-undivided",
        "case cbow-lengths",
    ),
    "9 ids out of range [NumPy, torch and JAX differ]": ("test test_9_", "test test_batch"),
    "10 dtypes of ids [torch takes int32 and int64, as targets int64]": (
        "case embedding-int32",
        "test test_integers_that_the_validator_lets_pass",
    ),
    "11 max_norm [pytorch#26596, #28959]": ("case embedding-maxnorm", "mistake max-norm-on-a-copy"),
    "12 equal maxima [tensorflow#51682]": ("test test_12_", "variant max-ties-shared", "case embeddingbag-ties"),
    "13 slopes at 0 [jax#37821]": ("test test_13_", "variant relu-slope-half-at-0", "case classifier-zeros"),
    "14 class weights under the mean [pytorch#107680]": ("test test_14_", "variant class-weights-over-n"),
    "15 smoothing with ignored labels or weights [pytorch#73205, #69339, #104776]": (
        "case classifier-gelu-weight-ignore-smoothing",
        "mistake ignored-targets-smoothed",
    ),
    "16 every label ignored [pytorch#70348]": ("test test_16_",),
    "17 log of softmax [any framework's unfused form]": (
        "test test_17_",
        "case skipgram-saturated",
        "mistake log-of-shifted-probability",
    ),
    "18 accidental hits [numpy-ml's NCELoss, pytorch-sgns#9, pytorch/text#1228]": (
        "case skipgram-hits",
        "mistake hits-masked-in-the-loss-alone",
    ),
    "19 a saturated sigmoid [gensim#2725, fastText#370]": (
        "case skipgram-saturated-negatives",
        "mistake log-of-one-minus-sigmoid",
        "mistake saturated-skipped",
    ),
    "20 SparseAdam is not Adam [torch.optim.SparseAdam]": (
        "test test_20_",
        "variant moments-dense",
        "case embedding-seldom-sparseadam",
    ),
    "21 eps of Adam [tensorflow#35102]": (
        "test test_21_",
        "variant eps-before-the-correction",
        "case embedding-small-gradients-adam",
    ),
    "22 initial accumulators [Keras beside torch]": (
        "test test_21_and_22_",
        "variant accumulator-begins-at-a-tenth",
        "case embedding-small-gradients-adagrad",
    ),
    "23 row gradients with weight decay [pytorch#1285, #25484, #25560, #101370, #18404]": ("test test_23_",),
    "24 torch.compile of the optimizer's step [torch 2.13.0]": (
        "not: the PyTorch twin is eager; a compiled one can be a candidate",
    ),
    "25 half precision [torch 2.13.0 on the CPU]": ("test test_25_",),
    "26 CUDA [pytorch#12217, #55574, #170589]": ("not: the twins run on the CPU",),
    "27 finite differences [torch.autograd.gradcheck, pytorch#14596, #96187]": ("test test_27_",),
    "28 coalesced and not [pytorch#68590, #68728]": ("test test_28_",),
    "29 an upstream of ones [numpy-ml's embedding test]": ("test test_batches_fit_the_model",),
    "30 gradients under an absolute tolerance [tinygrad's helper_test_op]": (
        "test test_finds_a_small_error_in_any_large_entry",
    ),
    "31 NaN and nothing compared [other suites]": (
        "test test_what_is_not_finite_agrees_with_nothing",
        "test test_refuses",
    ),
    "32 row 0 held against row 1 [other suites]": ("test test_untouched_rows_stay",),
}
CONVOLUTIONS = {
    # the same of convolutions
    "1 no kernel is reversed [numpy-ml#27, mlx#1826]": ("test test_a_convolution_is_", "mistake kernel-reversed"),
    "2 'same' with an even kernel [pytorch#3867, alf#457]": (
        "test test_a_convolution_is_",
        "case conv1d-even-same",
        "case textcnn-even-widths2-same-ragged",
        "mistake same-padded-on-the-left",
    ),
    "3 'same' with a stride [pytorch#67551, #45667]": (
        "test test_options_of_a_convolution",
        "not: PyTorch refuses it; Keras and TensorFlow pad by the stride too",
    ),
    "4 a stride drops the tail [backpack#30, opacus#245]": (
        "test test_a_tail_that_fills_no_window_",
        "case conv1d-tail-stride3",
        "mistake stride-forgotten",
    ),
    "5 equal windows [tensorflow#51681, #51682, mxnet#18563, jax#13600, pytorch#56734]": (
        "test test_equal_windows_",
        "case textcnn-ties",
        "variant time-ties-shared",
        "variant time-ties-to-each",
    ),
    "6 relu before the maximum, all windows negative [torch, tinygrad, JAX]": (
        "test test_where_no_window_is_above_0_",
        "case textcnn-ties",
    ),
    "7 zeros win the maximum [allennlp#4739, HATT-Proto#12, deep_qa#323]": (
        "test test_a_sequence_gives_what_it_gives_alone",
        "case textcnn-negative",
        "mistake padding-wins-the-maximum",
    ),
    "8 sequences shorter than the dilated kernel [torch raises, allennlp#4746 gives 0]": (
        "test test_batch",
        "test test_nothing_shorter_than_the_kernel_is_drawn",
    ),
    "9 zeros that pad a maximum over windows [torch pads it with -inf]": (
        "not: the maximum over time has no padding of its own",
    ),
    "10 pads that a mean over windows counts [torch, count_include_pad]": ("mistake padding-averaged",),
    "11 channels last [T = D: no error]": ("case conv1d-square", "mistake vectors-viewed", "test test_batch"),
    "12 circular, reflected and replicated padding [pytorch#20981, #24504, #29712, #37844]": (
        "not: no sentence is padded so",
    ),
    "13 pooling that takes no mask [keras#3777, #2151]": ("mistake padding-averaged",),
    "14 the divisor of a mean over time [AnglE#101, InferSent#51, CoursIA#15045]": (
        "case textcnn-primes-widths2-mean",
        "mistake time-mean-over-the-longest",
        "mistake mean-by-the-whole-mask",
        "mistake lengths-sorted-alone",
    ),
    "15 the last step found in the mask [sentence-transformers#2111]": ("not: a convolution has no last state",),
}


def test_every_one_stands_somewhere() -> None:
    assert [int(name.split()[0]) for name in WHERE] == list(range(1, 33))
    assert [int(name.split()[0]) for name in CONVOLUTIONS] == list(range(1, 16))
    here = Path(__file__).parents[1]
    tests = re.findall(r"^def (test_\w+)", "\n".join(p.read_text("utf-8") for p in here.rglob("*.py")), re.MULTILINE)
    known = {
        "case": [case.id for case in catalogue()],
        "test": tests,
        "mistake": list(MISTAKES),
        "variant": list(VARIANTS),
    }
    for name, places in [*WHERE.items(), *CONVOLUTIONS.items()]:
        for place in places:
            kind, _, what = place.partition(" ")
            assert kind == "not:" or any(given.startswith(what) for given in known[kind]), f"{name}: {place}"


both = pytest.mark.parametrize("name", TWINS)


def first_step(case: Case, batch: object, name: str) -> tuple[float, dict]:
    trainer = TWINS[name].build(case, case.weights())
    loss, grads = trainer.loss_and_grads(batch)
    return loss, as_grads(case, grads, {})


BAG = Case("nasty", EmbeddingBag(6, 3, padding_idx=2), SGD(), Drawn((3, 2)), sparse=True)


@both
def test_5_an_empty_bag_and_one_of_padding_alone_are_zero_and_have_no_gradient(name: str) -> None:
    """pytorch#11739, #21400, #4169."""
    upstream = np.array([[1.0, 2, 3], [4, 5, 6], [7, 8, 9]])
    batch = RaggedBagBatch(np.array([2, 2, 5]), np.array([0, 2, 2]), upstream)
    loss, grads = first_step(BAG, batch, name)
    weight = BAG.weights()["embedding.weight"]
    assert loss == pytest.approx(weight[5] @ upstream[2], rel=1e-14)
    assert grads["embedding.weight"].rows.tolist() == [5]
    np.testing.assert_array_equal(grads["embedding.weight"].values, upstream[2:])


@both
@pytest.mark.parametrize("sparse", [False, True])
def test_4_a_batch_of_padding_alone_changes_nothing(name: str, sparse: bool) -> None:
    """pytorch#82486: it made SparseAdam crash."""
    case = Case("padding", EmbeddingModel(6, 3, padding_idx=2), SGD(lr=1.0), Drawn((3,)), sparse=sparse)
    initial = case.weights()["embedding.weight"]
    trainer = TWINS[name].build(case, {"embedding.weight": initial.copy()})
    _, grads = trainer.loss_and_grads(LookupBatch(np.array([2, 2]), np.ones((2, 3))))
    gradient = as_grads(case, grads, {})["embedding.weight"]
    trainer.step()
    assert len(gradient.rows) == 0 if isinstance(gradient, RowGrad) else not gradient.any()
    assert np.asarray(trainer.params()["embedding.weight"]).tobytes() == initial.tobytes()


@both
@pytest.mark.parametrize("mode", ["mean", "sum", "max"])
def test_5_where_every_bag_is_empty_there_is_no_gradient(name: str, mode: str) -> None:
    case = replace(BAG, model=EmbeddingBag(6, 3, mode=mode, padding_idx=2), sparse=False)
    batch = BagBatch(np.array([[2, 2], [2, 2]]), np.ones((2, 3)))
    loss, grads = first_step(case, batch, name)
    assert loss == 0
    assert grads["embedding.weight"].tolist() == np.zeros((6, 3)).tolist()


def test_what_is_not_said_is_as_in_torch() -> None:
    """The functions of the NumPy twin have PyTorch's defaults."""
    random = np.random.default_rng(0)
    x, y, weight, scale = (random.normal(size=shape) for shape in ((4, 3), (4, 3), (6, 3), (5,)))
    labels, ids, offsets = np.array([0, 2, 1, -100]), np.array([5, 0, 2, 2, 1]), np.array([0, 2, 2])
    mine = [
        by_hand.mse_loss(x, y)[0],
        by_hand.cross_entropy(x, labels)[0],
        by_hand.cross_entropy(x[:3], labels[:3])[0],
        by_hand.cross_entropy(x, np.abs(y))[0],
        embedding_bag(ids, weight, True, offsets)[0],
        weighted_bag(ids, weight, scale, True, offsets)[0],
    ]
    x, y, weight, scale, labels, ids, offsets = map(torch.tensor, (x, y, weight, scale, labels, ids, offsets))
    f = torch.nn.functional
    theirs = [
        f.mse_loss(x, y),
        f.cross_entropy(x, labels),
        f.cross_entropy(x[:3], labels[:3]),
        f.cross_entropy(x, y.abs()),
        f.embedding_bag(ids, weight, offsets),
        f.embedding_bag(ids, weight, offsets, mode="sum", per_sample_weights=scale),
    ]
    for got, wanted in zip(mine, theirs, strict=True):
        np.testing.assert_allclose(got, wanted.numpy(), rtol=1e-13)


@both
@pytest.mark.parametrize("case_of", [EmbeddingModel, EmbeddingBag])
def test_9_an_id_that_is_out_of_range_is_refused_before_a_framework_sees_it(name: str, case_of: type) -> None:
    """NumPy wraps -1 round, torch raises, JAX clamps the read and drops the gradient."""
    case = Case("range", case_of(6, 3), SGD(), Drawn((2, 2)))
    batch = next(case.batches())
    trainer = TWINS[name].build(case, case.weights())
    ids = batch.ids.copy()
    ids[0, 1] = -1
    with pytest.raises(BadInput, match=r"-1 at \[0, 1\]"):
        trainer.loss_and_grads(replace(batch, ids=ids))


@both
def test_12_equal_maxima_give_all_to_the_first(name: str) -> None:
    """EmbeddingBag(mode="max") and max(dim) do; amax and JAX split evenly. tf#51682."""
    case = Case("ties", EmbeddingBag(3, 2, mode="max"), SGD(), Drawn((1, 3)))
    weights = {"embedding.weight": np.array([[1.0, 5], [1, 7], [0, 7]])}
    upstream = np.array([[2.0, 3]])
    _, grads = TWINS[name].build(case, weights).loss_and_grads(BagBatch(np.array([[1, 0, 2]]), upstream))
    np.testing.assert_array_equal(np.asarray(grads["embedding.weight"]), [[0, 0], [2, 3], [0, 0]])


@both
def test_11_a_row_whose_norm_is_just_the_largest_allowed_is_left_alone(name: str) -> None:
    """Only one that is larger is rescaled, and then to a little less: the norm is divided by itself + 1e-7."""
    case = Case("norms", EmbeddingModel(3, 2, max_norm=5.0), SGD(), Drawn((3,)))
    weights = {"embedding.weight": np.array([[3.0, 4], [6, 8], [9, 12]])}
    trainer = TWINS[name].build(case, weights)
    trainer.loss_and_grads(LookupBatch(np.array([0, 1]), np.ones((2, 2))))
    after = np.asarray(trainer.params()["embedding.weight"])
    assert after[0].tolist() == [3, 4]
    np.testing.assert_allclose(after[1], np.array([3, 4]) * 10 / (10 + 1e-7), rtol=1e-14)
    assert after[2].tolist() == [9, 12]  # is not looked up


SLOPES = {  # name: (slope at exactly 0, by hand)
    "relu": 0.0,  # clamp(min=0) has 1, maximum 0.5: jax#37821
    "tanh": 1.0,
    "sigmoid": 0.25,
    "gelu": 0.5,
    "gelu_tanh": 0.5,
}


@pytest.mark.parametrize(("activation", "slope"), SLOPES.items())
def test_13_slopes_at_zero_and_far_from_it(activation: str, slope: float) -> None:
    x = np.array([0.0, -0.0, -1e-3, 1e-3, -1, 1, -40, 40, -800, 800])
    tensor = torch.tensor(x, requires_grad=True)
    expected = getattr(in_torch, activation)(tensor)
    expected.backward(torch.ones_like(tensor))
    with np.errstate(under="ignore"):
        output, backward = getattr(by_hand, activation)(x)
        got = backward(np.ones_like(x))
    np.testing.assert_allclose(output, expected.detach().numpy(), rtol=1e-14, atol=1e-17)
    np.testing.assert_allclose(got, tensor.grad.numpy(), rtol=1e-14, atol=1e-16)
    assert got[0] == got[1] == slope


def labelled(ids: list[list[int]], labels: np.ndarray) -> LabelledBatch:
    """Bags for a classifier with one hidden layer of 4 units, all of which are kept."""
    return LabelledBatch(np.array(ids), labels, np.ones((len(ids), 4), bool))


@both
def test_14_class_weights_divide_by_the_weights_or_by_the_number_of_bags(name: str) -> None:
    """Index targets and the same targets as probabilities: a factor of 2 where all weights are 2. pytorch#107680."""
    losses = []
    for loss in (CrossEntropy(weight=(2.0, 2.0)), CrossEntropy(weight=(2.0, 2.0), probabilities=True)):
        case = Case("weights", Classifier(6, 3, (4,), 2, loss=loss), SGD(), Drawn((3, 2)))
        labels = np.array([0, 1, 1])
        batch = labelled([[0, 1], [2, 3], [4, 5]], np.eye(2)[labels] if loss.probabilities else labels)
        losses.append(first_step(case, batch, name)[0])
    assert losses[1] == pytest.approx(2 * losses[0], rel=1e-14)


@both
def test_16_where_every_target_is_ignored_the_mean_is_nan_and_its_gradient_zero(name: str) -> None:
    """pytorch#70348."""
    case = Case("ignored", Classifier(6, 3, (4,), 2, loss=CrossEntropy(ignore_index=1)), SGD(), Drawn((3, 2)))
    batch = labelled([[0, 1], [2, 3]], np.array([1, 1]))
    loss, grads = first_step(case, batch, name)
    assert np.isnan(loss)
    assert not any(gradient.any() for gradient in grads.values())


def test_17_log_of_softmax_is_infinite_where_log_softmax_is_not() -> None:
    logits = np.array([[0.0, -1000.0]])
    with np.errstate(divide="ignore", under="ignore"):
        naive = np.log(np.exp(logits) / np.exp(logits).sum())
        fused = by_hand.log_softmax(logits)
    assert np.isneginf(naive[0, 1])
    np.testing.assert_array_equal(fused, [[0, -1000]])
    assert in_torch.log_softmax(torch.tensor(logits), 1)[0, 1] == -1000


# --- convolutions ----------------------------------------------------------------------------------------------------


def convolved(name: str, x: list[float], kernel: list[float], **options: object) -> tuple[list[float], list[float]]:
    """The output of a kernel in one channel, and the gradient of x where every window has 1 upstream."""
    case = Case("by hand", Conv1d(1, 1, len(kernel), **options), SGD(), Drawn((1, len(x))))
    weights = {"conv.weight": np.array([[kernel]], float), "conv.bias": np.zeros(1)}
    trainer, output = TWINS[name].build(case, weights), []
    steps = np.array([[x]], float)
    upstream = next(case.batches()).upstream
    for s in range(upstream.size):
        loss, _ = trainer.loss_and_grads(ConvBatch(steps, np.eye(upstream.size)[s].reshape(1, 1, -1)))
        output.append(loss)
    _, grads = trainer.loss_and_grads(ConvBatch(steps, np.ones_like(upstream)))
    return output, np.asarray(grads["input"]).ravel().tolist()


@both
def test_a_convolution_is_a_correlation_and_same_pads_the_right_end(name: str) -> None:
    """numpy-ml#27, mlx#1826; pytorch#3867, alf#457."""
    assert convolved(name, [1, 2, 3, 4, 5], [1, 0, -1])[0] == [-2, -2, -2]
    assert convolved(name, [1, 2, 3, 4, 5], [1, 2], padding="same")[0] == [5, 8, 11, 14, 5]


@both
def test_a_tail_that_fills_no_window_has_no_gradient(name: str) -> None:
    """backpack#30, opacus#245."""
    assert convolved(name, [1, 2, 3, 4, 5, 6], [1, 0, -1], stride=2)[1] == [1, 0, 0, 0, -1, 0]


def sentence(name: str, table: list[float], ids: list[list[int]], lengths: list[int], **options: object) -> tuple:
    """The loss of one kernel, (-1, -1) with the bias 1 unless options say so, and the gradient of the table."""
    kernel, bias = options.pop("kernel", [-1, -1]), options.pop("bias", 1.0)
    model = TextCNN(len(table), 1, 1, (len(kernel),), 1, loss=MSELoss("sum"), **options)
    weights = {
        "embedding.weight": np.array(table, float)[:, None],
        "convs.0.weight": np.array([[kernel]], float),
        "convs.0.bias": np.array([bias]),
        "fc.weight": np.ones((1, 1)),
        "fc.bias": np.zeros(1),
    }
    case = Case("by hand", model, SGD(), Drawn((len(ids), len(ids[0]))))
    batch = SequenceBatch(np.array(ids), np.array(lengths), np.zeros((len(ids), 1)), np.ones((len(ids), 1), bool))
    loss, grads = TWINS[name].build(case, weights).loss_and_grads(batch)
    return loss, np.asarray(grads["embedding.weight"]).ravel().tolist()


@both
@pytest.mark.parametrize("mode", ["max", "mean"])
@pytest.mark.parametrize("padding", [0, 1, "same"])
def test_a_sequence_gives_what_it_gives_alone(name: str, mode: str, padding: int | str) -> None:
    """The window over 1 and 2 is tanh(-2); over zeros it would be tanh(1). allennlp#4739."""
    options = {"mode": mode, "padding": padding, "activation": "tanh"}
    table = [0.0, 1.0, 2.0]
    beside = sentence(name, table, [[1, 2, 0, 0]], [2], **options)
    assert beside == pytest.approx(sentence(name, table, [[1, 2, 2, 2]], [2], **options), rel=1e-15)
    assert beside == pytest.approx(sentence(name, table, [[1, 2]], [2], **options), rel=1e-15)
    if padding == 0:
        assert beside[0] == pytest.approx(np.tanh(-2) ** 2, rel=1e-15)


@both
def test_equal_windows_give_all_to_the_first(name: str) -> None:
    """As max(dim) does; amax and JAX share, MXNet gives to each. tensorflow#51681, mxnet#18563."""
    loss, gradient = sentence(name, [5, 2, 5, 1], [[1, 0, 2, 3]], [4], kernel=[1], bias=0.0)
    assert loss == 25
    assert gradient == [10, 0, 0, 0]


@both
def test_where_no_window_is_above_0_there_is_no_gradient(name: str) -> None:
    loss, gradient = sentence(name, [1, 2, 3], [[0, 1, 2]], [3])
    assert loss == 0
    assert gradient == [0, 0, 0]


# --- PyTorch's own mistakes: expected, of the version that is pinned; each turns red when PyTorch mends it -----------


def test_3_embedding_bag_scales_by_frequency_wrongly() -> None:
    """pytorch#190063: ids [1, 1, 3] give row 3, which occurs once, half its gradient; F.embedding is right."""
    weight = torch.zeros(4, 1, dtype=torch.float64, requires_grad=True)
    ids = torch.tensor([[1, 1, 3]])
    torch.nn.functional.embedding_bag(ids, weight, scale_grad_by_freq=True, mode="sum").sum().backward()
    wrong, weight.grad = weight.grad.flatten().tolist(), None
    torch.nn.functional.embedding(ids, weight, scale_grad_by_freq=True).sum().backward()
    assert weight.grad.flatten().tolist() == [0, 1, 0, 1]
    assert wrong == [0, 1, 0, 0.5], "PyTorch has mended it"


def test_3_so_the_twins_disagree_and_the_numpy_one_is_right() -> None:
    def verdict(case: Case) -> str:
        return hold(case, TWINS, TWINS)["torch_impl"].verdict

    case = Case("by-frequency", EmbeddingBag(4, 1, mode="sum", scale_grad_by_freq=True), SGD(), Drawn((3, 5)))
    assert verdict(case) == "disagree", "PyTorch has mended it: let it into the catalogue"
    case = Case("by-frequency", EmbeddingModel(4, 1, scale_grad_by_freq=True), SGD(), Drawn((3, 5)))
    assert verdict(case) == "agree"
    bag = BagBatch(np.array([[1, 1, 3]]), np.ones((1, 1)))
    case = Case("by-frequency", EmbeddingBag(4, 1, mode="sum", scale_grad_by_freq=True), SGD(), Drawn((1, 3)))
    assert first_step(case, bag, "numpy_impl")[1]["embedding.weight"].ravel().tolist() == [0, 1, 0, 1]


@pytest.mark.parametrize(("dtype", "stops"), [(torch.bfloat16, 256), (torch.float16, 2048)])
def test_25_embedding_backward_stops_accumulating_in_half_precision(dtype: torch.dtype, stops: int) -> None:
    """The sum over occurrences is kept in the half precision dtype; index_add_ is right."""
    n = 4096
    weight = torch.zeros(2, 1, dtype=dtype, requires_grad=True)
    torch.nn.functional.embedding(torch.ones(n, dtype=torch.int64), weight).sum().backward()
    assert weight.grad[1, 0].item() == stops, "PyTorch has mended it"


def test_27_gradcheck_passes_a_gradient_that_is_wrong_by_a_thousandth() -> None:
    class Wrong(torch.autograd.Function):
        @staticmethod
        def forward(ctx: object, x: torch.Tensor) -> torch.Tensor:
            return x.sin()

        @staticmethod
        def backward(ctx: object, d: torch.Tensor) -> torch.Tensor:
            return d * x.cos() * 1.0005

    x = torch.linspace(0.1, 1, 5, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(Wrong.apply, (x,))


def test_28_assert_close_rejects_equal_row_gradients_and_twingrad_does_not() -> None:
    """pytorch#68590, #68728: one is coalesced and the other is not."""
    twice = torch.sparse_coo_tensor(torch.tensor([[1, 1]]), torch.tensor([[1.0], [2.0]]).double(), (3, 1))
    with pytest.raises(AssertionError):
        torch.testing.assert_close(twice, twice.coalesce())
    case = Case("coalesced", EmbeddingModel(3, 1), SGD(), Drawn((2,)), sparse=True)
    forms = [as_grads(case, {"embedding.weight": form}, {})["embedding.weight"] for form in (twice, twice.coalesce())]
    assert [(form.rows.tolist(), form.values.tolist()) for form in forms] == [([1], [[3.0]])] * 2
