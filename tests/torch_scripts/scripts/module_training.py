import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Linear(3, 4)
        self.second = nn.Linear(4, 1)

    def forward(self, x):
        return self.second(torch.tanh(self.first(x)))


net = Net()
with torch.no_grad():
    for i, p in enumerate(net.parameters()):
        p.copy_((torch.arange(p.numel(), dtype=torch.float).view(p.shape) % 5 - 2) / 4 + 0.1 * i)
for name, p in net.named_parameters():
    print(name, p.shape, p.requires_grad)
print(net.first.bias)
x = torch.linspace(-1, 1, 15).view(5, 3)
y = (x**2).sum(1, keepdim=True)
criterion = nn.MSELoss()
for step in range(5):
    loss = criterion(net(x), y)
    net.zero_grad()
    loss.backward()
    with torch.no_grad():
        for p in net.parameters():
            p -= 0.1 * p.grad
    print(step, f"{loss.item():.6f}")
print([tuple(p.shape) for p in net.parameters()])
print(net)
