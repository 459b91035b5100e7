import torch

N = 30
x = torch.stack([torch.ones(N), torch.linspace(-2, 2, N)], 1).double()
y = (torch.sin(torch.arange(N) * 3.0) + x[:, 1] > 0).double()


def probit(w):
    s = (2 * y - 1) * (x @ w)
    return -torch.special.log_ndtr(s).mean()


w = torch.zeros(2, dtype=torch.float64)
grad, hess = torch.func.grad(probit), torch.func.hessian(probit)
for _ in range(6):
    w = w - torch.linalg.solve(hess(w), grad(w))
print(w, probit(w), grad(w).norm() < 1e-8)
print(torch.special.ndtr(x[:5] @ w), 0.5 * (1 + torch.erf((x[:5] @ w) / 2**0.5)))


def gamma_quantile(a, p, steps=60):
    lo, hi = torch.zeros_like(p), torch.full_like(p, 60.0)
    for _ in range(steps):
        mid = 0.5 * (lo + hi)
        below = torch.special.gammainc(a, mid) < p
        lo, hi = torch.where(below, mid, lo), torch.where(below, hi, mid)
    return 0.5 * (lo + hi)


ps = torch.tensor([0.05, 0.5, 0.95], dtype=torch.float64)
a = torch.tensor(2.5, dtype=torch.float64)
q = gamma_quantile(a, ps)
print(q, torch.igamma(a, q), torch.igammac(a, q))
qv = q.clone().requires_grad_()
(d,) = torch.autograd.grad(torch.igamma(a, qv).sum(), qv, create_graph=True)
print(d, torch.autograd.grad(d.sum(), qv))
try:
    ag = a.clone().requires_grad_()
    torch.igamma(ag, q).sum().backward()
except RuntimeError as e:
    print("RuntimeError")
print(
    torch.erfinv(torch.tensor([0.0, 0.5, -0.9])),
    torch.special.ndtri(ps),
    torch.logit(ps),
    torch.special.expit(torch.logit(ps)),
    torch.special.log1p(ps),
)
z = torch.linspace(-3, 3, 7, requires_grad=True)
torch.erfc(z).sum().backward()
print(z.grad)
