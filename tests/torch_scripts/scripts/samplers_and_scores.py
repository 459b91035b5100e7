"""Langevin steps through .data, and score matching with the trace of a Jacobian."""

import torch
import torch.nn as nn


def energy(x):
    return (0.25 * x**4 - x**2).sum(-1)


x = torch.tensor([[0.5, -0.5], [1.5, 0.1]], requires_grad=True)
noise = torch.sin(torch.arange(40.0)).view(10, 2, 2)
for k in range(10):
    e = energy(x).sum()
    g = torch.autograd.grad(e, [x])[0]
    x.data -= 0.1 * g - 0.05 * noise[k]
    x.data.clamp_(-2, 2)
print(x, x.is_leaf, x._version)

net = nn.Sequential(nn.Linear(2, 4), nn.Softplus(), nn.Linear(4, 2))
with torch.no_grad():
    for i, p in enumerate(net.parameters()):
        p.copy_(torch.cos(torch.arange(p.numel()) * 1.1 + i).view(p.shape))
x = torch.sin(torch.arange(8.0)).view(4, 2).requires_grad_()
s = net(x)
tr_ = torch.zeros(4)
for i in range(2):
    tr_ = tr_ + torch.autograd.grad(s[:, i].sum(), x, create_graph=True)[0][:, i]
loss = (tr_ + 0.5 * (s**2).sum(1)).mean()
loss.backward()
print(loss)
for p in net.parameters():
    print(p.grad)
