"""Gradients accumulated over small batches, frozen layers, groups of parameters."""

import torch
import torch.nn as nn


def tr(act):
    try:
        print("ok", act())
    except Exception as e:
        print("raises", next(c.__name__ for c in type(e).__mro__ if c.__module__ == "builtins"))


m = nn.Sequential(nn.Linear(3, 3), nn.ReLU(), nn.Linear(3, 1))
with torch.no_grad():
    for i, p in enumerate(m.parameters()):
        p.copy_(torch.sin(torch.arange(p.numel()) + i * 1.0).view(p.shape))
for p in m[0].parameters():
    p.requires_grad = False
opt = torch.optim.SGD(filter(lambda p: p.requires_grad, m.parameters()), lr=0.1)
X = torch.cos(torch.arange(24.0)).view(8, 3)
Y = X.sum(1, keepdim=True)
opt.zero_grad()
for i, (x, y) in enumerate(zip(X.split(2), Y.split(2))):
    loss = nn.MSELoss()(m(x), y) / 2
    loss.backward()
    if (i + 1) % 2 == 0:
        print([None if p.grad is None else round(p.grad.sum().item(), 4) for p in m.parameters()])
        opt.step()
        opt.zero_grad()
print(m[2].weight, [p.requires_grad for p in m.parameters()])


class Net(nn.Module):
    def __init__(s):
        super().__init__()
        s.body = nn.Sequential(nn.Linear(2, 2), nn.Tanh())
        s.head = nn.Linear(2, 1)

    def forward(s, x):
        return s.head(s.body(x))


n = Net()
print(n)
with torch.no_grad():
    for i, p in enumerate(n.parameters()):
        p.copy_(torch.linspace(-1, 1, p.numel()).view_as(p) + i * 0.1)
for k, p in n.named_parameters():
    p.requires_grad_("head" in k)
o = torch.optim.SGD(
    [{"params": n.body.parameters(), "lr": 0.01}, {"params": n.head.parameters()}], lr=0.1, momentum=0.9
)
l = n(torch.ones(3, 2)).pow(2).sum()
l.backward()
o.step()
print([(k, p.grad is None) for k, p in n.named_parameters()], n.head.weight, len(o.param_groups))
n.train()
n.eval()
print(n.training, sum(p.numel() for p in n.parameters()))
sd = n.state_dict()
print(list(sd))
n.load_state_dict(sd)
print(n.load_state_dict({}, strict=False))
tr(lambda: n.load_state_dict({"a": 1}))
n.zero_grad()
n.apply(lambda m: None)
print(next(n.parameters()).dtype, n.double().head.weight.dtype)
