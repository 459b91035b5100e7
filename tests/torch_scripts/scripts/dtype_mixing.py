import numpy as np
import torch

i = torch.arange(5)
f = torch.linspace(0, 1, 5)
d = f.double()
b = i > 2
print(i.dtype, f.dtype, d.dtype, b.dtype)
print((i + f).dtype, (f * d).dtype, (i / 2).dtype, (i * 2.5).dtype, (b + 1).dtype, (b * f).dtype, (i**2).dtype)
print(i / 2, i // 2, i % 3, -i, 2**i, b.sum(), b.float().mean())
print(torch.tensor([1, 2.5]), torch.tensor([True, False]), torch.tensor(3), torch.tensor([[1, 2], [3, 4]]))
print(torch.tensor(np.array([1, 2])).dtype, torch.tensor(np.float32(2)).dtype, torch.tensor(np.ones(2)).dtype)
x = torch.ones(2, dtype=torch.double, requires_grad=True)
y = (x.float() * torch.tensor([2.0, 3.0])).sum()
y.backward()
print(x.grad, y.dtype)
try:
    i.mean()
except RuntimeError:
    print("mean of ints fails")
try:
    torch.tensor([1, 2], requires_grad=True)
except RuntimeError:
    print("ints need no grad")
try:
    torch.ones(2, 2) @ torch.ones(2, 2).double()
except RuntimeError:
    print("dtype mismatch in matmul")
try:
    i += 0.5
except RuntimeError:
    print("result type Float can't be cast")
print(i, i.sum().dtype, torch.cumsum(i, 0), i.float().std(), i.prod())
print(f.to(torch.int64), (f * 10).int(), f.to("cpu").dtype, d.to(f).dtype, f.type(), i.type(torch.float64).dtype)
print(
    torch.result_type(i, 1.5), torch.promote_types(torch.int32, torch.float16), torch.can_cast(torch.float, torch.int)
)
torch.set_default_dtype(torch.float64)
print(torch.ones(2), torch.tensor(1.5), torch.ones(2, dtype=torch.float32), (torch.arange(3) / 2))
torch.set_default_dtype(torch.float32)
print(torch.finfo(torch.float32).eps, torch.iinfo(torch.int64).max, f.numpy().dtype, np.asarray(d)[:2])
