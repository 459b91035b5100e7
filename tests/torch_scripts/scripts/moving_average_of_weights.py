"""An exponential moving average of a model's weights without a graph."""

import copy

import torch
import torch.nn as nn

m = nn.Linear(2, 2)
with torch.no_grad():
    m.weight.copy_(torch.eye(2))
    m.bias.zero_()
ema = copy.deepcopy(m)
for p in ema.parameters():
    p.requires_grad_(False)
opt = torch.optim.SGD(m.parameters(), lr=0.5)
x = torch.tensor([[1.0, -1.0]])
for _ in range(3):
    opt.zero_grad()
    m(x).pow(2).sum().backward()
    opt.step()
    with torch.no_grad():
        for pe, p in zip(ema.parameters(), m.parameters()):
            pe.mul_(0.9).add_(p, alpha=0.1)
print(dict(m.state_dict()))
print(dict(ema.state_dict()))
print(ema(x).requires_grad, next(ema.parameters()).grad)
for pe, p in zip(ema.parameters(), m.parameters()):
    pe.data.lerp_(p.data, 0.5)
print(ema.weight)
