"""The optimizers, all of them PyTorch's own, and the clipping of gradients."""

from collections.abc import Iterable

from torch.nn import Parameter
from torch.nn.utils import clip_grads_with_norm_, get_total_norm
from torch.optim import SGD, Adagrad, Adam, AdamW, Optimizer, RMSprop, SparseAdam

__all__ = ["SGD", "Adagrad", "Adam", "AdamW", "Optimizer", "RMSprop", "SparseAdam", "clip_grad_norm_"]


def clip_grad_norm_(parameters: Iterable[Parameter], max_norm: float) -> None:
    """`torch.nn.utils.clip_grad_norm_`, which raises for row gradients. Their norm is that of the coalesced values."""
    parameters = list(parameters)
    for parameter in parameters:
        if parameter.grad.is_sparse:
            parameter.grad = parameter.grad.coalesce()
    grads = [parameter.grad for parameter in parameters if parameter.grad is not None]
    total_norm = get_total_norm([grad.values() if grad.is_sparse else grad for grad in grads])
    clip_grads_with_norm_(parameters, max_norm, total_norm)
