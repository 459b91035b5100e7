import math
import torch

x = torch.cos(torch.pi * (torch.arange(16, dtype=torch.float64) + 0.5) / 16)
f = torch.exp(x) * torch.sin(3 * x)


def chebyshev(x, n):
    T = [torch.ones_like(x), x]
    while len(T) < n:
        T.append(2 * x * T[-1] - T[-2])
    return torch.stack(T, -1)


def legendre(x, n):
    P = [torch.ones_like(x), x]
    for k in range(1, n - 1):
        P.append(((2 * k + 1) * x * P[k] - k * P[k - 1]) / (k + 1))
    return torch.stack(P, -1)


T = chebyshev(x, 8)
c = 2 / 16 * T.T @ f
c[0] /= 2
print(c)
print(torch.special.chebyshev_polynomial_t(x[:4], 5), T[:4, 5])
print(torch.special.legendre_polynomial_p(x[:4], 3), legendre(x, 8)[:4, 3])
print((T @ c - f).abs().max())
w = torch.linalg.lstsq(legendre(x, 8), f).solution
print(w)
V = torch.vander(x, N=4, increasing=True)
print(V[:2], torch.linalg.vander(x[:3], N=3))
xs = torch.tensor([0.3, -0.2], dtype=torch.float64, requires_grad=True)
p = (chebyshev(xs, 8) @ c).sum()
(g,) = torch.autograd.grad(p, xs, create_graph=True)
(gg,) = torch.autograd.grad(g.sum(), xs)
print(p, g, gg)
true1 = torch.exp(xs) * (torch.sin(3 * xs) + 3 * torch.cos(3 * xs))
print((true1 - g).detach().abs() < 1e-2)
print(
    torch.special.hermite_polynomial_h(torch.tensor([0.5, 1.0]), 3),
    torch.special.laguerre_polynomial_l(torch.tensor([0.5, 1.0]), 2),
)
print(torch.trapezoid(f.flip(0), x.flip(0)), torch.cumulative_trapezoid(f.flip(0), x.flip(0))[:3])
print([math.comb(4, k) for k in range(5)], torch.combinations(torch.arange(4), 2).tolist())
