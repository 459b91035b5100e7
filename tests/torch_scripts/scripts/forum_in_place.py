"""In-place activations after operators that save their values, and results assembled by assignment."""

import torch
import torch.nn.functional as F


def tr(act):
    try:
        print("ok", act())
    except Exception as e:
        print("raises", next(c.__name__ for c in type(e).__mro__ if c.__module__ == "builtins"))


x = torch.tensor([-1.0, 2.0], requires_grad=True)
for fn in (
    lambda v: F.relu(v, inplace=True),
    lambda v: v.exp_(),
    lambda v: v.sigmoid_(),
    lambda v: v.add_(1),
    lambda v: v.mul_(2),
    lambda v: v.sqrt_(),
    lambda v: v.clamp_(min=0),
    lambda v: v.tanh_(),
    lambda v: v.masked_fill_(v > 0, 0.0),
    lambda v: v.pow_(2),
):
    for pre in (lambda u: u * 1, lambda u: u.exp(), lambda u: u**2, lambda u: u.sum(0, keepdim=True)):

        def run():
            h = pre(x)
            o = fn(h)
            return torch.autograd.grad(o.sum(), x)

        tr(run)

x = torch.tensor([1.0, 2.0, 3.0, 4.0], requires_grad=True)
out = torch.zeros(2, 4)
out[0] = x * 2
out[1, ::2] = x[:2]
out[1, [1, 3]] = x[2:] ** 2
print(out)
(out * torch.arange(8.0).view(2, 4)).sum().backward()
print(x.grad)
buf = torch.zeros(3)
for i in range(3):
    buf[i] = x[i] + buf.sum()
buf.sum().backward()
print(x.grad, buf)
m = torch.zeros(2, 2)
m[m == 0] = x[:4]
print(m)
m.sum().backward()
print(x.grad)
