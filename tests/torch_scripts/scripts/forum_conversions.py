"""NumPy arrays, copies and pickles of tensors that require grad."""

import copy
import pickle

import numpy as np
import torch


def tr(act):
    try:
        print("ok", act())
    except Exception as e:
        print("raises", next(c.__name__ for c in type(e).__mro__ if c.__module__ == "builtins"))


x = torch.ones(2, requires_grad=True)
tr(lambda: x.numpy())
print(x.detach().numpy(), x.detach().numpy() is None)
a = np.array([1.0, 2.0])
t = torch.from_numpy(a)
a[0] = 5
print(t, t.dtype)
t.mul_(2)
print(a)
tr(lambda: np.array(x))
print(np.add(t, 1), type(np.add(t, 1)).__name__)
print(np.sqrt(t.numpy()), float(t[0]), t.tolist(), t.sum().item())
tr(lambda: torch.from_numpy([1]))
print(torch.tensor(np.float64(3.0)).dtype, torch.tensor(np.array([1, 2])).dtype)
print(np.asarray(t).dtype, t.__array__().shape, x.detach().numpy(force=True), x.numpy(force=True))

x = torch.ones(2, requires_grad=True)
(x * 2).sum().backward()
c = copy.deepcopy(x)
print(c, c.grad, c.is_leaf, c is x)
tr(lambda: copy.deepcopy(x * 2))
s = copy.copy(x)
print(s, s is x)
p = pickle.loads(pickle.dumps(x))
print(p, p.grad)
n = torch.nn.Linear(2, 1)
m = copy.deepcopy(n)
print(torch.equal(m.weight, n.weight), m.weight is n.weight)
