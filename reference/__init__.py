"""What every implementation is held to: cases, weights, batches, comparison, and the command `twingrad`."""

from reference.contract import Grads, Implementation, Params, RowGrad, State, Trainer
from reference.errors import BadInput, Unsupported

__version__ = "0.1.0"

__all__ = ["BadInput", "Grads", "Implementation", "Params", "RowGrad", "State", "Trainer", "Unsupported"]
