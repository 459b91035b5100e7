"""Grad modes as blocks, functions and decorators."""

import warnings

import numpy as np

import torch
import torch.nn as nn
import torch.nn.functional as F

warnings.simplefilter("ignore")
G = torch.autograd.grad
cp = torch.utils.checkpoint.checkpoint
BUILTIN = ("RuntimeError", "TypeError", "ValueError", "IndexError", "AttributeError", "AssertionError", "NotImplementedError")


def tr(f):
    try:
        print(f())
    except Exception as e:
        print(next(b.__name__ for b in type(e).__mro__ if b.__name__ in BUILTIN))


print(0)
import threading
@torch.no_grad()
def f(x): return x*2
@torch.enable_grad()
def g(x): return x*2
@torch.set_grad_enabled(False)
def h(x): return x*2
@torch.set_grad_enabled(mode=True)
def k(x): return x*2
x=torch.ones(1,requires_grad=True)
print([t(x).requires_grad for t in (f,g,h,k)])
with torch.no_grad(): print([t(x).requires_grad for t in (f,g,h,k)])
class M:
    @torch.no_grad()
    def a(self,x): return x*2
    @staticmethod
    @torch.no_grad()
    def b(x): return x*2
    @classmethod
    @torch.no_grad()
    def c(cls,x): return x*2
m=M(); print(m.a(x).requires_grad, m.b(x).requires_grad, m.c(x).requires_grad)
l=[]
with torch.no_grad():
    t=threading.Thread(target=lambda: l.append(torch.is_grad_enabled())); t.start(); t.join()
print(l)

print(1)
@torch.no_grad()
def gen():
    try:
        while True:
            r = yield torch.is_grad_enabled()
            print("got", r, torch.is_grad_enabled())
    finally:
        print("fin", torch.is_grad_enabled())
g=gen(); print(next(g), torch.is_grad_enabled()); print(g.send(5)); print(torch.is_grad_enabled()); g.close(); print(torch.is_grad_enabled())
@torch.enable_grad()
def gen2():
    yield torch.is_grad_enabled()
    try:
        yield 2
    except ValueError as e:
        print("caught", e, torch.is_grad_enabled()); yield 3
    return 9
def outer():
    r = yield from gen2()
    print("ret", r)
with torch.no_grad():
    g=outer(); print(next(g)); print(torch.is_grad_enabled()); print(next(g)); print(g.throw(ValueError("x"))); 
    try: next(g)
    except StopIteration: print("stop")
    print(torch.is_grad_enabled())
@torch.no_grad()
def gen3():
    yield 1
    raise KeyError("k")
g=gen3(); next(g)
try: next(g)
except KeyError: print("KE", torch.is_grad_enabled())

print(2)
import inspect, asyncio
@torch.no_grad()
async def co():
    return torch.is_grad_enabled()
print(asyncio.run(co()))
@torch.no_grad
def f(): return torch.is_grad_enabled()
print(f(), f.__name__)
with torch.no_grad() as c: print(c)
with torch.enable_grad() as c: print(c)
with torch.set_grad_enabled(False) as c: print(c)
print(torch.is_grad_enabled())
import warnings
with warnings.catch_warnings(record=True) as w:
    warnings.simplefilter("always")
    @torch.no_grad()
    class A:
        def __init__(self): self.g=torch.is_grad_enabled()
        def m(self): return torch.is_grad_enabled()
    print([x.category.__name__ for x in w])
a=A(); print(a.g, a.m())

print(3)
p=torch.set_grad_enabled(False); print(torch.is_grad_enabled()); torch.set_grad_enabled(True); print(torch.is_grad_enabled())
a=torch.no_grad(); b=torch.no_grad()
with a:
    print(torch.is_grad_enabled())
print(torch.is_grad_enabled())
try:
    with torch.no_grad(): raise ValueError
except ValueError: print(torch.is_grad_enabled())
print(torch.autograd.grad_mode.no_grad is torch.no_grad, torch.autograd.no_grad is torch.no_grad, torch.autograd.grad_mode.set_grad_enabled is torch.set_grad_enabled, torch.autograd.inference_mode is torch.inference_mode, torch.autograd.grad_mode.inference_mode is torch.inference_mode)
with torch.autograd.set_multithreading_enabled(False): print(torch.autograd.grad_mode.is_grad_enabled() if hasattr(torch.autograd.grad_mode,'is_grad_enabled') else True)
with torch.autograd.grad_mode.set_multithreading_enabled(True): pass
torch.autograd.set_multithreading_enabled(True)
print(torch.set_grad_enabled(True))
x=torch.ones(1,requires_grad=True)
with torch.autograd.graph.disable_saved_tensors_hooks("no"): print((x*2).requires_grad)
with torch.autograd._force_original_view_tracking(False): print(x.view(1).requires_grad)
with torch.autograd.grad_mode._force_original_view_tracking(True): print(x.view(1).requires_grad)

print(4)
record_function=torch.autograd.profiler.record_function
with record_function("a"):
    print(torch.ones(2).sum())
@record_function("f")
def f(): return 1
print(f())
with torch.autograd.profiler.record_function("b"): pass

print(5)
x=torch.ones(2,requires_grad=True)
with torch.no_grad():
    y=x*2; print(y.requires_grad, y.is_leaf, y.grad_fn)
    z=torch.ones(2,requires_grad=True); print(z.requires_grad)
    y.requires_grad_(); print(y.requires_grad)
    x.add_(1); print(x)
    x.data.mul_(2)
    with torch.enable_grad(): w=x*2; print(w.requires_grad)
    print(x.view(2).requires_grad, x[0].requires_grad, x.numpy())
    p=nn.Parameter(torch.ones(2)); print(p.requires_grad)
w.sum().backward(); print(x.grad)
print(x.detach().requires_grad, x.data.requires_grad, x.detach().is_leaf)

print(6)
with torch.no_grad():
    def f():
        with torch.enable_grad(): return torch.is_grad_enabled()
    print(f(), torch.is_grad_enabled())
def g():
    with torch.no_grad(): yield torch.is_grad_enabled()
for v in g(): print(v, torch.is_grad_enabled())
print(torch.is_grad_enabled())
@torch.no_grad()
def rec(n): return torch.is_grad_enabled() if n==0 else rec(n-1)
print(rec(3))
print(torch.no_grad()(lambda: torch.is_grad_enabled())())
import functools
print(functools.partial(torch.no_grad()(lambda a: a), 3)())

print(7)
@torch.no_grad()
def f():
    "doc"
    return 1
print(f.__name__, f.__doc__, f.__wrapped__ is not None, callable(f))
try: torch.set_grad_enabled("a"); print(torch.is_grad_enabled())
except TypeError: print("TE")
torch.set_grad_enabled(True)
try: torch.set_grad_enabled()
except TypeError: print("TE")
try: torch.no_grad(3)
except TypeError: print("TE")
