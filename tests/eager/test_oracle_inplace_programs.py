"""Programs that write in place, set `.data`, `.grad` and `requires_grad`, against torch: what they print, or the class of the error that ends them."""

import pytest

torch = pytest.importorskip("torch")

import tracegrad as tg  # noqa: E402
from tests.eager.snippets import printed  # noqa: E402

START = "x=torch.tensor([1.,2.,3.],requires_grad=True); y=x*2\n"
_SETTERS = r"""
x.data=torch.zeros(2,2); print(x,x.is_leaf,x.grad,x._version)
x.data=torch.zeros(2,dtype=torch.float64); print(x, x.dtype)
x.data=torch.zeros(2,dtype=torch.int64)
x.data=3
x.data=None
x.data=[1.]
x.data=np.ones(3)
x.sum().backward(); x.data=torch.zeros(2); print(x.grad,x)
x.data=torch.zeros(3); x.sum().backward(); print(x.grad)
x.data+=1; print(x,x._version)
x.data[0]=5; print(x, x._version)
x.data.mul_(2); print(x,x._version)
x.data.zero_(); y.sum().backward(); print(x.grad)
y.data=torch.zeros(3); print(y)
x.data=torch.ones(3,requires_grad=True); print(x)
d=x.data; print(d.requires_grad,d.is_leaf,d._version, d.data_ptr()==x.data_ptr())
d=x.detach(); d.add_(1); print(d._version,x._version,x)
d=x.data; d.add_(1); print(d._version,x._version)
a=torch.zeros(3); a.data=torch.ones(3,dtype=torch.int64); print(a)
a=torch.zeros(3); v=a[:2]; a.data=torch.ones(3); v.add_(5); print(a,v)
del x.data
x.grad=torch.ones(3); print(x.grad); x.sum().backward(); print(x.grad)
x.grad=torch.ones(2)
x.grad=torch.ones(3,dtype=torch.float64)
x.grad=torch.ones(3,1)
x.grad=x
x.grad=3
x.grad=None; print(x.grad)
x.grad=[1.]
x.grad=np.ones(3)
x.grad=torch.ones(3,dtype=torch.int64)
x.grad=torch.ones(3,requires_grad=True); print(x.grad)
a=torch.zeros(3); a.grad=torch.ones(3); print(a.grad)
a=torch.zeros(3); a.grad=torch.ones(2)
a=torch.zeros(3); a.grad=a
y.grad=torch.ones(3); print(y.grad)
g=torch.ones(3); x.grad=g; x.sum().backward(); print(g, x.grad is g)
g=torch.ones(3); x.grad=g; print(x.grad is g)
x.grad=torch.ones(3); del x.grad; print(x.grad)
x.sum().backward(); x.grad.add_(1); x.sum().backward(); print(x.grad)
x.sum().backward(); x.grad.data.zero_(); print(x.grad)
x.sum().backward(); x.grad *= 2; print(x.grad)
x.sum().backward(); x.grad[0]=7; print(x.grad)
x.sum().backward(); x.grad=x.grad*2; print(x.grad)
x.sum().backward(); x.grad.detach_(); x.grad.zero_(); print(x.grad)
x.requires_grad=False; print(x)
x.requires_grad_(False); print(x)
y.requires_grad=False
y.requires_grad=True; print(y.requires_grad)
y.requires_grad_(False)
y.requires_grad_(); print(y.requires_grad)
y.requires_grad_(True).sum().backward(); print(x.grad)
x.requires_grad=None
x.requires_grad=1
x.requires_grad_(None)
torch.ones(2,dtype=torch.int64).requires_grad_()
a=torch.ones(2,dtype=torch.int64); a.requires_grad=True
a=torch.ones(2,dtype=torch.int64); a.requires_grad=False; print(a)
torch.ones(2,dtype=torch.bool).requires_grad_(False)
d=x.detach(); d.requires_grad_(); (d*2).sum().backward(); print(d.grad,x.grad)
y.detach_(); print(y.requires_grad,y.is_leaf,y.grad_fn)
y[0].detach_()
v=y.view(3); v.detach_()
v=y[:]; v.detach_()
x.detach_(); print(x.requires_grad)
y.detach_(); y.sum().backward()
a=y.clone(); a.detach_(); a.add_(1); print(a,y)
y.detach_().requires_grad_(); (y*y).sum().backward(); print(y.grad,x.grad)
v=x.detach(); v.detach_(); print(v.requires_grad)
x.is_leaf=True
x.shape=3
x.grad_fn=None
x.dtype=torch.float64
x._version=3
x.T.zero_()
y.volatile=True
x.retain_grad(); print(x.retains_grad)
y.retain_grad(); y.mul_(2); y.sum().backward(); print(y.grad,x.grad)
y.retain_grad(); z=y.mul_(2); z.sum().backward(); print(z.grad, z is y)
y.register_hook(lambda g: g*2); y.mul_(3); y.sum().backward(); print(x.grad)
y.mul_(3); y.register_hook(lambda g: g*2); y.sum().backward(); print(x.grad)
"""
SETTERS = _SETTERS.strip().splitlines()
_PROGRAMS = r"""
x=torch.tensor([1.,2.,3.],requires_grad=True); y=x.clone(); y[0]=x[1]*x[2]; g,=torch.autograd.grad((y*y).sum(),x,create_graph=True); print(g); h,=torch.autograd.grad(g.sum(),x); print(h)
---
x=torch.tensor([1.,2.,3.],requires_grad=True); y=x*x; y[1:].mul_(x[:2]); g,=torch.autograd.grad((y**3).sum(),x,create_graph=True); print(g); h,=torch.autograd.grad(g.pow(2).sum(),x,create_graph=True); print(h); print(torch.autograd.grad(h.sum(),x))
---
x=torch.ones(3,requires_grad=True); y=x*2; y.add_(1).mul_(3).sqrt_(); y.sum().backward(); print(x.grad,y._version)
---
x=torch.ones(3,requires_grad=True); y=torch.zeros(3); y.add_(x); print(y.requires_grad,y.grad_fn.name(),y.is_leaf); y.sum().backward(); print(x.grad)
---
x=torch.ones(3,requires_grad=True); y=torch.zeros(3); y[0]=x[0]; print(y); y.sum().backward(); print(x.grad)
---
x=torch.ones(3,requires_grad=True); y=torch.zeros(3); v=y[1:]; v.copy_(x[:2]); print(y, v); y.sum().backward(); print(x.grad)
---
x=torch.ones(3,requires_grad=True); y=torch.zeros(3); z=y*2; y.add_(x); z.sum().requires_grad
print(z.requires_grad)
---
x=torch.ones(3,requires_grad=True); buf=torch.zeros(4,3)
for i in range(4): buf[i]=x*i
buf.sum().backward(); print(x.grad,buf._version, buf.grad_fn.name())
---
x=torch.ones(3,requires_grad=True); h=torch.zeros(3)
for i in range(3): h=h.clone(); h+=x*i
h.sum().backward(); print(x.grad)
---
x=torch.ones(3,requires_grad=True); h=torch.zeros(3)
for i in range(3): h.add_(x,alpha=i)
h.sum().backward(); print(x.grad)
---
x=torch.ones(3,requires_grad=True)
with torch.no_grad(): x.add_(1)
print(x,x._version,x.grad_fn)
---
x=torch.ones(3,requires_grad=True); y=x*x
with torch.no_grad(): x.add_(1)
y.sum().backward()
---
x=torch.ones(3,requires_grad=True); y=x+x
with torch.no_grad(): x.add_(1)
y.sum().backward(); print(x.grad)
---
w=torch.ones(2,2,requires_grad=True); x=torch.ones(2);
for _ in range(3):
    loss=((w@x)**2).sum(); loss.backward()
    with torch.no_grad():
        w-=0.1*w.grad; w.grad.zero_()
print(w,w._version,loss)
---
w=torch.ones(2,2,requires_grad=True); x=torch.ones(2);
for _ in range(3):
    loss=((w@x)**2).sum(); loss.backward()
    w.data-=0.1*w.grad; w.grad=None
print(w,w._version,loss)
---
w=torch.ones(2,2,requires_grad=True); l1=(w*w).sum(); l2=(w*w*w).sum(); l1.backward()
with torch.no_grad(): w-=0.1*w.grad
l2.backward()
---
class F1(torch.autograd.Function):
    @staticmethod
    def forward(ctx,x):
        ctx.mark_dirty(x); x.add_(1); return x
    @staticmethod
    def backward(ctx,g): return g*3
x=torch.ones(3,requires_grad=True); y=x*2; z=F1.apply(y); print(z is y,y._version,y.grad_fn.name()); y.sum().backward(); print(x.grad)
---
class F1(torch.autograd.Function):
    @staticmethod
    def forward(ctx,x):
        ctx.mark_dirty(x); x.add_(1); return x
    @staticmethod
    def backward(ctx,g): return g*3
x=torch.ones(3,requires_grad=True); F1.apply(x)
---
class F1(torch.autograd.Function):
    @staticmethod
    def forward(ctx,x):
        ctx.mark_dirty(x); x.add_(1); return x
    @staticmethod
    def backward(ctx,g): return g*3
x=torch.ones(2,3,requires_grad=True); y=x*2; v=y[0]; z=F1.apply(v); print(z, y); y.sum().backward(); print(x.grad)
---
class F1(torch.autograd.Function):
    @staticmethod
    def forward(ctx,x):
        x.add_(1); return x*2
    @staticmethod
    def backward(ctx,g): return g*2
x=torch.ones(3,requires_grad=True); y=x*2; z=F1.apply(y); print(y,z,y._version); z.sum().backward(); print(x.grad)
---
class F1(torch.autograd.Function):
    @staticmethod
    def forward(ctx,x):
        ctx.save_for_backward(x); return x.exp()
    @staticmethod
    def backward(ctx,g):
        x,=ctx.saved_tensors; return g*x.exp()
x=torch.ones(3,requires_grad=True); y=x*2; z=F1.apply(y); y.add_(1); z.sum().backward()
---
x=torch.ones(3,requires_grad=True); y=x*2; g=y.grad_fn; y.add_(1); print(y.grad_fn.next_functions[0][0] is g)
---
x=torch.ones(3,requires_grad=True); y=x*2; y.register_hook(lambda g: print("h",g)); y.add_(1); y.sum().backward()
---
x=torch.tensor([-1.,2.],requires_grad=True); h=x*1; y=torch.relu_(h); print(y is h,h.detach()); y.sum().backward(); print(x.grad)
---
x=torch.tensor([-1.,2.],requires_grad=True); h=x*1; y=torch.nn.ReLU(inplace=True)(h); print(y is h,h.detach()); y.sum().backward(); print(x.grad)
---
a=np.ones(3,dtype=np.float32); x=torch.from_numpy(a); w=torch.ones(3,requires_grad=True); z=w*x; x.add_(1); z.sum().backward()
---
a=np.ones(3,dtype=np.float32); x=torch.from_numpy(a); w=torch.ones(3,requires_grad=True); z=w*x; b=torch.from_numpy(x.numpy()); b.add_(1); print(x)
---
x=torch.ones(3); a=x.numpy(); x.add_(1); print(a); a[0]=9; print(x)
---
x=torch.ones(2,3); r=x[0]; x.add_(1); r.mul_(3); print(x,r._version,x._version)
---
x=torch.ones(2,3,requires_grad=True); y=x*1; a,b=y.unbind(0); a.mul_(2)
---
x=torch.ones(2,3,requires_grad=True); y=x*1; a,b=y.split(1); a.mul_(2)
---
x=torch.ones(2,3,requires_grad=True); y=x*1; a,b=y.chunk(2); y.mul_(2); print(a)
---
x=torch.ones(2,3,requires_grad=True); y=x.expand(2,2,3); y.mul_(2)
---
y=torch.ones(3).expand(2,3); y.mul_(2)
---
y=torch.ones(3).expand(2,3); y.fill_(2); print(y)
---
y=torch.ones(3).expand(2,3); y[0]=2; print(y)
---
y=torch.ones(3).expand(2,3); y.zero_(); print(y)
---
x=torch.ones(3,requires_grad=True); y=x.view(3); y.add_(1)
---
x=torch.ones(3,requires_grad=True)
with torch.no_grad(): y=x.view(3)
y.add_(1)
---
x=torch.ones(3,requires_grad=True)
with torch.no_grad():
    y=x.view(3); y.add_(1)
print(x,x._version)
---
x=torch.ones(3,requires_grad=True); y=x*1
with torch.no_grad(): v=y[:2]
v.add_(1)
---
x=torch.ones(3,requires_grad=True); y=x*1; v=y[:2]
with torch.no_grad(): v.add_(1)
print(y); y.sum().backward(); print(x.grad)
---
x=torch.ones(3,requires_grad=True); x.detach().add_(1); print(x, x._version)
---
x=torch.ones(3,requires_grad=True); y=x*x; x.detach().add_(1); y.sum().backward()
---
x=torch.ones(3,requires_grad=True); y=x.detach(); y.requires_grad_(); y.add_(1)
---
x=torch.ones(3,requires_grad=True); y=x*1; z=y.add_(1); w=z.mul_(2); print(w is y, y.grad_fn.name(), y.grad_fn.next_functions[0][0].name())
---
x=torch.ones(3,requires_grad=True); y=x*1; y+=y; y.sum().backward(); print(x.grad)
---
x=torch.ones(3,requires_grad=True); y=x*1; y/=2; y-=x; y**=2; y.sum().backward(); print(x.grad)
---
x=torch.ones(3,dtype=torch.int64); x/=2
---
x=torch.ones(3,dtype=torch.int64); x+=1.5
---
x=torch.ones(3,dtype=torch.int64); x+=torch.ones(3)
---
x=torch.ones(3); x+=torch.ones(3,dtype=torch.float64); print(x)
---
x=torch.ones(3); x+=torch.ones(3,1)
---
x=torch.ones(3,dtype=torch.bool); x|=torch.tensor([True,False,True]); print(x); x+=1
---
x=torch.ones(3); x.add_(1,alpha=2); x.add_(other=3); print(x); x.sub_(1,alpha=0.5); print(x)
---
x=torch.ones(3); x.add_()
---
x=torch.ones(3); x.add_("a")
---
x=torch.ones(3); x.add_(None)
---
x=torch.ones(3); x.mul_([1,2,3])
---
x=torch.ones(3); x.clamp_()
---
x=torch.ones(3); x.copy_([1,2,3])
---
x=torch.ones(3); x.copy_(np.ones(3))
---
x=torch.ones(3); x.fill_("a")
---
x=torch.ones(3); x.fill_(None)
---
x=torch.ones(3,dtype=torch.int64); x.fill_(1.7); print(x)
---
x=torch.ones(3,dtype=torch.bool); x.fill_(2); print(x)
---
x=torch.ones(3); x.fill_(1+2j)
---
x=torch.ones(3); x.fill_(torch.tensor(4)); x.fill_(True); print(x)
---
x=torch.ones(3,requires_grad=True); y=x*1; y.fill_(x[0]); y.sum().backward(); print(x.grad)
---
x=torch.ones(3,requires_grad=True); y=x*1; y.copy_(x.double()*2); y.sum().backward(); print(x.grad, y.dtype)
---
x=torch.ones(3,requires_grad=True); y=x*1; y.copy_(x[0]); y.sum().backward(); print(x.grad)
---
x=torch.ones(3,requires_grad=True); y=torch.zeros(2,3); y.copy_(x); print(y); y.sum().backward(); print(x.grad)
---
x=torch.ones(3,requires_grad=True); y=torch.zeros(2,3,dtype=torch.int64); y.copy_(x); print(y)
---
x=torch.ones(3,requires_grad=True); y=x*1; y.masked_fill_(torch.tensor([True,False,True]),0); y.sum().backward(); print(x.grad)
---
x=torch.ones(3,requires_grad=True); s=torch.zeros(2); s.index_add_(0,torch.tensor([0,1,0]),x); s.pow(2).sum().backward(); print(s,x.grad)
---
x=torch.ones(3,requires_grad=True); s=torch.zeros(2); s.scatter_add_(0,torch.tensor([0,1,0]),x); s.pow(2).sum().backward(); print(s,x.grad)
---
x=torch.ones(3,requires_grad=True); s=torch.zeros(2); s.index_put_((torch.tensor([0,1,0]),),x,accumulate=True); s.pow(2).sum().backward(); print(s,x.grad)
---
x=torch.zeros(3); x[torch.tensor([0,0,1])]+=1; print(x)
---
x=torch.zeros(3); x[[0,0,1]]=torch.tensor([1.,2.,3.]); print(x)
---
torch.zeros(3).requires_grad_().zero_()
---
torch.sigmoid_(torch.zeros(3,requires_grad=True))
---
torch.abs_(3)
---
torch.zero_(torch.ones(2)).add_(1)
print(torch.fill_(torch.ones(2),5))
---
print(torch.clamp_(torch.arange(4.),1,2), torch.clamp_min_(torch.arange(4.),1), torch.exp_(torch.zeros(2)), torch.round_(torch.tensor([1.26]),decimals=1))
---
x=torch.ones(3); x.round_(decimals=2); x.div_(3).round_(decimals=2); print(x)
---
x=torch.tensor([7,8]); x.floor_divide_(2); x.remainder_(3); x.pow_(2); print(x); x.bitwise_xor_(1); x<<=2; print(x); x>>=1; print(x, x<<1, 1<<x, x>>1)
---
x=torch.ones(3); torch.manual_seed(0); x.uniform_(); torch.manual_seed(0); y=torch.empty(3).uniform_(); print(torch.equal(x,y))
---
x=torch.empty(10000); x.normal_(3,2); print(abs(x.mean().item()-3)<.1, abs(x.std().item()-2)<.1); x.uniform_(-1,1); print(x.min()>=-1,x.max()<1); x.exponential_(2); print(abs(x.mean().item()-.5)<.05); x.bernoulli_(.3); print(abs(x.mean().item()-.3)<.03); x.random_(0,5); print(sorted(set(x.tolist()))); x.geometric_(.5); print(abs(x.mean().item()-2)<.1)
---
x=torch.empty(3).normal_(generator=torch.Generator().manual_seed(1)); y=torch.empty(3).normal_(generator=torch.Generator().manual_seed(1)); print(torch.equal(x,y))
"""
PROGRAMS = _PROGRAMS.strip().split("\n---\n")


@pytest.mark.parametrize("text", SETTERS)
def test_data_grad_and_requires_grad_are_set_as_in_torch(text):
    assert printed(START + text, tg) == printed(START + text, torch)


@pytest.mark.parametrize("text", PROGRAMS)
def test_program_prints_what_it_prints_under_torch(text):
    assert printed(text, tg) == printed(text, torch)


OPERATIONS = [
    "exp",
    "sigmoid",
    "tanh",
    "sqrt",
    "sin",
    "log",
    "abs",
    "relu",
    "square",
    "reciprocal",
    "rsqrt",
    "neg",
    "log1p",
    "expm1",
    "clone",
    "erf",
    "tan",
]
OVERWRITES = [
    "y.add_(1)",
    "z.add_(1)",
    "y.zero_()",
    "z[1]=1",
    "y[0]=1",
    "z.detach().add_(1)",
    "z.view(-1)[1]=2.",
    "with torch.no_grad(): z.add_(1)",
    "torch.exp(x.detach(),out=z.detach())",
]


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("write", OVERWRITES)
def test_an_overwritten_value_is_refused_where_torch_refuses_it(operation, write):
    text = f"x=torch.tensor([.1,.2,.3],requires_grad=True); y=x*1; z=y.{operation}()\n{write}\nprint(z._version,y._version); z.sum().backward(); print(x.grad)"
    assert printed(text, tg) == printed(text, torch)


USES = ["y*w", "y+w", "y/w", "y@w", "y**w", "torch.maximum(y,w)", "torch.where(w>0,y,w)", "y.dot(w)", "torch.outer(y,w)", "torch.cat([y,w])", "y[w.long()]", "y-w", "y.prod()", "y.max()", "y.std()",
        "y.cumsum(0)", "y.softmax(0)", "y.logsumexp(0)", "y.expand(2,3)*w"]  # fmt: skip


@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize("write", ["w.add_(1)", "y.add_(1)", "w[0]=0.5", "w.mul_(0)"])
def test_an_overwritten_operand_is_refused_where_torch_refuses_it(use, write):
    text = f"x=torch.tensor([.1,.2,.3],requires_grad=True); y=x*1; w=torch.tensor([.1,.2,.3]); r={use}\n{write}\nr.sum().backward(); print(x.grad)"
    assert printed(text, tg) == printed(text, torch)


def test_a_write_through_data_is_noticed_though_torch_would_use_the_new_value():
    x = tg.tensor([1.0, 2.0], requires_grad=True)
    y = x * x
    x.data.mul_(2)
    with pytest.raises(
        RuntimeError, match="modified by an inplace operation: it is at version 1; expected an earlier version"
    ):
        y.sum().backward()
    assert x._version == 0 and x.grad is None


def test_data_of_another_shape_is_refused_for_a_value_that_an_operation_made():
    y = tg.ones(3, requires_grad=True) * 2
    with pytest.raises(RuntimeError, match="keeps its shape and dtype"):
        y.data = tg.zeros(2)
    y.data = tg.zeros(3)
    assert y.tolist() == [0.0, 0.0, 0.0]
