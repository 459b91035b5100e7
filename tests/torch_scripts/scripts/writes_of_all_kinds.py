"""What training loops, simulations and data preparation write in place."""

import torch

torch.manual_seed(0)

# a running mean and a momentum buffer, as optimizers keep them
weight = torch.tensor([1.0, -2.0, 3.0], requires_grad=True)
mean, square = torch.zeros(3), torch.zeros(3)
for step in range(3):
    loss = (weight**2).sum()
    loss.backward()
    with torch.no_grad():
        mean.lerp_(weight.grad, 0.1)
        square.mul_(0.99).addcmul_(weight.grad, weight.grad, value=0.01)
        weight.addcdiv_(mean, square.sqrt().add_(1e-8), value=-0.1)
        weight.grad.zero_()
    print(step, loss.item(), weight, mean, square)

# a table filled row by row keeps the history of every row
x = torch.tensor([0.5, 1.0, 1.5], requires_grad=True)
table = torch.zeros(4, 3)
for i in range(4):
    table[i] = x**i
table[:, 1:] *= 2
table[table > 4] = 0
print(table, table._version)
table.sum().backward()
print(x.grad)

# counting and scattering
labels = torch.tensor([2, 0, 2, 1])
counts = torch.zeros(3).index_add_(0, labels, torch.ones(4))
hot = torch.zeros(4, 3).scatter_(1, labels.unsqueeze(1), 1.0)
print(counts, hot, hot.clone().index_fill_(1, torch.tensor([0]), -1.0))
print(torch.zeros(5).put_(torch.tensor([4, 0]), torch.tensor([7.0, 8.0])), torch.zeros(2, 3).masked_scatter_(hot[:2] > 0, torch.tensor([5.0, 6.0])))
print(torch.full((3, 3), 1.0).fill_diagonal_(0), torch.ones(3, 3).tril_(), torch.tensor([float("nan"), float("inf")]).nan_to_num_(0.0, 9.0))

# names that change their shape
m = (x.detach().clone().requires_grad_() * torch.ones(2, 3)).contiguous()
row = m[0]
m.t_()
row.mul_(3)
m.unsqueeze_(0)
print(m.shape, m._version, row.shape, row._base is m, m.squeeze_().transpose_(0, 1).detach())

# results into memory that is there already
buffer = torch.empty(0)
for n in range(1, 4):
    buffer.resize_(0)
    torch.mul(torch.arange(float(n)), 2, out=buffer)
    print(buffer, buffer.shape)
values, places = torch.empty(0), torch.empty(0, dtype=torch.int64)
print(torch.max(table.detach(), 1, out=(values, places)), values, places)
torch.exp(torch.zeros(2), out=buffer[:2])
print(buffer)

# bits
bits = torch.tensor([1, 2, 3])
bits <<= 2
bits |= 1
bits ^= 2
print(bits, bits >> 1, bits.bitwise_not_())

# what is refused
for write in (
    lambda: weight.add_(1),
    lambda: weight[0:2].zero_(),
    lambda: torch.exp(weight, out=torch.empty(3)),
    lambda: torch.zeros(3, dtype=torch.int64).add_(0.5),
    lambda: torch.zeros(3).expand(2, 3).add_(1),
    lambda: buffer[1:].add_(buffer[:-1]),
    lambda: torch.zeros(3).copy_(torch.zeros(4)),
    lambda: weight.resize_(2),
):
    try:
        write()
    except RuntimeError:
        print("RuntimeError")
y = weight.exp()
y.mul_(2)
try:
    y.sum().backward()
except RuntimeError as error:
    print("modified by an inplace operation" in str(error))

# fills
noise = torch.empty(1000)
print(noise.uniform_(-1, 1).abs().max() <= 1, noise.bernoulli_(1.0).sum(), noise.random_(3).max(), noise.normal_(5, 0.1).mean().round(), noise.exponential_().min() >= 0)
