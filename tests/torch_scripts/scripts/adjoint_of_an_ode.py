"""A Function that integrates forward without a graph and solves the adjoint equation in backward."""

import torch
import torch.nn as nn


class ODEFunc(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(2, 4), nn.Tanh(), nn.Linear(4, 2))
        for i, p in enumerate(self.parameters()):
            nn.init.constant_(p, 0.1 * (i + 1))

    def forward(self, t, y):
        return self.net(y**3)


class Adjoint(torch.autograd.Function):
    @staticmethod
    def forward(ctx, func, y0, t, *params):
        ctx.func = func
        with torch.no_grad():
            y = y0
            for i in range(len(t) - 1):
                y = y + (t[i + 1] - t[i]) * func(t[i], y)
        ctx.save_for_backward(y, t, *params)
        return y

    @staticmethod
    def backward(ctx, a):
        y, t, *params = ctx.saved_tensors
        gp = [torch.zeros_like(p) for p in params]
        func = ctx.func
        for i in range(len(t) - 1, 0, -1):
            dt = t[i] - t[i - 1]
            with torch.enable_grad():
                yy = y.detach().requires_grad_(True)
                f = func(t[i], yy)
                vjps = torch.autograd.grad(f, (yy, *params), a, allow_unused=True)
            y = y - dt * f.detach()
            a = a + dt * vjps[0]
            gp = [g + dt * v for g, v in zip(gp, vjps[1:])]
        return (None, a, None, *gp)


func = ODEFunc()
y0 = torch.tensor([[1.0, 0.5]], requires_grad=True)
t = torch.linspace(0, 1, 11)
y = Adjoint.apply(func, y0, t, *func.parameters())
print(y)
y.sum().backward()
print(y0.grad)
for n, p in func.named_parameters():
    print(n, p.grad)
