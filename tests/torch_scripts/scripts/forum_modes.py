"""Grad modes as blocks, decorators and functions, also around generators."""

import torch


@torch.no_grad()
def f(x):
    return x * 2


class M:
    @torch.enable_grad()
    def g(self, x):
        return x * 2


x = torch.ones(1, requires_grad=True)
print(f(x).requires_grad, torch.is_grad_enabled(), f.__name__)
with torch.no_grad():
    print(M().g(x).requires_grad)
    print((x * 2).requires_grad, x.requires_grad)
with torch.set_grad_enabled(False):
    print((x * 2).requires_grad)


@torch.no_grad()
def gen():
    for _ in range(2):
        yield torch.is_grad_enabled()


for v in gen():
    print(v, torch.is_grad_enabled())
torch.set_grad_enabled(False)
print(torch.is_grad_enabled())
torch.set_grad_enabled(True)


@torch.set_grad_enabled(False)
def h(x):
    return (x * 2).requires_grad


print(h(x))
