"""What every implementation is held to: cases, weights, batches, comparison, and the command `twingrad`."""

from reference.contract import BadInput, Grads, Implementation, Params, RowGrad, State, Trainer, Unsupported

__all__ = ["BadInput", "Grads", "Implementation", "Params", "RowGrad", "State", "Trainer", "Unsupported"]
