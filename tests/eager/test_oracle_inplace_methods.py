"""Every in-place method against torch: on plain memory, where autograd follows, through views, on leaves and on integers; and what changes the shape of a name."""

import pytest

torch = pytest.importorskip("torch")

import tracegrad as tg  # noqa: E402
from tests.eager.snippets import printed  # noqa: E402

VALUES = "w=torch.tensor([[1.,2.,3.],[4.,5.,6.]]{grad}); b=torch.tensor([[.3,.7,.9],[.2,.9,.1]]{grad}); x=b*1; i=torch.tensor([1,0]); j=torch.tensor([[0,1,0],[1,0,1]]); m=x>.5\n"
PLAIN, FOLLOWED = VALUES.format(grad=""), VALUES.format(grad=",requires_grad=True")
METHODS = """lerp_(w,0.3) lerp_(w,0.8) lerp_(w,w*0.1) lerp_(w.double(),.3) addcmul_(w,w*2,value=2) addcmul_(w[0],w[:,:1]) addcdiv_(w,w+1,value=.5) addmm_(torch.ones(2,4),w.new_ones(4,3))
addr_(w[:,0],w[0]) index_fill_(0,i,7.) index_fill_(1,i,w[0,0]) index_fill_(0,i,w[0]) index_fill_(0,i.int(),1) index_fill_(2,i,1.) index_copy_(0,i,w) index_copy_(1,i,w[:,:2])
index_copy_(0,i,w[:1]) index_copy_(0,torch.tensor([1,1]),w) index_add_(0,i,w) masked_scatter_(m,w) masked_scatter_(m,w[0,:1]) masked_scatter_(m[0],w) masked_fill_(m,0) masked_fill_(m,w[0,0])
scatter_(0,j,w) scatter_(1,j,w) scatter_(0,j,2.) scatter_(1,torch.tensor([[5]]),w) scatter_(1,torch.tensor([[-1]]),w) scatter_add_(0,j,w) put_(j,w) put_(i,w) put_(torch.tensor([-1]),w[0,:1])
put_(j,w,accumulate=True) index_put_((i,),w) index_put_((i,),w[0],accumulate=True) nan_to_num_() tril_() triu_(1) clamp_(0.2,0.5) clamp_min_(0.5) clamp_max_(w) round_(decimals=1) pow_(2) fmod_(.4)
remainder_(w) relu_() sigmoid_() tanh_() cumsum_(1) add_(w,alpha=2) sub_(w,alpha=.5) mul_(w) div_(w) div_(w,rounding_mode='floor') copy_(w) copy_(w[0]) copy_(w.long()) copy_(torch.ones(5)) copy_(3)
fill_(3) fill_(w[0,0]) fill_(w) zero_() sqrt_() exp_() log_() abs_() neg_() square_() floor_() sin_() bitwise_left_shift_(1) t_() transpose_(0,1) unsqueeze_(0) unsqueeze_(-1) squeeze_() squeeze_(0)
swapaxes_(0,1) swapdims_(1,0) unsqueeze_(5) transpose_(0,3)""".split()
USES = {
    "plain": PLAIN + "r=x.{m}; print(r is x,x,x._version,x._is_view())",
    "followed": FOLLOWED + "r=x.{m}; print(x._version,x); (x*torch.arange(1.,x.numel()+1).view(x.shape)).sum().backward(); print(b.grad,w.grad)",
    "base of a view": FOLLOWED + "v=x[1]; x.{m}; print(v.detach(),v._version); (v*v).sum().backward(); print(b.grad)",
    "view": FOLLOWED + "v=x.t()[1:]; v.{m}; print(x.detach()); (x*x).sum().backward(); print(b.grad,w.grad)",
    "row": FOLLOWED + "v=x[0]; v.{m}; print(x.detach(),v.shape,v._base is x); (x*x).sum().backward(); print(b.grad,w.grad)",
    "leaf": FOLLOWED + "b.{m}",
    "leaf without grad": FOLLOWED + "with torch.no_grad(): b.{m}\nprint(b,b._version,b.is_leaf)",
    "integers": PLAIN + "L=torch.arange(6).view(2,3); L.{m}; print(L,L._version)",
}  # fmt: skip
# where tracegrad keeps the value that the derivative needs, or says which of two mistakes it saw first
OWN = {
    ("base of a view", "cumsum_(1)"),
    ("view", "addr_(w[:,0],w[0])"),
    ("integers", "index_copy_(0,i,w[:1])"),
    ("integers", "put_(i,w)"),
}


@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize("method", METHODS)
def test_method_writes_what_torch_writes(method, use):
    text = USES[use].format(m=method)
    ours, theirs = printed(text, tg), printed(text, torch)
    if (use, method) not in OWN:
        assert ours == theirs


AFTER_RESHAPE = {
    "a view made before": "y=(x*2); v=y[1]; y.{m}; v.mul_(3); y.mul_(y.detach().clone()); (y*y).sum().backward(); print(y.detach(),v.detach(),x.grad,v._base is y,y._is_view())",
    "a view made after": "y=(x*2); y.{m}; v=y[0]; v.mul_(x[0,0]); (y*y).sum().backward(); print(y.detach(),x.grad,v._base is y,y._version)",
    "a view reshaped": "y=(x*2); v=y.view(3,2); v.{m}; v.mul_(x[0,0]); (y*y).sum().backward(); print(y.detach(),v.detach(),x.grad,v._base is y)",
    "second order": "y=x.clone(); y.{m}; y.pow_(3); g,=torch.autograd.grad(y.sum(),x,create_graph=True); print(g.detach(),torch.autograd.grad(g.sum(),x))",
}


@pytest.mark.parametrize("case", AFTER_RESHAPE)
@pytest.mark.parametrize(
    "method", ["t_()", "transpose_(0,1)", "unsqueeze_(0)", "unsqueeze_(-1)", "squeeze_()", "swapaxes_(1,0)"]
)
def test_a_reshaped_name_keeps_values_views_and_gradients(case, method):
    text = "x=torch.arange(6.,dtype=torch.float64).view(2,3).clone().requires_grad_(); " + AFTER_RESHAPE[case].format(
        m=method
    )
    assert printed(text, tg) == printed(text, torch)


def test_a_retained_gradient_is_that_of_the_value_before():
    x = tg.arange(6.0).view(2, 3).clone().requires_grad_()
    y = x * 2
    y.retain_grad()
    y.t_()
    (y * y).sum().backward()
    assert y.grad.tolist() == (2 * y.detach()).t().tolist()


MEMORY = """x=torch.ones(2,3); y=torch.zeros(4); x.set_(y); print(x, x.data_ptr()==y.data_ptr()); x.add_(1); print(y)
x=torch.ones(2,3); x.set_(); print(x)
x=torch.ones(2,3,requires_grad=True); x.set_(torch.zeros(4))
x=torch.ones(2,3); x.set_(torch.zeros(4,dtype=torch.int64))
x=torch.ones(2); x.set_(3)
x=torch.ones(6); y=torch.arange(10.); x.set_(y,2,(2,2),(3,1)); print(x)
x=torch.arange(4.); v=x[2:]; v.resize_(4); print(v[:2],x)
x=torch.arange(6.); v=x[2:]; v.resize_(2,2); print(v,x,v._base is x)
x=torch.arange(4.); x.resize_(2); print(x,x._version); x.resize_(4); print(x)
x=torch.ones(2,3,requires_grad=True); x.resize_(2)
x=torch.ones(2,3,requires_grad=True); (x*2).resize_(2)
x=torch.ones(2,3); x.resize_(-1)
x=torch.ones(2,3); x.resize_as_(torch.ones(2)); print(x)
x=torch.arange(6.); x.as_strided_((2,2),(2,1)); print(x,x._version)
x=torch.tensor([1.,2.],requires_grad=True); x.data=torch.zeros(2,2); print(x,x.is_leaf,x._version)
x=torch.tensor([1.,2.],requires_grad=True); x.data=torch.zeros(2,dtype=torch.int64)
x=torch.tensor([1.,2.],requires_grad=True); x.data+=1; x.data[0]=5; x.data.view(2)[1]=7; print(x,x._version)
x=torch.tensor([1.,2.]); d=x.data; d.add_(1); print(d._version,x._version); x.mul_(2); print(d._version,x._version)
x=torch.tensor([1.,2.]); d=x.detach(); d.add_(1); print(d._version,x._version)
x=torch.ones(2); del x.data
x=torch.ones(3); x.map_(torch.arange(3.), lambda a,b: a+b); print(x)
x=torch.ones(3,requires_grad=True); x.apply_(lambda a: a)""".split("\n")


@pytest.mark.parametrize("text", MEMORY)
def test_memory_is_exchanged_as_in_torch(text):
    assert printed(text, tg) == printed(text, torch)


RANDOM = ["uniform_()", "uniform_(2,3)", "uniform_(3,2)", "uniform_(to=3.0)", "normal_()", "normal_(0,-1)", "bernoulli_()", "bernoulli_(p=0)", "bernoulli_(2)", "bernoulli_(torch.ones(3))", "exponential_()",
          "exponential_(-1)", "random_()", "random_(1)", "random_(6,5)", "random_(0)", "geometric_(0.5)", "geometric_(0)", "geometric_()", "cauchy_()", "cauchy_(0,-1)", "log_normal_()", "fill_diagonal_(1)"]  # fmt: skip


@pytest.mark.parametrize("method", RANDOM)
def test_random_fills_are_refused_and_named_as_in_torch(method):
    for text in (
        *(
            f"x=torch.ones(3,dtype=torch.{d}); r=x.{method}; print(r is x, x.dtype, x._version)"
            for d in ("float32", "float64", "int64")
        ),
        f"x=torch.ones(3,requires_grad=True); x.{method}",
        f"x=torch.ones(3,requires_grad=True); y=x*2; y.{method}; print(y.grad_fn.name()); y.sum().backward(); print(x.grad)",
        f"x=torch.ones(3,requires_grad=True); y=x*2; y[1:].{method}; print(y.grad_fn.name()); y.sum().backward(); print(x.grad)",
    ):
        assert printed(text, tg) == printed(text, torch), text


@pytest.mark.parametrize("shape", ["3,3", "5,2", "2,5", "3,3,3", "2,3,2"])
@pytest.mark.parametrize("wrap", ["", ",wrap=True"])
def test_a_diagonal_is_filled(shape, wrap):
    for text in (
        f"x=torch.zeros({shape}); print(x.fill_diagonal_(7.0{wrap}))",
        f"x=torch.ones({shape},requires_grad=True); y=x*2; y.fill_diagonal_(7.0{wrap}); y.sum().backward(); print(x.grad)",
    ):
        assert printed(text, tg) == printed(text, torch), text


def test_torchs_in_place_functions_of_our_operators_exist():
    names = [n for n in dir(torch) if n.endswith("_") and not n.startswith("_") and hasattr(torch.Tensor, n)]
    missing = [n for n in names if hasattr(tg.Tensor, n) and not hasattr(tg, n)]
    assert missing == []
    assert printed(
        "print(torch.exp_(torch.zeros(2)), torch.clamp_(torch.arange(4.),1,2)); torch.abs_(3)", tg
    ) == printed("print(torch.exp_(torch.zeros(2)), torch.clamp_(torch.arange(4.),1,2)); torch.abs_(3)", torch)


def test_every_method_with_an_out_of_place_form_here_exists():
    names = [n for n in dir(torch.Tensor) if n.endswith("_") and not n.startswith("_")]
    missing = [n for n in names if not hasattr(tg.Tensor, n) and (hasattr(tg.Tensor, n[:-1]) or hasattr(tg, n[:-1]))]
    assert missing == []
