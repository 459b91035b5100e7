"""FGSM and PGD on a small classifier."""

import torch
import torch.nn as nn

m = nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 3))
with torch.no_grad():
    for i, p in enumerate(m.parameters()):
        p.copy_(torch.sin(torch.arange(p.numel()) * 1.7 + i).view(p.shape))
x = torch.linspace(0, 1, 8).view(2, 4)
y = torch.tensor([0, 2])
xa = x.clone().detach()
xa.requires_grad = True
loss = nn.CrossEntropyLoss()(m(xa), y)
m.zero_grad()
loss.backward()
print(torch.clamp(x + 0.1 * xa.grad.sign(), 0, 1))
adv = x.clone().detach()
for _ in range(5):
    adv.requires_grad_()
    with torch.enable_grad():
        l = nn.functional.cross_entropy(m(adv), y, reduction="sum")
    g = torch.autograd.grad(l, [adv])[0]
    adv = adv.detach() + 0.05 * torch.sign(g.detach())
    adv = torch.min(torch.max(adv, x - 0.2), x + 0.2)
    adv = torch.clamp(adv, 0, 1)
print(adv, m(adv).argmax(1), m(adv).max(1))
