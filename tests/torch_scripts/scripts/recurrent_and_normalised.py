"""An LSTM cell, batch normalisation with running statistics and spectral normalisation by hand."""

import torch

W = torch.sin(torch.arange(48.0)).view(8, 6).requires_grad_()
b = torch.zeros(8, requires_grad=True)
h, c = (torch.zeros(1, 2), torch.zeros(1, 2))
for t in range(3):
    x = torch.cos(torch.arange(4.0) + t).unsqueeze(0)
    i, f, g, o = (torch.cat([x, h], 1) @ W.t() + b).chunk(4, 1)
    c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
    h = torch.sigmoid(o) * torch.tanh(c)
print(h, c)
(h.sum() + c.pow(2).sum()).backward()
print(W.grad.norm(), b.grad)

x = torch.arange(12.0).view(4, 3).requires_grad_()
ga = torch.ones(3, requires_grad=True)
be = torch.zeros(3, requires_grad=True)
rm, rv = (torch.zeros(3), torch.ones(3))
m = x.mean(0)
v = x.var(0, unbiased=False)
xh = (x - m) / torch.sqrt(v + 1e-05)
y = ga * xh + be
with torch.no_grad():
    rm.mul_(0.9).add_(0.1 * m)
    rv.lerp_(x.var(0), 0.1)
(y**3).sum().backward()
print(y, rm, rv, ga.grad, be.grad)
print(x.grad.abs().max() < 0.01, rm.requires_grad)
z = x.detach().requires_grad_()
std, mean = (z.std(-1, keepdim=True), z.mean(-1, keepdim=True))
((z - mean) / (std + 1e-06)).pow(2)[..., 0].sum().backward()
print(z.grad)

W = torch.arange(6.0).view(2, 3).requires_grad_()
u = torch.ones(2)
with torch.no_grad():
    for _ in range(10):
        v = W.t() @ u
        v = v / v.norm()
        u = W @ v
        u = u / u.norm()
s = u @ W @ v
Wn = W / s
(Wn**2).sum().backward()
print(s, W.grad)
wv = torch.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
g = torch.ones(2, 1, requires_grad=True)
w = g * wv / wv.norm(dim=1, keepdim=True)
w.sum().backward()
print(wv.grad, g.grad)
