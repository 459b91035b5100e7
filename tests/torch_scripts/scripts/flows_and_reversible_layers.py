"""A coupling flow, and a reversible layer that recomputes its input in backward."""

import torch


def net(x, w):
    return torch.tanh(x @ w)


ws = torch.tensor([[0.5, -0.3]], requires_grad=True)
wt = torch.tensor([[0.2, 0.1]], requires_grad=True)
x = torch.tensor([[1.0, 2.0, 3.0], [-1.0, 0.0, 1.0]])
x1, x2 = x.split([1, 2], dim=1)
s, t = (net(x1, ws), net(x1, wt))
z = torch.cat([x1, x2 * s.exp() + t], 1)
ld = s.sum(1)
nll = (0.5 * z.pow(2).sum(1) - ld).mean()
nll.backward()
print(z, nll, ws.grad, wt.grad)
back = torch.cat([z[:, :1], (z[:, 1:] - t) * (-s).exp()], 1)
print((back - x).abs().max() < 1e-05)


class Rev(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, f, g, *params):
        with torch.no_grad():
            a, b = x.chunk(2, 1)
            y1 = a + f(b)
            y2 = b + g(y1)
            out = torch.cat([y1, y2], 1)
        ctx.f, ctx.g = (f, g)
        ctx.save_for_backward(out.detach())
        ctx.params = params
        return out

    @staticmethod
    def backward(ctx, go):
        (out,) = ctx.saved_tensors
        y1, y2 = out.chunk(2, 1)
        d1, d2 = go.chunk(2, 1)
        with torch.enable_grad():
            y1 = y1.detach().requires_grad_()
            gy = ctx.g(y1)
            x2 = (y2 - gy).detach()
            gs = torch.autograd.grad(gy, (y1, *ctx.params), d2, allow_unused=True)
            d1 = d1 + gs[0]
            x2 = x2.requires_grad_()
            fx = ctx.f(x2)
            fs = torch.autograd.grad(fx, (x2, *ctx.params), d1, allow_unused=True)
        acc = [p if q is None else q if p is None else p + q for p, q in zip(gs[1:], fs[1:])]
        return (torch.cat([d1, d2 + fs[0]], 1), None, None, *acc)


w1 = torch.tensor([[0.5, 0.1], [0.2, -0.3]], requires_grad=True)
w2 = torch.eye(2, requires_grad=True)
x = torch.arange(8.0).view(2, 4).requires_grad_()
f = lambda v: torch.tanh(v @ w1)
g = lambda v: torch.sigmoid(v @ w2)
Rev.apply(x, f, g, w1, w2).pow(2).sum().backward()
print(x.grad, w1.grad, w2.grad)
