import torch
import torch.nn.functional as F

t = torch.arange(40, dtype=torch.float64)
y = 0.05 * t + torch.sin(2 * torch.pi * t / 8) + 0.1 * torch.cos(3.3 * t)
print(y.unfold(0, 8, 8).mean(1), F.avg_pool1d(y[None], 4, stride=2)[0, :4])
kern = torch.ones(1, 1, 5, dtype=torch.float64) / 5
print(
    F.conv1d(y[None, None], kern).squeeze()[:4],
    F.conv1d(F.pad(y[None, None], (2, 2), mode="replicate"), kern)[0, 0, :3],
)
lagged = torch.stack([y[2:-1], y[1:-2], y[:-3]], 1)
coef = torch.linalg.lstsq(lagged, y[3:, None]).solution.squeeze()
print(coef)


def levinson(r):
    n = r.shape[0] - 1
    i = torch.arange(n)
    return torch.linalg.solve(r[(i[:, None] - i).abs()], r[1:])


yc = y - y.mean()
r = torch.stack([(yc[: 40 - k] * yc[k:]).sum() for k in range(4)]) / 40
print(levinson(r))
rg = r.clone().requires_grad_()
print(torch.autograd.functional.jacobian(levinson, rg))


def holt(y, alpha, beta):
    level, trend, loss = y[0], y[1] - y[0], 0.0
    for v in y[1:]:
        pred = level + trend
        loss = loss + (v - pred) ** 2
        new = alpha * v + (1 - alpha) * pred
        trend = beta * (new - level) + (1 - beta) * trend
        level = new
    return loss / (len(y) - 1)


p = torch.zeros(2, dtype=torch.float64, requires_grad=True)
for _ in range(10):
    l = holt(y, *torch.sigmoid(p))
    l.backward()
    with torch.no_grad():
        p -= 0.5 * p.grad
    p.grad = None
print(l, p)
print(
    y.diff(n=2)[:3],
    y.cumsum(0)[-1],
    y.cummax(0).values[::10],
    torch.cumulative_trapezoid(y, dx=0.5)[-1],
    torch.trapz(y, t),
)
print(y.view(5, 8).mean(0), y.view(5, 8).std(0, correction=0)[:3], y.roll(8)[:3], torch.flip(y, (0,))[:2])
fft = torch.fft.rfft(yc)
print(fft.abs().argmax(), torch.topk(fft.abs(), 3).indices, (fft.abs() ** 2).sum().round(decimals=3))
print(
    y.tensor_split(3)[1][:2],
    torch.stack(y.split(10)).amax(1),
    y.quantile(0.9),
    (y > y.mean()).long().diff().abs().sum(),
)
