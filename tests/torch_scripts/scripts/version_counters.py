"""How writes count, through views, detached tensors and .data."""

import torch

x = torch.zeros(3)
print(x._version)
x.add_(1)
x[0] = 2
x.mul_(2).sub_(1)
print(x._version)
v = x[:2]
v.zero_()
print(x._version, v._version)
d = x.detach()
d.add_(1)
print(x._version, d._version)
x.data.add_(1)
print(x._version)
with torch.no_grad():
    x.fill_(0)
print(x._version, x.clone()._version)
y = x.view(3, 1)
y.copy_(torch.ones(3, 1))
print(x._version)
x.requires_grad_()
print(x._version)
z = x.data
print(z._version)
x.grad = torch.ones(3)
x.grad.zero_()
print(x.grad._version)
