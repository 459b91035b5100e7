"""A Jacobian by a loop of backward calls, by autograd.functional, by func and by batched gradients."""

import torch


def f(x):
    return torch.stack([x[0] * x[1], x[1].sin(), x.prod()])


x = torch.tensor([1.0, 2.0, 3.0], requires_grad=True)
y = f(x)
J = torch.zeros(3, 3)
for i in range(3):
    v = torch.zeros(3)
    v[i] = 1.0
    if x.grad is not None:
        x.grad.zero_()
    y.backward(v, retain_graph=True)
    J[i] = x.grad
print(J)
print(torch.autograd.functional.jacobian(f, x))
print(torch.autograd.functional.jacobian(f, x, create_graph=True))
print(torch.func.jacrev(f)(x.detach()), torch.func.jacfwd(f)(x.detach()))
print(torch.autograd.grad(y, x, torch.eye(3), is_grads_batched=True, retain_graph=True))
