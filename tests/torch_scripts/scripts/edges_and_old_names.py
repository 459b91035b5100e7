"""Gradient edges, saved-tensor logs, hooks of several tensors; Variable and gradcheck."""

import torch
from torch.autograd import Variable, gradcheck
from torch.autograd.graph import get_gradient_edge, register_multi_grad_hook, saved_tensors_hooks


def tr(act):
    try:
        print("ok", act())
    except Exception as e:
        print("raises", next(c.__name__ for c in type(e).__mro__ if c.__module__ == "builtins"))


x = torch.ones(2, requires_grad=True)
y = x * 2
z = y.sum()
e = get_gradient_edge(y)
print(type(e).__name__, e.output_nr)
print(torch.autograd.grad(z, e, retain_graph=True))
print(torch.autograd.grad(z, get_gradient_edge(x)))
log = []
with saved_tensors_hooks(lambda t: (log.append(tuple(t.shape)), t)[1], lambda t: t):
    w = (x * x).exp().sum()
w.backward()
print(log, x.grad)
h = register_multi_grad_hook([x, (y2 := (x * 3))], lambda gs: print("multi", gs))
(x.sum() + y2.sum()).backward()
h.remove()

v = Variable(torch.ones(2), requires_grad=True)
print(v, isinstance(v, Variable), type(v).__name__)
(v * 2).sum().backward()
print(v.grad.data, v.data.numpy())
print(
    gradcheck(lambda a: a**2, (torch.ones(2, dtype=torch.double, requires_grad=True),)),
    gradcheck(torch.sin, torch.ones(2, dtype=torch.double, requires_grad=True), eps=1e-06, atol=0.0001),
)
tr(lambda: gradcheck(lambda a: a.detach() * a, torch.ones(2, dtype=torch.double, requires_grad=True)))
print(gradcheck(lambda a: a.detach() * a, torch.ones(2, dtype=torch.double, requires_grad=True), raise_exception=False))
