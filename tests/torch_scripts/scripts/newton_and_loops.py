import torch


def square_root(a, steps=6):
    x = a / 2
    for _ in range(steps):
        x = 0.5 * (x + a / x)
    return x


a = torch.tensor([2.0, 9.0, 30.0], dtype=torch.float64, requires_grad=True)
root = square_root(a)
print(root)
root.sum().backward()
print(a.grad)
x = torch.tensor(3.0, requires_grad=True)
count = 0
y = x
while y.item() < 100:
    y = y * x if count % 2 else y + x
    count += 1
y.backward()
print(y, count, x.grad)
if (x > 2).all() and not (x > 5).any():
    print("between", bool(x > 2), float(x), int(x), f"{x:.2f}")
values = torch.tensor([3, 1, 2])
for i, v in enumerate(values):
    print(i, v, v.item(), [10, 20, 30, 40][v])
p = torch.tensor([1.0, 2.0], requires_grad=True)
for step in range(5):
    loss = ((p - torch.tensor([3.0, -1.0])) ** 2).sum()
    (g,) = torch.autograd.grad(loss, p)
    p = (p - 0.1 * g).detach().requires_grad_()
    print(step, loss, p)
