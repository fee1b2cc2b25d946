"""The reference implementation: what the loss, gradients, parameters and state of a case are, exactly.

Every formula stands here once more in scalars, straight from the paper; it shares no code with the twins, whose files
it has. It is computed in balls, numbers that carry a bound of their error, with as many bits as it takes to prove that
each number that comes out is the nearest one of the case's dtype (`arithmetic`). Gradients are not derived by hand:
they come from the formula of the loss itself, over a tape.
"""

from reference.exact.trainer import build, feasible, known

__all__ = ["build", "feasible", "known"]
