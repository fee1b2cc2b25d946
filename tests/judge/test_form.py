"""What came back in another form than is asked for: its numbers are compared, and the form is told by itself."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

import numpy_impl
from reference.cases import SGD, Case, Embedding, LookupBatch, Recorded
from reference.catalogue import catalogue
from reference.checks.twins import twins
from reference.contract import RowGrad
from reference.judge.form import Mismatch, as_grads
from reference.judge.result import Result
from reference.judge.run import compare, hold
from reference.judge.runner import Runner
from reference.judge.tolerance import TOLERANCE
from tests.tools.altered import Altered, Change, entry, one

CASES = {case.id: case for case in catalogue()}
TWINS = twins()

DENSE = "classifier-primes-sgd-dense-f64"
SINGLE = "classifier-primes-sgd-dense-f32"
ROWS = "classifier-primes-sgd-rows-f64"
ADAM = "classifier-primes-adam-dense-f64"
TABLE = "embedding.weight"
SHAPES = CASES[DENSE].model.shapes
V, D = SHAPES[TABLE]


def judge(case: str, candidate: Any) -> Result:
    return hold(CASES[case], {"mine": candidate}, {"numpy_impl": numpy_impl})["mine"]


def every(change: Callable[[Any], Any]) -> Change:
    """A change to each of several tensors."""
    return lambda tensors: {name: change(tensor) for name, tensor in tensors.items()}


class Names(Mapping):
    """A mapping that is no dict."""

    def __init__(self, held: dict) -> None:
        self.held = held

    def __getitem__(self, name: str) -> Any:
        return self.held[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.held)

    def __len__(self) -> int:
        return len(self.held)


class Tensor:
    """A tensor of somebody's own, whose numbers are in an attribute."""

    def __init__(self, array: np.ndarray) -> None:
        self.data = array


class Sparse:
    """One like SciPy's, whose attribute has what is not 0."""

    def __init__(self, array: np.ndarray) -> None:
        self.data, self.toarray = array[array != 0], array.copy


class Eager:
    """One that gives its numbers by a method."""

    def __init__(self, array: np.ndarray) -> None:
        self.numpy = array.copy


NAMES = f"a dict with {sorted(SHAPES)}"
MORE = f"a dict with {sorted([*SHAPES, 'fc3.bias'])}"
THREE = "grads embedding.weight, grads fc1.weight, grads fc1.bias and 2 more"
PAIR = "rows as a RowGrad, a sparse tensor or (rows, values)"
KINDS = "a dict with the kinds ['step', 'exp_avg', 'exp_avg_sq']"

FORM: dict[str, tuple[str, str, Change, str]] = {
    # a case, the stage, a change that keeps the numbers, what is said
    "float32": (
        DENSE,
        "grads",
        one("fc1.bias", lambda g: g.astype("f")),
        "grads fc1.bias: float64 is asked for, got float32, and is held to its digits",
    ),
    "float64": (SINGLE, "grads", every(np.float64), f"{THREE}: float32 is asked for, got float64"),
    "long double": (DENSE, "grads", every(np.longdouble), f"{THREE}: float64 is asked for, got {np.dtype('g')}"),
    "parameters in float64": (
        SINGLE,
        "params",
        one(TABLE, np.float64),
        "params embedding.weight: float32 is asked for, got float64",
    ),
    "objects": (
        DENSE,
        "grads",
        one("fc1.bias", lambda g: g.astype(object)),
        "grads fc1.bias: an array of floats is asked for, got an array of objects",
    ),
    "lists": (DENSE, "grads", every(np.ndarray.tolist), f"{THREE}: an array is asked for, got a list"),
    "lists in float32": (SINGLE, "grads", every(np.ndarray.tolist), f"{THREE}: an array is asked for, got a list"),
    "big-endian": (
        DENSE,
        "grads",
        one("fc1.bias", lambda g: g.astype(">f8")),
        "grads fc1.bias: an array in the byte order of the machine is asked for, got one in the other byte order",
    ),
    "a row for a vector": (
        DENSE,
        "grads",
        one("fc1.bias", lambda g: g[None]),
        "grads fc1.bias: an array of shape (7,) is asked for, got one of shape (1, 7)",
    ),
    "a column for a vector": (
        DENSE,
        "params",
        one("fc1.bias", lambda p: p[:, None]),
        "params fc1.bias: an array of shape (7,) is asked for, got one of shape (7, 1)",
    ),
    ".data": (DENSE, "grads", every(Tensor), f"{THREE}: an array is asked for, got a Tensor, of which .data was read"),
    ".data of .data": (
        DENSE,
        "grads",
        one("fc1.bias", lambda g: Tensor(Tensor(g))),
        "grads fc1.bias: an array is asked for, got a Tensor, of which .data was read",
    ),
    ".numpy()": (
        DENSE,
        "params",
        one("fc1.bias", Eager),
        "params fc1.bias: an array is asked for, got a Eager, of which .numpy() was read",
    ),
    "a sparse matrix": (
        DENSE,
        "grads",
        one(TABLE, Sparse),
        "grads embedding.weight: an array is asked for, got a Sparse, of which .toarray() was read",
    ),
    "a Mapping": (DENSE, "grads", Names, f"gradients: {NAMES} is asked for, got a Names with {sorted(SHAPES)}"),
    "a mapping of parameters": (
        DENSE,
        "params",
        MappingProxyType,
        f"parameters: {NAMES} is asked for, got a mappingproxy with {sorted(SHAPES)}",
    ),
    "another key": (
        DENSE,
        "grads",
        lambda grads: grads | {"fc3.bias": grads["fc1.bias"]},
        f"gradients: {NAMES} is asked for, got {MORE}",
    ),
    "another kind of state": (
        ADAM,
        "state",
        lambda state: state | {"momentum": {}},
        f"state: {KINDS} is asked for, got a dict with ['exp_avg', 'exp_avg_sq', 'momentum', 'step']",
    ),
    "rows for a dense table": (
        DENSE,
        "grads",
        one(TABLE, lambda g: (np.arange(V), g)),
        "grads embedding.weight: a dense array is asked for, got rows",
    ),
    "sparse for a dense table": (
        DENSE,
        "grads",
        one(TABLE, lambda g: torch.tensor(g).to_sparse(1)),
        "grads embedding.weight: a dense array is asked for, got rows",
    ),
    "dense for rows": (
        ROWS,
        "grads",
        one(TABLE, RowGrad.dense),
        f"grads embedding.weight: {PAIR} is asked for, got a dense ndarray",
    ),
    "[rows, values]": (
        ROWS,
        "grads",
        one(TABLE, lambda g: [g.rows, g.values]),
        f"grads embedding.weight: {PAIR} is asked for, got a list [rows, values]",
    ),
    "rows in float32": (
        ROWS,
        "grads",
        one(TABLE, lambda g: (g.rows, g.values.astype("f"))),
        "grads embedding.weight: float64 is asked for, got float32, and is held to its digits",
    ),
}


@pytest.mark.parametrize(("case", "stage", "change", "says"), FORM.values(), ids=FORM)
def test_right_numbers_in_another_form_have_a_verdict_of_their_own(
    case: str, stage: str, change: Change, says: str
) -> None:
    result = judge(case, Altered(stage, change))
    assert (result.verdict, result.form) == ("form", (says,)), result.first_divergence or result.reason
    assert (result.steps, result.divergences) == (CASES[case].steps, ())
    assert {e.tensor for e in result.errors if e.stage == "grads"} == SHAPES.keys()


@pytest.mark.parametrize("name", FORM)
def test_wrong_numbers_in_another_form_are_told_as_numbers(name: str) -> None:
    """And the form beside them."""
    case, stage, change, says = FORM[name]
    tensor, parts = TABLE, "exp_avg" if stage == "state" else None

    def wrong(tensors: dict) -> dict:
        held = tensors[parts] if parts else tensors
        value = held[tensor]
        off = RowGrad(value.rows, value.values * 1.001, value.shape) if isinstance(value, RowGrad) else value * 1.001
        held = held | {tensor: off.astype("f") if case == SINGLE else off}
        return tensors | {parts: held} if parts else held

    result = judge(case, Altered(stage, lambda tensors: change(wrong(tensors))))
    assert (result.verdict, result.form, result.first_divergence.stage) == ("disagree", (says,), stage)
    assert result.first_divergence.tensor.endswith(tensor)
    assert result.first_divergence.got == pytest.approx(1.001 * result.first_divergence.expected, rel=1e-6)


class Returns:
    """The NumPy twin, whose loss_and_grads returns in another way."""

    def __init__(self, change: Callable[[float, dict], Any], *parts: str) -> None:
        self.change, self.parts = change, parts or ("step", "params", "state")

    def build(self, case: Case, weights: dict) -> Any:
        twin = numpy_impl.build(case, weights)
        parts = {part: getattr(twin, part) for part in self.parts if part != "none"}
        return SimpleNamespace(loss_and_grads=lambda batch: self.change(*twin.loss_and_grads(batch)), **parts)


@pytest.mark.parametrize(
    ("change", "got"),
    [
        (lambda loss, grads: [loss, grads], "a list of 2"),
        (lambda loss, grads: (loss, grads, "logits"), "a tuple of 3"),
    ],
)
def test_the_pair_may_come_in_another_form(change: Callable, got: str) -> None:
    result = judge(DENSE, Returns(change))
    says = f"loss_and_grads: a tuple (loss, gradients) is asked for, got {got}"
    assert (result.verdict, result.form, result.steps) == ("form", (says,), 5)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda loss, grads: (loss, None), "not covered: grads"),
        (lambda loss, grads: (loss, {}), "not covered: grads"),
        (lambda loss, grads: (loss, grads | {"fc1.bias": None}), "not covered: grads fc1.bias"),
        (
            lambda loss, grads: (loss, {TABLE: grads[TABLE]}),
            "not covered: grads fc1.bias, grads fc1.weight, grads fc2.bias, grads fc2.weight",
        ),
    ],
    ids=["None", "none", "one None", "one alone"],
)
@pytest.mark.parametrize("case", [ADAM, ROWS])
def test_gradients_that_are_not_returned_are_not_covered(case: str, change: Callable, reason: str) -> None:
    """Parameters and state are held all the same."""
    result = judge(case, Returns(change))
    assert (result.verdict, result.steps, result.reason) == ("agree", CASES[case].steps, reason)
    covered = {(e.stage, e.tensor) for e in result.errors}
    assert {("loss", "loss"), ("params", TABLE), ("params", "fc1.bias")} <= covered


def test_masked_numbers_are_no_numbers() -> None:
    """NumPy drops the mask on the way to an array."""
    masked = Altered("grads", one("fc1.bias", lambda g: np.ma.masked_array(g, np.arange(len(g)) < 2)))
    found = judge(DENSE, masked).first_divergence
    assert (found.tensor, found.got) == ("fc1.bias", "a MaskedArray, of which 2 numbers are masked")


def test_an_update_without_gradients_is_held() -> None:
    def build(case: Case, weights: dict) -> Any:
        trainer = Returns(lambda loss, grads: (loss, None)).build(case, weights)
        right = trainer.params
        trainer.params = lambda: one(TABLE, entry(0.5))(right())
        return trainer

    result = judge(DENSE, SimpleNamespace(build=build))
    assert (result.verdict, result.first_divergence.tensor) == ("disagree", TABLE)
    assert (result.first_divergence.stage, result.first_divergence.index) == ("params", (3, 2))


def test_a_row_that_was_not_looked_up_is_held_without_gradients() -> None:
    def build(case: Case, weights: dict) -> Any:
        trainer = Returns(lambda loss, grads: (loss, None)).build(case, weights)
        right = trainer.params
        last = weights[TABLE][V - 1, 4]
        trainer.params = lambda: one(TABLE, entry(np.nextafter(last, 2), (V - 1, 4)))(right())
        return trainer

    found = judge(DENSE, SimpleNamespace(build=build)).first_divergence
    assert (found.stage, found.tensor, found.index) == ("params", TABLE, (V - 1, 4))


def test_without_gradients_any_row_may_have_had_one() -> None:
    """One that had a gradient may round in another way, where this is what another one is held against."""
    weights, batch = {TABLE: np.arange(1.0, 9).reshape(4, 2)}, LookupBatch(np.array([1]), np.array([[1.0, 2]]))
    case = Case("tiny", Embedding(4, 2), SGD(lr=1e-30), Recorded(weights, (batch,)), steps=1)
    nudged = Altered("params", one(TABLE, entry(np.nextafter(weights[TABLE][1, 0], 9), (1, 0))))
    held = hold(case, {"mine": nudged}, {"updates": Returns(lambda loss, grads: (loss, None))})
    assert held["mine"].verdict == "agree", held["mine"].first_divergence


@pytest.mark.parametrize("part", ["none", "step"])
def test_the_loss_alone_is_no_agreement(part: str) -> None:
    result = judge(DENSE, Returns(lambda loss, grads: (loss, None), part))
    said = "nothing was compared but the loss: there are no gradients and no parameters"
    assert (result.verdict, result.reason) == ("error", said)


class Single:
    """A framework that has float32 alone, in whatever dtype the case is."""

    @staticmethod
    def build(case: Case, weights: dict) -> Any:
        twin = numpy_impl.build(case, weights)
        single = every(lambda tensor: tensor.astype("f"))
        return SimpleNamespace(
            loss_and_grads=lambda batch: (
                float(np.float32((found := twin.loss_and_grads(batch))[0])),
                single(found[1]),
            ),
            step=twin.step,
            params=lambda: single(twin.params()),
            state=lambda: {k: single(of) if k != "step" else of for k, of in twin.state().items()},
        )


@pytest.mark.parametrize("case", [DENSE, ADAM])
def test_a_framework_that_has_float32_alone_does_not_fail_in_float64(case: str) -> None:
    result = judge(case, Single)
    said = "not covered in float64: all came back in float32, right to its digits"
    assert (result.verdict, result.reason, result.steps) == ("unsupported", said, CASES[case].steps)
    assert {e.stage for e in result.errors} >= {"loss", "grads", "params"}


def test_a_framework_that_has_float32_alone_is_told_of_wrong_numbers() -> None:
    def build(case: Case, weights: dict) -> Any:
        trainer = Single.build(case, weights)
        right = trainer.params
        trainer.params = lambda: one("fc1.bias", lambda bias: bias * np.float32(1.001))(right())
        return trainer

    result = judge(DENSE, SimpleNamespace(build=build))
    assert (result.verdict, result.first_divergence.tensor) == ("disagree", "fc1.bias")


def test_what_has_the_digits_of_float32_is_held_to_its_tolerance() -> None:
    allowed, eps = TOLERANCE["float32"]["loss"], np.finfo(np.float32).eps
    assert allowed > TOLERANCE["float64"]["loss"]
    for times, wrong in ((allowed, 0), (allowed + 1, 1)):
        mine = Runner(CASES[DENSE], "mine", out={"loss": np.float32(1 + times * eps)})
        compare(mine, Runner(CASES[DENSE], "truth", out={"loss": 1.0}), 1, both=False)
        assert len(mine.divergences) == wrong


def test_one_gradient_in_float32_does_not_loosen_the_rest() -> None:
    """Nor the loss."""
    change = one("fc1.bias", lambda g: g.astype("f"))
    for other in (
        Returns(lambda loss, grads: (loss * (1 + 1e-9), change(grads))),
        Returns(lambda loss, grads: (loss, one("fc2.bias", lambda g: g * (1 + 1e-9))(change(grads)))),
    ):
        assert judge(DENSE, other).verdict == "disagree"


# --- arrays of other libraries ---------------------------------------------------------------------------------------


class OnDevice:
    """As a torch tensor on a GPU: NumPy may not see it before it is moved."""

    def __init__(self, array: np.ndarray) -> None:
        self.array = array

    def detach(self) -> OnDevice:
        return self

    def cpu(self) -> torch.Tensor:
        return torch.tensor(self.array)

    def __array__(self, *given: object, **more: object) -> np.ndarray:
        raise TypeError("can't convert cuda:0 device type tensor to numpy")


class CuPy:
    """As an array of CuPy's, which is brought from the device by get()."""

    def __init__(self, array: np.ndarray) -> None:
        self.get = array.copy

    def __array__(self, *given: object, **more: object) -> np.ndarray:
        raise TypeError("Implicit conversion to a NumPy array is not allowed")

    def __dlpack__(self, *given: object, **more: object) -> object:
        raise BufferError("on another device")


class Slices:
    """As TensorFlow's IndexedSlices."""

    def __init__(self, gradient: RowGrad) -> None:
        self.indices, self.values = np.repeat(gradient.rows, 2), np.repeat(gradient.values / 2, 2, axis=0)


class BCOO:
    """As JAX's: the indices have a line for each entry."""

    def __init__(self, gradient: RowGrad) -> None:
        self.indices, self.data = gradient.rows[:, None], gradient.values


RIGHT = {
    "lazy negation": (DENSE, "grads", every(lambda g: torch._neg_view(torch.tensor(-g)))),
    "imaginary part of a conjugate": (DENSE, "grads", every(lambda g: torch.tensor(-1j * g).conj().imag)),
    "lazy negation of rows": (
        ROWS,
        "grads",
        one(TABLE, lambda g: (torch.tensor(g.rows), torch._neg_view(torch.tensor(-g.values)))),
    ),
    "a device": (DENSE, "grads", every(OnDevice)),
    "CuPy": (DENSE, "params", every(CuPy)),
    "IndexedSlices": (ROWS, "grads", one(TABLE, Slices)),
    "BCOO": (ROWS, "grads", one(TABLE, BCOO)),
    "OrderedDict": (DENSE, "grads", OrderedDict),
    "Fortran's order": (DENSE, "grads", every(np.asfortranarray)),
    "a loss in NumPy's float64": (SINGLE, "loss", np.float64),
}


@pytest.mark.parametrize(("case", "stage", "change"), RIGHT.values(), ids=RIGHT)
def test_any_array_will_do(case: str, stage: str, change: Change) -> None:
    result = judge(case, Altered(stage, change))
    assert (result.verdict, result.form, result.reason) == ("agree", (), ""), result.first_divergence or result.form


class Broken:
    """An array that cannot be read."""

    def __array__(self, *given: object, **more: object) -> np.ndarray:
        raise MemoryError("no room")


class Opaque:
    """No array at all."""


def test_an_error_while_reading_is_told_as_that() -> None:
    found = judge(DENSE, Altered("grads", one("fc1.bias", lambda g: Broken()))).first_divergence
    assert (found.stage, found.tensor, found.expected) == ("grads", "fc1.bias", "an array")
    assert found.got.startswith("a Broken, and reading it raised in test_form.py, line ")
    assert found.got.endswith(": MemoryError: no room")
    found = judge(DENSE, Altered("grads", one("fc1.bias", lambda g: Opaque()))).first_divergence
    assert found.got == "a Opaque, which has no __array__ and no __dlpack__"


class Eighth:
    """An array in a dtype of eight bits, of a library that NumPy knows nothing of."""

    dtype = "float8_e4m3fn"


@pytest.mark.parametrize(
    ("case", "change", "dtype"),
    [
        (DENSE, one("fc1.bias", lambda g: torch.tensor(g).bfloat16()), "bfloat16"),
        (SINGLE, one("fc1.bias", lambda g: Eighth()), "float8_e4m3fn"),
        (ROWS, one(TABLE, lambda g: (g.rows, torch.tensor(g.values).bfloat16())), "bfloat16"),
    ],
    ids=["bfloat16", "float8", "rows"],
)
def test_what_has_too_few_digits_is_told_so(case: str, change: Change, dtype: str) -> None:
    """It is no error while reading, as it would be: NumPy does not know these dtypes."""
    result = judge(case, Altered("grads", change))
    found = result.first_divergence
    assert (result.verdict, found.expected) == ("disagree", "an array of at least float16")
    assert found.got == f"{dtype}, which has too few digits to be compared"


def test_a_gradient_in_an_unknown_form_is_told_how_to_be_handed_over() -> None:
    found = judge(ROWS, Altered("grads", one(TABLE, lambda g: Opaque()))).first_divergence
    assert found.expected == PAIR
    assert found.got == "a Opaque, which has no __array__ and no __dlpack__"


@pytest.mark.parametrize(
    ("case", "do"),
    [(DENSE, "scatter it to the rows of the table"), (ROWS, "hand over (ids, lines)")],
)
@pytest.mark.parametrize("lines", [(11,), (11, 7)])
def test_a_gradient_for_each_id_is_told_to_be_scattered(case: str, do: str, lines: tuple[int, ...]) -> None:
    shape = (*lines, D)
    found = judge(case, Altered("grads", one(TABLE, lambda g: np.ones(shape)))).first_divergence
    assert found.expected == f"float64 of shape {(V, D)}"
    assert found.got == f"float64 of shape {shape}; if that is one line for each id, {do}"


def test_only_one_line_for_each_id_is_told_to_be_scattered() -> None:
    for tensor in (TABLE, "fc1.weight"):
        found = judge(DENSE, Altered("grads", one(tensor, np.transpose))).first_divergence
        assert found.got == f"float64 of shape {SHAPES[tensor][::-1]}"


def test_by_default_another_form_is_refused() -> None:
    grads = {name: np.zeros(shape, "f") for name, shape in SHAPES.items()}
    with pytest.raises(Mismatch, match=r"embedding.weight: expected float64, got float32"):
        as_grads(CASES[DENSE], grads, {})
