import torch

x = torch.arange(6, dtype=torch.float32).reshape(2, 3).requires_grad_()
y = x * 2
y[0] = 0
y[:, 1] *= 3
y[1, 2] += 10
y.mul_(2).add_(1)
print(y)
y.sum().backward()
print(x.grad)
v = torch.zeros(4)
w = v[1:3]
w += 5
v[0] = -1
print(v, w, w._base is v, v.is_contiguous(), v.data_ptr() == v.view(2, 2).data_ptr())
a = torch.ones(3, requires_grad=True)
b = a.exp()
try:
    b += 1
    b.sum().backward()
except RuntimeError as e:
    print("modified by an inplace operation" in str(e))
try:
    a += 1
except RuntimeError as e:
    print("leaf" in str(e))
with torch.no_grad():
    a += 1
print(a)
m = torch.zeros(3, 3)
m[torch.arange(3), torch.arange(3)] = torch.tensor([1.0, 2.0, 3.0])
m[m == 0] = -1
m[[0, 2]] = m[[2, 0]]
m[:, 0].fill_(9)
print(m)
c = torch.stack([torch.ones(2), torch.zeros(2)])
c[1].copy_(torch.tensor([5, 6]))
print(c, c.clone().zero_(), c)
idx = torch.tensor([0, 0, 1])
acc = torch.zeros(2).index_add(0, idx, torch.tensor([1.0, 2.0, 3.0]))
print(acc, torch.zeros(2).scatter_add_(0, idx, torch.tensor([1.0, 2.0, 3.0])))
z = torch.zeros(2, 2, requires_grad=True)
buf = torch.empty(2, 2)
for i in range(2):
    for j in range(2):
        buf[i, j] = z[i, j] * (i + j)
print(buf, buf.grad_fn)
buf.sum().backward()
print(z.grad)
