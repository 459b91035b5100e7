import torch

i = torch.tensor([1, 2, 3])
f = torch.tensor([1.5, 2.5, -3.5])
d = torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64)
b = torch.tensor([True, False, True])
for x in (i, f, d, b, torch.tensor(2), torch.tensor(2.5), torch.tensor(True)):
    print(x, x.dtype, x.type(), x.dim(), x.numel(), x.element_size(), x.is_floating_point())
for p in (i, f, d, b):
    for q in (i, f, d, b, 2, 2.5, True, torch.tensor(3), torch.tensor(1.5, dtype=torch.float64)):
        print((p + q).dtype, (p * q).dtype, (p / q).dtype, (p == q).dtype, (q * p).dtype)
print(i / 2, i // 2, i % 2, i**2, -i, 7 - i, 1 / i)
print(f.int(), f.long(), f.bool(), f.double(), f.half(), i.float(), b.int())
print(f.to(torch.int64), f.to("cpu"), i.to(f), f.type_as(d), f.to(torch.float64, copy=True))
print(i.sum(), b.sum(), i.float().mean(), f.max(), f.argmax(), i.cumsum(0), b.any(), b.all())
print(torch.result_type(i, 1.0), torch.promote_types(torch.int32, torch.float16), torch.can_cast(torch.float32, torch.int32))
print(torch.finfo(torch.float32).eps, torch.iinfo(torch.int16).max, torch.get_default_dtype())
print(torch.zeros(2, dtype=torch.int32), torch.ones(2, 2, dtype=torch.bool), torch.full((2,), 7), torch.full((2,), 7.0))
print(f.tolist(), f[0].item(), int(i[1]), float(f[1]), bool(b[0]), i.numpy(), f.numpy().dtype)
print(f"{f[0]:.3f} {i[0]} {b[0]} {f}")
print(i.shape, i.size(), i.size(0), torch.Size([2, 3]).numel(), torch.ones(2, 3).shape[1])
print(f == f, f != 1.5, f < 2, f >= 2.5, i == 2, ~b, b & b, b | ~b, b ^ b)
print([x.item() for x in f], len(f), 2 in i, list(reversed(i)))
