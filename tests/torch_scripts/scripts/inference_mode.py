"""Inference mode: what it makes, what is refused with it afterwards."""

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
with torch.inference_mode():
    a=torch.ones(3); b=a*2; c=b.view(3); d=torch.tensor([1.]); e=torch.rand(2); f=torch.arange(3); g=torch.from_numpy(np.ones(2))
    print([t.is_inference() for t in (a,b,c,d,e,f,g)])
    print(torch.zeros(2).is_inference(), torch.empty(2).is_inference(), torch.eye(2).is_inference(), torch.linspace(0,1,3).is_inference(), torch.full((2,),3.).is_inference(), torch.randn(3).is_inference(), torch.randint(0,3,(2,)).is_inference(), torch.randperm(3).is_inference(), torch.zeros_like(a).is_inference(), torch.as_tensor([1.]).is_inference(), torch.Tensor([1,2]).is_inference(), a.new_zeros(2).is_inference(), torch.cat([a,a]).is_inference(), a.sum().is_inference(), a[0].is_inference(), a[a>0].is_inference(), a.to(torch.float64).is_inference(), a.clone().is_inference(), a.detach().is_inference(), a.max(0).values.is_inference(), a.numpy().shape)
print(a.is_inference(), type(a) is not None, a.requires_grad, a.is_leaf, a.grad_fn)
print(a)

print(1)
with torch.inference_mode(): a=torch.ones(3)
for f in (lambda: a+1, lambda: a.view(3), lambda: a[0], lambda: a.detach(), lambda: a.clone(), lambda: a.contiguous(), lambda: a.to(torch.float32), lambda: a.float(), lambda: a.double(), lambda: a.T, lambda: a.reshape(3,1), lambda: a.expand(2,3), lambda: a.cpu(), lambda: a.data, lambda: torch.zeros_like(a), lambda: a.sum(), lambda: a.unsqueeze(0), lambda: a.split(1)[0], lambda: a.unbind()[0], lambda: a.chunk(2)[0], lambda: a[:2], lambda: a[[0,1]], lambda: a.squeeze(), lambda: a.flatten(), lambda: a.T.contiguous(), lambda: torch.tensor(a.tolist()), lambda: a.new_zeros(2), lambda: a.requires_grad_(False), lambda: a.transpose(0,0), lambda: torch.stack([a,a]), lambda: a.max(), lambda: a.dropout if False else a*a, lambda: torch.as_tensor(a), lambda: a.type(torch.float32), lambda: a.type_as(a), lambda: a.diagonal() if False else a.view_as(a), lambda: a.narrow(0,0,1), lambda: a.item() if False else a.select(0,1)):
    try: r=f(); print(r.is_inference(), r.requires_grad, end=' ')
    except Exception as e: print(type(e).__name__, str(e)[:100])

print(2)
with torch.inference_mode(): a=torch.ones(3)
for n in ('a.add_(1)','a.requires_grad_()','a.requires_grad_(True)','a._version','a[0]=1','a.zero_()','a.fill_(2)','a.copy_(torch.ones(3))','a.mul_(2)','a.relu_()', 'a+=1','a.data.add_(1)','a.detach().add_(1)','a.view(3).add_(1)','a.normal_()','a.uniform_()','a.set_ ','a.backward()','a.retain_grad()','a.register_hook(lambda g:g)','a.requires_grad=True','a.requires_grad=False','a.grad','a.grad=torch.ones(3)','a.data=torch.ones(3)','a.data_ptr()>0','a.storage_offset()','a.is_leaf', 'a.output_nr','a._base','a._is_view()','a.tolist()','a.numpy()','a.item','hash(a)==id(a)','a.detach_()','torch.add(a,1,out=a)','torch.add(torch.ones(3),1,out=a)','torch.exp(a,out=torch.zeros(3))', 'a.squeeze_()','a.t_()','a.resize_(2)','a.clamp_(0)','a.index_fill_(0,torch.tensor([0]),1.)','a.masked_fill_(a>0,1.)','a.scatter_(0,torch.tensor([0]),1.)','a.exp_()', 'nn.init.ones_(a)','nn.init.zeros_(a)','F.relu(a,inplace=True)','F.relu(a)','a.share_memory_ '):
    try:
        exec(n); print(n,'ok')
    except Exception as e: print(n,type(e).__name__ if type(e).__name__ in ('RuntimeError','TypeError','AttributeError') else type(e).__mro__[2].__name__, )

print(3)
with torch.inference_mode(): a=torch.ones(3)
x=torch.ones(3,requires_grad=True)
for n in ('x*a','x+a','x-a','x/a','a*x','x@a','torch.dot(x,a)','x**a','torch.where(a>0,x,a)','torch.cat([x,a])','torch.stack([a,x])','torch.maximum(x,a)','x.masked_fill(a>0,0.)','x[a.long()]','torch.atan2(x,a)','x.copy_(a) if 0 else (x*1).copy_(a)','(x*1).add_(a)','(x*1).mul_(a)','F.linear(x[None],a[None])','F.mse_loss(x,a)','F.cross_entropy(x[None],a[None].argmax(1))','F.cross_entropy(x[None],a[:1].long())','x.gather(0,a.long())','torch.lerp(x,a,0.5)','torch.addcmul(x,a,a)','x*a.clone()','x*a.detach()','x*a.sum()','x.sum()*a','(x*2)*2','a*2','torch.einsum("i,i->",x,a)','x.index_select(0,a.long())','x.clamp(a)','x.expand_as(a)','x.view_as(a)','x.to(a)','x.type_as(a)','x.sub(a,alpha=2)','F.l1_loss(x,a)','F.binary_cross_entropy(x*0.5,a)','torch.outer(x,a)','x.prod()*1','torch.min(x,a)','x.scatter_add(0,a.long(),x)','torch.fmod(x,a)','x.lerp(x,a)','F.layer_norm(x,(3,),a,a)','F.dropout(x*a,0.5)', 'F.nll_loss(x[None],a[:1].long())','F.kl_div(x,a)','F.conv1d(x[None,None],a[None,None])','F.softmax(x,0)*a'):
    try:
        r=eval(n); print(n,'ok',r.requires_grad,r.is_inference())
    except Exception as e: print(n,'ERR')

print(4)
x=torch.ones(3,requires_grad=True)
y=x*2
with torch.inference_mode():
    print(x.is_inference(), y.is_inference())
    v=y.view(3); print(v.is_inference(), v.requires_grad, v._is_view(), v._base is y)
    w=x[0]; print(w.is_inference(), w.requires_grad)
    z=y*2; print(z.is_inference(), z.requires_grad, z.grad_fn)
    y.add_(1); print(y._version, y.requires_grad)
    print(y.detach().is_inference(), y.data.is_inference())
    x.add_(1); print(x._version, x.requires_grad, x.is_leaf)
    q=torch.ones(2,requires_grad=True); print(q.requires_grad, q.is_leaf, q.is_inference()); r=q*2; print(r.requires_grad, r.is_leaf)
    a=torch.ones(2); a.requires_grad_(); print(a.requires_grad)
    print(x.contiguous().is_inference(), x.reshape(3).is_inference(), x.float().is_inference(), x.to(torch.float64).is_inference(), x.clone().is_inference(), x.T.is_inference(), x.expand(2,3).is_inference(),x.chunk(2)[0].is_inference(), x.unbind()[0].is_inference())
y.sum().backward(); print(x.grad)
for f in (lambda: v.add_(1), lambda: w.add_(1), lambda: v*2, lambda: q*2, lambda: q*q, lambda: (q*2).sum().backward(), lambda: print(q.grad, q.grad.is_inference()), lambda: z+1, lambda: z.add_(1)):
    try: t=f(); print('ok', t.requires_grad if t is not None else None)
    except Exception as e: print('ERR')

print(5)
print(torch.is_inference_mode_enabled())
with torch.inference_mode():
    print(torch.is_inference_mode_enabled(), torch.is_grad_enabled())
    with torch.inference_mode(False):
        print(torch.is_inference_mode_enabled(), torch.is_grad_enabled())
        x=torch.ones(2,requires_grad=True); y=x*2; print(y.requires_grad, y.is_inference())
    with torch.enable_grad():
        print(torch.is_inference_mode_enabled(), torch.is_grad_enabled())
        y=x*2; print(y.requires_grad, y.is_inference(), y.grad_fn)
        a=torch.ones(2,requires_grad=True); b=a*2; print(b.requires_grad,b.is_leaf)
    with torch.no_grad(): print(torch.is_inference_mode_enabled(), torch.ones(1).is_inference())
    with torch.set_grad_enabled(True): print(torch.is_inference_mode_enabled(), torch.is_grad_enabled())
with torch.no_grad():
    with torch.inference_mode(False): print(torch.is_grad_enabled(), (x*2).requires_grad)
    with torch.inference_mode(): print(torch.is_grad_enabled())
    print(torch.is_grad_enabled())
with torch.inference_mode(mode=False): print(torch.is_inference_mode_enabled())
@torch.inference_mode()
def f(x):
    return x*2
@torch.inference_mode
def g(x): return x*2
@torch.inference_mode(False)
def h(x): return x*2
@torch.inference_mode(mode=True)
def k(x): return x*2
print([t(x).is_inference() for t in (f,g,h,k)], [t(x).requires_grad for t in (f,g,h,k)], f.__name__, g.__name__)
@torch.inference_mode()
def gen():
    for i in range(2): yield torch.ones(1)*i
for v in gen(): print(v.is_inference(), torch.is_inference_mode_enabled(), torch.ones(1).is_inference())
print(torch.is_inference(v), torch.is_inference(torch.ones(1)))

print(6)
with torch.inference_mode(): a=torch.ones(3)
x=torch.ones(3,requires_grad=True)
for f in (lambda: x*a, lambda: a.add_(1), lambda: a._version, lambda: a.requires_grad_(), lambda: torch.ones(2,out=a)):
    try: print(f())
    except Exception as e: print(any(k in str(e) for k in ('Inference tensors cannot be saved for backward','Inplace update to inference tensor outside InferenceMode is not allowed','Inference tensors do not track version counter','Setting requires_grad=True on inference tensor outside InferenceMode is not allowed')))

print(7)
import copy
with torch.inference_mode(): a=torch.ones(3)
b=copy.deepcopy(a); print(b.is_inference()); b.add_(1); print(b)
c=copy.copy(a); print(c.is_inference())
with torch.inference_mode(): d=copy.deepcopy(a); print(d.is_inference())

print(8)
m=nn.Linear(2,2)
with torch.no_grad():
    for p in m.parameters(): p.fill_(0.5)
m.eval()
with torch.inference_mode():
    y=m(torch.ones(1,2)); print(y, y.requires_grad, y.is_inference())
print(y+1, y.mean(), y.argmax(), y.tolist(), (y.clone()*2).is_inference())
loss=m(torch.ones(1,2)).sum(); loss.backward(); print(m.weight.grad)
try: F.mse_loss(m(torch.ones(1,2)), y)
except RuntimeError as e: print("refused")
print(F.mse_loss(m(torch.ones(1,2)), y.clone()).item())

print(9)
with torch.inference_mode():
    m=nn.Linear(2,2); print(m.weight.is_inference(), m.weight.requires_grad)
try: print(m(torch.ones(1,2)).requires_grad)
except RuntimeError as e: print('R')

print(10)
with torch.inference_mode(): a=torch.ones(3)
with torch.inference_mode():
    a.add_(1); a[0]=5; b=a.view(3); b.mul_(2); print(a)
    try: a._version
    except RuntimeError: print('R')
with torch.no_grad():
    x=torch.ones(3,requires_grad=True); print((x*a).requires_grad)
print(a)

print(11)
class Sq(torch.autograd.Function):
    @staticmethod
    def forward(ctx,x,a):
        ctx.save_for_backward(x,a); return x*a
    @staticmethod
    def backward(ctx,g):
        x,a=ctx.saved_tensors; return g*a,None
with torch.inference_mode(): a=torch.ones(3)
x=torch.ones(3,requires_grad=True)
try: Sq.apply(x,a)
except RuntimeError: print('R')
with torch.inference_mode(): print(Sq.apply(x,a).is_inference())

print(12)
x=torch.ones(3,requires_grad=True)
with torch.inference_mode():
    y=(x*2).sum()
for f in (lambda: y.backward(), lambda: torch.autograd.grad(y,x), lambda: torch.autograd.grad((x*2).sum(),x)):
    try: print(f())
    except RuntimeError: print('R')
with torch.inference_mode():
    try: torch.autograd.grad((x*2).sum(),x)
    except RuntimeError: print('R')
z=(x*x).sum()
with torch.inference_mode():
    z.backward(); print(x.grad)

print(13)
with torch.inference_mode():
    s=torch.ones(2); 
    print(repr(s), s.numpy(), s.tolist(), bool(s[0]), float(s.sum()), f"{s[0]:.2f}", type(s).__name__, isinstance(s,torch.Tensor))
    p,q=torch.max(torch.tensor([[1.,2.]]),1); print(p.is_inference(), q.is_inference())
    t=torch.tensor([1,2,3]); print((t+1).is_inference(), (t==2).is_inference(), t.bool().is_inference())
    o=torch.zeros(2); torch.add(s,s,out=o); print(o, o.is_inference())
nrm=torch.zeros(2)
with torch.inference_mode():
    torch.add(s,s,out=nrm); print(nrm.is_inference(), nrm)
    nrm[0]=7; nrm+=s; print(nrm, nrm.is_inference(), nrm._version)
nrm.add_(1); print(nrm)
print(s.__class__ is torch.Tensor)
