import torch

n, d = 40, 4
i = torch.arange(n, dtype=torch.float64)
X = torch.stack(
    [torch.sin(i), torch.cos(1.7 * i) + 0.5 * torch.sin(i), torch.sin(0.3 * i + 1), 0.1 * i % 1.0], dim=-1
)
X = X - X.mean(0, keepdim=True)
C = torch.cov(X.T)
print(C)
evals, evecs = torch.linalg.eigh(C)
order = evals.argsort(descending=True)
evals, evecs = evals[order], evecs[:, order]
print(evals, evals / evals.sum(), evals.cumsum(0) / evals.sum())
W = evecs / evals.sqrt()
Z = X @ W
print(torch.cov(Z.T).round(decimals=6).abs())
U, S, V = torch.svd(X)
print(S**2 / (n - 1))
print(torch.corrcoef(X.T).diag(), torch.corrcoef(X.mT)[0])


def explained(X):
    Xc = X - X.mean(0)
    lam = torch.linalg.eigvalsh(Xc.T @ Xc / (X.shape[0] - 1))
    return lam[-1] / lam.sum()


Xg = X.clone().requires_grad_()
r = explained(Xg)
r.backward()
print(r, Xg.grad.norm(), Xg.grad[:2])
zca = evecs @ torch.diag_embed(evals.rsqrt()) @ evecs.mT
print(torch.allclose(zca, zca.T), torch.trace(zca), torch.linalg.det(zca), zca.diagonal().shape)
hvp = torch.autograd.functional.hvp(explained, X, torch.ones_like(X))
print(hvp[0], hvp[1].abs().max() < 1e-8)
