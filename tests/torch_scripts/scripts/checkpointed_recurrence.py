"""A recurrent network in checkpoints, in both forms."""

import torch
from torch.utils.checkpoint import checkpoint

W = torch.sin(torch.arange(16.0)).view(4, 4).requires_grad_()
U = torch.cos(torch.arange(8.0)).view(4, 2).requires_grad_()


def chunk(h, xs):
    for x in xs:
        h = torch.tanh(h @ W.t() + x @ U.t())
    return h


xs = torch.sin(torch.arange(24.0) / 3).view(12, 1, 2)
h = torch.zeros(1, 4)
for i in range(0, 12, 4):
    h = checkpoint(chunk, h, xs[i : i + 4], use_reentrant=False)
h.sum().backward()
g1 = W.grad.clone()
print(h, g1)
W.grad = None
U.grad = None
chunk(torch.zeros(1, 4), xs).sum().backward()
print((W.grad - g1).abs().max() < 1e-06)
h0 = torch.zeros(1, 4, requires_grad=True)
W.grad = None
checkpoint(chunk, h0, xs, use_reentrant=True).sum().backward()
print(h0.grad)
