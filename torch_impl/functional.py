"""What stands between the layers and after them: activations and losses, all of them PyTorch's own."""

from torch.nn.functional import cross_entropy, log_softmax, relu
from torch.nn.functional import logsigmoid as log_sigmoid

__all__ = ["cross_entropy", "log_sigmoid", "log_softmax", "relu"]
