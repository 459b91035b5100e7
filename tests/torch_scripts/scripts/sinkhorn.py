import torch

torch.manual_seed(0)
n = 5
x = torch.linspace(0, 1, n, dtype=torch.float64)
a = torch.softmax(torch.sin(torch.arange(n, dtype=torch.float64)), 0)
b = torch.softmax(torch.cos(torch.arange(n, dtype=torch.float64) * 2), 0)
C = (x[:, None] - x[None, :]) ** 2


def sinkhorn(C, a, b, eps=0.05, iters=50):
    f, g = torch.zeros_like(a), torch.zeros_like(b)
    la, lb = a.log(), b.log()
    for _ in range(iters):
        f = eps * (la - torch.logsumexp((g[None, :] - C) / eps, dim=1))
        g = eps * (lb - torch.logsumexp((f[:, None] - C) / eps, dim=0))
    P = torch.exp((f[:, None] + g[None, :] - C) / eps)
    return (P * C).sum(), P


Cg = C.clone().requires_grad_()
cost, P = sinkhorn(Cg, a, b)
print(cost, P.sum(0), P.sum(1))
print((P.sum(0) - b).abs().max() < 1e-9)
cost.backward()
print(Cg.grad)
ag = a.clone().requires_grad_()
print(torch.autograd.grad(sinkhorn(C, ag, b)[0], ag))
val, tangent = torch.func.jvp(
    lambda t: sinkhorn(C * t, a, b)[0],
    (torch.tensor(1.0, dtype=torch.float64),),
    (torch.tensor(1.0, dtype=torch.float64),),
)
print(val, tangent)


def optimal_1d(a, b):
    return (
        torch.minimum(a.cumsum(0)[:, None], b.cumsum(0)[None])
        .diff(dim=0, prepend=torch.zeros(1, n, dtype=a.dtype))
        .diff(dim=1, prepend=torch.zeros(n, 1, dtype=a.dtype))
    )


Q = optimal_1d(a, b)
print(Q, (Q * C).sum())
print(
    torch.nn.functional.kl_div(a.log(), b, reduction="sum"),
    torch.nn.functional.kl_div(a.log(), b.log(), log_target=True, reduction="batchmean"),
    torch.xlogy(b, b / a).sum(),
)
js = 0.5 * (torch.special.entr((a + b) / 2) * 2 - torch.special.entr(a) - torch.special.entr(b)).sum()
print(js)
