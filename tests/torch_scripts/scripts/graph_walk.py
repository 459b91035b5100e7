import torch


def walk(fn, depth=0):
    if fn is None:
        return
    print("  " * depth + fn.name())
    for nxt, _ in fn.next_functions:
        walk(nxt, depth + 1)


w = torch.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
b = torch.tensor([0.5, -0.5], requires_grad=True)
x = torch.tensor([1.0, -1.0])
loss = torch.nn.functional.softplus(w @ x + b).mean() + 0.1 * w.norm() ** 2
walk(loss.grad_fn)
print(loss.grad_fn.next_functions[0][0])
print(type(loss.grad_fn).__name__, loss.grad_fn.next_functions[1][0].name())
acc = (w * 1).grad_fn.next_functions[0][0]
print(acc.name(), acc.variable is w, acc.next_functions)
h = torch.relu(w @ x)
s = torch.softmax(torch.cat([h, b]), 0)
walk((s[0].log() - s.max()).grad_fn)
walk(torch.where(b > 0, b, -b).sum(0).view(1).squeeze().grad_fn)
walk((b[None, :] + w.t())[0, 1:].exp().pow(2).sum().grad_fn)
print(w.is_leaf, h.is_leaf, h.requires_grad, h.output_nr, w.max(dim=1).values.grad_fn, w.max(1)[0].output_nr)
a, c = w.unbind(0)
print(a.grad_fn, c.output_nr, w.chunk(2)[1], torch.std(w).grad_fn, w.var(1).grad_fn)
print((w > 0).grad_fn, w.detach().grad_fn, w.sum().detach().requires_grad, (w.long()).requires_grad)
print(w.argmax().grad_fn, w.floor().grad_fn, w.sign().grad_fn, w.clone().grad_fn, w.T.grad_fn, w.contiguous().grad_fn)
