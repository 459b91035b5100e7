import torch
import torch.nn as nn


class AE(nn.Module):
    def __init__(self):
        super().__init__()
        self.c1 = nn.Conv2d(1, 3, 3, padding=1)
        self.pool = nn.MaxPool2d(2, return_indices=True)
        self.unpool = nn.MaxUnpool2d(2)
        self.c2 = nn.ConvTranspose2d(3, 1, 3, padding=1)

    def forward(self, x):
        h, idx = self.pool(torch.relu(self.c1(x)))
        return torch.sigmoid(self.c2(self.unpool(h, idx, output_size=x.shape[-2:])))


net = AE().double()
for i, p in enumerate(net.parameters()):
    nn.init.constant_(p, 0.0)
    p.data.add_(torch.sin(torch.arange(p.numel(), dtype=torch.float64) + i).view_as(p) * 0.4)
x = (torch.sin(torch.arange(72.0).double() / 5).reshape(2, 1, 6, 6) + 1) / 2
opt = torch.optim.SGD(net.parameters(), lr=0.5, momentum=0.9)
for epoch in range(5):
    opt.zero_grad()
    loss = nn.functional.binary_cross_entropy(net(x), x)
    loss.backward()
    opt.step()
    print(epoch, f"{loss.item():.6f}")
print(net.c1.weight.grad[0], net.c1.bias)
print(net)
print(net.state_dict().keys())


def f(x):
    return net(x)


print(torch.nn.functional.avg_pool2d(x, 3, stride=2, padding=1, count_include_pad=False)[0])
print(
    nn.functional.adaptive_avg_pool2d(x, (2, 3))[0],
    nn.functional.adaptive_max_pool2d(x, 2, return_indices=True)[1][0],
)
print(nn.functional.pixel_shuffle(torch.arange(16.0).view(1, 4, 2, 2), 2))
print(
    nn.functional.unfold(x[:1], 3, stride=3).shape,
    nn.functional.fold(nn.functional.unfold(x, 2), (6, 6), 2)[0, 0, :2],
)
