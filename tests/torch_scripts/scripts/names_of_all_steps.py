"""The backward graph walked as visualisers do, and the name of every step."""

import torch

a = torch.ones(2, requires_grad=True)
b = torch.ones(2, 2, requires_grad=True)
y = torch.relu(b @ a + a).sum() * 2 - (a / 3).exp().mean()


def walk(fn, d=0):
    if fn is None:
        print("  " * d + "None")
        return
    print("  " * d + type(fn).__name__, fn.name(), hasattr(fn, "variable"))
    for n, _ in fn.next_functions:
        walk(n, d + 1)


walk(y.grad_fn)
z = torch.stack([a, a]).unsqueeze(0).transpose(1, 2).reshape(4).view(2, 2).permute(1, 0).contiguous()[0, 1:].squeeze()
walk(z.grad_fn)
print(
    torch.cat([a, a]).grad_fn,
    a.max().grad_fn.name(),
    a.max(0)[0].grad_fn.name(),
    a.norm().grad_fn.name(),
    a.std().grad_fn.name(),
    (a > 0).grad_fn,
    a[a > 0].grad_fn.name(),
    a.to(torch.double).grad_fn.name(),
    (-a).grad_fn.name(),
    (1 - a).grad_fn.name(),
    (1 / a).grad_fn.name(),
    (a**a).grad_fn.name(),
    (2**a).grad_fn.name(),
    a.masked_fill(a > 0, 0).grad_fn.name(),
    torch.where(a > 0, a, a * 2).grad_fn.name(),
    a.clamp(min=0).grad_fn.name(),
    a.cumsum(0).grad_fn.name(),
    a.prod().grad_fn.name(),
    a.repeat(2).grad_fn.name(),
    torch.outer(a, a).grad_fn.name(),
    torch.logsumexp(a, 0).grad_fn.name(),
    a.gather(0, torch.tensor([0])).grad_fn.name(),
    a.index_select(0, torch.tensor([0])).grad_fn.name(),
    torch.nn.functional.softplus(a).grad_fn.name(),
    a.flip(0).grad_fn.name(),
    a.expand(3, 2).grad_fn.name(),
    a.unbind()[0].grad_fn.name(),
    a.split(1)[0].grad_fn.name(),
    torch.bmm(b[None], b[None]).grad_fn.name(),
    b.t().grad_fn.name(),
    b.T.grad_fn.name(),
    b.diagonal().grad_fn.name(),
    b.tril().grad_fn.name(),
    a.sum(0, keepdim=True).grad_fn.name(),
    a.detach().grad_fn,
    a.clone().grad_fn.name(),
    a.sign().grad_fn.name(),
    a.round().grad_fn.name(),
    a.fmod(2).grad_fn.name(),
    torch.dot(a, a).grad_fn.name(),
    torch.atan2(a, a).grad_fn.name(),
)
