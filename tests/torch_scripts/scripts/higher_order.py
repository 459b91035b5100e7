import torch

x = torch.tensor(0.7, dtype=torch.float64, requires_grad=True)
f = torch.sin(x) * torch.exp(-(x**2))
derivs = [f]
for _ in range(5):
    (g,) = torch.autograd.grad(derivs[-1], x, create_graph=True)
    derivs.append(g)
for n, d in enumerate(derivs):
    print(n, f"{d.item():.8f}", d.requires_grad)
x = torch.tensor([1.0, 2.0, -0.5], requires_grad=True)
y = (x**4 / 12 + x.prod()).sum()
grad = torch.autograd.grad(y, x, create_graph=True)[0]
print(grad)
H = torch.stack([torch.autograd.grad(g, x, retain_graph=True)[0] for g in grad])
print(H)
v = torch.tensor([1.0, 0.0, -1.0])
(hvp,) = torch.autograd.grad(grad @ v, x, retain_graph=True)
print(hvp)
print(torch.allclose(H @ v, hvp))
gp = (grad.norm() - 1) ** 2
print(gp)
gp.backward()
print(x.grad)


def poly(t):
    return t**5 - 3 * t**2


t = torch.tensor(2.0, requires_grad=True)
d = poly(t)
k = 0
while d.requires_grad:
    print(k, d)
    (d,) = torch.autograd.grad(d, t, create_graph=True)
    k += 1
    if k > 6:
        break
print(d)
