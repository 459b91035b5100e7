"""A gradient reversal layer between a feature extractor and a domain classifier."""

import math

import torch
from torch import nn


class GradReverse(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, alpha):
        ctx.alpha = alpha
        return x.view_as(x)

    @staticmethod
    def backward(ctx, grad_output):
        return (grad_output.neg() * ctx.alpha, None)


class DANN(nn.Module):
    def __init__(self):
        super().__init__()
        self.feature = nn.Sequential(nn.Linear(3, 4), nn.ReLU())
        self.cls = nn.Linear(4, 2)
        self.dom = nn.Linear(4, 2)

    def forward(self, x, alpha):
        f = self.feature(x)
        return (self.cls(f), self.dom(GradReverse.apply(f, alpha)))


net = DANN()
with torch.no_grad():
    for i, p in enumerate(net.parameters()):
        p.copy_(torch.sin(torch.arange(p.numel(), dtype=torch.float32) + i).view(p.shape))
opt = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
x = torch.cos(torch.arange(12.0)).view(4, 3)
y = torch.tensor([0, 1, 1, 0])
d = torch.tensor([0, 0, 1, 1])
for epoch in range(5):
    p = epoch / 5
    alpha = 2.0 / (1.0 + math.exp(-10 * p)) - 1
    c, dm = net(x, alpha)
    loss = nn.CrossEntropyLoss()(c, y) + nn.functional.cross_entropy(dm, d)
    opt.zero_grad()
    loss.backward()
    opt.step()
    print(f"{epoch} {loss.item():.4f}")
for n, p in net.named_parameters():
    print(n, p.data, p.grad.norm())
