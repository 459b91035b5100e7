import torch
import torch.nn.functional as F

w0 = torch.sin(torch.arange(10.0)).view(5, 2).requires_grad_()
w1 = torch.cos(torch.arange(5.0)).view(1, 5).requires_grad_()


def forward(p, x):
    return F.linear(torch.tanh(F.linear(x, p[0])), p[1])


def task(a):
    x = torch.linspace(-1, 1, 8).unsqueeze(1)
    return torch.cat([x, torch.ones_like(x)], 1), a * torch.sin(3 * x)


def adapted_loss(p, a, inner_lr=0.1, steps=2):
    x, y = task(a)
    for _ in range(steps):
        l = F.mse_loss(forward(p, x[::2]), y[::2])
        gs = torch.autograd.grad(l, p, create_graph=True)
        p = [q - inner_lr * g for q, g in zip(p, gs)]
    return F.mse_loss(forward(p, x[1::2]), y[1::2])


opt = torch.optim.SGD([w0, w1], lr=0.1)
for it in range(4):
    opt.zero_grad()
    meta = sum(adapted_loss([w0, w1], a) for a in (0.5, 1.0, 1.5)) / 3
    meta.backward()
    opt.step()
    print(it, meta)
print(w1.grad, w0)
lr = torch.tensor(0.1, requires_grad=True)
print(torch.autograd.grad(adapted_loss([w0, w1], 1.0, lr, 1), lr))


def func_version(w0, w1, a):
    x, y = task(a)
    gs = torch.func.grad(lambda p: F.mse_loss(forward(p, x), y))((w0, w1))
    return F.mse_loss(forward((w0 - 0.1 * gs[0], w1 - 0.1 * gs[1]), x), y)


print(torch.vmap(func_version, in_dims=(None, None, 0))(w0.detach(), w1.detach(), torch.tensor([0.5, 1.0])))
print(torch.func.grad(func_version, argnums=1)(w0, w1, torch.tensor(1.0)))
