"""MAML: gradients through two inner steps of gradient descent."""

import torch
import torch.nn.functional as F


def net(x, params):
    x = F.linear(x, params[0], params[1])
    x = F.relu(x)
    return F.linear(x, params[2], params[3])


params = [
    torch.sin(torch.arange(5.0)).view(5, 1),
    torch.zeros(5),
    torch.cos(torch.arange(5.0)).view(1, 5),
    torch.zeros(1),
]
params = [p.requires_grad_() for p in params]
meta = torch.optim.Adam(params, lr=0.01)
for it in range(3):
    meta.zero_grad()
    outer = 0.0
    for task in range(2):
        x = torch.linspace(-1, 1, 4).unsqueeze(1)
        y = torch.sin(x + task)
        fast = params
        for _ in range(2):
            l = F.mse_loss(net(x, fast), y)
            gs = torch.autograd.grad(l, fast, create_graph=True)
            fast = [p - 0.1 * g for p, g in zip(fast, gs)]
        xq = torch.linspace(-2, 2, 6).unsqueeze(1)
        outer = outer + F.mse_loss(net(xq, fast), torch.sin(xq + task))
    outer.backward()
    meta.step()
    print(it, outer)
for p in params:
    print(p.grad)
