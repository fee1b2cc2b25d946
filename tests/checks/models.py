"""Losses as people write them, with their gradients by hand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

Params = dict[str, np.ndarray]


@dataclass(frozen=True)
class Model:
    """loss(params, *args) and grads(params, *args); ids: by table, the rows that args look up."""

    loss: Callable[..., Any]
    grads: Callable[..., Params]
    params: Params
    args: tuple[Any, ...]
    ids: dict[str, np.ndarray]


def drawn(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def scattered(table: np.ndarray, ids: np.ndarray, d: np.ndarray) -> np.ndarray:
    whole = np.zeros_like(table)
    np.add.at(whole, ids, d)
    return whole


# --- a layer ---------------------------------------------------------------------------------------------------------


def layer_loss(p: Params, x: np.ndarray, y: np.ndarray) -> Any:
    return ((np.tanh(x @ p["w"] + p["b"]) - y) ** 2).mean()


def layer_grads(p: Params, x: np.ndarray, y: np.ndarray) -> Params:
    a = np.tanh(x @ p["w"] + p["b"])
    d = 2 * (a - y) / y.size * (1 - a * a)
    return {"w": x.T @ d, "b": d.sum(axis=0)}


def layer() -> Model:
    r = drawn()
    params = {"w": r.standard_normal((5, 5)), "b": r.standard_normal(5)}
    return Model(layer_loss, layer_grads, params, (r.standard_normal((8, 5)), r.standard_normal((8, 5))), {})


# --- matrix factorisation --------------------------------------------------------------------------------------------


def factors_loss(p: Params, users: np.ndarray, items: np.ndarray, ratings: np.ndarray) -> Any:
    scores = (p["user"][users] * p["item"][items]).sum(axis=1) + p["bias"][items]
    return ((scores - ratings) ** 2).mean() + 0.01 * (p["user"] ** 2).sum()


def factors_grads(p: Params, users: np.ndarray, items: np.ndarray, ratings: np.ndarray) -> Params:
    u, v = p["user"][users], p["item"][items]
    d = 2 * ((u * v).sum(axis=1) + p["bias"][items] - ratings) / len(users)
    return {
        "user": scattered(p["user"], users, d[:, None] * v) + 0.02 * p["user"],
        "item": scattered(p["item"], items, d[:, None] * u),
        "bias": scattered(p["bias"], items, d),
    }


def factors() -> Model:
    r = drawn(1)
    params = {"user": r.standard_normal((6, 3)), "item": r.standard_normal((7, 3)), "bias": r.standard_normal(7)}
    users, items = np.array([0, 1, 1, 4, 5, 0, 2, 3]), np.array([2, 2, 6, 0, 3, 3, 1, 5])
    ids = {"user": users, "item": items, "bias": items}
    return Model(factors_loss, factors_grads, params, (users, items, r.standard_normal(8)), ids)


# --- two towers ------------------------------------------------------------------------------------------------------


def towers_loss(p: Params, users: np.ndarray, items: np.ndarray) -> Any:
    scores = p["user"][users] @ p["item"][items].T
    top = scores.max(axis=1, keepdims=True)
    return (np.log(np.exp(scores - top).sum(axis=1)) + top[:, 0] - scores.diagonal()).mean()


def towers_grads(p: Params, users: np.ndarray, items: np.ndarray) -> Params:
    u, v = p["user"][users], p["item"][items]
    exp = np.exp(u @ v.T - (u @ v.T).max(axis=1, keepdims=True))
    d = (exp / exp.sum(axis=1, keepdims=True) - np.eye(len(users))) / len(users)
    return {"user": scattered(p["user"], users, d @ v), "item": scattered(p["item"], items, d.T @ u)}


def towers() -> Model:
    r = drawn(2)
    params = {"user": r.standard_normal((5, 4)), "item": r.standard_normal((6, 4))}
    users, items = np.array([0, 2, 2, 3, 0]), np.array([5, 1, 1, 0, 2])
    return Model(towers_loss, towers_grads, params, (users, items), {"user": users, "item": items})


# --- GloVe -----------------------------------------------------------------------------------------------------------


def glove_parts(p: Params, i: np.ndarray, j: np.ndarray, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    off = (p["w"][i] * p["c"][j]).sum(axis=1) + p["b"][i] + p["d"][j] - np.log(counts)
    return np.minimum((counts / 100) ** 0.75, 1), off


def glove_loss(p: Params, i: np.ndarray, j: np.ndarray, counts: np.ndarray) -> Any:
    weight, off = glove_parts(p, i, j, counts)
    return (weight * off**2).mean()


def glove_grads(p: Params, i: np.ndarray, j: np.ndarray, counts: np.ndarray) -> Params:
    weight, off = glove_parts(p, i, j, counts)
    d = 2 * weight * off / len(i)
    return {
        "w": scattered(p["w"], i, d[:, None] * p["c"][j]),
        "c": scattered(p["c"], j, d[:, None] * p["w"][i]),
        "b": scattered(p["b"], i, d),
        "d": scattered(p["d"], j, d),
    }


def glove() -> Model:
    r = drawn(3)
    params = {"w": r.standard_normal((7, 3)), "c": r.standard_normal((7, 3)), "b": r.standard_normal(7)}
    params["d"] = r.standard_normal(7)
    i, j = np.array([0, 1, 1, 4]), np.array([2, 6, 2, 3])
    return Model(glove_loss, glove_grads, params, (i, j, np.array([3.0, 1.0, 120.0, 7.0])), {"w": i, "c": j})


# --- a recurrent net -------------------------------------------------------------------------------------------------


def rnn_states(p: Params, xs: np.ndarray) -> list[np.ndarray]:
    states = [np.zeros((xs.shape[1], len(p["wh"])))]
    for x in xs:
        states.append(np.tanh(x @ p["wx"] + states[-1] @ p["wh"] + p["bh"]))
    return states


def rnn_loss(p: Params, xs: np.ndarray, ys: np.ndarray) -> Any:
    states = rnn_states(p, xs)[1:]
    return sum(((h @ p["wy"] + p["by"] - y) ** 2).sum() for h, y in zip(states, ys, strict=True)) / len(xs)


def rnn_grads(p: Params, xs: np.ndarray, ys: np.ndarray, through_time: bool = True) -> Params:
    states, grads = rnn_states(p, xs), {name: np.zeros_like(param) for name, param in p.items()}
    dh_next: Any = 0
    for t in reversed(range(len(xs))):
        d = 2 * (states[t + 1] @ p["wy"] + p["by"] - ys[t]) / len(xs)
        grads["wy"] += states[t + 1].T @ d
        grads["by"] += d.sum(axis=0)
        dz = (d @ p["wy"].T + (dh_next if through_time else 0)) * (1 - states[t + 1] ** 2)
        grads["wx"] += xs[t].T @ dz
        grads["wh"] += states[t].T @ dz
        grads["bh"] += dz.sum(axis=0)
        dh_next = dz @ p["wh"].T
    return grads


def rnn() -> Model:
    r = drawn(4)
    shapes = {"wx": (3, 5), "wh": (5, 5), "bh": (5,), "wy": (5, 2), "by": (2,)}
    params = {name: r.standard_normal(shape) / 2 for name, shape in shapes.items()}
    return Model(rnn_loss, rnn_grads, params, (r.standard_normal((6, 4, 3)), r.standard_normal((6, 4, 2))), {})


# --- normalization ---------------------------------------------------------------------------------------------------


def norm_parts(p: Params, x: np.ndarray, axis: int) -> tuple[np.ndarray, ...]:
    z = x @ p["w"] + p["b"]
    std = np.sqrt(z.var(axis=axis, keepdims=True) + 1e-5)  # of complex numbers, var is that of absolute values
    normal = (z - z.mean(axis=axis, keepdims=True)) / std
    active = np.maximum(normal * p["gamma"] + p["beta"], 0)
    return std, normal, active, active @ p["v"]


def norm_loss(p: Params, x: np.ndarray, y: np.ndarray, axis: int) -> Any:
    return ((norm_parts(p, x, axis)[-1] - y) ** 2).mean()


def norm_grads(p: Params, x: np.ndarray, y: np.ndarray, axis: int, through_std: bool = True) -> Params:
    std, normal, active, output = norm_parts(p, x, axis)
    d = 2 * (output - y) / y.size
    grads = {"v": active.T @ d}
    d = d @ p["v"].T * (active > 0)
    grads |= {"gamma": (d * normal).sum(axis=0), "beta": d.sum(axis=0)}
    d = d * p["gamma"]
    rest = normal * (d * normal).mean(axis=axis, keepdims=True) if through_std else 0
    d = (d - d.mean(axis=axis, keepdims=True) - rest) / std
    return grads | {"w": x.T @ d, "b": d.sum(axis=0)}


def norm(axis: int) -> Model:
    r = drawn(5)
    shapes = {"w": (5, 7), "b": (7,), "gamma": (7,), "beta": (7,), "v": (7, 2)}
    params = {name: r.standard_normal(shape) for name, shape in shapes.items()}
    return Model(norm_loss, norm_grads, params, (r.standard_normal((16, 5)), r.standard_normal((16, 2)), axis), {})


MODELS = {
    "layer": layer(),
    "factors": factors(),
    "towers": towers(),
    "glove": glove(),
    "rnn": rnn(),
    "batch norm": norm(0),
    "layer norm": norm(1),
}
