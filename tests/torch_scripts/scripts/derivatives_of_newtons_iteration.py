"""Derivatives to third order through Newton's iteration; gradients of what is no leaf."""

import torch

a = torch.tensor(2.0, requires_grad=True, dtype=torch.float64)
x = torch.tensor(1.0, dtype=torch.float64)
for _ in range(6):
    x = 0.5 * (x + a / x)
(g,) = torch.autograd.grad(x, a, create_graph=True)
(h,) = torch.autograd.grad(g, a, create_graph=True)
(k,) = torch.autograd.grad(h, a)
print(x, g, h, k)

x = torch.tensor([1.0, 2.0, 3.0], requires_grad=True)
h = x * 2
h.retain_grad()
y = (h**2).sum()
y.backward()
print(h.grad, x.grad, h.retains_grad, x.retains_grad)
print(h.is_leaf, y.is_leaf)
