import math

import torch

x = torch.linspace(-math.pi, math.pi, 200, dtype=torch.double)
y = torch.sin(x)
a = torch.full((), 0.1, dtype=torch.double, requires_grad=True)
b = torch.full((), -0.2, dtype=torch.double, requires_grad=True)
c = torch.full((), 0.3, dtype=torch.double, requires_grad=True)
d = torch.full((), 0.05, dtype=torch.double, requires_grad=True)
learning_rate = 1e-6
for t in range(500):
    y_pred = a + b * x + c * x**2 + d * x**3
    loss = (y_pred - y).pow(2).sum()
    if t % 100 == 99:
        print(t, f"{loss.item():.9f}")
    loss.backward()
    with torch.no_grad():
        a -= learning_rate * a.grad
        b -= learning_rate * b.grad
        c -= learning_rate * c.grad
        d -= learning_rate * d.grad
        a.grad = None
        b.grad = None
        c.grad = None
        d.grad.zero_()
        d.grad = None
print(f"Result: y = {a.item():.8f} + {b.item():.8f} x + {c.item():.8f} x^2 + {d.item():.8f} x^3")
print(a, b)
