import torch
from torch.autograd.graph import GradientEdge, Node, get_gradient_edge, increment_version, register_multi_grad_hook


def attempt(function):
    try:
        print("value", function())
    except Exception as error:
        print("error", next(c.__name__ for c in type(error).__mro__ if c.__module__ == "builtins"))


x = torch.tensor([1.0, 2.0], requires_grad=True)
y = x * 2
leaf, edge = get_gradient_edge(x), get_gradient_edge(y)
print(leaf, edge, isinstance(edge.node, Node), isinstance(edge, GradientEdge), edge.node is y.grad_fn)
print(torch.autograd.grad(y.sum(), edge, retain_graph=True))
print(torch.autograd.grad(y.sum(), [leaf, x, edge], retain_graph=True))
attempt(lambda: torch.autograd.grad(edge, [leaf], retain_graph=True))
print(torch.autograd.grad(edge, [leaf], grad_outputs=torch.ones(2), retain_graph=True))
torch.autograd.backward(edge, torch.ones(2), retain_graph=True, inputs=[leaf])
print(x.grad)
torch.autograd.backward([edge], [torch.ones(2)], retain_graph=True)
print(x.grad)
pieces = torch.split(x * 1, 1)
print(get_gradient_edge(pieces[1])[1], torch.autograd.grad(get_gradient_edge(pieces[1]), x, torch.ones(1)))
attempt(lambda: get_gradient_edge(torch.ones(2)))
attempt(lambda: get_gradient_edge(3))
attempt(lambda: torch.autograd.backward(3))

a, b, c = (torch.ones(2, requires_grad=True) for _ in range(3))
every = register_multi_grad_hook((a, b, c), lambda grads: print("all", grads))
first = register_multi_grad_hook((a, b, c), lambda grad: print("any", grad), mode="any")
(a * b * 2).sum().backward()
(a * b * c).sum().backward()
d = (a * b).exp()
e = d * c
with register_multi_grad_hook((d, e), lambda grads: print("inner", grads)):
    e.sum().backward()
every.remove()
first.remove()
(a * b).sum().backward()
attempt(lambda: register_multi_grad_hook((a,), print, mode="other"))
attempt(lambda: register_multi_grad_hook((torch.ones(1),), print))
increment_version(torch.ones(2))
t = torch.ones(2)
u = torch.ones(2)
increment_version([t, u])
print(t._version, u._version)
f = a * 2
g = f * f
increment_version(f)
attempt(lambda: g.sum().backward())

# hooks of steps and leaves see whether the backward is recorded
a.grad = None
h = a * 2
h.grad_fn.register_prehook(lambda grads: print("before", grads, torch.is_grad_enabled()))
h.grad_fn.register_hook(lambda given, grads: print("after", given[0], grads, torch.is_grad_enabled()))
h.register_hook(lambda grad: print("tensor", grad, torch.is_grad_enabled()))
removed = a.register_post_accumulate_grad_hook(lambda t: print("accumulated", t.grad, torch.is_grad_enabled()))
h.sum().backward(retain_graph=True)
removed.remove()
h.sum().backward()
attempt(lambda: (a * 2).register_post_accumulate_grad_hook(print))
h.grad_fn.metadata["mine"] = 3
print(h.grad_fn.metadata)

# the order of a leaf's hooks, and of the leaves
leaves = {name: torch.ones(2, requires_grad=True) for name in "xwb"}
for name, t in leaves.items():
    t.register_hook(lambda grad, name=name: print(name, grad))
y = leaves["x"] * leaves["w"] + leaves["b"]
y.register_hook(lambda grad: print("y", grad))
z = y * 2 * leaves["w"]
z.register_hook(lambda grad: print("z", grad))
z.sum().backward()
x = torch.ones(2, requires_grad=True)
step = get_gradient_edge(x).node
step.register_prehook(lambda grads: print("before", grads))
step.register_hook(lambda given, grads: print("after", given, grads))
x.register_hook(lambda grad: print("tensor", grad))
x.register_post_accumulate_grad_hook(lambda t: print("accumulated", t.grad))
(x * 3).sum().backward()
print(step.name(), step.next_functions, step.variable is x)
