import copy
import pickle
import weakref

import torch


def attempt(function):
    try:
        print("value", function())
    except Exception as error:
        print("error", next(c.__name__ for c in type(error).__mro__ if c.__module__ == "builtins"))


def pickled(value, protocol=4):
    return pickle.loads(pickle.dumps(value, protocol))


x = torch.arange(6.0).reshape(2, 3).requires_grad_()
for protocol in range(2, 6):
    u = pickled(x, protocol)
    print(u, u.requires_grad, u.is_leaf, u.grad, type(u))
print(pickled(x * 2), pickled(torch.tensor(3.5)), pickled(torch.empty(0, 3)), pickled(torch.tensor([1 + 2j])))
for d in (torch.float32, torch.int64, torch.bool, torch.complex64):
    print(pickled(d) is d, copy.copy(d) is d, copy.deepcopy(d) is d)
print(pickled(torch.Size([2, 3])), copy.deepcopy(torch.Size([2])), pickled(torch.device("cpu")))
t = torch.zeros(4)
a, b = copy.deepcopy((t, t[1:3]))
b.fill_(5)
print(a, b, t)
a, b = copy.deepcopy([t, t])
print(a is b)
for view in (torch.zeros(2, 3).t(), torch.zeros(1, 3).expand(2, 3)):
    print(copy.deepcopy(view).stride(), pickled(view).stride())
y = torch.tensor([1.0, 2.0], requires_grad=True)
attempt(lambda: copy.deepcopy(y * 2))
attempt(lambda: copy.deepcopy({"a": [y[:1]]}))
attempt(lambda: copy.deepcopy((y * 2).detach()))
attempt(lambda: copy.copy(y * 2))
y.sum().backward()
z = copy.deepcopy(y)
z.grad[0] = 5
print(y.grad, z.grad, copy.copy(y).grad, copy.copy(y).is_leaf)
y.register_hook(lambda g: g * 10)
z = copy.deepcopy(y)
z.grad = None
z.sum().backward()
print(z.grad)
p = torch.nn.Parameter(torch.ones(2))
p.tag = "a"
(p * 2).sum().backward()
q = copy.deepcopy(p)
print(type(q), isinstance(q, torch.nn.Parameter), getattr(q, "tag", None), q.grad, q)
print(copy.copy(p), pickled(p), type(pickled(p)), type(p * 2), type(p.data), [type(v).__name__ for v in torch.nn.Linear(1, 1).parameters()])
m = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.ReLU())
m[0].weight.requires_grad_(False)
n = copy.deepcopy(m)
print(n, [v.requires_grad for v in n.parameters()], n[0].weight is m[0].weight, torch.equal(n[0].weight, m[0].weight))
o = torch.optim.SGD(m[0].parameters(), lr=0.1)
m2, o2 = copy.deepcopy((m, o))
print(o2.param_groups[0]["params"][0] is m2[0].weight)
g = torch.Generator().manual_seed(5)
h = pickled(g)
print(h.initial_seed(), torch.equal(torch.rand(3, generator=g), torch.rand(3, generator=h)))
r = weakref.ref(t)
d = {t: 1, y: 2}
print(r() is t, d[t], t in d, torch.zeros(4) in d, hash(t) == id(t))


class Marked(torch.Tensor):
    pass


s = torch.ones(2).as_subclass(Marked)
print(s, type(s + 1).__name__, type(torch.ones(2) + s).__name__, type(s.sum()).__name__, type(s.detach()).__name__, type(s[0]).__name__)
attempt(lambda: torch.nn.Parameter(torch.tensor([1, 2])))
attempt(lambda: torch.nn.Parameter([1.0]))
attempt(lambda: f"{torch.nn.Parameter(torch.tensor(1.5)):.2f}")
