"""A whole training step: forward, loss, backward, and the update by SGD on the rows."""

from __future__ import annotations

import pytest

from benchmarks.sizes import SIZES, Size, case_of, ready
from reference.run import TWINS


@pytest.mark.parametrize("name", TWINS)
@pytest.mark.parametrize("size", SIZES, ids=lambda size: size.name)
@pytest.mark.parametrize("family", ["classifier", "skipgram"])
def test_step(benchmark, family: str, size: Size, name: str) -> None:
    trainers, (batch, _) = ready(case_of(family, size))
    trainer = trainers[name]

    def step() -> None:
        trainer.loss_and_grads(batch)
        trainer.step()

    benchmark.group = f"{family} step {size.name}"
    benchmark(step)
