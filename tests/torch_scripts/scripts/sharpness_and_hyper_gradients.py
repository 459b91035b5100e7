"""Sharpness-aware steps, hyper-gradients through an inner loop, Hessian-free conjugate gradients."""

import torch

w = torch.tensor([1.0, -2.0], requires_grad=True)


def loss(w):
    return ((w[0] - 1) ** 2 * 3 + w[1] ** 4).sum()


for i in range(3):
    l = loss(w)
    l.backward()
    with torch.no_grad():
        g = w.grad
        e = 0.05 * g / (g.norm() + 1e-12)
        w.add_(e)
    w.grad = None
    loss(w).backward()
    with torch.no_grad():
        w.sub_(e)
        w.sub_(0.01 * w.grad)
    w.grad.zero_()
    print(i, l, w)

lam = torch.tensor(0.1, requires_grad=True)
w = torch.zeros(2, requires_grad=True)
Xt, yt = (torch.tensor([[1.0, 2.0], [3.0, 1.0]]), torch.tensor([1.0, 2.0]))
Xv, yv = (torch.tensor([[1.0, 1.0]]), torch.tensor([1.0]))
wi = w
for _ in range(10):
    tl = ((Xt @ wi - yt) ** 2).mean() + lam * (wi**2).sum()
    (g,) = torch.autograd.grad(tl, wi, create_graph=True)
    wi = wi - 0.05 * g
vl = ((Xv @ wi - yv) ** 2).mean()
print(vl, torch.autograd.grad(vl, [lam, w]))

w = torch.tensor([1.0, 2.0, -1.0], dtype=torch.double, requires_grad=True)


def loss(w):
    return (w**4).sum() + (w[0] * w[1] - 1) ** 2


g = torch.autograd.grad(loss(w), w, create_graph=True)[0]
hv = lambda v: torch.autograd.grad(g, w, grad_outputs=v, retain_graph=True)[0] + 0.001 * v
x = torch.zeros(3, dtype=torch.double)
r = -g.detach().clone()
p = r.clone()
rs = r @ r
for _ in range(3):
    Ap = hv(p)
    a = rs / (p @ Ap)
    x += a * p
    r -= a * Ap
    n = r @ r
    p = r + n / rs * p
    rs = n
print(x, rs < 1e-16)
