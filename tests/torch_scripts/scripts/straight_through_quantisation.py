"""Straight-through estimators: binary weights, fake quantisation, hard Gumbel softmax."""

import torch
import torch.nn as nn
import torch.nn.functional as F


class BinarizeSTE(torch.autograd.Function):
    @staticmethod
    def forward(ctx, input):
        ctx.save_for_backward(input)
        return input.sign()

    @staticmethod
    def backward(ctx, grad_output):
        (input,) = ctx.saved_tensors
        grad_input = grad_output.clone()
        grad_input[input.abs() > 1] = 0
        return grad_input


class BinaryLinear(nn.Linear):
    def forward(self, x):
        return F.linear(x, BinarizeSTE.apply(self.weight), self.bias)


l = BinaryLinear(4, 2)
with torch.no_grad():
    l.weight.copy_(torch.linspace(-1.5, 1.5, 8).view(2, 4))
    l.bias.zero_()
x = torch.arange(8.0).view(2, 4) / 4
out = l(x)
print(out)
out.pow(2).sum().backward()
print(l.weight.grad)
print(l.bias.grad)
w = l.weight
q = w + (torch.round(w * 4) / 4 - w).detach()
w.grad = None
(q**2).sum().backward()
print(w.grad)


class FakeQuant(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, scale, zp, qmin, qmax):
        q = torch.clamp(torch.round(x / scale) + zp, qmin, qmax)
        mask = (torch.round(x / scale) + zp >= qmin) & (torch.round(x / scale) + zp <= qmax)
        ctx.save_for_backward(mask)
        return (q - zp) * scale

    @staticmethod
    def backward(ctx, g):
        (mask,) = ctx.saved_tensors
        return (g * mask.to(g.dtype), None, None, None, None)


x = torch.linspace(-2, 2, 9, requires_grad=True)
y = FakeQuant.apply(x, 0.1, 0, -8, 7)
print(y)
(y * torch.arange(9.0)).sum().backward()
print(x.grad)

logits = torch.tensor([[1.0, 2.0, 0.5], [0.1, 0.2, 0.3]], requires_grad=True)
u = torch.tensor([[0.3, 0.6, 0.9], [0.2, 0.5, 0.7]])
gumbel = -torch.log(-torch.log(u))
y = F.softmax((logits + gumbel) / 0.5, dim=-1)
idx = y.max(-1, keepdim=True)[1]
hard = torch.zeros_like(logits).scatter_(-1, idx, 1.0)
ret = hard - y.detach() + y
print(ret)
(ret * torch.tensor([1.0, 2.0, 3.0])).sum().backward()
print(logits.grad)
