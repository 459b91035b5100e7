"""Checkpoints that differ, saved attributes, backward inside backward."""

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
a=torch.ones(2,requires_grad=True)
def nd(f,g):
    k=[0]
    def fn(x):
        k[0]+=1; return f(x) if k[0]==1 else g(x)
    return fn
s3=lambda x: x.sin().exp().sin().sum(); s2=lambda x: x.sin().exp().sum(); alt=lambda x: (x.sin()*torch.tensor([[1.,2.],[3.,4.]])).sum()
def go(f,**k):
    try: cp(f,a,use_reentrant=False,**k).backward(); print("ok")
    except RuntimeError as e: print([t for t in ("A different number of tensors was saved","trying to save more tensors during recomputation","different metadata") if t in str(e)])
go(nd(s3,s2))
with torch.utils.checkpoint.set_checkpoint_early_stop(False): go(nd(s2,s3))
go(nd(s2,s3)); go(nd(s2,alt))

print(1)
n=[0]
def foo(a):
    n[0]+=1; b=a*a; c=a*b; return torch.exp(a)
a=torch.randn(5,requires_grad=True); d=cp(foo,a,use_reentrant=False); print(n); d.grad_fn._saved_result; print(n); d.grad_fn._saved_result; print(n); d.sum().backward(); print(n); tr(lambda: d.grad_fn._saved_result)
w=torch.randn(3,3,requires_grad=True); c=[0]
def hook(g): c[0]+=1
w.register_hook(hook); x=torch.rand(3,3,requires_grad=True); o=cp(lambda x: w*x, w*x, use_reentrant=False); o.sum().backward(); print(c)
class T(torch.autograd.Function):
    @staticmethod
    def forward(ctx,x,y): ctx.save_for_backward(y); return x*1
    @staticmethod
    def backward(ctx,g): B.append(ctx.saved_tensors[0]); return g,None
B=[]; a=torch.tensor(1.,requires_grad=True); b=torch.tensor(1.); T.apply(a,b).backward(); print(B[0] is b)
a=torch.randn(2,2,requires_grad=True); tr(lambda: G(cp(torch.exp,a,use_reentrant=True).sum(),(a,))); cp(torch.exp,a,use_reentrant=True).sum().backward(); print(a.grad is not None)
def ng(x):
    with torch.no_grad(): return x*2
for r in (True,False):
    def run():
        o=cp(ng,a,use_reentrant=r); o=o+a; o.sum().backward()
    tr(run)
inp={"t":torch.randn(2,2,requires_grad=True)}; lin=nn.Linear(2,2)
o=cp(lambda d: {"r":lin(d["t"])}, inp, use_reentrant=False)["r"].sum(); o.backward(); print(inp["t"].grad.shape)

print(2)
class Deep(torch.autograd.Function):
    @staticmethod
    def forward(ctx,x):
        with torch.enable_grad():
            ctx.x=torch.autograd.Variable(x.detach(),requires_grad=True); ctx.x=ctx.x-1
        return ctx.x.detach()
    @staticmethod
    def backward(ctx,g):
        if ctx.x<0: return g
        with torch.enable_grad(): Deep.apply(ctx.x).sum().backward()
        return g
v=torch.tensor(30.,requires_grad=True); Deep.apply(v).sum().backward(); print(v.grad)
h=None
p=torch.ones(3,requires_grad=True)
def pen(grad):
    h.remove(); old=grad; p.grad=None
    with torch.enable_grad():
        g=grad.detach().requires_grad_(); n=p.detach().requires_grad_(); o=((g*2)+n).sum(); o.backward()
    r=g.grad+grad; p.grad=old; return r
h=p.register_hook(pen); (p*p).sum().backward(); print(p.grad)
p=torch.ones(3,requires_grad=True); t=p*p
def man(grad):
    h.remove()
    with torch.enable_grad():
        g=grad.detach().requires_grad_(); ((g*2)+5).sum().backward()
    return g.grad+grad
h=t.register_hook(man); t.sum().backward(); print(p.grad)

print(3)
a=torch.ones(1,requires_grad=True); b=torch.zeros(1,requires_grad=True); o1=torch.stack([a,b],dim=0); o2=(a*2)*b
print(o2.grad_fn._saved_self, o1.grad_fn._saved_dim); o2.sum().backward(); tr(lambda: o2.grad_fn._saved_self); print(o1.grad_fn._saved_dim)
a=torch.ones(2,2,requires_grad=True); i=torch.tensor([0,1]); o=a[:,i]; 
print(a.mean().grad_fn._saved_self_sym_sizes, a.sum().grad_fn._saved_self_sym_sizes)
o=a*a; o.grad_fn._raw_saved_self.register_hooks(lambda x:x, lambda x:x); o.sum().backward(); tr(lambda: o.grad_fn._raw_saved_self.register_hooks(lambda x:x,lambda x:x))
y=a.sum(1); print(y.grad_fn._saved_dim, y.grad_fn._saved_keepdim)
x=torch.randn(1,2); v0=x._version; x.add_(1).add_(1); print(x._version); z=x[:]; z.add_(1); print(x._version==z._version); 
a=torch.tensor(1.,requires_grad=True); a.data=torch.tensor(2.); tr(lambda: setattr(a,'data',torch.tensor(3)))
b=torch.randn(1,2); i=id(b); b.data=torch.randn(1,2); print(i==id(b))

print(4)
ms=[nn.Linear(3,3) for _ in range(4)]; a=torch.randn(3,requires_grad=True); s=torch.utils.checkpoint.checkpoint_sequential
print(s(ms,2,a,use_reentrant=False).shape); print(s(nn.Sequential(*ms),4,a,use_reentrant=True).shape); tr(lambda: s(ms,2,a,use_reentrant=False,foo=1));
with warnings.catch_warnings(record=True) as w:
    warnings.simplefilter("always"); s(ms,3,a); print(len(w)>0 and "use_reentrant" in str(w[0].message))
x=torch.ones(2,requires_grad=True)
y=cp(lambda t: t.sin(), x, use_reentrant=False); z=cp(lambda t: t.cos(), y, use_reentrant=False); z.sum().backward(); print(x.grad)
l=[]; 
f=lambda t: (l.append(torch.is_grad_enabled()), t*2)[1]
cp(f,x,use_reentrant=True).sum().backward(); cp(f,x,use_reentrant=False).sum().backward(); print(l)
cp(lambda *t: sum(t), x, x*2, use_reentrant=False).sum().backward(); x.grad=None; cp(lambda *t: sum(t), x, x*2, use_reentrant=True).sum().backward(); print(x.grad)
o=cp(lambda t: (t, t*2), x, use_reentrant=False); print(o[0] is x)
o=cp(lambda t: (t, t*2), x, use_reentrant=True); x.grad=None; (o[0]+o[1]).sum().backward(); print(x.grad)
m=nn.Sequential(nn.Linear(2,2)); m.eval(); print(cp(m,x,use_reentrant=False).shape)
j=torch.autograd.functional.jacobian(lambda t: cp(lambda u: u.sin()*u, t, use_reentrant=False), x); print(j)
