import numpy as np
import torch
import torch.nn as nn

rng = np.random.default_rng(97)
net = nn.Sequential(nn.Linear(1, 8), nn.Tanh(), nn.Linear(8, 8), nn.Tanh(), nn.Linear(8, 1)).double()
for p in net.parameters():
    p.data.copy_(torch.tensor(rng.normal(size=tuple(p.shape)) * 0.5))
t = torch.linspace(0, 1, 11, dtype=torch.float64).unsqueeze(1).requires_grad_(True)
opt = torch.optim.Adam(net.parameters(), lr=1e-2)
for epoch in range(40):
    opt.zero_grad()
    u = net(t)
    du = torch.autograd.grad(u, t, torch.ones_like(u), create_graph=True)[0]
    d2u = torch.autograd.grad(du, t, torch.ones_like(du), create_graph=True)[0]
    residual = d2u + 4 * u
    ic = (net(torch.zeros(1, 1, dtype=torch.float64)) - 1).pow(2).sum()
    loss = residual.pow(2).mean() + ic + du[0].pow(2).sum()
    loss.backward()
    opt.step()
    if epoch % 10 == 0:
        print(f"epoch {epoch:3d} | loss {loss.item():.6f} | ic {ic.item():.6f}")
print(u.detach().flatten(), d2u.grad_fn)
print(net[0].weight.grad.flatten(), net[-1].bias)
print(len(net), net[1], sum(p.numel() for p in net.parameters()))
