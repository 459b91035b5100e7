import numpy as np
import torch

rng = np.random.default_rng(83)
p = torch.tensor(rng.normal(size=(5, 3)), requires_grad=True)
t = torch.tensor(rng.normal(size=(5, 3)))
lab = torch.tensor([0, 2, 1, 1, 0])


def huber(p, t, d=1.0):
    e = (p - t).abs()
    return torch.where(e < d, 0.5 * e**2, d * (e - 0.5 * d)).mean()


def hinge(p):
    correct = p.gather(1, lab.unsqueeze(1))
    m = torch.clamp(p - correct + 1, min=0)
    m = m.scatter_add(1, lab.unsqueeze(1), -torch.ones(5, 1, dtype=p.dtype))
    return m.sum() / len(lab)


def focal(p, gamma=2.0):
    lp = p.log_softmax(-1)[torch.arange(5), lab]
    return (-((1 - lp.exp()) ** gamma) * lp).mean()


def dice(p):
    s = p.sigmoid()
    y = (t > 0).double()
    return 1 - (2 * (s * y).sum() + 1) / (s.sum() + y.sum() + 1)


def kl(p):
    q = torch.softmax(t, 1)
    return (q * (q.log() - torch.log_softmax(p, 1))).sum(1).mean()


def triplet(p):
    d = lambda a, b: ((a - b) ** 2).sum(-1).add(1e-9).sqrt()
    return torch.relu(d(p[:-2], p[1:-1]) - d(p[:-2], p[2:]) + 0.2).mean()


def cosine(p):
    n = p / p.norm(dim=1, keepdim=True)
    return (n @ n.t()).triu(1).sum()


for f in (lambda p: huber(p, t), hinge, focal, dice, kl, triplet, cosine):
    loss = f(p)
    (g,) = torch.autograd.grad(loss, p)
    print(loss)
    print(g)
