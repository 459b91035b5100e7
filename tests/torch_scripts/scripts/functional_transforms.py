"""vjp, jvp, Jacobians and Hessians through autograd.functional and func."""

import torch


def tr(act):
    try:
        print("ok", act())
    except Exception as e:
        print("raises", next(c.__name__ for c in type(e).__mro__ if c.__module__ == "builtins"))


def f(x, y):
    return ((x * y).sum(), x**2)


x = torch.tensor([1.0, 2.0])
y = torch.tensor([3.0, 4.0])
o, vj = torch.func.vjp(f, x, y)
print(o, vj((torch.tensor(1.0), torch.ones(2))))
print(torch.func.jvp(f, (x, y), (torch.ones(2), torch.zeros(2))))
print(torch.autograd.functional.vjp(lambda x: x**2, x, torch.ones(2)))
print(torch.autograd.functional.jvp(lambda x: x**2, x, torch.ones(2)))
print(torch.autograd.functional.jacobian(f, (x, y)))
print(torch.autograd.functional.hessian(lambda x, y: (x * y).sum(), (x, y)))
print(torch.func.hessian(lambda x: (x**3).sum())(x), torch.func.grad_and_value(lambda x: (x**2).sum())(x))
print(torch.func.vmap(torch.func.grad(lambda x: x.sin().sum()))(torch.stack([x, y])))
tr(lambda: torch.autograd.functional.jacobian(lambda x: x.detach(), x, strict=True))
tr(lambda: torch.autograd.functional.hessian(f, (x, y)))
tr(lambda: torch.func.grad(lambda x: x)(x))
tr(lambda: torch.func.grad(lambda x: x.sum())(torch.tensor([1, 2])))
