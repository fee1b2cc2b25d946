"""What a candidate does to global switches of Python, NumPy and PyTorch touches nobody else."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from reference.catalogue import catalogue
from reference.checks.twins import twins
from reference.judge.load import load
from reference.judge.run import hold

CASE = next(case for case in catalogue() if case.id == "classifier-primes-adam-dense-f64")
TWINS = twins()

TURN = (
    "torch.set_grad_enabled(False); torch.set_default_dtype(torch.float64); torch.set_default_device('meta'); "
    "torch.set_flush_denormal(True); np.seterr(all='raise'); warnings.simplefilter('error')"
)
MODULE = """
import sys
import warnings

import numpy as np
import torch
import numpy_impl

{at_import}

class Trainer:
    def __init__(self, case, weights):
        {in_build}
        self.twin = numpy_impl.build(case, weights)
        self.step, self.params, self.state = self.twin.step, self.twin.params, self.twin.state

    def loss_and_grads(self, batch):
        {in_step}
        return self.twin.loss_and_grads(batch)

build = Trainer
"""
CHECK = """
        assert not torch.is_grad_enabled()
        assert torch.get_default_dtype() == torch.float64
        assert torch.get_default_device().type == "meta"
        assert sys.float_info.min / 2 == 0
        assert np.geterr()["divide"] == "raise"
        assert warnings.filters[0][0] == "error"
"""


def switches() -> tuple:
    torchs = torch.is_grad_enabled(), torch.get_default_dtype(), torch.get_default_device()
    return *torchs, np.geterr(), sys.float_info.min / 2, list(warnings.filters)


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    """The switches are as they were for the next test, even where this one fails."""
    gradients, dtype, _, errors, *_ = switches()
    with warnings.catch_warnings():
        yield
    torch.set_grad_enabled(gradients)
    torch.set_default_dtype(dtype)
    torch.set_default_device(None)
    torch.set_flush_denormal(False)
    np.seterr(**errors)


@pytest.mark.parametrize(
    "places",
    [
        {"at_import": TURN, "in_step": CHECK},
        {"in_build": TURN, "in_step": CHECK},
        {"in_step": TURN},
    ],
    ids=["at import", "in build", "in a step"],
)
def test_a_candidate_turns_switches_for_itself_alone(tmp_path: Path, places: dict[str, str]) -> None:
    """And finds them as it left them."""
    before = switches()
    source = MODULE.format(**dict.fromkeys(("at_import", "in_build", "in_step"), "pass") | places)
    (tmp_path / "turning.py").write_text(source)
    held = hold(CASE, {"mine": load(str(tmp_path / "turning.py"))} | TWINS, TWINS)
    assert switches() == before
    assert {name: (result.verdict, result.reason) for name, result in held.items()} == dict.fromkeys(
        ("mine", *TWINS), ("agree", "")
    )
