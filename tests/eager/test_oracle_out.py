"""`out=` against torch: which functions take it, what is written, and what is refused."""

import pytest

torch = pytest.importorskip("torch")

import tracegrad as tg  # noqa: E402
from tests.eager.snippets import printed  # noqa: E402
from tracegrad.eager.generate import WITHOUT_OUT  # noqa: E402
from tracegrad.ir.op import REGISTRY  # noqa: E402

START = "x=torch.tensor([[.3,.7],[.2,.9]]); y=torch.tensor([[.5,.25],[2.,1.]]); i=torch.tensor([1,0]); j=torch.tensor([[0,1],[1,0]])\n"
CALLS = {
    "exp": "x", "add": "x,x", "mul": "x,2", "sub": "x,y", "div": "x,y", "pow": "x,2", "abs": "x", "neg": "x", "floor": "x", "maximum": "x,y",
    "sigmoid": "x", "matmul": "x,y", "mm": "x,y", "sum": "x,0", "mean": "x,1", "prod": "x,0", "amax": "x,0", "argmax": "x,0", "var": "x,0",
    "cat": "[x,y]", "stack": "[x,y]", "eq": "x,y", "lt": "x,0.5", "where": "x>0.5,x,y", "index_select": "x,0,i", "gather": "x,0,j", "logsumexp": "x,0",
    "outer": "x[0],x[1]", "dot": "x[0],x[1]", "mv": "x,x[0]", "norm": "x", "any": "x,0", "nonzero": "x", "scatter_add": "x,0,j,y", "addmm": "x,x,y",
    "bmm": "x[None],y[None]", "round": "x", "remainder": "x,0.3", "hstack": "[x,y]", "bitwise_and": "j,j", "relu": "x", "clone": "x", "reshape": "x,(4,)",
}  # fmt: skip
TARGETS = {
    "empty": "torch.empty(0)", "right": "torch.zeros(2,2)", "other shape": "torch.zeros(2)", "float64": "torch.zeros(2,2,dtype=torch.float64)",
    "int64": "torch.zeros(2,dtype=torch.int64)", "view": "torch.zeros(4,4)[::2,1:3]", "transposed": "torch.zeros(2,2).t()",
    "list": "[torch.zeros(2,2)]", "pair": "(torch.zeros(2),torch.zeros(2,dtype=torch.int64))", "expanded": "torch.zeros(1).expand(2,2)", "None": "None",
}  # fmt: skip


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("name", CALLS)
def test_a_result_is_written_as_torch_writes_it(name, target):
    text = f"{START}o={TARGETS[target]}; r=torch.{name}({CALLS[name]},out=o); print(r is o, r, o, None if o is None else o._version)"
    assert printed(text, tg) == printed(text, torch)


@pytest.mark.parametrize("name", CALLS)
def test_what_autograd_would_follow_is_refused(name):
    text = f"{START}x.requires_grad_(); o=torch.empty(0)\ntry: print(torch.{name}({CALLS[name]},out=o))\nexcept RuntimeError: print('refused')\nwith torch.no_grad(): print(torch.{name}({CALLS[name]},out=o))"
    assert printed(text, tg) == printed(text, torch)


SEVERAL = [
    "torch.zeros(2),torch.zeros(2,dtype=torch.int64)",
    "torch.zeros(2),torch.zeros(2)",
    "torch.zeros(2),",
    "torch.zeros(3),torch.zeros(0,dtype=torch.int64)",
]


@pytest.mark.parametrize("name", ["max", "min"])
@pytest.mark.parametrize("out", SEVERAL)
def test_several_results(name, out):
    text = f"{START}o=({out}); r=torch.{name}(x,0,out=o); print(r, r[0] is o[0], r.values, o)"
    assert printed(text, tg) == printed(text, torch)


OVERLAPS = ["torch.add(x,1,out=x)", "torch.add(x[0],1,out=x[1])", "torch.add(x.view(4)[1:],1,out=x.view(4)[:-1])", "x.view(4)[1:].add_(x.view(4)[:-1])", "x.add_(x.t())",
            "x.sub_(x[0])", "x.sub_(x[0,0])", "x.t().copy_(x)", "x.view(4)[::2].add_(x.view(4)[1::2])", "x[:,0]=x[:,1]", "x[0]=x[0,0]", "x[:]=x.t()", "x.view(4)[1:]=x.view(4)[:-1]", "x+=x",
            "x/=x[0,0]", "x[:1]+=x[1:]", "torch.exp(x,out=x.t())", "torch.mul(x,x[0],out=x)", "torch.cumsum(x,0,out=x)", "o=x.view(4); torch.exp(x,out=x); print(o,o._version)"]  # fmt: skip


@pytest.mark.parametrize("text", OVERLAPS)
def test_memory_that_is_read_and_written(text):
    text = f"{START}{text}; print(x,x._version)"
    assert printed(text, tg) == printed(text, torch)


MADE = [
    "torch.zeros(2,3,out=o)",
    "torch.ones(2,out=o)",
    "torch.arange(3,out=o)",
    "torch.linspace(0,1,3,out=o)",
    "torch.eye(2,out=o)",
    "torch.full((2,),3.,out=o)",
]


@pytest.mark.parametrize("text", MADE)
@pytest.mark.parametrize("out", ["torch.ones(0)", "torch.ones(3,dtype=torch.float64)"])
def test_new_values_are_written_into_out(text, out):
    text = f"o={out}; r={text}; print(r is o, o)"
    assert printed(text, tg) == printed(text, torch)


def test_out_exists_for_the_functions_of_torch_that_have_it():
    for name in CALLS:
        accepted = "unexpected" not in str(_refusal(tg, name)) and name not in WITHOUT_OUT
        assert accepted == (_refusal(torch, name) is None), name
    assert set(REGISTRY) >= WITHOUT_OUT


def _refusal(library, name):
    scope = {"torch": library}
    exec(START, scope)
    try:
        eval(f"torch.{name}({CALLS[name]},out=None)", scope)
    except TypeError as error:
        return error
    return None


def test_a_resized_out_warns():
    with pytest.warns(UserWarning, match="An output with one or more elements was resized since it had shape"):
        tg.add(tg.ones(2), 1, out=tg.zeros(3))


def test_a_saved_value_that_out_overwrites_is_noticed():
    x, w = tg.ones(3, requires_grad=True), tg.ones(3)
    h = x * w
    tg.add(w, 1, out=w)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        h.sum().backward()
