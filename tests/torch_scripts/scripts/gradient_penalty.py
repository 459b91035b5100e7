"""A critic trained with a penalty on the norm of its gradient."""

import torch
import torch.autograd as autograd
import torch.nn as nn

D = nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 1))
with torch.no_grad():
    for i, p in enumerate(D.parameters()):
        p.copy_(torch.sin(torch.arange(p.numel()).float() * 1.3 + i).view_as(p))


def gp(D, real, fake):
    alpha = torch.linspace(0.1, 0.9, real.size(0)).unsqueeze(1).expand_as(real)
    inter = (alpha * real + (1 - alpha) * fake).requires_grad_(True)
    d = D(inter)
    g = autograd.grad(
        outputs=d,
        inputs=inter,
        grad_outputs=torch.ones(d.size()),
        create_graph=True,
        retain_graph=True,
        only_inputs=True,
    )[0]
    g = g.view(g.size(0), -1)
    return ((g.norm(2, dim=1) - 1) ** 2).mean() * 10


opt = torch.optim.Adam(D.parameters(), lr=0.01, betas=(0.5, 0.9))
real = torch.cos(torch.arange(10.0)).view(5, 2)
fake = torch.sin(torch.arange(10.0)).view(5, 2)
for it in range(4):
    D.zero_grad()
    loss = D(fake).mean() - D(real).mean() + gp(D, real, fake)
    loss.backward()
    opt.step()
    print(it, f"{loss.item():.4f}")
print(D[0].weight)
print(D[2].bias.grad)
