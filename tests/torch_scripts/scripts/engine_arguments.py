"""Arguments of backward and grad, and what is refused."""

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
x=torch.tensor([1.,2.],requires_grad=True); a=(x*2).sum(); b=(x**2).sum()
torch.autograd.backward([a,b]); print(x.grad)
x.grad=None; a=(x*2).sum(); torch.autograd.backward([a,a],retain_graph=True); print(x.grad)
x.grad=None; torch.autograd.backward((a,a.clone()),(torch.tensor(1.),torch.tensor(2.))); print(x.grad)
y=x*3; print(G([y,y],x,[torch.ones(2),torch.ones(2)]))
y=x*3; print(G([y,y.sum()],x,[torch.ones(2),None]))
y=x*3; tr(lambda: G([y,y],x,[torch.ones(2)]))
y=x*3; tr(lambda: torch.autograd.backward([y,y],torch.ones(2)))
tr(lambda: torch.autograd.backward([y],[torch.ones(3)]))
tr(lambda: y.backward(torch.ones(2,1)))
tr(lambda: y.backward(torch.ones(2,dtype=torch.float64)))
y=x*3;tr(lambda: y.backward(torch.ones(2,dtype=torch.int64)))
y=x*3;tr(lambda: y.backward(torch.ones(2,dtype=torch.bool)))
y=x*3;tr(lambda: y.backward([1.,1.]))
tr(lambda: y.backward(np.ones(2)))
tr(lambda: y.backward(1.0))
tr(lambda: y.sum().backward(1.0))
tr(lambda: y.backward(gradient=None))
tr(lambda: y.backward())
tr(lambda: torch.autograd.backward([]))
tr(lambda: torch.autograd.backward(()))
tr(lambda: torch.autograd.backward(None))
tr(lambda: torch.autograd.backward(3))
tr(lambda: G([],x))
tr(lambda: G(y.sum(),[]))
tr(lambda: G(y.sum(),None))
tr(lambda: G(None,x))
tr(lambda: G(y.sum(),[None]))
tr(lambda: G(y.sum(),3))

print(1)
x=torch.tensor([1.,2.],requires_grad=True); y=x*2; z=(y**2).sum()
z.backward(inputs=[x],retain_graph=True); print(x.grad)
z.backward(inputs=x,retain_graph=True); print(x.grad)
z.backward(inputs=[y],retain_graph=True); print(y.grad, x.grad)
z.backward(inputs=[x,y],retain_graph=True); print(y.grad, x.grad)
tr(lambda: z.backward(inputs=[],retain_graph=True))
tr(lambda: z.backward(inputs=[torch.ones(2)],retain_graph=True))
tr(lambda: z.backward(inputs=[torch.ones(2,requires_grad=True)],retain_graph=True))
tr(lambda: z.backward(inputs=[z],retain_graph=True)); print(z.grad)
tr(lambda: z.backward(inputs=None,retain_graph=True)); print(x.grad)
tr(lambda: z.backward(inputs=3,retain_graph=True))
tr(lambda: z.backward(inputs=[3],retain_graph=True))
tr(lambda: z.backward(inputs=(x,),retain_graph=True)); print(x.grad)
tr(lambda: z.backward(inputs=[x,x],retain_graph=True)); print(x.grad)
z.backward(gradient=torch.tensor(2.),inputs=[y]); print(y.grad)
tr(lambda: z.backward())

print(2)
x=torch.tensor([1.,2.],requires_grad=True); v=x[0]; y=x.view(2); (y*y).sum().backward(inputs=[x]); print(x.grad)
w=x.view(2); s=(w**3).sum(); s.backward(inputs=[w]); print(w.grad, x.grad)
i=torch.tensor([1,2]); tr(lambda: (x*i).sum().backward(inputs=[i]))
tr(lambda: G((x*i).sum(), i))
tr(lambda: G((x*2).sum(), x.detach()))
a=torch.ones(2,requires_grad=True)
tr(lambda: G((x*2).sum(), a)); tr(lambda: G((x*2).sum(), a, allow_unused=True)); tr(lambda: G((x*2).sum(), [x,a], allow_unused=True)); tr(lambda: G((x*2).sum(), [a,x], materialize_grads=True))
tr(lambda: G((x*2).sum(), [a,x], materialize_grads=True, allow_unused=False)); tr(lambda: G((x*2).sum(), [a,x], materialize_grads=True, allow_unused=True)); tr(lambda: G((x*2).sum(), [a,x], materialize_grads=False, allow_unused=False))
tr(lambda: G(x.sum(), x)); tr(lambda: G(x, x, torch.ones(2))); tr(lambda: G(x, x)); tr(lambda: G(x[0], x)); l=x.sum(); tr(lambda: G(l,l)); tr(lambda: G(l,[l,x],retain_graph=True))
tr(lambda: torch.ones(2).sum().backward()); tr(lambda: x.detach().sum().backward()); tr(lambda: x.backward(torch.ones(2))); print(x.grad)
tr(lambda: torch.ones(1,requires_grad=True).backward())
tr(lambda: G(torch.ones(1),x)); tr(lambda: G([x.sum(),torch.ones(1)],x)); tr(lambda: torch.autograd.backward([x.sum(),torch.ones(1)]))

print(3)
x=torch.tensor([1.,2.],requires_grad=True)
y=(x*x).sum(); y.backward(); tr(lambda: y.backward())
y=(x+x).sum(); y.backward(); tr(lambda: y.backward())
y=(x*x); a=y.sum(); b=(y*2).sum(); a.backward(); tr(lambda: b.backward())
y=x+1; a=y.sum(); b=(y*2).sum(); a.backward(); tr(lambda: b.backward()); print(x.grad)
y=x.exp(); a=y.sum(); G(a,y); tr(lambda: a.backward())
y=x.exp(); a=(y*y).sum(); G(a,y); tr(lambda: G(a,y)); tr(lambda: y.sum().backward())
y=x.exp(); a=y.sum(); G(a,x,retain_graph=True); G(a,x); tr(lambda: G(a,x))
y=x.exp(); G(y.sum(),x,create_graph=True); tr(lambda: G(y.sum(),x)); tr(lambda: G(y.sum(),x))
y=x.exp(); G(y.sum(),x,create_graph=True,retain_graph=False); tr(lambda: G(y.sum(),x))
y=x.exp().sum(); y.backward(retain_graph=True); y.backward(retain_graph=False); tr(lambda: y.backward())
y=x.exp(); y.sum().backward(); print(y); tr(lambda: y.sum().backward()); z=y.detach(); print(z.requires_grad); w=y*1; tr(lambda: w.sum().backward())

print(4)
x=torch.tensor([1.,2.],requires_grad=True)
with warnings.catch_warnings(record=True) as w:
    warnings.simplefilter("always")
    (x**3).sum().backward(create_graph=True)
print(x.grad)
g=x.grad; (x**2).sum().backward(); print(x.grad, x.grad is g)
x.grad=None
(x**2).sum().backward(); g=x.grad; (x**2).sum().backward(); print(x.grad is g, g)
(x**2).sum().backward(create_graph=True); print(x.grad is g, x.grad.requires_grad, g)
x.grad.sum().backward(); print(x.grad)

print(5)
x=torch.tensor([1.,2.],requires_grad=True)
x.grad=torch.tensor([10.,20.]); g=x.grad; (x*2).sum().backward(); print(x.grad, x.grad is g)
tr(lambda: setattr(x,'grad',torch.ones(3)))
tr(lambda: setattr(x,'grad',torch.ones(2,dtype=torch.float64)))
tr(lambda: setattr(x,'grad',3))
tr(lambda: setattr(x,'grad',x))
tr(lambda: setattr(x,'grad',np.ones(2)))
tr(lambda: setattr(x,'grad',torch.ones(2,dtype=torch.int64)))
tr(lambda: setattr(x,'grad',torch.ones(1,2)))
x.grad=None; print(x.grad)
del x.grad; print(x.grad)
x.grad=torch.ones(2,requires_grad=True); print(x.grad)
(x*2).sum().backward(); print(x.grad)
n=torch.ones(2); n.grad=torch.ones(2); print(n.grad)
y=x*2
with warnings.catch_warnings(record=True) as w:
    warnings.simplefilter("always"); print(y.grad); print([(i.category.__name__, str(i.message)[:140]) for i in w])
with warnings.catch_warnings(record=True) as w:
    warnings.simplefilter("always"); y.grad=torch.ones(2); print(y.grad, len(w))
y=x*2; y.retain_grad(); y.sum().backward(); print(y.grad)
with warnings.catch_warnings(record=True) as w:
    warnings.simplefilter("always"); print(torch.ones(2).grad, x.detach().grad, len(w))

print(6)
x=torch.ones(3,requires_grad=True); y=x*2; z=y+0
g=torch.ones(3); y.backward(g); print(x.grad is g, x.grad.data_ptr()==g.data_ptr())
a=torch.ones(3,requires_grad=True); b=torch.ones(3,requires_grad=True); (a+b).sum().backward(); a.grad.add_(1); print(b.grad)
a=torch.ones(3,requires_grad=True); g=torch.ones(3); a.backward(g); g.add_(1); print(a.grad)
a=torch.ones(3,requires_grad=True); g=torch.ones(3); (a+0).backward(g); g.add_(1); print(a.grad)
a=torch.ones(2,3,requires_grad=True); a.sum().backward(); print(a.grad.stride(), a.grad.is_contiguous()); a.grad.add_(1); print(a.grad)
a=torch.ones(2,3,requires_grad=True); a.t().backward(torch.ones(3,2)); print(a.grad.stride())
a=torch.ones(2,3).t().requires_grad_(); (a*2).sum().backward(); print(a.grad.stride())
a=torch.ones(2,3,requires_grad=True); b=a.expand(4,2,3); b.sum().backward(); print(a.grad)
e=torch.ones(1,3).expand(2,3).requires_grad_(); print(e.requires_grad, e.is_leaf); (e*2).sum().backward(); print(e.grad, e.grad.stride()); (e*2).sum().backward(); print(e.grad)
a=torch.ones(3,requires_grad=True); r=G((a*2).sum(),a)[0]; r.add_(1); print(r)

print(7)
x=torch.zeros(0,requires_grad=True); y=x*2; y.sum().backward(); print(x.grad, x.grad.shape)
x=torch.zeros(0,3,requires_grad=True); x.sum().backward(); print(x.grad.shape)
tr(lambda: x.mean().backward()); tr(lambda: (x*2).backward(torch.zeros(0,3))); tr(lambda: (x*2).backward()); tr(lambda: torch.cat([x,torch.ones(2,3,requires_grad=True)]).sum().backward())
tr(lambda: torch.ones(2,dtype=torch.int64,requires_grad=True)); tr(lambda: torch.tensor([1],requires_grad=True)); tr(lambda: torch.tensor([True]).requires_grad_()); tr(lambda: setattr(torch.tensor([1]),'requires_grad',True))
i=torch.tensor([1,2]); print(i.requires_grad_(False))
x=torch.ones((),requires_grad=True); x.backward(); print(x.grad)
x=torch.ones(1,1,requires_grad=True); (x*2).backward(); print(x.grad)
f=torch.ones(2,dtype=torch.float16,requires_grad=True); (f*2).sum().backward(); print(f.grad)
d=torch.ones(2,dtype=torch.float64,requires_grad=True); fl=torch.ones(2,requires_grad=True); (d*fl).sum().backward(); print(d.grad, fl.grad)
l=(fl>0); print(l.requires_grad, l.grad_fn); tr(lambda: l.sum().backward()); m=fl.argmax(); print(m.requires_grad)
r=fl.round(); print(r.requires_grad, r.grad_fn is not None); r.sum().backward(); print(fl.grad)
s=fl.to(torch.int64); print(s.requires_grad); s2=fl.sign(); print(s2.grad_fn)

print(8)
x=torch.tensor([[3.,1.],[2.,4.]],requires_grad=True)
v,i=x.max(1); v.sum().backward(); print(x.grad, i.requires_grad, v.grad_fn.next_functions[0][0].name())
x.grad=None; a,b=x.split(1); a.sum().backward(); print(x.grad)
x.grad=None; u=x.unbind(); u[1].sum().backward(); print(x.grad); 
x.grad=None; c=x.chunk(2,1); (c[0]*c[1]).sum().backward(); print(x.grad)
print(a.grad_fn, a.output_nr, b.output_nr, u[1].output_nr, v.output_nr)
y=x.detach().requires_grad_(); o=torch.unbind(y); print(torch.autograd.grad(o[0].sum()+o[1].sum()*2,y))
v,i=x.max(1); print(G([v.sum(), x.sum()], x, retain_graph=True))

print(9)
x=torch.tensor([1.,2.],requires_grad=True); z=torch.tensor([3.,4.],requires_grad=True)
(g,)=G((x**3).sum(),x,create_graph=True); print(g, g.requires_grad); (h,)=G(g.sum(),x,create_graph=True); print(h); (k,)=G(h.sum(),x); print(k)
(g,)=G((x*2).sum(),x,create_graph=True); print(g.requires_grad); tr(lambda: G(g.sum(),x)); tr(lambda: G(g.sum(),x,allow_unused=True))
gx,gz=G((x*z).sum(),[x,z],create_graph=True); print(gx,gz); tr(lambda: G(gx.sum(),x)); tr(lambda: G(gx.sum(),x,allow_unused=True)); tr(lambda: G(gx.sum(),[x,z],allow_unused=True,materialize_grads=True))
tr(lambda: G(gx.sum(),z))
(g,)=G(x.sum(),x,create_graph=True); print(g.requires_grad)
y=x*2; (g,)=G((y**2).sum(),y,create_graph=True); print(g, g.grad_fn is not None); g.sum().backward(); print(x.grad)
print(G((x**2).sum(),x,grad_outputs=torch.tensor(3.))); w=torch.tensor(3.,requires_grad=True); (g,)=G((x**2).sum(),x,grad_outputs=w,create_graph=True); print(G(g.sum(),w))
(g,)=G((x**2).sum(),x,grad_outputs=w); print(g.requires_grad)

print(10)
x=torch.tensor([1.,2.],requires_grad=True); y=x*x
I=torch.eye(2); print(G(y,x,I,is_grads_batched=True,retain_graph=True)); print(G([y],[x],[I],is_grads_batched=True,create_graph=True)[0].requires_grad)
tr(lambda: G(y,x,torch.ones(2),is_grads_batched=True)); tr(lambda: G(y,x,torch.ones(3,3),is_grads_batched=True)); tr(lambda: G(y,x,is_grads_batched=True))
y=x*x; s=y.sum(); print(G(s,x,torch.tensor([1.,2.,3.]),is_grads_batched=True))

print(11)
get_gradient_edge=torch.autograd.graph.get_gradient_edge; GradientEdge=torch.autograd.graph.GradientEdge; Node=torch.autograd.graph.Node
x=torch.tensor([1.,2.],requires_grad=True); y=x*2; z=(y**2).sum()
ex=get_gradient_edge(x); ey=get_gradient_edge(y); print(ex.output_nr, ey.node.name(), isinstance(ex,tuple), len(ex), type(ex).__name__)
print(G(z,ex,retain_graph=True), G(z,[ey,x],retain_graph=True))
print(G(get_gradient_edge(z),x,retain_graph=True)); print(G([ey],x,torch.ones(2),retain_graph=True))
tr(lambda: G(ey,x,retain_graph=True))
torch.autograd.backward(get_gradient_edge(z),retain_graph=True); print(x.grad)
torch.autograd.backward([ey],[torch.ones(2)],retain_graph=True); print(x.grad)
tr(lambda: z.backward(inputs=[ex],retain_graph=True)); print(x.grad)
tr(lambda: z.backward(inputs=[ey],retain_graph=True)); print(x.grad)
tr(lambda: get_gradient_edge(torch.ones(2)))
a,b=x.unbind(); e=get_gradient_edge(b); print(e.output_nr, e.node.name()); print(G(e,x,torch.tensor(1.)))
print(isinstance(y.grad_fn,Node), issubclass(type(y.grad_fn),Node), isinstance(x.grad_fn,Node))
print(GradientEdge(y.grad_fn,0).node is y.grad_fn)

print(12)
x=torch.tensor([1.,2.],requires_grad=True); y=x*2; f=y.grad_fn
print(f(torch.ones(2))); print(f.name(), f.next_functions, f.next_functions[0][0].variable is x, f.metadata)
f.metadata['a']=1; print(y.grad_fn.metadata)
z=x.exp(); print(z.grad_fn(torch.ones(2))); 
m=x*z; print(m.grad_fn(torch.ones(2))); print([n[0].name() for n in m.grad_fn.next_functions])
tr(lambda: f()); tr(lambda: f(1)); tr(lambda: f(torch.ones(2),torch.ones(2)))
print(type(f).__name__, f.__class__.__name__, str(f)[:14], f.requires_grad if hasattr(f,'requires_grad') else None)
acc=f.next_functions[0][0]; print(acc.name(), acc.next_functions, type(acc).__name__)
s=x.sum(); print(s.grad_fn.name(), s.grad_fn(torch.tensor(2.)))
print(y.grad_fn is y.grad_fn, x.grad_fn, y.grad_fn == y.grad_fn, hash(y.grad_fn)==hash(y.grad_fn))

print(13)
x=torch.tensor([1.,2.],requires_grad=True); y=(x*3)
print(y.backward(torch.tensor([1.,2.]))); print(x.grad)
y=x*3; y.backward(gradient=torch.ones(2),retain_graph=True,create_graph=False); y.backward(torch.ones(2),True); y.backward(torch.ones(2),False,False,[x]) if False else None; print(x.grad)
tr(lambda: y.backward(torch.ones(2),foo=1)); tr(lambda: torch.autograd.grad(y)); tr(lambda: torch.autograd.backward(y.sum(),grad_variables=None) ); 
y=(x*3).sum(); torch.autograd.backward(y,None,True); torch.autograd.backward(tensors=y, grad_tensors=torch.tensor(2.)); print(x.grad)
y=(x*3); tr(lambda: torch.autograd.backward(y, torch.ones(2), inputs=x)); print(x.grad); tr(lambda: torch.autograd.backward((t for t in [x.sum()]))); print(x.grad)
tr(lambda: G((t for t in [x.sum()]), (t for t in [x]))); tr(lambda: G({x.sum():1}, x))
tr(lambda: G(outputs=x.sum(), inputs=x)); tr(lambda: G(x.sum(), x, None, None, False, True)); tr(lambda: G(x.sum(),x,only_inputs=True)); tr(lambda: G(x.sum(),x,only_inputs=False))
tr(lambda: G((x*2),x,torch.ones(2,requires_grad=True),create_graph=True)[0].requires_grad)
tr(lambda: G([x.sum(),(x*2).sum()],x,[None,torch.tensor(2.)])); tr(lambda: G([x.sum(),(x*2).sum()],x,[None,None])); tr(lambda: G([x*1,(x*2).sum()],x,[None,None]))
tr(lambda: G(x.sum(),x,torch.ones(2))); tr(lambda: G(x.sum(),x,torch.ones(1))); tr(lambda: G((x*2)[:1],x)); tr(lambda: G(x.sum(),x,torch.ones(1,1)))

print(14)
with torch.no_grad():
    x=torch.ones(2,requires_grad=True); y=x*2
tr(lambda: y.sum().backward())
x=torch.ones(2,requires_grad=True)
y=x*2
with torch.no_grad(): y.sum(); y2=y.detach(); 
with torch.no_grad():
    z=y.sum()
tr(lambda: z.backward())
loss=y.sum()
with torch.no_grad(): loss.backward(); print(x.grad, x.grad.requires_grad)
x.grad=None
with torch.no_grad(): tr(lambda: G((x*2).sum(),x))
with torch.no_grad():
    l=None
    with torch.enable_grad(): l=(x**2).sum()
    print(G(l,x,create_graph=True)[0].requires_grad)
y=x*2; y.requires_grad_(True); tr(lambda: y.requires_grad_(False)); tr(lambda: setattr(y,'requires_grad',False)); tr(lambda: setattr(y,'requires_grad',True)); y.detach_(); print(y.requires_grad, y.is_leaf); tr(lambda: y.sum().backward())

print(15)
# partial freeing / shared
x=torch.ones(2,requires_grad=True); h=x.tanh(); a=(h*2).sum(); b=(h**2).sum()
a.backward(retain_graph=True); b.backward(); print(x.grad); tr(lambda: a.backward())
x.grad=None; h=x.tanh(); a=h.sum(); b=h.prod(); a.backward(); tr(lambda: b.backward()); print(x.grad)
x=torch.ones(2,requires_grad=True); y=x*2; 
for i in range(3): (y.detach()*x).sum().backward()
print(x.grad)
hidden=torch.zeros(2)
w=torch.ones(2,requires_grad=True)
for i in range(2):
    hidden=hidden*w+1; l=hidden.sum()
    if i==0: l.backward()
    else: tr(lambda: l.backward())
hidden=torch.zeros(2); 
for i in range(2):
    hidden=(hidden.detach()*w+1); hidden.sum().backward()
print(w.grad)

print(16)
x=torch.ones(2,requires_grad=True)
y=x.clone(); y.grad=None
z=(x*2); z.retain_grad(); z.retain_grad(); z.sum().backward(); print(z.grad, z.retains_grad, x.retains_grad)
x.retain_grad(); print(x.retains_grad); tr(lambda: torch.ones(1).retain_grad())
z=x*2; z.retain_grad(); (z*z).sum().backward(retain_graph=True); (z*z).sum().backward(); print(z.grad)
z=x*2; z.retain_grad(); z.mul_(2); z.sum().backward(); print(z.grad)
z=x*2; z.retain_grad(); v=z.view(2); v.mul_(3); z.sum().backward(); print(z.grad)
z=x*2; z.retain_grad(); print(G((z*2).sum(),x), z.grad)
z=x*2; z.retain_grad(); print(G((z*2).sum(),z), z.grad)
z=x*2; z.retain_grad(); (z**2).sum().backward(create_graph=True); print(z.grad.requires_grad)
z=x*2; z.retain_grad(); z=z.detach(); print(z.retains_grad)
with torch.no_grad(): z=x*2; tr(lambda: z.retain_grad())

print(17)
a=torch.rand(5,requires_grad=True); v=a._version; torch.autograd.graph.increment_version(a); print(a._version-v); i=torch.zeros(5,dtype=torch.int); torch.autograd.graph.increment_version(i); print(i._version); torch.autograd.graph.increment_version([a,i]); print(i._version)
with torch.inference_mode(): b=torch.rand(5); torch.autograd.graph.increment_version(b)
torch.autograd.graph.increment_version(b)
print(torch.autograd.is_view_replay_enabled())
x=torch.ones(2,requires_grad=True).clone(); x.add_(1)
pass
pass

print(18)
with warnings.catch_warnings(record=True) as w:
    warnings.simplefilter("always")
    try:
        with torch.autograd.detect_anomaly():
            a=torch.randn(5,requires_grad=True); d1=a+1; d2=d1**2; d1+=1
            torch.autograd.grad(d2.sum(),a)
    except RuntimeError as e: print("modified by an inplace operation" in str(e))
    print(len(w), [str(i.message)[:33] for i in w])
class A(torch.autograd.Function):
    @staticmethod
    def forward(ctx,x): ctx.save_for_backward(x); return x*1
    @staticmethod
    def backward(ctx,g): x,=ctx.saved_tensors; return B.apply(g*x)
class B(torch.autograd.Function):
    @staticmethod
    def forward(ctx,x): return x*2
    @staticmethod
    def backward(ctx,g): return g*float("nan")
i=torch.rand(3,requires_grad=True)
with warnings.catch_warnings(record=True) as w:
    warnings.simplefilter("always")
    try:
        with torch.autograd.detect_anomaly():
            o=A.apply(i); gi,=G(o.sum(),i,create_graph=True); gi.sum().backward()
    except RuntimeError as e: print("returned nan values in its 0th output" in str(e), "BBackward" in str(e))
    print(len(w), [str(m.message)[:45] for m in w], "B.apply" in str(w[1].message), "A.apply" in str(w[-1].message))
o=A.apply(i); 
with warnings.catch_warnings(record=True) as w:
    warnings.simplefilter("always")
    try:
        gi,=G(o.sum(),i,create_graph=True)
        with torch.autograd.detect_anomaly(): gi.sum().backward()
    except RuntimeError as e: print("RE")
    print(len(w), "No forward pass information" in str(w[1].message))

print(19)
order=[]
class M(nn.Module):
    def __init__(s): super().__init__(); s.linear=nn.Linear(2,2)
    def forward(s,x): return s.linear(x)
x=torch.randn(2,2,requires_grad=True); m=M()
m.register_full_backward_hook(lambda a,b,c: order.append("module"))
loss=m(x).sum()
x.register_hook(lambda g: order.append("x")); m.linear.weight.register_hook(lambda g: order.append("w")); m.linear.bias.register_hook(lambda g: order.append("b"))
x.register_post_accumulate_grad_hook(lambda t: order.append("px")); m.linear.weight.register_post_accumulate_grad_hook(lambda t: order.append("pw"))
loss.backward(); print(order)

print(20)
class Re(torch.autograd.Function):
    @staticmethod
    def forward(ctx,x):
        with torch.enable_grad():
            ctx.x=torch.autograd.Variable(x,requires_grad=True); ctx.y=torch.autograd.Variable(torch.full((2,2),3.),requires_grad=True); ctx.o=ctx.x*ctx.y
        return ctx.o.detach()
    @staticmethod
    def backward(ctx,g):
        with torch.enable_grad(): ctx.o.sum().backward()
        return ctx.x.grad*g
x=torch.randn(2,2,requires_grad=True); Re.apply(x).sum().backward(); print(x.grad)
class Err(torch.autograd.Function):
    @staticmethod
    def forward(ctx,x): return x.clone()
    @staticmethod
    def backward(ctx,g): raise Exception("Sim")
try: Err.apply(x*1).sum().backward()
except Exception as e: print(type(e).__name__, e)
class MyOp(torch.autograd.Function):
    @staticmethod
    def forward(ctx,a,b): return a+b
    @staticmethod
    def backward(ctx,g): return g,g
def scope():
    y=torch.ones(1,requires_grad=True).clone()
    for _ in range(5000): y=MyOp.apply(y,y)
    return True
print(scope())
a=torch.randn(3,3,requires_grad=True); L=[]
class D:
    def __del__(s): L.append(1)
    def __call__(s,*a): pass
def t():
    c=a.clone(); c.grad_fn.register_hook(D()); v=c.view(9); F.relu(v,inplace=True)
t(); print(L)
import gc
def r():
    y=x*2; y.retain_grad(); import weakref; return y/2, weakref.ref(y)
z,ref=r(); print(ref() is None); z.sum().backward()

print(21)
def f(create):
    x=torch.ones(2,requires_grad=True); y=x+2; y.backward(torch.ones(2),retain_graph=True); g=x.grad; c=g.clone(); y.backward(torch.ones(2),create_graph=create); return torch.equal(g,c*2), torch.equal(g,c)
print(f(False), f(True))
for create in (False,True):
    p=torch.tensor([1.5,1.5]).requires_grad_(); p.grad=torch.tensor([1.5,1.5]); s=p.grad; p.backward(torch.tensor([1.5,1.5]),create_graph=create); print(s is p.grad)
x=torch.randn(10,requires_grad=True); y=x**2; z=y**3; torch.autograd.backward([y,z],[torch.ones(10),torch.ones(10)]); print(torch.allclose(x.grad,2*x+6*x**5))
xn=torch.ones(2,2,requires_grad=True); xl=xn*1; yy=torch.ones(2,2,requires_grad=True); zz=torch.ones(2,2,requires_grad=True); out=xl**2+yy*xl+yy**2
out.backward(torch.ones(2,2),create_graph=True,inputs=[xn,yy,xl]); print(xn.grad.detach(), yy.grad.detach(), xl.grad.detach()); out.backward(torch.ones(2,2),create_graph=True,inputs=[zz]); print(zz.grad)
mu=torch.ones(1,requires_grad=True); xx=torch.empty(1); loss=0
for i in range(3):
    xx.detach_(); xx.copy_(mu+i); s=(xx*torch.tensor([float(i)])).sum(); loss+=s
loss.backward(); print(mu.grad)
a=torch.tensor([1.],requires_grad=True); b=a.clone(); c1=[]; 
def f1(g): c1.append(g.item()); return g*2
b.register_hook(f1); b.mul_(2); b.register_hook(f1); b.sum().backward(); print(c1, a.grad)
base=torch.tensor([1.],requires_grad=True).clone(); v=base[:]; v2=base[:]; v.retain_grad(); v2.retain_grad(); v.mul_(2); (v+v2).sum().backward(); print(v.grad, v2.grad)
L=[]; base=torch.tensor([1.],requires_grad=True).clone(); v=base[:]; v2=base[:]; v.register_hook(lambda g: L.append('a')); v2.register_hook(lambda g: L.append('b')); v.mul_(2); v2.grad_fn; v2.register_hook(lambda g: L.append('c')); (v+v2).sum().backward(); print(L)
x=torch.randn(5,requires_grad=True); xs=x.unbind(); h=[None]
xs[0].register_hook(lambda g: h.__setitem__(0,g)); xs[0].backward(); print(h, x.grad); xs[1].backward(); print(x.grad)

print(22)
with torch.set_grad_enabled(False):
    torch.set_grad_enabled(True); print(torch.is_grad_enabled())
print(torch.is_grad_enabled())
o=torch.set_grad_enabled(False); print(torch.is_grad_enabled()); f=o(lambda x: x.sin()); print(torch.is_grad_enabled()); print(f(torch.zeros(1,requires_grad=True)).requires_grad)
x=torch.ones(2,requires_grad=True); y=torch.zeros(3,2)
y[0]=x; y[1]=2*x; print(y.requires_grad, y.grad_fn is not None); y.sum().backward(); print(x.grad)
w=torch.ones(2,2,requires_grad=True)
with torch.no_grad(): w[0]=torch.zeros(2)
print(w.requires_grad, w.grad_fn)
x=torch.randn(4,4,requires_grad=True); vw=x.narrow(0,1,2); x.detach_(); print(x.requires_grad, vw.requires_grad, vw.grad_fn is not None, vw._base is x)
e=[]
for s in ("x.volatile",): 
    pass
y=torch.ones(2,requires_grad=True); print(y.requires_grad_(False).requires_grad, y.requires_grad_().requires_grad)
a=torch.randn(2,3); b=a[:]; a.requires_grad=True; tr(lambda: a.add_(5)); tr(lambda: b.add_(5))
print(torch.tensor(1.,requires_grad=True).backward())
q=torch.ones(2,requires_grad=True); r=q.sum(); r2=r*1; torch.autograd.backward([r,r2]); print(q.grad)

print(23)
# record_function / profiler
with torch.autograd.profiler.record_function("a") as rf: y=torch.ones(1)
@torch.autograd.profiler.record_function("f")
def f(x): return x+1
print(f(1))
with torch.autograd.profiler.profile(enabled=False) as pr: pass
with torch.autograd.profiler.emit_nvtx(enabled=False): pass
print(torch.autograd.profiler.record_function is not None)
