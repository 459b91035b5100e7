import torch
from torch.autograd.functional import hessian, jacobian

x = torch.tensor([1.0, 2.0, 3.0], dtype=torch.double, requires_grad=True)
print(jacobian(lambda v: v**2 + v.sum(), x.detach()))
print(hessian(lambda v: (v**3).sum() + v[0] * v[1], x.detach()))
y = (x**2).sum() + x[0] * x[1] * x[2]
(g,) = torch.autograd.grad(y, x, create_graph=True)
print(g)
rows = [torch.autograd.grad(g[i], x, retain_graph=True)[0] for i in range(3)]
print(torch.stack(rows))
v = torch.tensor([1.0, 0.0, -1.0], dtype=torch.double)
print(torch.autograd.grad(g, x, v))
z = torch.randn(3, dtype=torch.double).zero_().requires_grad_()
out = torch.exp(z) * torch.sin(z + 1)
out.backward(torch.ones(3, dtype=torch.double), create_graph=False)
print(z.grad)
w = torch.tensor(0.5, requires_grad=True)
f = torch.tanh(w)
for order in range(4):
    print(order, f.detach())
    (f,) = torch.autograd.grad(f, w, create_graph=True)
penalty = torch.tensor([2.0, 3.0], dtype=torch.double, requires_grad=True)
loss = (penalty**3).sum()
(gp,) = torch.autograd.grad(loss, penalty, create_graph=True)
(loss + (gp.norm() - 1) ** 2).backward()
print(penalty.grad)
u = torch.ones(2, requires_grad=True)
(u * 2).sum().backward()
(u * 3).sum().backward()
print(u.grad)
with torch.autograd.set_grad_enabled(False):
    print((u * 2).requires_grad)
