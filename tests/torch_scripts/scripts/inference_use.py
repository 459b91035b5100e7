"""Inference mode as programs use it: evaluation loops, copies, threads, transformations."""

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
a=torch.tensor([1.,2.])
with torch.inference_mode():
    tr(lambda: torch.func.grad(lambda x: x.sin().sum())(torch.ones(2)))
    tr(lambda: torch.func.vmap(lambda x: x*2)(torch.ones(2)))
    tr(lambda: torch.func.jvp(lambda x: x*2,(torch.ones(2),),(torch.ones(2),)))
    tr(lambda: torch.func.jacrev(lambda x: x*x)(a))
    tr(lambda: torch.autograd.functional.jacobian(lambda x: x*x, a))
    tr(lambda: torch.autograd.gradcheck(lambda x: x*x, torch.ones(2,dtype=torch.float64,requires_grad=True)))
with torch.inference_mode(): t=torch.ones(2)
tr(lambda: torch.func.grad(lambda x: (x*x).sum())(t)); tr(lambda: torch.func.vmap(lambda x: x*2)(t)); tr(lambda: torch.func.jacrev(lambda x: x*x)(t))
with torch.no_grad(): tr(lambda: torch.func.grad(lambda x: x.sin().sum())(a))

print(1)
torch.manual_seed(0)
class Net(nn.Module):
    def __init__(s):
        super().__init__(); s.a=nn.Linear(3,4); s.b=nn.Linear(4,2); s.d=nn.ReLU()
    def forward(s,x): return s.b(s.d(torch.relu(s.a(x))))
net=Net(); opt=torch.optim.SGD(net.parameters(),lr=0.1); x=torch.ones(5,3); y=torch.zeros(5,dtype=torch.int64)
for e in range(2):
    net.train(); opt.zero_grad(); l=F.cross_entropy(net(x),y); l.backward(); opt.step()
    net.eval()
    with torch.inference_mode():
        o=net(x); acc=(o.argmax(1)==y).float().mean(); prob=torch.softmax(o,1); print(prob.shape, o.is_inference(), prob.sum().item()>4.9)
best=torch.cat([o,o]); print(best.shape, best.is_inference(), o.cpu().numpy().shape, o.max().item()==o.max(), o.mean(0).shape)
@torch.inference_mode()
def predict(m,x): return m(x).argmax(-1)
print(predict(net,x).shape, predict(net,x).is_inference())
acc=0.
with torch.inference_mode():
    for i in range(3): acc+=net(x).sum()
    buf=torch.zeros(5,2); buf[0]=net(x)[0]; buf[:,1]+=1; buf.add_(net(x)); print(buf.shape, (buf>0).any().item() in (True,False))
    h=torch.zeros(2)
    h+=1; h=h*2; print(h); l=[torch.ones(1) for _ in range(2)]; print(torch.stack(l).shape, torch.cat(l).is_inference()); 
    z=torch.ones(2,3); z[z>0]=5; z.masked_fill_(z>4,1.); z.clamp_(max=0.5); print(z, z.T.is_inference(), z.numpy().sum())
    w=torch.where(z>0,z,torch.zeros_like(z)); print(w.is_inference())
    a,b=z.split(1); a.add_(1); print(z); q=z.view(-1); q[0]=9; print(z[0,0], q._is_view() if False else 0)
    print(z.requires_grad, torch.tensor(1.).item(), z.double().dtype, z.sum(1).tolist(), len(z), [r.is_inference() for r in z])

print(2)
import copy
net=nn.Linear(2,2)
with torch.inference_mode(): sd=copy.deepcopy(net.state_dict()); c=copy.deepcopy(net); print(c.weight.requires_grad, sd['weight'].requires_grad)
net2=nn.Linear(2,2); net2.load_state_dict(sd); print(torch.equal(net2.weight,net.weight))
l=net2(torch.ones(1,2)).sum(); l.backward(); print(net2.weight.grad is not None)
with torch.inference_mode(): net2.load_state_dict(net.state_dict()); net2.weight.mul_(2); net2.weight.data.fill_(1.)
net2.zero_grad(); net2(torch.ones(1,2)).sum().backward(); print(net2.weight.grad)
ema=[q.detach().clone() for q in net2.parameters()]
with torch.inference_mode():
    for e,q in zip(ema,net2.parameters()): e.mul_(0.9).add_(q,alpha=0.1)
print(ema[0], ema[0].is_inference()); ema[0].add_(1)
with torch.inference_mode():
    r=torch.ones(2); r.requires_grad_(); print(r.requires_grad, (r*2).requires_grad)
    tr(lambda: (r*2).sum().backward())
    k=torch.ones(2,requires_grad=True); tr(lambda: k.sum().backward())
x=torch.ones(2,requires_grad=True)
with torch.inference_mode(): y=x.clone(); z=x.detach()
print(y.is_inference(), z.is_inference()); z.add_(1); print(x)
tr(lambda: x*z); tr(lambda: torch.stack([y,y]).requires_grad_().sum().backward())
tr(lambda: torch.empty_like(y).is_inference()); tr(lambda: y.new_tensor([1.]).is_inference()); tr(lambda: y.to(torch.float32) is y); tr(lambda: y.contiguous() is y); tr(lambda: y.type(torch.float64).is_inference()); tr(lambda: y.repeat(2).is_inference()); tr(lambda: y.flip(0).is_inference()); tr(lambda: torch.equal(y,y)); tr(lambda: y==y); tr(lambda: -y); tr(lambda: y+y); tr(lambda: 2-y); tr(lambda: y@y); tr(lambda: [v.is_inference() for v in y]); tr(lambda: y.max(0)); tr(lambda: y.unsqueeze(0).expand(2,2).is_inference()); tr(lambda: bool(y[0])); tr(lambda: np.asarray(y)); tr(lambda: np.add(y,1)); tr(lambda: y.tolist()); tr(lambda: f"{y[0]:.1f}"); tr(lambda: repr(y)); tr(lambda: torch.save is not None)

print(3)
import threading
with torch.inference_mode(): a=torch.ones(2)
L=[]
def w():
    try: a.add_(1)
    except RuntimeError: L.append("R")
    L.append(torch.is_inference_mode_enabled())
with torch.inference_mode():
    t=threading.Thread(target=w); t.start(); t.join()
print(L)
try:
    with torch.inference_mode(): raise KeyError
except KeyError: print(torch.is_inference_mode_enabled(), torch.is_grad_enabled())
m=torch.inference_mode()
with m: print(torch.is_inference_mode_enabled())
with torch.inference_mode():
    with torch.inference_mode(False):
        with torch.inference_mode(): print(torch.is_inference_mode_enabled(), torch.ones(1).is_inference())
        print(torch.is_inference_mode_enabled(), torch.ones(1).is_inference(), torch.is_grad_enabled())
    print(torch.is_inference_mode_enabled(), torch.is_grad_enabled())
with torch.no_grad():
    with torch.inference_mode(): pass
    print(torch.is_grad_enabled())
class M(nn.Module):
    @torch.inference_mode()
    def forward(s,x): return x*2
x=torch.ones(1,requires_grad=True); o=M()(x); print(o.requires_grad, o.is_inference())
with torch.enable_grad(), torch.inference_mode(): print(torch.is_grad_enabled())
with torch.inference_mode(), torch.set_grad_enabled(True): print(torch.is_grad_enabled(), (x*2).requires_grad)
print(torch.is_grad_enabled())
