import numpy as np
import torch

rng = np.random.default_rng(103)
X = torch.tensor(np.sort(rng.uniform(-2, 2, 6)))
y = torch.sin(2 * X)
log_ell = torch.tensor(0.0, dtype=torch.double, requires_grad=True)
log_noise = torch.tensor(-2.0, dtype=torch.double, requires_grad=True)


def cholesky(A):
    n = A.shape[0]
    L = torch.zeros_like(A)
    for i in range(n):
        for j in range(i + 1):
            s = (L[i, :j].clone() * L[j, :j].clone()).sum() if j else 0.0
            if i == j:
                L[i, j] = torch.sqrt(A[i, i] - s)
            else:
                L[i, j] = (A[i, j] - s) / L[j, j].clone()
    return L


def nll(log_ell, log_noise):
    d = (X[:, None] - X[None, :]) / log_ell.exp()
    K = torch.exp(-0.5 * d**2) + torch.eye(6, dtype=torch.double) * log_noise.exp()
    L = cholesky(K)
    z = []
    for i in range(6):
        z.append((y[i] - sum(L[i, j] * z[j] for j in range(i))) / L[i, i])
    z = torch.stack(z)
    return 0.5 * z @ z + L.diagonal().log().sum()


loss = nll(log_ell, log_noise)
g = torch.autograd.grad(loss, (log_ell, log_noise))
print(loss, g)
for _ in range(5):
    g = torch.autograd.grad(nll(log_ell, log_noise), (log_ell, log_noise))
    with torch.no_grad():
        log_ell -= 0.1 * g[0]
        log_noise -= 0.1 * g[1]
print("ell %.6f noise %.6f nll %.6f" % (log_ell.exp(), log_noise.exp(), nll(log_ell, log_noise)))  # noqa: UP031
print(torch.autograd.gradcheck(nll, (log_ell, log_noise)))
