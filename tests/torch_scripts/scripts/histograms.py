import torch

x = torch.sin(torch.arange(50.0) * 0.7) * 2
print(
    torch.histc(x, bins=5, min=-2, max=2),
    torch.histogram(x, 4),
    torch.histogram(x, bins=4, range=(-1.0, 1.0), density=True).hist,
)
h, e = torch.histogram(x, torch.tensor([-2.0, -0.5, 0.5, 2.0]))
print(h, e)
b = torch.bucketize(x, torch.linspace(-2, 2, 5))
print(torch.bincount(b), torch.bincount(b, weights=x.double(), minlength=8))
u, inv, cnt = torch.unique(b, return_inverse=True, return_counts=True)
print(u, inv[:8], cnt, torch.unique_consecutive(b[:10]))
print(
    x.mean(),
    x.std(),
    x.var(unbiased=False),
    x.median(),
    x.mode().values.shape,
    torch.std_mean(x),
    torch.var_mean(x.view(5, 10), dim=1, correction=0),
)
skew = ((x - x.mean()) / x.std()).pow(3).mean()
print(skew, x.amin(), x.aminmax(), x.argmax(), x.norm(), x.norm(1), x.norm(float("inf")), x.logsumexp(0))
X = torch.stack([x, x.roll(1), x**2])
print(torch.cov(X), torch.corrcoef(X)[0, 1], torch.cov(X, correction=0, fweights=torch.arange(50) % 3)[0])


def soft_histogram(x, centres, width):
    w = torch.exp(-0.5 * ((x[:, None] - centres) / width) ** 2)
    return (w / w.sum(-1, keepdim=True)).mean(0)


c = torch.linspace(-2, 2, 5)
xg = x[:6].clone().requires_grad_()
hist = soft_histogram(xg, c, 0.5)
ent = torch.special.entr(hist).sum()
ent.backward()
print(hist, ent, xg.grad)
m = torch.tensor([[1.0, torch.nan], [3.0, 4.0]])
print(m.nanmean(), m.nansum(0), m.nanmedian(), torch.nan_to_num(m, nan=-1.0), m.isnan().any(), m.nanmean(1))
print(
    torch.count_nonzero(b, dim=0),
    b.float().quantile(torch.tensor([0.25, 0.75])),
    torch.isin(b, torch.tensor([0, 4])).sum(),
    torch.heaviside(x[:3], torch.tensor(0.5)),
)
z = torch.arange(12).view(3, 4)
print(z.cummax(1), z.cumprod(0), z.prod(), z.sum(dtype=torch.int32), z.float().cumsum(1).diff(dim=1))
