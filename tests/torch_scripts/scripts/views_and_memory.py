"""Views: who shows whose memory, what a write through one does to the others and to gradients, and what is refused."""

import torch

x = torch.arange(12.0).reshape(3, 4)
row, column, window = x[1], x[:, 2], x.unfold(1, 2, 1)
print(row.storage_offset(), column.stride(), window.shape, window.stride())
print(row._base is x, row.view(2, 2)._base is x, x.clone()._base, x.is_set_to(x.view(3, 4)))
row.mul_(10)
column[0] = -1
print(x)
print(window[1], x._version, row._version)
print(x.untyped_storage().nbytes(), row.untyped_storage().data_ptr() == x.data_ptr(), row.data_ptr() - x.data_ptr())

w = torch.arange(6.0, requires_grad=True)
y = w * 1
m = y.view(2, 3)
d = m.diagonal()
d.mul_(torch.tensor([2.0, 3.0]))
print(y, y.grad_fn.name(), m.grad_fn.name(), d.grad_fn.name())
m.T[2].add_(y[0] + 1)
(y * y).sum().backward()
print(y, w.grad)

w = torch.arange(8.0, dtype=torch.float64, requires_grad=True)
frames = w.unfold(0, 4, 2)
print(frames)
(frames * torch.tensor([1.0, 2.0, 2.0, 1.0], dtype=torch.float64)).sum().backward()
print(w.grad)
band = torch.as_strided(w, (3, 4), (2, 1))
(g,) = torch.autograd.grad((band**3).sum(), w, create_graph=True)
print(g)
print(torch.autograd.grad(g.sum(), w)[0])

for name, write in {
    "leaf": lambda: w[0].add_(1),
    "piece": lambda: (w * 1).unbind()[0].add_(1),
    "expanded": lambda: torch.ones(3).expand(2, 3).add_(1),
    "detach_": lambda: (w * 1)[1:].detach_(),
}.items():
    try:
        write()
        print(name, "is allowed")
    except RuntimeError:
        print(name, "is refused")

y = w * 1
with torch.no_grad():
    v = y[:2]
    v.zero_()
    print(v.requires_grad, v)
pieces = y.split(4)
y.mul_(2)
for t in (v, pieces[0]):
    print(t)
    try:
        t * 2
    except RuntimeError:
        print("no longer differentiable")
    print(t.detach() * 2)

base = torch.zeros(2, 3, requires_grad=True)
src = torch.ones(3, requires_grad=True)
out = base.select_scatter(src, 0, 1).diagonal_scatter(torch.full((2,), 5.0)).slice_scatter(torch.zeros(2, 1), 1, 2)
print(out)
out.pow(2).sum().backward()
print(base.grad, src.grad)

bits = torch.tensor([1.0, -2.0]).view(torch.int32)
print(bits, bits.view(torch.uint8).shape, bits._is_view())
print([tuple(t.shape) for t in torch.arange(10).tensor_split(3)], [tuple(t.shape) for t in x.hsplit(2)], torch.atleast_3d(x[0]).shape)
