"""The reference implementation: the exact loss, gradients, parameters and state of a case.

Every formula is written here in scalars, straight from the paper. The files have the same names as those of the twins
but share no code with them. The numbers are balls: each carries a bound of its error. The trainer uses as many bits as
it needs to prove that every returned number is the nearest one of the case's dtype (see `arithmetic`). Gradients are
not derived by hand: a tape differentiates the formula of the loss.
"""

from reference.exact.trainer import build, feasible, known

__all__ = ["build", "feasible", "known"]
