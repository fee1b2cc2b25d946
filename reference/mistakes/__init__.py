"""Implementations that are wrong in one known way, and right otherwise.

Each replaces one or two functions of the NumPy twin with wrong ones, made from the right ones. They have two uses. The
suite must tell each of them from the right twin, which proves that the suite can fail. And a user's wrong results are
compared with each of them, so that the verdict can name the mistake. There is one file for each part of the twin.
"""

from reference.mistakes import (
    activations,
    convolution,
    glove,
    layers,
    lookup,
    losses,
    memory,
    objectives,
    optimizers,
    pooling,
)
from reference.mistakes.planting import MISTAKES, Mistake, calls, together

__all__ = [
    "MISTAKES",
    "Mistake",
    "activations",
    "calls",
    "convolution",
    "glove",
    "layers",
    "lookup",
    "losses",
    "memory",
    "objectives",
    "optimizers",
    "pooling",
    "together",
]
