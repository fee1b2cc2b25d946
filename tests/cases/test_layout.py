"""How what is handed over lies in memory: the values stay, and what reads them by pointer is caught."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from typing import Any

import numpy as np
import pytest

from reference.cases import Case
from reference.cases.layout import laid_out
from reference.catalogue.seams import layouts
from reference.judge.runner import start
from reference.mistakes import MISTAKES
from reference.mistakes.known import RIGHT

ARRAYS = [
    np.arange(12.0).reshape(4, 3),
    np.arange(12, dtype="i4").reshape(3, 4),
    np.arange(5.0, dtype="f4"),
    np.arange(24).reshape(2, 3, 4),
    np.array([[True, False], [True, True]]),
]
IS: dict[str, Callable[[np.ndarray], bool]] = {
    "contiguous": lambda array: array.flags.c_contiguous,
    "fortran": lambda array: array.flags.f_contiguous and (array.ndim == 1 or not array.flags.c_contiguous),
    "strided": lambda array: array.strides[-1] == 2 * array.itemsize,
    "offset": lambda array: array.flags.c_contiguous and array.ctypes.data - array.base.ctypes.data == array.itemsize,
    "unaligned": lambda array: array.itemsize == 1 or not array.flags.aligned,
}


@pytest.mark.parametrize("layout", IS)
@pytest.mark.parametrize("array", ARRAYS, ids=lambda array: f"{array.dtype}{array.shape}")
def test_the_values_are_the_same_and_lie_otherwise(layout: Any, array: np.ndarray) -> None:
    found = laid_out(array, layout)
    np.testing.assert_array_equal(found, array, strict=True)
    assert IS[layout](found)
    assert not np.shares_memory(found, array)
    found[...] = 0  # it may be written to


def test_what_is_equal_along_an_axis_has_stride_0_there() -> None:
    rows = np.tile([1.0, 2.0], (3, 1))
    found = laid_out(rows, "broadcast")
    np.testing.assert_array_equal(found, rows)
    assert found.strides == (0, 8)
    assert laid_out(np.ones((2, 3)), "broadcast").strides == (0, 0)
    np.testing.assert_array_equal(laid_out(ARRAYS[0], "broadcast"), ARRAYS[0])


class Looking:
    """The twin, which keeps what it was given."""

    def build(self, case: Case, weights: dict) -> Any:
        self.weights, trainer = weights, RIGHT.build(case, weights)
        right = trainer.loss_and_grads

        def loss_and_grads(batch: Any) -> Any:
            self.batch = batch
            return right(batch)

        trainer.loss_and_grads = loss_and_grads  # type: ignore[method-assign]
        return trainer


@pytest.mark.parametrize("case", [case for case in layouts() if case.dtype == "float64"], ids=lambda case: case.id)
def test_a_candidate_gets_them_so(case: Case) -> None:
    looking = Looking()
    runner = start(case, "looking", looking, case.weights())
    runner.advance(next(case.batches()), 1)
    arrays = [*looking.weights.values(), *(getattr(looking.batch, part.name) for part in fields(looking.batch))]
    assert f"-{case.layout}-" in case.id
    if case.layout == "broadcast":
        assert any(0 in array.strides for array in arrays)
    else:
        assert all(IS[case.layout](array) for array in arrays)


def verdicts(case: Case) -> str:
    runner, right = (start(case, "", one, case.weights()) for one in (MISTAKES["strides-ignored"], RIGHT))
    for one in (runner, right):
        one.advance(next(case.batches()), 1)
    return "caught" if runner.out["loss"] != right.out["loss"] else ""


def test_reading_by_pointer_is_caught_in_what_is_strided_and_in_nothing_else() -> None:
    caught = {case.layout for case in layouts() if verdicts(case)}
    assert caught == {"fortran", "strided"}
