"""Gradients of expanded and broadcast leaves, which of them share memory, masked attention."""

import math

import torch


def tr(act):
    try:
        print("ok", act())
    except Exception as e:
        print("raises", next(c.__name__ for c in type(e).__mro__ if c.__module__ == "builtins"))


b = torch.tensor([1.0, 2.0], requires_grad=True)
e = b.expand(3, 2)
(e * torch.arange(6.0).view(3, 2)).sum().backward()
print(b.grad)
l = torch.ones(1).expand(4).requires_grad_()
(l * torch.arange(4.0)).sum().backward()
print(l.grad, l.grad.stride())
s = torch.tensor(2.0, requires_grad=True)
(torch.ones(2, 3) * s).sum().backward()
print(s.grad, s.grad.shape)
z = torch.zeros(0, 3, requires_grad=True)
z.sum().backward()
print(z.grad, z.grad.shape)
i = torch.tensor([1, 2])
tr(lambda: i.requires_grad_())
x = torch.tensor([1.0, 2.0], requires_grad=True)
u = x[i - 1]
u.sum().backward()
print(x.grad)

x = torch.ones(2, requires_grad=True)
g = torch.tensor([1.0, 2.0])
x.backward(g)
print(x.grad is g, x.grad.data_ptr() == g.data_ptr())
y = x + 0
y.backward(g)
print(x.grad, g)
a = x.grad
x.grad = None
(x * 2).sum().backward()
print(a, x.grad)
b = x.grad
(x * 2).sum().backward()
print(b is x.grad, b)
b = x.grad
(x * 2).sum().backward(create_graph=True)
print(b is x.grad, b, x.grad)

q = torch.sin(torch.arange(12.0)).view(1, 3, 4).requires_grad_()
k = torch.cos(torch.arange(12.0)).view(1, 3, 4).requires_grad_()
v = torch.arange(12.0).view(1, 3, 4).requires_grad_()
mask = torch.triu(torch.ones(3, 3), diagonal=1).bool()
s = q @ k.transpose(-2, -1) / math.sqrt(4)
s = s.masked_fill(mask, float("-inf"))
a = torch.softmax(s, -1)
o = a @ v
print(a, o)
o.pow(2).mean().backward()
print(q.grad, k.grad, v.grad)
