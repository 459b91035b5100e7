import warnings

import torch
from torch.autograd import Function
from torch.autograd.function import once_differentiable


def attempt(f):
    with warnings.catch_warnings(record=True) as w:
        warnings.simplefilter("always")
        try:
            print("ok", f())
        except Exception as e:
            print("EXC", next(c.__name__ for c in type(e).__mro__ if c.__module__ == "builtins"))
        for i in w:
            print("  W", i.category.__name__, str(i.message)[:60])


def mk(fwd, bwd, **k):
    return type("Mk", (Function,), dict(forward=staticmethod(fwd), backward=staticmethod(bwd), **k))


x = torch.tensor([1.0, 2.0], requires_grad=True)
w = torch.tensor([3.0, 4.0], requires_grad=True)
grad = torch.autograd.grad


def fw(ctx, a):
    ctx.set_materialize_grads(False)
    return (a * 1, a * 2)


def bw(ctx, g1, g2):
    print(g1, g2)
    return g1


M = mk(fw, bw)
a, b = M.apply(x)
attempt(lambda: grad(a.sum(), x, retain_graph=True))
attempt(lambda: grad(b.sum(), x, retain_graph=True, allow_unused=True))
attempt(lambda: grad(b.sum(), x, retain_graph=True))
attempt(lambda: b.sum().backward(retain_graph=True))
print(x.grad)


def fw(ctx, a):
    a.mul_(2)
    ctx.mark_dirty(a)
    return a


def bw(ctx, g):
    return 2 * g


D = mk(fw, bw)
y = x * 1
z = D.apply(y)
print(z is y, z, y.grad_fn)
attempt(lambda: grad((z * z).sum(), x))
attempt(lambda: D.apply(x))
y = x * 1
v = y.view(2)
attempt(lambda: D.apply(v))
attempt(lambda: v.grad_fn.name())
attempt(lambda: y.grad_fn.name())
attempt(lambda: grad(y.sum(), x))


def fw(ctx, a):
    a.mul_(2)
    ctx.mark_dirty(a)
    return a * 1


attempt(lambda: mk(fw, bw).apply(x * 1))


def fw(ctx, a, b):
    a.mul_(2)
    ctx.mark_dirty(a)
    return (a, b * 1)


def bw2(ctx, g, h):
    return (2 * g, h)


attempt(lambda: [t.grad_fn.name() for t in mk(fw, bw2).apply(x * 1, w)])


def fw(ctx, a):
    ctx.mark_dirty(3)
    return a * 1


attempt(lambda: mk(fw, bw).apply(x * 1))
t = torch.ones(2)
attempt(lambda: (D.apply(t), t, t.requires_grad))


def fw(ctx, a):
    b = a * 2
    ctx.mark_non_differentiable(b)
    return (a * 1, b)


def bw(ctx, g1, g2):
    print(g1, g2)
    return g1


a, b = mk(fw, bw).apply(x)
print(a, b, b.requires_grad)
attempt(lambda: grad((a + b).sum(), x))


def fw(ctx, a):
    ctx.mark_non_differentiable(a)
    return a


attempt(lambda: mk(fw, lambda c, g: g).apply(x))


class K(Function):
    @staticmethod
    def forward(ctx, a, k=3):
        ctx.k = k
        return a * k

    @staticmethod
    def backward(ctx, g):
        return (g * ctx.k, None)


attempt(lambda: K.apply(x, 2))
attempt(lambda: K.apply(x, k=2))
attempt(lambda: K.apply(x))
attempt(lambda: K.apply(a=x))
attempt(lambda: grad(K.apply(x, 5).sum(), x))
attempt(lambda: grad(K.apply(x).sum(), x))


class S(Function):
    @staticmethod
    def forward(a, k=3):
        return a * k

    @staticmethod
    def setup_context(ctx, inputs, output):
        print(inputs, output)
        ctx.k = inputs[1]

    @staticmethod
    def backward(ctx, g):
        return (g * ctx.k, None)


attempt(lambda: S.apply(x, 2))
attempt(lambda: S.apply(x, k=2))
attempt(lambda: S.apply(x))
attempt(lambda: grad(S.apply(x, 5).sum(), x))


class Sq(Function):
    @staticmethod
    def forward(ctx, a):
        ctx.save_for_backward(a)
        return a * a

    @staticmethod
    def backward(ctx, g):
        (a,) = ctx.saved_tensors
        return 2 * a * g


class Out(Function):
    @staticmethod
    def forward(ctx, a):
        ctx.save_for_backward(a)
        return Sq.apply(Sq.apply(a))

    @staticmethod
    def backward(ctx, g):
        (a,) = ctx.saved_tensors
        return 4 * Sq.apply(a) * a * g


f = Out.apply(x)
print(f)
(d,) = grad(f.sum(), x, create_graph=True)
print(d)
(d2,) = grad(d.sum(), x, create_graph=True)
print(d2)
attempt(lambda: grad(d2.sum(), x))


class InB(Function):
    @staticmethod
    def forward(ctx, a):
        with torch.enable_grad():
            b = a.detach().requires_grad_()
            ctx.b = b
            ctx.o = b**3
        return ctx.o.detach()

    @staticmethod
    def backward(ctx, g):
        return torch.autograd.grad(ctx.o, ctx.b, g)[0]


attempt(lambda: grad(InB.apply(x).sum(), x))


class V(Function):
    @staticmethod
    def forward(ctx, a):
        return a.view(1, 2)

    @staticmethod
    def backward(ctx, g):
        return g.view(2)


v = V.apply(x * 1)
print(v, v._is_view())
attempt(lambda: v.add_(1))
attempt(lambda: grad(V.apply(x).sum(), x))


class Same(Function):
    @staticmethod
    def forward(ctx, a):
        return a

    @staticmethod
    def backward(ctx, g):
        return g * 3


i = Same.apply(x)
print(i is x, i, i._is_view())
attempt(lambda: grad(i.sum(), x))
attempt(lambda: i.add_(1))


class TwoV(Function):
    @staticmethod
    def forward(ctx, a):
        return (a[0], a[1])

    @staticmethod
    def backward(ctx, p, q):
        return torch.stack([p, q])


p, q = TwoV.apply(x * 1)
print(p, q)
attempt(lambda: grad(p * q, x, retain_graph=True))
attempt(lambda: p.add_(1))
for r in (
    lambda c, g: (g, g),
    lambda c, g: (g, None),
    lambda c, g: None,
    lambda c, g: (None,),
    lambda c, g: (),
    lambda c, g: [g],
    lambda c, g: g.sum(),
    lambda c, g: g.repeat(2),
    lambda c, g: g.double(),
    lambda c, g: g.long(),
    lambda c, g: 1.0,
    lambda c, g: "s",
    lambda c, g: g[None],
    lambda c, g: torch.ones(3, 2),
):
    attempt(lambda: grad(mk(lambda c, a: a * 2, r).apply(x).sum(), x, allow_unused=True))


class NoB(Function):
    @staticmethod
    def forward(ctx, a):
        return a * 1


attempt(lambda: NoB.apply(x))
attempt(lambda: NoB.apply(x).sum().backward())
attempt(lambda: NoB.apply(torch.ones(1)))


class Leg(Function):
    def forward(self, a):
        return a


attempt(lambda: Leg.apply(x))


class Ni(Function):
    @staticmethod
    def forward(ctx, *a):
        print(ctx.needs_input_grad)
        return a[0] * 2

    @staticmethod
    def backward(ctx, g):
        print(ctx.needs_input_grad)
        return (g * 2, None, None, None)


attempt(lambda: grad(Ni.apply(x, None, "s", torch.ones(2)).sum(), x))
attempt(lambda: Ni.apply(torch.ones(2), None, 3, x).sum().backward())


class On(Function):
    @staticmethod
    def forward(ctx, a):
        ctx.save_for_backward(a)
        return a * a

    @staticmethod
    @once_differentiable
    def backward(ctx, g):
        (a,) = ctx.saved_tensors
        print(torch.is_grad_enabled(), a.requires_grad)
        return 2 * a * g


(d,) = grad(On.apply(x).sum(), x, create_graph=True)
print(d.requires_grad)
attempt(lambda: grad(d.sum(), x))


class Sv(Function):
    @staticmethod
    def forward(ctx, a):
        o = a * 2
        ctx.save_for_backward(a, o, None)
        ctx.z = o * 3
        return o

    @staticmethod
    def backward(ctx, g):
        a, o, n = ctx.saved_tensors
        print(a.requires_grad, o.requires_grad, n, ctx.z)
        return 2 * g


y = Sv.apply(x)
attempt(lambda: grad(y.sum(), x))
attempt(lambda: y.grad_fn.saved_tensors)
attempt(lambda: y.grad_fn.z)
y = Sv.apply(x)
attempt(lambda: y.grad_fn.saved_tensors)
attempt(lambda: y.grad_fn.needs_input_grad)
attempt(lambda: type(y.grad_fn).__name__)
attempt(lambda: y.grad_fn.next_functions[0][0].variable is x)
x2 = torch.ones(2, requires_grad=True)
y = x2 * 1
s = Sq.apply(y)
y.add_(1)
attempt(lambda: s.sum().backward())
attempt(lambda: mk(lambda c, a: (c.save_for_backward(a), a * a)[1], lambda c, g: c.saved_tensors[0] * 2 * g).apply(x))
