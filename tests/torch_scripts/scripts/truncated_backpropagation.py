"""Backpropagation through time, cut every three steps."""

import torch

W = torch.tensor([[0.5, 0.1], [-0.2, 0.3]], requires_grad=True)
h = torch.ones(2)
for t in range(9):
    h = torch.tanh(W @ h + t * 0.1)
    if (t + 1) % 3 == 0:
        loss = h.pow(2).sum()
        loss.backward()
        print(t, f"{loss.item():.4f}", W.grad)
        with torch.no_grad():
            W -= 0.1 * W.grad
        W.grad.zero_()
        h = h.detach()
print(W)
h = h.detach_()
print(h.is_leaf)
