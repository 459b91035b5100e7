import torch
import torch.nn.functional as F

x = (torch.arange(12.0, dtype=torch.double).view(4, 3) - 6) / 6
target = torch.tensor([[0.0], [1.0], [0.0], [1.0]], dtype=torch.double)
w1 = ((torch.arange(15.0, dtype=torch.double).view(3, 5) % 7) / 7 - 0.4).requires_grad_()
b1 = torch.zeros(5, dtype=torch.double, requires_grad=True)
w2 = ((torch.arange(5.0, dtype=torch.double).view(5, 1) % 3) / 3 - 0.2).requires_grad_()
b2 = torch.zeros(1, dtype=torch.double, requires_grad=True)
for step in range(6):
    hidden = torch.relu(x @ w1 + b1)
    out = torch.sigmoid(hidden @ w2 + b2)
    loss = ((out - target) ** 2).mean()
    print(step, f"{loss.item():.9f}")
    loss.backward()
    with torch.no_grad():
        for p in (w1, b1, w2, b2):
            p -= 0.5 * p.grad
            p.grad.zero_()
print(w1, b2)
print(F.relu(torch.tensor([-1.0, 2.0])), loss)
