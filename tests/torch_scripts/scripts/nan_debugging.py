import torch

x = torch.tensor([0.0, 1.0, -1.0, 4.0], requires_grad=True)
y = torch.sqrt(x)
print(y, torch.isfinite(y), torch.isnan(y).any())
y.sum().backward()
print(x.grad)
x.grad = None
safe = torch.where(x > 0, torch.sqrt(torch.where(x > 0, x, torch.ones_like(x))), torch.zeros_like(x))
safe.sum().backward()
print(safe, x.grad)
x.grad = None
bad = x.sqrt() * (x > 0)
bad.sum().backward()
print(bad, x.grad)
print(
    torch.log(torch.tensor([0.0, 1.0, -1.0])),
    torch.tensor(1.0) / 0,
    torch.tensor(0.0) / 0,
    -torch.tensor([1.0, 2.0]) / 0,
)
print(torch.tensor([float("nan"), 1.0]).max(), torch.tensor([float("inf"), -float("inf"), 3.0]))
print(torch.tensor([1e10, 1.0, float("nan")]), torch.tensor([1e-10, 1.0]))
print(x.norm(), torch.zeros(3, requires_grad=True).norm().grad_fn)
z = torch.zeros(3, requires_grad=True)
z.norm().backward()
print(z.grad, torch.tensor([1.0, 2.0]).std(), torch.logsumexp(torch.tensor([1000.0, 1000.0]), 0))
print(torch.nn.functional.softplus(torch.tensor([-200.0, 0.0, 200.0])), torch.sigmoid(torch.tensor([-1000.0, 1000.0])))
