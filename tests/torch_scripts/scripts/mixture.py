import math

import numpy as np
import torch

rng = np.random.default_rng(19)
x = torch.tensor(np.concatenate([rng.normal(-2, 0.5, 20), rng.normal(1, 1, 20)]))
mu = torch.tensor([-1.0, 0.5], dtype=torch.double, requires_grad=True)
log_sigma = torch.zeros(2, dtype=torch.double, requires_grad=True)
logits = torch.zeros(2, dtype=torch.double, requires_grad=True)


def nll(mu, log_sigma, logits):
    z = (x[:, None] - mu) / log_sigma.exp()
    comp = -0.5 * z**2 - log_sigma - 0.5 * math.log(2 * math.pi)
    return -torch.logsumexp(comp + torch.log_softmax(logits, 0), dim=1).mean()


opt = torch.optim.Adam([mu, log_sigma, logits], lr=0.05)
for i in range(80):
    opt.zero_grad()
    loss = nll(mu, log_sigma, logits)
    loss.backward()
    opt.step()
    if i % 20 == 0:
        print(f"{i} {loss.item():.5f}")
print("mu", mu.detach(), "sigma", log_sigma.exp().detach(), "pi", torch.softmax(logits, 0))
H = torch.autograd.functional.hessian(lambda m: nll(m, log_sigma, logits), mu)
print(H)
print(loss.grad_fn, torch.logsumexp(logits, 0).grad_fn)
