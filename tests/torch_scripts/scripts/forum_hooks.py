"""Hooks of tensors and steps: order, replacement, removal, refusals."""

import torch


def tr(act):
    try:
        print("ok", act())
    except Exception as e:
        print("raises", next(c.__name__ for c in type(e).__mro__ if c.__module__ == "builtins"))


x = torch.tensor([1.0, 2.0], requires_grad=True)
y = x * 2
log = []
x.register_hook(lambda g: log.append(("x1", g.tolist())))
h = y.register_hook(lambda g: g * 10)
y.register_hook(lambda g: log.append(("y2", g.tolist())))
x.register_post_accumulate_grad_hook(lambda p: log.append(("post", p.grad.tolist())))
y.grad_fn.register_prehook(lambda gs: log.append(("pre", gs[0].tolist())))
y.grad_fn.register_hook(
    lambda gi, go: log.append(("node", [None if g is None else g.tolist() for g in gi], go[0].tolist()))
)
y.sum().backward(retain_graph=True)
print(log, x.grad)
h.remove()
log.clear()
y.sum().backward()
print(log, x.grad)
tr(lambda: torch.ones(2).register_hook(lambda g: g))
tr(lambda: y.register_post_accumulate_grad_hook(lambda p: None))
z = x * 2
z.register_hook(lambda g: torch.ones(3))
tr(lambda: z.sum().backward())
z = x * 2
z.register_hook(lambda g: 3)
tr(lambda: z.sum().backward())

x = torch.tensor([1.0, -3.0], requires_grad=True)
x.register_hook(lambda g: torch.clamp(g, -1, 1))
(x**3).sum().backward()
print(x.grad)
with torch.no_grad():
    x.grad.zero_()
x.grad.data.fill_(7.0)
print(x.grad)
x.grad = None
print(x.grad)
