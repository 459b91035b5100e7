"""What users ask about backward: twice, of a non-leaf, of no scalar, of unused inputs."""

import warnings

import torch


def tr(act):
    try:
        print("ok", act())
    except Exception as e:
        print("raises", next(c.__name__ for c in type(e).__mro__ if c.__module__ == "builtins"))


x = torch.tensor([1.0, 2.0], requires_grad=True)
y = x**2
y.sum().backward()
try:
    y.sum().backward()
except RuntimeError as e:
    print("second time" in str(e), "retain_graph=True" in str(e))
print(x.grad)
y = x**2
y.sum().backward(retain_graph=True)
y.sum().backward()
print(x.grad)
z = x + 1
z.sum().backward()
z.sum().backward()
print(x.grad)

w = torch.tensor([2.0], requires_grad=True)
y = w * 3
with warnings.catch_warnings(record=True) as c:
    warnings.simplefilter("always")
    print(y.grad)
    print(len(c), c[0].category.__name__)
print(y.requires_grad, y.is_leaf, w.is_leaf, y.grad_fn.next_functions[0][0].variable is w)

x = torch.ones(3, requires_grad=True)
y = x * 2
for f in (
    lambda: y.backward(),
    lambda: y.backward(torch.ones(2)),
    lambda: torch.ones(2).backward(),
    lambda: torch.tensor(1).backward(),
    lambda: y.backward(1),
    lambda: torch.autograd.grad(y, x),
    lambda: torch.autograd.grad(y.sum(), torch.ones(3)),
    lambda: torch.autograd.grad(y.sum(), torch.ones(3, requires_grad=True)),
    lambda: y.sum().backward(inputs=[]),
    lambda: torch.autograd.backward([y, y], [None, torch.ones(3)]),
    lambda: torch.autograd.grad([], x),
    lambda: y.backward(torch.ones(3, dtype=torch.complex64)),
    lambda: y.backward(torch.ones(3, dtype=torch.double), retain_graph=True),
    lambda: torch.autograd.backward(y.sum(), grad_tensors=torch.tensor(2.0), retain_graph=True),
    lambda: torch.autograd.backward((y.sum(), y.sum()), retain_graph=True),
):
    tr(f)
print(x.grad)

x = torch.ones(2, requires_grad=True)
y = torch.ones(3, requires_grad=True)
l = (x**2).sum()
tr(lambda: torch.autograd.grad(l, [x, y], retain_graph=True))
print(torch.autograd.grad(l, [x, y], allow_unused=True, retain_graph=True))
print(torch.autograd.grad(l, [x, y], materialize_grads=True))
tr(lambda: torch.autograd.grad(l, y, allow_unused=False, materialize_grads=True))
print(
    torch.autograd.grad((x * 3).sum(), x, grad_outputs=torch.tensor(2.0)),
    torch.autograd.grad([x.sum(), (x * 2).sum()], [x]),
)
