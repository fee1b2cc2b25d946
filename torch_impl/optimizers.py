"""SGD and Adam, both of them PyTorch's own."""

from torch.optim import SGD, Adam, Optimizer

__all__ = ["SGD", "Adam", "Optimizer"]
