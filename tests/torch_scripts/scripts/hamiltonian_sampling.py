"""A Hamiltonian Monte Carlo trajectory by the leapfrog method."""

import torch


def U(q):
    return 0.5 * (q**2).sum() + torch.cos(q).sum()


q = torch.tensor([1.0, -1.0])
p = torch.tensor([0.3, 0.7])
e = 0.1


def dU(q):
    q = q.detach().requires_grad_(True)
    return torch.autograd.grad(U(q), q)[0]


p = p - e / 2 * dU(q)
for i in range(5):
    q = q + e * p
    if i < 4:
        p = p - e * dU(q)
p = -(p - e / 2 * dU(q))
print(q, p, U(q) + 0.5 * (p**2).sum())
