import warnings

import torch
from torch.utils.checkpoint import checkpoint, checkpoint_sequential


def attempt(f):
    with warnings.catch_warnings(record=True) as w:
        warnings.simplefilter("always")
        try:
            print("ok", f())
        except Exception as error:
            print("error", next(c.__name__ for c in type(error).__mro__ if c.__module__ == "builtins"))
        for i in w:
            print("  W", i.category.__name__, str(i.message)[:60])


x = torch.tensor([1.0, 2.0], requires_grad=True)
w = torch.tensor([3.0, 4.0], requires_grad=True)


def f(a):
    print("run", a, a.requires_grad, torch.is_grad_enabled())
    return (a * w).sin()


attempt(lambda: checkpoint(f, x))
for r in (True, False):
    print("--", r)
    y = checkpoint(f, x, use_reentrant=r)
    print(y)
    y.sum().backward()
    print(x.grad, w.grad)
    x.grad = w.grad = None
    y = checkpoint(f, x, use_reentrant=r)
    attempt(lambda: torch.autograd.grad(y.sum(), x))
    y = checkpoint(f, x, use_reentrant=r)
    attempt(lambda: y.sum().backward(inputs=[x]))
    y = checkpoint(f, x, use_reentrant=r)
    attempt(lambda: torch.autograd.grad(y.sum(), x, create_graph=True))
    d = torch.ones(2)
    attempt(lambda: checkpoint(f, d, use_reentrant=r))
    attempt(lambda: checkpoint(lambda a, k: a * k, x, k=2, use_reentrant=r))
    attempt(lambda: checkpoint(lambda a, k: (a * k, None, 3), x, 2, use_reentrant=r))
    attempt(lambda: checkpoint(lambda a: {"r": a * 2}, x, use_reentrant=r))
    attempt(lambda: checkpoint(lambda l: l[0] * l[1], [x, w], use_reentrant=r))
    torch.manual_seed(0)

    def drop(a):
        return torch.rand(2) * a * a

    x.grad = None
    y = checkpoint(drop, x, use_reentrant=r)
    z = torch.rand(1)
    y.sum().backward()
    print((y / x / x - x.grad / x / 2).abs().max() < 1e-6, z.item() != torch.rand(1).item())
    y = checkpoint(f, x, use_reentrant=r).sum()
    y.backward(retain_graph=True)
    attempt(lambda: y.backward())
    attempt(lambda: y.backward())
    with torch.no_grad():
        attempt(lambda: checkpoint(f, x, use_reentrant=r))
    x.grad = w.grad = None
    attempt(
        lambda: checkpoint(lambda a: checkpoint(f, a * 2, use_reentrant=r) ** 2, x, use_reentrant=r).sum().backward()
    )
    print(x.grad, w.grad)
    m = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Tanh(), torch.nn.Linear(2, 2), torch.nn.ReLU())
    for p in m.parameters():
        p.data.fill_(0.5)
    x.grad = None
    checkpoint_sequential(m, 2, x, use_reentrant=r).sum().backward()
    print(x.grad, m[0].weight.grad)
    n = [0]

    def bad(a):
        n[0] += 1
        return a.sin() if n[0] == 1 else a.sin().sin()

    def bad2(a):
        n[0] += 1
        return a.sin().sin() if n[0] == 1 else a.sin()

    def bad3(a):
        n[0] += 1
        return a.sin().sin() if n[0] == 1 else a.repeat(2).sin().sin()

    def bad4(a):
        raise ValueError("x")

    for b in (bad, bad2, bad3):
        n[0] = 0
        y = checkpoint(b, x, use_reentrant=r)
        attempt(lambda: y.sum().backward())
    attempt(lambda: checkpoint(bad4, x, use_reentrant=r))

    def err(a):
        n[0] += 1
        if n[0] > 1:
            raise ValueError("second")
        return a * a

    n[0] = 0
    y = checkpoint(err, x, use_reentrant=r)
    attempt(lambda: y.sum().backward())
    attempt(lambda: checkpoint(f, x, use_reentrant=r, context_fn=3))
    attempt(lambda: checkpoint(f, x, use_reentrant=r, preserve_rng_state=False, determinism_check="none"))
    y = checkpoint(f, x * 1, use_reentrant=r)
    print(y.grad_fn, y.grad_fn.next_functions)


x, w = (t.detach().double().requires_grad_() for t in (x, w))


def layer(a):
    return (a * w).sin() * a


y = checkpoint(
    lambda a: checkpoint(layer, checkpoint(layer, a, use_reentrant=False), use_reentrant=False), x, use_reentrant=False
).sum()
(g,) = torch.autograd.grad(y, x, create_graph=True)
(h,) = torch.autograd.grad(g.sum(), w, create_graph=True)
print(g, h, torch.autograd.grad(h.sum(), (x, w)))
