"""Implementations that are wrong in one known way, and right otherwise.

Each replaces a function or two of the NumPy twin by a wrong one, made of the right one. They serve twice: the suite
must tell every one of them from the right twin, which proves that it can fail; and what a user's implementation gets
wrong is compared with each of them, so that the verdict can name the mistake. One file for each part of the twin.
"""

from reference.mistakes import activations, glove, layers, lookup, losses, objectives, optimizers, pooling
from reference.mistakes.planting import MISTAKES, Mistake, calls, together

__all__ = [
    "MISTAKES",
    "Mistake",
    "activations",
    "calls",
    "glove",
    "layers",
    "lookup",
    "losses",
    "objectives",
    "optimizers",
    "pooling",
    "together",
]
