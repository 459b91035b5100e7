"""A network fitted to the residual of Burgers' equation, with u_xx."""

import torch
import torch.nn as nn

net = nn.Sequential(nn.Linear(2, 5), nn.Tanh(), nn.Linear(5, 5), nn.Tanh(), nn.Linear(5, 1))
with torch.no_grad():
    for i, p in enumerate(net.parameters()):
        p.copy_(torch.sin(torch.arange(p.numel()) * 0.7 + i).view(p.shape) * 0.5)
x = torch.linspace(0, 1, 6).unsqueeze(1).requires_grad_()
t = torch.linspace(0, 0.5, 6).unsqueeze(1).requires_grad_()
opt = torch.optim.Adam(net.parameters(), lr=0.01)
for it in range(3):
    opt.zero_grad()
    u = net(torch.cat([x, t], dim=1))
    u_x = torch.autograd.grad(u, x, grad_outputs=torch.ones_like(u), create_graph=True)[0]
    u_t = torch.autograd.grad(u.sum(), t, create_graph=True)[0]
    u_xx = torch.autograd.grad(u_x, x, torch.ones_like(u_x), retain_graph=True, create_graph=True)[0]
    r = u_t + u * u_x - 0.01 / torch.pi * u_xx
    loss = (r**2).mean() + (u[0] ** 2).mean()
    loss.backward()
    opt.step()
    print(it, loss)
print(u_xx)
