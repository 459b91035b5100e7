import numpy as np
import torch
from torch.func import grad, vmap

rng = np.random.default_rng(43)
W = torch.tensor(rng.normal(size=(3, 2)))
b = torch.tensor(rng.normal(size=2))
X = torch.tensor(rng.normal(size=(4, 3)))
Y = torch.tensor(rng.normal(size=(4, 2)))


def loss(params, x, y):
    W, b = params
    pred = torch.tanh(x @ W + b)
    return ((pred - y) ** 2).sum()


gW, gb = vmap(grad(loss), in_dims=(None, 0, 0))((W, b), X, Y)
print(gW.shape, gb.shape)
print(gb)
norms = (gW.flatten(1).pow(2).sum(1) + gb.pow(2).sum(1)).sqrt()
print(norms)
clip = (1.0 / norms).clamp(max=1.0)
print((gW * clip.view(-1, 1, 1)).mean(0))
for i in range(4):
    Wi, bi = W.clone().requires_grad_(), b.clone().requires_grad_()
    loss((Wi, bi), X[i], Y[i]).backward()
    assert torch.allclose(Wi.grad, gW[i]) and torch.allclose(bi.grad, gb[i])
print("per-sample gradients agree")
