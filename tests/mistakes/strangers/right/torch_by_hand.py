"""Hierarchical softmax in PyTorch without autograd: index_add_, and gradients that are negated lazily.

As those write who port word2vec.c to a GPU. The sign is left to a view, which is lost on whoever reads the memory
beneath it.
"""

import torch

from reference import Unsupported
from reference.cases import SGD, HierarchicalSoftmax, SkipGram


class Tree:
    def __init__(self, case, weights):
        self.case = case
        self.p = {name: torch.from_numpy(value) for name, value in weights.items()}

    @torch.no_grad()
    def loss_and_grads(self, batch):
        center, node = self.p["center.weight"], self.p["nodes.weight"]
        at, nodes, signs = (torch.from_numpy(part).long() for part in (batch.centers, batch.nodes, batch.signs))
        h, rows, signs = center[at], node[nodes], signs.to(center.dtype)
        f = signs * torch.bmm(rows, h.unsqueeze(2)).squeeze(2)
        g = signs * torch.sigmoid(-f)
        loss = -torch.nn.functional.logsigmoid(f)[signs != 0].sum()
        if self.case.model.reduction == "mean":
            g, loss = g / len(at), loss / len(at)
        up = {"center.weight": torch.zeros_like(center), "nodes.weight": torch.zeros_like(node)}
        up["center.weight"].index_add_(0, at, torch.bmm(g.unsqueeze(1), rows).squeeze(1))
        up["nodes.weight"].index_add_(0, nodes.flatten(), (g.unsqueeze(2) * h.unsqueeze(1)).flatten(0, 1))
        self.g = {name: torch._neg_view(way) for name, way in up.items()}
        return loss, self.g

    def step(self):
        for name, g in self.g.items():
            self.p[name].sub_(g, alpha=self.case.optimizer.lr)

    def params(self):
        return self.p


def build(case, weights):
    known = isinstance(case.model, SkipGram) and isinstance(case.model.objective, HierarchicalSoftmax)
    if not known or case.sparse or case.optimizer != SGD(case.optimizer.lr) or case.max_norm:
        raise Unsupported("skip-gram with a tree and SGD")
    return Tree(case, weights)
