import torch
from torch.autograd.graph import (
    allow_mutation_on_saved_tensors,
    disable_saved_tensors_hooks,
    save_on_cpu,
    saved_tensors_hooks,
)


def attempt(function):
    try:
        print("value", function())
    except Exception as error:
        print("error", next(c.__name__ for c in type(error).__mro__ if c.__module__ == "builtins"))


x = torch.tensor([1.0, 2.0], requires_grad=True)


def pack(t):
    print("pack", t, t.requires_grad, t.is_leaf, torch.is_grad_enabled())
    return t


def unpack(t):
    print("unpack", t, torch.is_grad_enabled())
    return t


operations = [
    lambda: x * 2,
    lambda: x * x,
    lambda: x**2,
    lambda: x.exp(),
    lambda: x / 2,
    lambda: 2 / x,
    lambda: x.sum(),
    lambda: x * torch.ones(2),
    lambda: torch.relu(x),
    lambda: x.sin(),
    lambda: x + x,
    lambda: x.sqrt(),
    lambda: torch.tanh(x),
    lambda: torch.where(x > 1, x, x),
    lambda: x[torch.tensor([0])],
    lambda: torch.softmax(x, 0),
    lambda: x.log(),
    lambda: torch.sigmoid(x),
    lambda: torch.maximum(x, x),
    lambda: x.reciprocal(),
    lambda: x.logsumexp(0),
    lambda: (x * 3).exp(),
]
with saved_tensors_hooks(pack, unpack):
    for operation in operations:
        y = operation()
        print(y.grad_fn.name())
        y.sum().backward(retain_graph=True)


class Cube(torch.autograd.Function):
    @staticmethod
    def forward(ctx, a):
        out = a * a * a
        ctx.save_for_backward(a, out)
        return out

    @staticmethod
    def backward(ctx, g):
        a, out = ctx.saved_tensors
        print("backward", a, out)
        return 3 * g * out / a


with saved_tensors_hooks(pack, unpack):
    y = Cube.apply(x)
print(torch.autograd.grad(y.sum(), x))

# values are packed and unpacked by the innermost pair, also for second derivatives
double = saved_tensors_hooks(lambda t: 2 * t, lambda t: t)
a = torch.tensor(3.0, requires_grad=True)
with double:
    b = a**3
    (g,) = torch.autograd.grad(b, a, create_graph=True)
    print(g.item())
g.backward()
print(a.grad)
with double:
    with saved_tensors_hooks(lambda t: 10 * t, lambda t: t):
        inner = a * a
    outer = a * a
print(torch.autograd.grad(inner, a), torch.autograd.grad(outer, a))
kept = []


def store(t):
    kept.append(t)
    return len(kept) - 1


with saved_tensors_hooks(store, lambda i: kept[i]):
    y = (x.exp() * x).sum()
x.grad = None
y.backward()
print(len(kept), x.grad)

with save_on_cpu():
    z = (x * x * x).sum()
print(torch.autograd.grad(z, x))


def with_hooks(pack, unpack):
    with saved_tensors_hooks(pack, unpack):
        y = x * x
    return torch.autograd.grad(y.sum(), x)


attempt(lambda: with_hooks(lambda t: 3, lambda t: t))
attempt(lambda: with_hooks(lambda t: 3, lambda t: x))
attempt(lambda: with_hooks(lambda t: t.add_(1), lambda t: t))
attempt(lambda: with_hooks(3, lambda t: t))
attempt(lambda: with_hooks(lambda t: t, lambda t: torch.ones(3)))
attempt(lambda: with_hooks(lambda t, more: t, lambda t: t))
with disable_saved_tensors_hooks("not here"):
    attempt(lambda: with_hooks(lambda t: t, lambda t: t))
with saved_tensors_hooks(lambda t: t, lambda t: t):
    attempt(lambda: disable_saved_tensors_hooks("not here").__enter__())

# in-place operations: hooks get the values from before the write
c = torch.tensor([1.0, 2.0], requires_grad=True)
with saved_tensors_hooks(lambda t: t.clone(), lambda t: t):
    d = c * 1
    d.mul_(c)
    d.pow_(2)
print(torch.autograd.grad(d.sum(), c))
with allow_mutation_on_saved_tensors():
    e = c * 2
    f = e.sin()
    e.mul_(0)
    print(torch.autograd.grad(f.sum(), c))

# what a step saved
w = torch.tensor([1.0, 2.0], requires_grad=True)
u = torch.ones(2, requires_grad=True)
s = w * u
print(s.grad_fn._saved_self, s.grad_fn._saved_other, (w**3).grad_fn._saved_exponent, w.exp().grad_fn._saved_result)
s.grad_fn._raw_saved_self.register_hooks(lambda t: t * 2, lambda t: t)
print(torch.autograd.grad(s.sum(), (w, u), retain_graph=True))
attempt(lambda: s.grad_fn._raw_saved_self.register_hooks(lambda t: t, lambda t: t))
s.sum().backward()
attempt(lambda: s.grad_fn._saved_self)
attempt(lambda: s.grad_fn._saved_nothing)
