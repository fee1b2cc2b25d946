"""The time of a step should depend on its batch, and not on the size of the vocabulary."""

from __future__ import annotations

import resource

import numpy as np
import pytest
import torch
from torch import nn

from benchmarks.sizes import Size
from benchmarks.test_steps import classifier, numpy_step, torch_step
from reference.cases import SGD, BagBatch, Case, Classifier, Drawn

VOCABULARIES = (10_000, 100_000, 1_000_000, 5_000_000)
BAGS, LENGTH, WIDTH, HIDDEN = 256, 64, 64, 64


@pytest.mark.slow
def test_step_by_vocabulary(measure) -> None:
    """The same ids, spread over tables of different sizes. At most 10,000 rows are ever looked up."""
    random = np.random.default_rng(0)
    ids = np.minimum(10_001 ** random.random((BAGS, LENGTH)), 10_000).astype(np.int64) - 1
    labels, numpys, torchs, faults = random.integers(0, 2, BAGS), {}, {}, {}
    layers = Classifier(1, WIDTH, (HIDDEN,), 2).shapes
    layers = {name: random.random(shape, np.float32) - np.float32(0.5) for name, shape in layers.items()}
    for V in VOCABULARIES:
        size, spread = Size("", BAGS, LENGTH, V, WIDTH, HIDDEN), ids * (V // 10_000)
        case = Case("", Classifier(V, WIDTH, (HIDDEN,), 2), SGD(lr=0.01), Drawn((1,)), sparse=True, dtype="float32")
        weights = layers | {"embedding.weight": random.random((V, WIDTH), np.float32)}
        name = f"V = {V:,}"
        numpys[name], _ = numpy_step(case, weights, BagBatch(spread, labels))
        module = classifier(nn.EmbeddingBag(V, WIDTH, mode="mean", sparse=True), size)
        torchs[name], _ = torch_step(module, weights, 0.01, torch.from_numpy(spread), torch.from_numpy(labels))
        del weights
        for _ in range(5):
            numpys[name]()
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        for _ in range(10):
            numpys[name]()
        new = (resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before) / 10
        faults[name] = new * resource.getpagesize()
    measure("step by vocabulary", "numpy", numpys)
    measure("step by vocabulary", "EmbeddingBag, sparse", torchs)
    measure("new bytes a step", "numpy", {}, faults)
