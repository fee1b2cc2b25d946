"""The hot loops in other libraries, if installed: numba's loops and JAX's compiled steps."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.sizes import SIZES, Size, assert_near, drawn
from benchmarks.test_steps import numpy_step
from numpy_impl.embedding_bag import embedding_bag

pytestmark = [pytest.mark.peers, pytest.mark.filterwarnings("ignore")]
by_size = pytest.mark.parametrize("size", SIZES, ids=lambda size: size.name)


@by_size
def test_bag_and_numba(measure, size: Size) -> None:
    """The mean of each bag in compiled loops, and its gradient, which numba adds up in a table of full size."""
    numba = pytest.importorskip("numba")
    _, weights, batch = drawn("embedding", size)
    weight, ids = weights["embedding.weight"], batch.ids
    upstream = np.random.default_rng(1).standard_normal((size.B, size.D), np.float32)

    @numba.njit(fastmath=True)
    def forward(weight, ids):
        pooled = np.zeros((len(ids), weight.shape[1]), weight.dtype)
        for b in range(len(ids)):
            for i in ids[b]:
                for k in range(weight.shape[1]):
                    pooled[b, k] += weight[i, k]
        return pooled / np.float32(ids.shape[1])

    @numba.njit(fastmath=True)
    def backward(ids, d, table):
        d = d / np.float32(ids.shape[1])
        for b in range(len(ids)):
            for i in ids[b]:
                for k in range(d.shape[1]):
                    table[i, k] += d[b, k]

    pooled, to_rows = embedding_bag(ids, weight, True)
    assert_near(pooled, forward(weight, ids))
    table = np.zeros_like(weight)
    backward(ids, upstream, table)
    grad = to_rows(upstream)
    assert_near(grad.values, table[grad.rows])
    forwards = {"numpy": lambda: embedding_bag(ids, weight, True), "numba": lambda: forward(weight, ids)}
    backwards = {"numpy": lambda: to_rows(upstream), "numba, into one table": lambda: backward(ids, upstream, table)}
    measure("bag forward, numba", size.name, forwards)
    measure("bag backward, numba", size.name, backwards)


@pytest.mark.parametrize("size", SIZES[:3], ids=lambda size: size.name)
def test_classifier_step_and_jax(measure, size: Size) -> None:
    """Compiled by XLA, which updates the table in place; its gradient is dense."""
    jax = pytest.importorskip("jax")
    case, weights, batch = drawn("classifier", size)
    step, grads = numpy_step(case, {name: weight.copy() for name, weight in weights.items()}, batch)

    def loss(p: dict, ids, labels):
        hidden = p["embedding.weight"][ids].mean(1) @ p["fc1.weight"].T + p["fc1.bias"]
        logits = jax.nn.relu(hidden) @ p["fc2.weight"].T + p["fc2.bias"]
        return -jax.nn.log_softmax(logits)[jax.numpy.arange(len(labels)), labels].mean()

    @jax.jit
    def update(p: dict, ids, labels) -> dict:
        slopes = jax.grad(loss)(p, ids, labels)
        return {name: p[name] - case.optimizer.lr * slopes[name] for name in p}

    inputs = jax.numpy.asarray(batch.ids), jax.numpy.asarray(batch.labels)
    params = {name: jax.numpy.asarray(weight) for name, weight in weights.items()}
    slope = jax.grad(loss)(params, *inputs)["fc1.weight"]
    assert_near(grads["fc1.weight"], np.asarray(slope))
    inplace = jax.jit(update, donate_argnums=0)
    held = [params]

    def rival() -> None:
        held[0] = jax.block_until_ready(inplace(held[0], *inputs))

    rival()
    measure("classifier step, JAX", size.name, {"numpy": step, "JAX, jit": rival})
