import torch

W = torch.sin(torch.arange(12.0)).view(4, 3).requires_grad_()
x = torch.cos(torch.arange(8.0)).view(2, 4)


def net(x, W):
    h = x @ W
    h.mul_(0.5).add_(1.0)
    h[:, 0] *= 2
    h[0, 1:].clamp_(min=0.5)
    out = torch.zeros(2, 3)
    out[:, :2] = h[:, 1:].relu()
    out.select(1, 2).copy_(h[:, 0])
    out.diagonal().sub_(0.25)
    return out


o = net(x, W)
print(o)
o.pow(2).sum().backward()
print(W.grad)
state = torch.zeros(3, 4)
for i in range(4):
    state[i % 3] += i
    state[:, i].fill_(i)
    state.T[i, 1:] -= 1
print(state, state._version, state.stride(), state.T.is_contiguous())
buf = torch.arange(10.0)
v = buf[2:8].view(2, 3)
v.transpose(0, 1).zero_()
v += 1
print(buf, v.data_ptr() == buf.data_ptr() + 8, v.storage_offset(), v._base is buf)
m = torch.ones(3, 3)
m.masked_fill_(torch.eye(3).bool(), 7).index_fill_(0, torch.tensor([2]), -1).scatter_(
    1, torch.tensor([[0], [1], [2]]), 5.0
)
print(
    m,
    m.index_add_(0, torch.tensor([0, 0]), torch.ones(2, 3)),
    m.index_copy_(1, torch.tensor([1]), torch.zeros(3, 1)),
)
ema = torch.zeros(3)
for k in range(3):
    ema.lerp_(torch.full((3,), float(k)), 0.5).clamp_(max=1.0)
print(
    ema,
    torch.addcmul(ema, ema, ema, value=2),
    torch.addcdiv(ema, torch.ones(3), torch.tensor([1.0, 2.0, 4.0])),
)
leaf = torch.ones(2, requires_grad=True)
for op in (lambda: leaf.add_(1), lambda: leaf[0].mul_(2), lambda: leaf.view(-1).zero_()):
    try:
        op()
    except RuntimeError:
        print("RuntimeError")
y = leaf.exp()
y.add_(1)
try:
    y.sum().backward()
except RuntimeError:
    print("RuntimeError in-place")
with torch.no_grad():
    leaf[0] = 5
leaf.data[1] = -1
print(leaf, leaf.is_leaf, leaf.grad)
a = torch.arange(6).view(2, 3)
b = a.expand(2, 2, 3)
try:
    b.add_(1)
except RuntimeError:
    print("RuntimeError expand")
try:
    a += 0.5
except RuntimeError:
    print("RuntimeError cast")
a[a > 2] = 0
a[[0, 1], [0, 2]] = torch.tensor([9, 8])
print(a, a.reshape(3, 2).unbind(1))
