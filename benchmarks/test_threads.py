"""One thread and two, each in a separate process, because the thread pools of two libraries disturb each other."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

PROGRAM = """
import json, sys
name, threads = sys.argv[1], int(sys.argv[2])
import threadpoolctl, torch
from torch import nn
from benchmarks.interleave import interleaved
from benchmarks.sizes import SIZES, drawn
from benchmarks.test_steps import classifier, numpy_step, torch_step
threadpoolctl.threadpool_limits(threads)
torch.set_num_threads(threads)
calls = {}
for size in SIZES[1:3]:
    case, weights, batch = drawn("classifier", size)
    if name == "numpy":
        calls[size.name], _ = numpy_step(case, weights, batch)
    else:
        bag = classifier(nn.EmbeddingBag(size.V, size.D, mode="mean", sparse=True), size)
        tensors = torch.from_numpy(batch.ids), torch.from_numpy(batch.labels)
        calls[size.name], _ = torch_step(bag, weights, 0.01, *tensors)
print(json.dumps(interleaved(calls)))
"""


@pytest.mark.slow
def test_threads(measure) -> None:
    found: dict[str, dict[str, float]] = {}
    for name in ("numpy", "EmbeddingBag, sparse"):
        for threads in (1, 2):
            command = [sys.executable, "-c", PROGRAM, name, str(threads)]
            environment = {"OMP_NUM_THREADS": str(threads), "OPENBLAS_NUM_THREADS": str(threads)}
            done = subprocess.run(
                command, env=os.environ | environment, capture_output=True, text=True, check=True, timeout=120
            )
            for size, seconds in json.loads(done.stdout).items():
                plural = "s" if threads > 1 else ""
                found.setdefault(size, {})[f"{name}, {threads} thread{plural}"] = seconds
    for size, times in found.items():
        measure("classifier step by threads", size, {}, times)
