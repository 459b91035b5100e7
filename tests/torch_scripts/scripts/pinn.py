import torch
import torch.nn as nn

torch.set_default_dtype(torch.float64)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(2, 6), nn.Linear(6, 6), nn.Linear(6, 1)])

    def forward(self, x, t):
        h = torch.cat([x, t], dim=1)
        for l in self.layers[:-1]:
            h = torch.tanh(l(h))
        return self.layers[-1](h)


net = Net()
for i, p in enumerate(net.parameters()):
    with torch.no_grad():
        p.copy_(torch.sin(torch.arange(p.numel()) * 1.3 + i).view_as(p) * 0.5)
x = torch.linspace(-1, 1, 7).view(-1, 1).requires_grad_()
t = torch.linspace(0, 1, 7).view(-1, 1).requires_grad_()


def residual(x, t, nu=0.01 / torch.pi):
    u = net(x, t)
    one = torch.ones_like(u)
    u_x, u_t = torch.autograd.grad(u, (x, t), one, create_graph=True)
    u_xx = torch.autograd.grad(u_x, x, grad_outputs=one, create_graph=True)[0]
    return u_t + u * u_x - nu * u_xx, u_xx


r, uxx = residual(x, t)
print(r.T, uxx.squeeze())
opt = torch.optim.Adam(net.parameters(), lr=1e-2)
for step in range(5):
    opt.zero_grad(set_to_none=True)
    r, _ = residual(x, t)
    ic = net(x, torch.zeros_like(t)) + torch.sin(torch.pi * x)
    loss = r.pow(2).mean() + ic.pow(2).mean()
    loss.backward()
    opt.step()
    print(step, f"{loss:.8f}")
u = lambda x, t: net(x.view(1, 1), t.view(1, 1)).squeeze()
ux = torch.func.grad(u)
uxx2 = torch.vmap(torch.func.grad(ux))(x.detach().squeeze(), t.detach().squeeze())
uxxx = torch.func.grad(torch.func.grad(ux))(torch.tensor(0.3), torch.tensor(0.2))
print(uxx2, uxxx)
lap = torch.vmap(lambda p: torch.func.hessian(lambda q: u(q[0], q[1]))(p).trace())(
    torch.cat([x, t], 1).detach()
)
print(lap, [n for n, _ in net.named_modules()])


def loss_at(a, b):
    return torch.vmap(torch.func.grad(ux))(a, b)


torch.set_default_dtype(torch.float32)
