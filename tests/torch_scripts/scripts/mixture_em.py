import math
import torch

x = torch.cat([torch.sin(torch.arange(12.0)) * 0.5 - 2, torch.cos(torch.arange(18.0)) + 1.5]).double()
mu = torch.tensor([-1.0, 1.0], dtype=torch.float64)
ls = torch.zeros(2, dtype=torch.float64)
lw = torch.full((2,), math.log(0.5), dtype=torch.float64)


def log_prob(mu, ls, lw):
    z = (x[:, None] - mu) * torch.exp(-ls)
    return lw.log_softmax(0) - ls - 0.5 * z**2 - 0.5 * math.log(2 * math.pi)


for it in range(6):
    lp = log_prob(mu, ls, lw)
    r = torch.softmax(lp, dim=1)
    nk = r.sum(0)
    mu = (r * x[:, None]).sum(0) / nk
    ls = 0.5 * ((r * (x[:, None] - mu) ** 2).sum(0) / nk).log()
    lw = torch.log(nk / len(x))
    print(it, lp.logsumexp(1).sum())
print(mu, ls.exp(), lw.exp(), r.argmax(1).bincount())


def nll(mu, ls, lw):
    return -log_prob(mu, ls, lw).logsumexp(1).mean()


g = torch.func.grad(nll, argnums=(0, 1, 2))(mu, ls, lw)
print([t.abs().max() < 1e-2 for t in g])
H = torch.autograd.functional.hessian(nll, (mu, ls, lw))
big = torch.cat([torch.cat(row, 1) for row in H])
print(big[:4, :4], torch.linalg.eigvalsh(big[:4, :4]))
print(torch.vmap(lambda m: nll(m, ls, lw))(torch.stack([mu, mu + 0.1, mu.flip(0)])))
bic = torch.log(torch.tensor(len(x))) * 5 + 2 * len(x) * nll(mu, ls, lw)
print(bic, torch.nn.functional.gaussian_nll_loss(x, mu[1].expand_as(x), ls[1].exp().square().expand_as(x)))
t = torch.tensor([3.0, 5.0], dtype=torch.float64, requires_grad=True)


def student_t(nu, z):
    return (
        torch.lgamma((nu + 1) / 2)
        - torch.lgamma(nu / 2)
        - 0.5 * torch.log(nu * math.pi)
        - (nu + 1) / 2 * torch.log1p(z**2 / nu)
    )


l = student_t(t[:, None], x).sum(1)
print(l, torch.autograd.grad(l.sum(), t))
