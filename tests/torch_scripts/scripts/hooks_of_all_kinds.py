"""Hooks on tensors, leaves and steps: order, replacement, removal, errors."""

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
L=[]
x=torch.tensor([1.,2.],requires_grad=True); y=x*2
y.register_hook(lambda g: L.append(('y1',g.tolist()))); y.register_hook(lambda g: g*2); y.register_hook(lambda g: L.append(('y2',g.tolist())))
x.register_hook(lambda g: L.append(('x',g.tolist())))
y.sum().backward(); print(L, x.grad)
h=y.register_hook(lambda g:g) if False else None
a=torch.ones(2,requires_grad=True); h=a.register_hook(lambda g: g*10); a.sum().backward(); print(a.grad); h.remove(); h.remove(); a.sum().backward(); print(a.grad)
with a.register_hook(lambda g: g*0) as hh: a.sum().backward(); print(a.grad, type(hh).__name__)
a.sum().backward(); print(a.grad)
tr(lambda: torch.ones(1).register_hook(lambda g:g))
a.grad=None
h1=None
def f(g):
    h1.remove(); L.append('f'); return g*2
L=[]; h1=a.register_hook(f); a.sum().backward(); a.sum().backward(); print(L, a.grad)

print(1)
x=torch.ones(2,requires_grad=True)
for ret in ("g.sum()","g.double()","3","g.tolist()","None","g[:1]","g*2","np.ones(2)","torch.ones(2,1)","(g,)","g.int()","True"):
    y=x*2; y.register_hook(lambda g: eval(ret,{'g':g,'np':np,'torch':torch})); x.grad=None
    try: y.sum().backward(); print(ret, x.grad)
    except Exception as e: print(ret, "EXC", [b.__name__ for b in type(e).__mro__ if b.__name__ in ("RuntimeError","TypeError","ValueError")][0])
for ret in ("g.sum()","g.double()","3","None","g*2"):
    z=torch.ones(2,requires_grad=True); z.register_hook(lambda g: eval(ret,{'g':g,'torch':torch}))
    try: (z*1).sum().backward(); print(ret, z.grad)
    except Exception as e: print(ret, "EXC", [b.__name__ for b in type(e).__mro__ if b.__name__ in ("RuntimeError","TypeError","ValueError")][0])

print(2)
L=[]
x=torch.ones(2,requires_grad=True); y=x*2; y.retain_grad(); y.register_hook(lambda g: g*3); y.sum().backward(); print(y.grad, x.grad)
x.grad=None; y=x*2; y.register_hook(lambda g: g*3); y.retain_grad(); y.register_hook(lambda g:g*2); y.sum().backward(); print(y.grad, x.grad)
x.grad=None; y=x*2; y.register_hook(lambda g: L.append('old')); y.mul_(3); y.register_hook(lambda g: L.append('new')); y.sum().backward(); print(L, x.grad)
x.grad=None; y=x*2; v=y[0]; v.register_hook(lambda g: L.append(('v',g.item()))); (y.sum()+v).backward(); print(L, x.grad)
L.clear(); x.grad=None; x.register_hook(lambda g: L.append(g.tolist())); (x*2+x*3).sum().backward(); print(L)
L.clear(); torch.autograd.grad((x*2).sum(),x); print(L)
L.clear(); y=x*2; z=y*3; y.register_hook(lambda g: L.append('y')); torch.autograd.grad(z.sum(),y); print(L)
L.clear(); torch.autograd.grad((x*2).sum(),x,create_graph=True); print(L)

print(3)
x=torch.ones(2,requires_grad=True); y=x**3
y.register_hook(lambda g: g*x)
(gx,)=torch.autograd.grad(y.sum(),x,create_graph=True); print(gx); print(torch.autograd.grad(gx.sum(),x))
x=torch.ones(2,requires_grad=True); L=[]
x.register_hook(lambda g: L.append((g.requires_grad, torch.is_grad_enabled())))
(x**2).sum().backward(); (x**2).sum().backward(create_graph=True); print(L)

print(4)
L=[]
x=torch.ones(2,requires_grad=True)
x.register_post_accumulate_grad_hook(lambda t: L.append((t is x, t.grad.tolist(), torch.is_grad_enabled())))
(x*2).sum().backward(); (x*2).sum().backward(); print(L)
y=x*2; tr(lambda: y.register_post_accumulate_grad_hook(lambda t: None)); tr(lambda: torch.ones(1).register_post_accumulate_grad_hook(lambda t: None))
w=torch.ones(2,requires_grad=True)
def step(t):
    with torch.no_grad(): t.sub_(t.grad); t.grad=None
h=w.register_post_accumulate_grad_hook(step); (w*3).sum().backward(); print(w, w.grad); h.remove(); (w*3).sum().backward(); print(w.grad)
b=torch.ones(2,requires_grad=True); b.register_post_accumulate_grad_hook(lambda t: t.grad); tr(lambda: b.sum().backward())
c=torch.ones(2,requires_grad=True); c.register_post_accumulate_grad_hook(lambda t: t.sub_(t.grad)); c.register_post_accumulate_grad_hook(lambda t: t.mul_(4.)); tr(lambda: c.sum().backward()); print(c)
d=torch.ones(2,requires_grad=True); 
def bad(t): raise KeyError("k")
d.register_post_accumulate_grad_hook(bad); tr(lambda: 0) 
try: d.sum().backward()
except KeyError: print("KE", d.grad)
print(torch.autograd.grad(w.sum(),w)); L.clear(); torch.autograd.grad(x.sum(),x); print(L)

print(5)
L=[]
x=torch.tensor(1.,requires_grad=True); b=x.clone()
b.grad_fn.register_prehook(lambda gs: (L.append('pre'), tuple(g*2 for g in gs))[1])
b.register_hook(lambda g: (L.append('t'), g*3)[1])
b.grad_fn.register_hook(lambda gi,go: L.append(('post',[None if g is None else g.item() for g in gi],[g.item() for g in go])))
acc=b.grad_fn.next_functions[0][0]
x.register_hook(lambda g: L.append('x')); acc.register_prehook(lambda gs: (L.append('accpre'), (gs[0]/5,))[1])
x.register_post_accumulate_grad_hook(lambda t: L.append('pacc')); acc.register_hook(lambda gi,go: L.append(('accpost', len(gi), go[0].item())))
b.backward(retain_graph=True); print(L, x.grad)
L.clear(); torch.autograd.grad(b,x,retain_graph=True); print(L)
b.backward(inputs=[b],retain_graph=True); print(b.grad)
L.clear(); b.backward(inputs=[x],retain_graph=True); print(L, x.grad)

print(6)
x=torch.ones(2,requires_grad=True); y=x*2
y.grad_fn.register_hook(lambda gi,go: (gi[0]*5,None)); y.sum().backward(); print(x.grad)
for ret in ("(gi[0],)","3","gi[0]","(gi[0],None,None)","[gi[0],None]","(gi[0].sum(),None)","None","(None,None)","(3,None)"):
    x.grad=None; y=x*2; y.grad_fn.register_hook(lambda gi,go: eval(ret,{'gi':gi,'go':go}))
    try: y.sum().backward(); print(ret, x.grad)
    except Exception as e: print(ret, "EXC", [b.__name__ for b in type(e).__mro__ if b.__name__ in ("RuntimeError","TypeError","ValueError")][0])
for ret in ("(go[0]*2,)","3","go[0]","(go[0],None)","[go[0]]","None","(go[0].sum(),)","(None,)"):
    x.grad=None; y=x*2; y.grad_fn.register_prehook(lambda go: eval(ret,{'go':go}))
    try: y.sum().backward(); print(ret, x.grad)
    except Exception as e: print(ret, "EXC", [b.__name__ for b in type(e).__mro__ if b.__name__ in ("RuntimeError","TypeError","ValueError")][0])
a=torch.ones(3,requires_grad=True); v,i=a.max(0); L=[]; v.grad_fn.register_hook(lambda gi,go: L.append((len(gi),len(go)))); v.backward(); print(L)

print(7)
mg=torch.autograd.graph.register_multi_grad_hook
a=torch.ones(2,requires_grad=True); b=torch.ones(2,requires_grad=True); c=torch.ones(2,requires_grad=True); L=[]
h=mg((a,b,c),lambda gs: L.append([None if g is None else g.tolist() for g in gs])); (a*2+b*3).sum().backward(); print(L); (a*b*c).sum().backward(); print(L); h.remove(); a.sum().backward(); print(len(L))
L=[]; h=mg((a,b),lambda g: L.append(g.tolist()),mode="any"); (a*2+b*3).sum().backward(); print(len(L)); (b*3).sum().backward(); print(L[1:]); h.remove()
tr(lambda: mg((a,torch.ones(1)),lambda g:0)); tr(lambda: mg((a,),lambda g:0,mode="x"));  print(type(h).__name__)
L=[]; y=a*2; h=mg([a,y],lambda gs: L.append(len(gs))); y.sum().backward(); print(L)
L=[]; h=mg((a,b),lambda gs: L.append(1)); 
try:
    def boom(g): raise ValueError
    hb=b.register_hook(boom); (a+b).sum().backward()
except ValueError: print('VE', L)
hb.remove(); (a+b).sum().backward(); print(L)

print(8)
import copy, pickle
x=torch.ones(2,requires_grad=True); L=[]
x.register_hook(lambda g: L.append(1)); y=copy.deepcopy(x); y.sum().backward(); print(L, y.grad)
x.sum().backward(); print(L)
tr(lambda: copy.deepcopy(x*2)); tr(lambda: pickle.loads(pickle.dumps(torch.ones(2,requires_grad=True))).requires_grad)
from collections import OrderedDict
h=torch.utils.hooks.RemovableHandle(OrderedDict()); print(h.id>=0, type(h).__name__); h.remove()
d=OrderedDict(); h=torch.utils.hooks.RemovableHandle(d); d[h.id]=3; print(len(d)); h.remove(); print(len(d))
with torch.utils.hooks.RemovableHandle(d) as hh: print(hh.id==h.id+1)
print(x._backward_hooks is not None, torch.ones(1)._backward_hooks)

print(9)
x=torch.ones(2,requires_grad=True); y=x*2
def bad(g): raise ValueError("hook")
h=y.register_hook(bad)
tr(lambda: y.sum().backward()); print(x.grad); h.remove(); tr(lambda: y.sum().backward()); print(x.grad)
def ki(g): raise KeyboardInterrupt
z=x.exp(); hz=z.register_hook(ki)
try: z.sum().backward()
except KeyboardInterrupt: print("KI")
x.grad=None; (x*2).sum().backward(); print(x.grad)
w=x.exp(); 
def re(g):
    t=torch.ones(2,requires_grad=True); (t*3).sum().backward() if False else None
    with torch.enable_grad(): q=torch.ones(2,requires_grad=True); (q*3).sum().backward(); print(q.grad)
    return g*q.grad
w.register_hook(re); x.grad=None; w.sum().backward(); print(x.grad)
u=x*2; s=(u*u).sum()
def rec(g):
    with torch.enable_grad(): (x*x).sum().backward()
u.register_hook(rec); x.grad=None; s.backward(); print(x.grad)

print(10)
class H:
    def __call__(self,g): return g*2
x=torch.ones(2,requires_grad=True); x.register_hook(H()); x.sum().backward(); print(x.grad)
import functools
y=torch.ones(2,requires_grad=True); y.register_hook(functools.partial(lambda k,g: g*k, 3)); y.sum().backward(); print(y.grad)
z=torch.ones(2,requires_grad=True); 
def ip(g): g.mul_(2)
z.register_hook(ip); (z*1).sum().backward(); print(z.grad)
m=torch.ones(2,requires_grad=True); m.register_hook(lambda g: print("grad",g)); (m**2).sum().backward()
gs=[]; m.register_hook(gs.append); (m**2).sum().backward(); print(gs)
n=torch.ones(2,requires_grad=True); n.register_hook(lambda g: g.clamp(max=0.5)); (n*3).sum().backward(); print(n.grad)
n=torch.ones(2,requires_grad=True); n.register_hook(lambda g: None if g.sum()>1 else g); (n*3).sum().backward(); print(n.grad)

print(11)
x=torch.tensor([1.,2.],requires_grad=True)
print(x.grad_dtype); 
tr(lambda: setattr(x,'grad_dtype',torch.float16)); print(x.grad_dtype)
x.grad_dtype=None; print(x.grad_dtype); x.grad=torch.ones(2,dtype=torch.float64); print(x.grad.dtype)
y=x*2; tr(lambda: y.grad_dtype); tr(lambda: setattr(y,'grad_dtype',torch.float16))
f=torch.ones(2,requires_grad=True); f.grad_dtype=torch.float16; (f*2).sum().backward(); print(f.grad)
tr(lambda: setattr(f,'grad_dtype',torch.float64)); f.grad=None; tr(lambda: setattr(f,'grad',torch.ones(2)))

print(12)
x=torch.ones(2,requires_grad=True); y=x*3
m=y.grad_fn._input_metadata[0]; print(m.shape, m.dtype)
print(y.grad_fn._sequence_nr()>=0, (x+1).grad_fn._sequence_nr() > y.grad_fn._sequence_nr())
def dele(n):
    exec("del x."+n,{'x':x})
tr(lambda: dele('grad')); tr(lambda: dele('data')); tr(lambda: setattr(x,'data',None));  tr(lambda: setattr(x,'is_leaf',True)); tr(lambda: setattr(x,'shape',(1,)))
V=torch.autograd.Variable
v=V(torch.ones(2),requires_grad=True); print(v.requires_grad, isinstance(v,V), isinstance(torch.ones(1),V), type(v).__name__); v.sum().backward(); print(v.grad)
print(V(torch.ones(1)).requires_grad, V(torch.ones(1)))

print(13)
x=torch.ones(2,requires_grad=True); xe=torch.autograd.graph.get_gradient_edge(x*2)
z=torch.ones(2,requires_grad=True)*1; ez=torch.autograd.graph.get_gradient_edge(z); o=x.sum()
tr(lambda: G(o,(x,ez),allow_unused=True,retain_graph=True)); tr(lambda: G(o,(x,ez),allow_unused=True,materialize_grads=True)); tr(lambda: torch.autograd.backward(o,inputs=(x,ez)))
t=(x.sin()).cos(); et=torch.autograd.graph.get_gradient_edge(t); tr(lambda: G(et,x)); tr(lambda: G(et,x,torch.ones(3))); tr(lambda: G(et,x,torch.ones(2,dtype=torch.complex64))); tr(lambda: G(et,x,torch.ones(2)))
i=torch.rand(1,requires_grad=True).clone(); out=i.clone(); e=torch.autograd.graph.get_gradient_edge(out); torch.autograd.backward(e); del out; tr(lambda: torch.autograd.backward(e))
a=torch.rand(2,requires_grad=True).clone(); ea=torch.autograd.graph.get_gradient_edge(a); a*=2; print(G(a.sum(),(ea,a)))

print(14)
# batched
x=torch.ones(2,2,requires_grad=True); out=x.clone(); bg=torch.arange(3.).expand(2,2,3).transpose(0,2)
print(G(out,(x,),(bg,),is_grads_batched=True)); out=x.clone(); tr(lambda: G(out,(x,),(torch.ones(2,2),),is_grads_batched=True)); out=x.sum(); print(G(out,x,torch.arange(3.),is_grads_batched=True)[0].shape); out=x.sum(); tr(lambda: G(out,(x,),(torch.ones(2).unsqueeze(1),),is_grads_batched=True))
q=x.chunk(2); a,b=q; L=[]; x.register_hook(lambda g: L.append(1)); go=torch.randn(1,2); ga,gb=G((a+2*b),[a,b],grad_outputs=go,create_graph=True); print(torch.equal(ga,go), torch.equal(gb,go*2), L, x.grad)

print(15)
class Fn(torch.autograd.Function):
    @staticmethod
    def forward(ctx,x): return x*2
    @staticmethod
    def backward(ctx,g): return None
x=torch.ones(1,requires_grad=True); Fn.apply(x).backward(); print(x.grad); Fn.apply(x**2).backward(); print(x.grad); print(G(Fn.apply(x),x,allow_unused=True)); tr(lambda: G(Fn.apply(x),x))
x=torch.ones(5,5,requires_grad=True); y=torch.ones(5,5)*4; y.requires_grad_(True); z=x*y; q=z+y; w=z*y; z.add_(2); q.backward(torch.ones(5,5),retain_graph=True); tr(lambda: w.backward(torch.ones(5,5)))
c=torch.zeros(3); b=torch.ones(3,requires_grad=True); c[[1,2]]=b[[1,1]]; c.backward(torch.ones(3)); tr(lambda: c.backward(torch.ones(3))); print(b.grad)
v=torch.ones(3,3); 
a=torch.rand(4,0,requires_grad=True); b=torch.rand(4,1,requires_grad=True); (a+b).sum().backward(); print(a.grad.shape, b.grad)
x=torch.ones(3,3,requires_grad=True); vw=x.narrow(0,1,2); x2=x*1; 
tr(lambda: vw.detach_())
y=x**2; zz=x.detach(); zz.zero_(); tr(lambda: y.sum().backward())
