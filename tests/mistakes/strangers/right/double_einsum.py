"""A classifier where every product is an einsum, in float64 whatever is asked for, rounded on the way out. With Adam.

As those write who mistrust transposes (arogozhnikov/einops is their library), and keep a master copy of their weights.
"""

import numpy as np

from reference import Unsupported
from reference.cases import Adam, Classifier


class Einsum:
    def __init__(self, case, weights):
        self.case, self.t = case, 0
        self.master = {k: v.astype("d") for k, v in weights.items()}
        self.m = {k: 0 * v for k, v in self.master.items()}
        self.v = {k: 0 * v for k, v in self.master.items()}

    def loss_and_grads(self, batch):
        E, W, b, U, c = (
            self.master[k] for k in ("embedding.weight", "fc1.weight", "fc1.bias", "fc2.weight", "fc2.bias")
        )
        B, L = batch.ids.shape
        pick = np.eye(len(E))[batch.ids]
        x = np.einsum("blv,vd->bd", pick, E) / L
        z = np.einsum("bd,hd->bh", x, W) + b
        gate = np.heaviside(z, 0)
        a = np.einsum("bh,bh->bh", gate, z)
        s = np.einsum("bh,ch->bc", a, U) + c
        shifted = np.exp(s - s.max(1)[:, None])
        p = np.einsum("bc,b->bc", shifted, 1 / shifted.sum(1))
        t = np.eye(len(c))[batch.labels]
        loss = -np.einsum("bc,bc->", t, np.log(p)) / B
        ds = (p - t) / B
        dz = np.einsum("bc,ch,bh->bh", ds, U, gate)
        self.g = {
            "fc2.weight": np.einsum("bc,bh->ch", ds, a),
            "fc2.bias": np.einsum("bc->c", ds),
            "fc1.weight": np.einsum("bh,bd->hd", dz, x),
            "fc1.bias": np.einsum("bh->h", dz),
            "embedding.weight": np.einsum("blv,bh,hd->vd", pick, dz, W) / L,
        }
        return loss, self.rounded(self.g)

    def rounded(self, tensors):
        return {k: v.astype(self.case.dtype) for k, v in tensors.items()}

    def step(self):
        self.t += 1
        (b1, b2), o = self.case.optimizer.betas, self.case.optimizer
        alpha = o.lr * np.sqrt(1 - b2**self.t) / (1 - b1**self.t)
        eps = o.eps * np.sqrt(1 - b2**self.t)
        for k, g in self.g.items():
            self.m[k] += (1 - b1) * (g - self.m[k])
            self.v[k] += (1 - b2) * (g * g - self.v[k])
            self.master[k] = self.master[k] - alpha * self.m[k] / (np.sqrt(self.v[k]) + eps)

    def params(self):
        return self.rounded(self.master)

    def state(self):
        steps = dict.fromkeys(self.master, np.array(float(self.t)))
        return {"step": steps, "exp_avg": self.rounded(self.m), "exp_avg_sq": self.rounded(self.v)}


def build(case, weights):
    if not (case.plain and isinstance(case.model, Classifier) and type(case.optimizer) is Adam):
        raise Unsupported("a classifier with Adam")
    return Einsum(case, weights)
