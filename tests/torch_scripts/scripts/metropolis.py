import numpy as np
import torch

rng = np.random.default_rng(31)
steps = torch.from_numpy(rng.normal(size=(200, 2)))
uniforms = torch.from_numpy(rng.uniform(size=200))


def log_prob(z):
    return -0.5 * (z[0] ** 2 / 2 + (z[1] - z[0] ** 2) ** 2)


z = torch.zeros(2, dtype=torch.float64)
samples, accepted = [], 0
for t in range(100):
    prop = z + 0.8 * steps[t]
    if torch.log(uniforms[t]) < log_prob(prop) - log_prob(z):
        z, accepted = prop, accepted + 1
    samples.append(z)
S = torch.stack(samples)
print(accepted, S.mean(0), S.std(0))
z = torch.zeros(2, dtype=torch.float64, requires_grad=True)
step = 0.1
for t in range(100, 150):
    (g,) = torch.autograd.grad(log_prob(z), z)
    prop = (z + step * g + (2 * step) ** 0.5 * steps[t]).detach().requires_grad_()
    (gp,) = torch.autograd.grad(log_prob(prop), prop)
    fwd = -((prop - z - step * g) ** 2).sum() / (4 * step)
    back = -((z - prop - step * gp) ** 2).sum() / (4 * step)
    log_a = log_prob(prop) - log_prob(z) + back - fwd
    if uniforms[t].log() < log_a:
        z = prop
print(z, log_prob(z), bool(log_a > 0), float(log_a.exp().clamp(max=1)))
hist = torch.zeros(6, dtype=torch.int64)
bins = ((S[:, 0] + 3).floor().clamp(0, 5)).long()
hist.scatter_add_(0, bins, torch.ones_like(bins))
print(hist, hist.sum(), bins[:5])
