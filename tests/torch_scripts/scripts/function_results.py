"""Functions with None, marks, non-tensor results and errors, and the engine after an exception."""

import torch


def tr(act):
    try:
        print("ok", act())
    except Exception as e:
        print("raises", next(c.__name__ for c in type(e).__mro__ if c.__module__ == "builtins"))


class Two(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, k, flag=None):
        ctx.k = k
        ctx.set_materialize_grads(False)
        m = x > 0
        ctx.mark_non_differentiable(m)
        return (x * k, x + k, m, "tag", None)

    @staticmethod
    def backward(ctx, a, b, m, s, n):
        print(a, b, m, s, n, ctx.needs_input_grad)
        return ((0 if a is None else a * ctx.k) + (0 if b is None else b), None, None)


x = torch.tensor([1.0, -1.0], requires_grad=True)
o = Two.apply(x, 3.0)
print(o)
o[0].sum().backward()
print(x.grad)


class Wrong(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, y):
        return x * y

    @staticmethod
    def backward(ctx, g):
        return g


tr(lambda: Wrong.apply(x, x).sum().backward())


class Shape(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x * 2

    @staticmethod
    def backward(ctx, g):
        return torch.ones(5)


tr(lambda: Shape.apply(x).sum().backward())
tr(lambda: Shape.apply(3))
tr(lambda: Shape.apply(x.detach()).requires_grad)
print(Shape.apply(x), Shape.__name__, Shape.apply(x).grad_fn.name())

x = torch.ones(2, requires_grad=True)


class Boom(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x.clone()

    @staticmethod
    def backward(ctx, g):
        raise KeyError("boom")


y = Boom.apply(x * 2)
tr(lambda: y.sum().backward())
print(x.grad, torch.is_grad_enabled())
(x * 3).sum().backward()
print(x.grad)


def hook(g):
    raise ValueError("hook")


z = x * 2
h = z.register_hook(hook)
tr(lambda: z.sum().backward())
h.remove()
print(x.grad)
