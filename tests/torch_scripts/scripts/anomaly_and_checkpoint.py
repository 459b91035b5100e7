"""Anomaly mode, checkpoints, threads, saved-tensor hooks."""

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
x=torch.tensor([0.,1.],requires_grad=True)
def go(f):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try: f(); print("ok")
        except RuntimeError as e: print("R", str(e)[str(e).index("Function"):][:60])
with torch.autograd.set_detect_anomaly(True): go(lambda: ((x-1).sqrt()*0).sum().backward())
with torch.autograd.detect_anomaly(): go(lambda: (x.sqrt()*0).sum().backward())
with torch.autograd.detect_anomaly(check_nan=False): go(lambda: (x.sqrt()*0).sum().backward())
print(torch.is_anomaly_enabled() , torch.is_anomaly_check_nan_enabled())
torch.autograd.set_detect_anomaly(True); print(torch.is_anomaly_enabled()); go(lambda: (torch.log(x*0)*0).sum().backward()); torch.autograd.set_detect_anomaly(False); print(torch.is_anomaly_enabled())
with torch.autograd.detect_anomaly():
    print(torch.is_anomaly_enabled(), torch.is_anomaly_check_nan_enabled())
    with torch.autograd.set_detect_anomaly(False): print(torch.is_anomaly_enabled())
    with torch.autograd.set_detect_anomaly(True, False): print(torch.is_anomaly_check_nan_enabled())
    print(torch.is_anomaly_enabled())
with warnings.catch_warnings(record=True) as w:
    warnings.simplefilter("always")
    with torch.autograd.detect_anomaly(): pass
    print([(i.category.__name__, str(i.message)[:60]) for i in w])
with warnings.catch_warnings(record=True) as w:
    warnings.simplefilter("always")
    try:
        with torch.autograd.set_detect_anomaly(True): (x.sqrt()*0).sum().backward()
    except RuntimeError as e: print("returned nan values in its 0th output" in str(e))
    print(len(w), "Traceback of forward call" in str(w[0].message), str(w[0].message)[:30])
with torch.autograd.set_detect_anomaly(True): print(torch.autograd.grad((x*x).sum(),x), (x*x).grad_fn.metadata.keys())
torch.set_anomaly_enabled(True); print(torch.is_anomaly_enabled()); torch.set_anomaly_enabled(False)
class F2(torch.autograd.Function):
    @staticmethod
    def forward(ctx,x): return x*1
    @staticmethod
    def backward(ctx,g): raise ValueError("boom")
with warnings.catch_warnings(record=True) as w:
    warnings.simplefilter("always")
    with torch.autograd.set_detect_anomaly(True):
        try: F2.apply(x).sum().backward()
        except ValueError as e: print("VE", e)
    print(len(w), "F2Backward" in str(w[0].message))
with torch.autograd.set_detect_anomaly(True):
    go(lambda: torch.autograd.grad(torch.autograd.grad((x**1.5).sum(),x,create_graph=True)[0].sum()*0,x))

print(1)
x=torch.ones(3,requires_grad=True)
def f(a,b=None,*,k=1): return (a*2).sin()*k + (0 if b is None else b)
for r in (True,False):
    x.grad=None
    y=cp(f,x,use_reentrant=r); y.sum().backward(); print(x.grad, y.grad_fn is not None)
x.grad=None; cp(f,x,k=3,use_reentrant=False).sum().backward(); print(x.grad)
tr(lambda: cp(f,x,k=3,use_reentrant=True)); x.grad=None; cp(f,x,torch.ones(3),use_reentrant=True).sum().backward(); print(x.grad); x.grad=None; cp(f,x,5.0,use_reentrant=False).sum().backward(); print(x.grad)
tr(lambda: cp(f,x,use_reentrant=False,determinism_check="bad")); tr(lambda: cp(f,x,use_reentrant=True,debug=True)); tr(lambda: cp(f,x,use_reentrant=True,context_fn=lambda:(1,2)))
with warnings.catch_warnings(record=True) as w:
    warnings.simplefilter("always"); 
    try: cp(f,x)
    except Exception as e: print(type(e).__name__)
    print([(i.category.__name__, str(i.message)[:80]) for i in w])
with warnings.catch_warnings(record=True) as w:
    warnings.simplefilter("always"); y=cp(f,torch.ones(3),use_reentrant=True); print(y.requires_grad, [str(i.message)[:70] for i in w])
y=cp(f,torch.ones(3),use_reentrant=False); print(y.requires_grad)
with torch.no_grad(): print(cp(f,x,use_reentrant=False).requires_grad, cp(f,x,use_reentrant=True).requires_grad)
n=[0]
def g(a): n[0]+=1; return (a*a).exp().sum()
cp(g,x,use_reentrant=False).backward(); print(n); n[0]=0; y=cp(g,x,use_reentrant=False); y.backward(retain_graph=True); y.backward(); print(n)
y=cp(g,x,use_reentrant=False); y.backward(); tr(lambda: y.backward())
tr(lambda: cp(f)); tr(lambda: cp()); tr(lambda: cp(f,x,x,x,use_reentrant=False)); tr(lambda: cp(f,x,foo=1,use_reentrant=False))

print(2)
w=torch.ones(3,requires_grad=True); x=torch.ones(3,requires_grad=True)
def two(a): return a*w, (a*a), 5, None, "s"
o=cp(two,x,use_reentrant=False); print(len(o), o[2:]); (o[0].sum()+o[1].sum()).backward(); print(x.grad,w.grad)
def two2(a): return a*w, a*a
x.grad=w.grad=None; o=cp(two2,x,use_reentrant=True); print(type(o).__name__); o[1].sum().backward(); print(x.grad,w.grad)
x.grad=w.grad=None; tr(lambda: G(cp(two2,x,use_reentrant=True)[0].sum(),x)); print(G(cp(two2,x,use_reentrant=False)[0].sum(),[x,w]))
tr(lambda: cp(two2,x,use_reentrant=True)[0].sum().backward(inputs=[x]))
def d(a): return {"a":a*w,"b":[a*a]}
o=cp(d,x,use_reentrant=False); (o["a"]+o["b"][0]).sum().backward(); print(x.grad,w.grad)
h=lambda a: (a**3).sum()
(g,)=G(cp(h,x,use_reentrant=False),x,create_graph=True); print(g); print(G(g.sum(),x))
nest=lambda a: cp(lambda b: (b.sin()*w).exp(), a*2, use_reentrant=False).sum()
x.grad=w.grad=None; cp(nest,x,use_reentrant=False).backward(); print(x.grad,w.grad)
x.grad=w.grad=None; cp(lambda a: cp(lambda b: (b.sin()*w).exp(), a*2, use_reentrant=True).sum(),x,use_reentrant=True).backward(); print(x.grad,w.grad)
torch.manual_seed(0)
def dr(a): return (torch.rand(20)>0.5)*a*a
x=torch.ones(20,requires_grad=True)
for r in (True,False):
    x.grad=None; y=cp(dr,x,use_reentrant=r); y.sum().backward(); print(torch.equal((y>0),(x.grad>0)))
y=cp(dr,x,use_reentrant=False,preserve_rng_state=False); x.grad=None; y.sum().backward(); print(x.grad.shape)
tr(lambda: cp(lambda a: a.detach()*2, x, use_reentrant=True).sum().backward())

print(3)
import contextlib
x=torch.ones(2,requires_grad=True); L=[]
@contextlib.contextmanager
def c(n):
    L.append("in"+n); yield; L.append("out"+n)
y=cp(lambda a: (a*a).sum(), x, use_reentrant=False, context_fn=lambda: (c("f"),c("r"))); print(L); y.backward(); print(L[:3])
k=[0]
def ch(a):
    k[0]+=1
    return (a.sin().cos() if k[0]==1 else a.sin()).sum()
y=cp(ch,x,use_reentrant=False)
try: y.backward(); print('ok')
except Exception as e: print(type(e).__name__, isinstance(e,RuntimeError))
k[0]=0
def ch2(a):
    k[0]+=1
    return (a*torch.ones(2) if k[0]==1 else a[:1]*torch.ones(1)).sum()
y=cp(ch2,x,use_reentrant=False); 
try: y.backward(); print('ok')
except Exception as e: print([b.__name__ for b in type(e).__mro__ if b.__name__ in ('RuntimeError','CheckpointError')])
with torch.utils.checkpoint.set_checkpoint_early_stop(False):
    n=[0]
    def g(a):
        r=(a*a).sum(); n[0]+=1; return r
    cp(g,x,use_reentrant=False).backward(); print(n)
n=[0]; cp(g,x,use_reentrant=False).backward(); print(n)
n=[0]; cp(g,x,use_reentrant=False,early_stop=False).backward(); print(n)
m=nn.Sequential(nn.Linear(2,2),nn.ReLU(),nn.Linear(2,2),nn.Tanh()); 
i=torch.ones(1,2,requires_grad=True); y=torch.utils.checkpoint.checkpoint_sequential(m,2,i,use_reentrant=False); y.sum().backward(); print(i.grad.shape, m[0].weight.grad.shape)
a=i.grad.clone(); i.grad=None; m(i).sum().backward(); print(torch.allclose(a,i.grad))
def inp(a): 
    b=a*1; b.mul_(2); return b.sum()
x.grad=None; cp(inp,x,use_reentrant=False).backward(); print(x.grad)
def err(a): raise ValueError("in fn")
tr(lambda: cp(err,x,use_reentrant=False)); tr(lambda: cp(err,x,use_reentrant=True))
print(torch.utils.checkpoint.noop_context_fn() is not None)
mm=nn.Linear(2,2); x.grad=None; cp(mm,torch.ones(1,2),use_reentrant=False).sum().backward(); print(mm.weight.grad)
mm.zero_grad(); tr(lambda: cp(mm,torch.ones(1,2),use_reentrant=True).sum().backward()); print(mm.weight.grad)

print(4)
# threads
import threading
x=torch.ones(100,requires_grad=True)
def work():
    for _ in range(50): (x*2).sum().backward()
ts=[threading.Thread(target=work) for _ in range(4)]; [t.start() for t in ts]; [t.join() for t in ts]; print(x.grad[0])
e=[]
def bad():
    try: torch.ones(1).backward()
    except RuntimeError: e.append(1)
t=threading.Thread(target=bad); t.start(); t.join(); print(e)
y=torch.ones(1,requires_grad=True); z=y
for _ in range(20000): z=z+1
z.backward(); print(y.grad); del z
x=[torch.ones(1,requires_grad=True) for _ in range(2000)]; torch.stack(x).sum().backward(); print(x[5].grad)
import weakref,gc
gc.disable(); a=torch.ones(2,requires_grad=True); b=a*2; r=weakref.ref(b); c=b.sum(); del b; print(r() is None); c.backward(); gc.enable()

print(5)
st=torch.autograd.graph.saved_tensors_hooks
x=torch.ones(3,requires_grad=True); L=[]
with st(lambda t: (L.append(tuple(t.shape)), t)[1], lambda t: t): y=(x*x).exp().sum()
print(L); y.backward(); print(x.grad)
with st(lambda t: t.numpy() if False else t.detach().clone(), lambda t: t): (x**2).sum().backward()
tr(lambda: st(1,2).__enter__()); tr(lambda: st(lambda t:t))
with st(lambda t: t, lambda t: 3): y=(x*x).sum()
tr(lambda: y.backward())
with torch.autograd.graph.disable_saved_tensors_hooks("nope"):
    try:
        with st(lambda t:t, lambda t:t): pass
    except RuntimeError as e: print(e)
with torch.autograd.graph.save_on_cpu(): y=(x*x).sum()
y.backward()
with torch.autograd.graph.save_on_cpu(pin_memory=False): y=(x*x).sum()
y.backward(); print(x.grad)
y=x.exp(); print(y.grad_fn._saved_result.shape, y.grad_fn._raw_saved_result is not None); s=y.grad_fn._raw_saved_result; tr(lambda: s.register_hooks(lambda t:t, lambda t:t)); tr(lambda: s.register_hooks(lambda t:t, lambda t:t)); y.sum().backward(); tr(lambda: y.grad_fn._saved_result)
with st(lambda t:t, lambda t:t):
    with st(lambda t: t*2, lambda t:t): z=(x*x).sum()
x.grad=None; z.backward(); print(x.grad)
def badpack(t): raise ValueError("p")
def f():
    with st(badpack, lambda t:t): return x*x
tr(f)
tr(lambda: (x*x).sum().backward())
with torch.autograd.graph.allow_mutation_on_saved_tensors():
    a=torch.ones(2,requires_grad=True); b=a*1; c=b*b; b.mul_(2); c.sum().backward(); print(a.grad)
