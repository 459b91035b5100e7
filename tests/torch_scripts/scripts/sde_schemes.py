import torch

torch.set_default_dtype(torch.float64)
S0 = torch.tensor(100.0, requires_grad=True)
sigma = torch.tensor(0.2, requires_grad=True)
r = torch.tensor(0.05, requires_grad=True)
K, T = 105.0, 1.0
N = lambda z: torch.special.ndtr(z)


def black_scholes(S, sigma, r):
    d1 = (torch.log(S / K) + (r + sigma**2 / 2) * T) / (sigma * T**0.5)
    return S * N(d1) - K * torch.exp(-r * T) * N(d1 - sigma * T**0.5)


p = black_scholes(S0, sigma, r)
delta, vega, rho = torch.autograd.grad(p, (S0, sigma, r), create_graph=True)
(gamma,) = torch.autograd.grad(delta, S0, create_graph=True)
vanna, volga = torch.autograd.grad(vega, (S0, sigma), retain_graph=True)
print(p, delta, vega, rho, gamma, vanna, volga)
print(torch.autograd.grad(gamma, S0))
z = torch.special.ndtri((torch.arange(200) + 0.5) / 200)


def monte_carlo(S, sigma, r):
    ST = S * torch.exp((r - sigma**2 / 2) * T + sigma * T**0.5 * z)
    return torch.exp(-r * T) * torch.relu(ST - K).mean()


mc = monte_carlo(S0, sigma, r)
print(mc, torch.autograd.grad(mc, (S0, sigma, r)))
vol = torch.tensor(0.5)
for _ in range(6):
    f, g = torch.func.grad_and_value(lambda s: black_scholes(S0.detach(), s, r.detach()))(vol)
    vol = vol - (g - 9.0) / f
print(vol)
print(torch.autograd.functional.hessian(black_scholes, (S0, sigma, r)))


def binomial(S, sigma, n=20):
    u = torch.exp(sigma * (T / n) ** 0.5)
    q = (torch.exp(torch.tensor(0.05 * T / n)) - 1 / u) / (u - 1 / u)
    k = torch.arange(n + 1)
    v = (S * u ** (2.0 * k - n) - K).clamp(min=0)
    for _ in range(n):
        v = torch.exp(torch.tensor(-0.05 * T / n)) * (q * v[1:] + (1 - q) * v[:-1])
    return v[0]


b = binomial(S0, sigma)
print(b, torch.autograd.grad(b, (S0, sigma)))
W = torch.cumsum(torch.sin(torch.arange(50) * 7.0) * (1 / 50) ** 0.5, 0)
print(W[::10], torch.cummax(W, 0).values[-1], (torch.cummax(W, 0).values - W).max())
torch.set_default_dtype(torch.float32)
