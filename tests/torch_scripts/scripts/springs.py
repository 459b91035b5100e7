import numpy as np
import torch

rng = np.random.default_rng(29)
n = 5
rest, k, m = 1.0, 40.0, 0.5
pos = torch.tensor(np.stack([np.arange(n), rng.normal(0, 0.2, n)], 1), requires_grad=True)
i, j = torch.triu(torch.ones(n, n), diagonal=1).bool().nonzero(as_tuple=True)
edges = torch.stack([i, j])[:, (j - i) == 1]


def energy(pos):
    d = pos[edges[0]] - pos[edges[1]]
    length = d.norm(dim=1)
    return 0.5 * k * ((length - rest) ** 2).sum() + m * 9.81 * pos[:, 1].sum()


print(edges)
E = energy(pos)
force = -torch.autograd.grad(E, pos)[0]
print(f"{E.item():.6f}", force)
vel = torch.zeros_like(pos)
p = pos.detach().clone()
fixed = torch.tensor([True, False, False, False, True])
for _ in range(50):
    q = p.clone().requires_grad_(True)
    energy(q).backward()
    acc = -q.grad / m
    acc[fixed] = 0
    vel += 0.01 * acc
    vel *= 0.99
    p += 0.01 * vel
print(p)
print(vel.pow(2).sum().mul(0.5 * m), vel[fixed].abs().sum() == 0)
print(p[~fixed, 1].mean(), p.argmin(0))
