"""The same lines under torch and under tracegrad: equal results and printed forms, or errors of the same class."""

import re
import warnings

import pytest

import tracegrad

torch = pytest.importorskip("torch")

SETUP = """
from torch.autograd import Function, gradcheck, gradgradcheck, functional
import torch.nn as nn
import torch.nn.functional as F
x = torch.tensor([1., 2.], requires_grad=True)
d = torch.tensor([1., 2.], dtype=torch.float64, requires_grad=True)
m = torch.tensor([[1., 2., 3.], [4., 5., 6.]], requires_grad=True)
def names(fn, depth=3):
    return None if fn is None else (fn.name(), [(names(f, depth - 1), n) for f, n in fn.next_functions] if depth else [])
def made(forward, backward):
    return type('Made', (Function,), {'forward': staticmethod(forward), 'backward': staticmethod(backward)})
class Cube(Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x ** 3
    @staticmethod
    def backward(ctx, g):
        x, = ctx.saved_tensors
        return 3 * x ** 2 * g
class Wrong(Cube):
    @staticmethod
    def backward(ctx, g):
        return 3 * g
def add(seen, value):
    seen.append(value)
"""

VALUES = [
    "x.grad_fn, x.is_leaf, (x * 2).is_leaf, x.detach().is_leaf",
    "names((x + 2).grad_fn), names((x * 3 - 1).grad_fn), names((1 / x).grad_fn), names((2 - x).grad_fn)",
    "names((x ** 2).grad_fn), names((x ** x).grad_fn), names((2 ** x).grad_fn), names((x ** torch.ones(2)).grad_fn), names((-x).exp().log().grad_fn)",
    "names(x.sum().grad_fn), names(m.sum(0).grad_fn), names(m.mean().grad_fn), names(m.mean(1).grad_fn), names(m.t().grad_fn)",
    "names(m.reshape(3, 2).grad_fn), names(m.view(-1).grad_fn), names(m[0].grad_fn), names(m[:, 1:].grad_fn), names(x.unsqueeze(0).grad_fn)",
    "names((m @ m.t()).grad_fn), names(torch.mv(m, torch.ones(3)).grad_fn), names(torch.cat([x, x]).grad_fn), names(torch.stack([x, x]).grad_fn)",
    "names(x.clone().grad_fn), names(x.double().grad_fn), names(x.relu().grad_fn), names(x.clamp(min=0).grad_fn), names(torch.where(x > 1, x, 0.).grad_fn)",
    "names((x + torch.ones(2, dtype=torch.float64)).grad_fn), names(F.mse_loss(x, x * 2).grad_fn, 1)",
    "repr((x + 2).grad_fn), repr(Cube.apply(x).grad_fn), Cube.apply(x), x * 2, x.sum(), (x * 2).detach()",
    "x.backward(torch.ones(2)), x.grad, x.backward(torch.ones(2)), x.grad",
    "torch.autograd.grad((x * m[:, :2]).sum(), [x, m])",
    "torch.autograd.grad(x.sum(), [x, m], allow_unused=True), torch.autograd.grad(x.sum(), m, materialize_grads=True)",
    "torch.autograd.grad((x ** 3).sum(), x, create_graph=True)[0].requires_grad",
    "torch.autograd.grad(x ** 2, x, torch.eye(2), is_grads_batched=True)",
    "torch.autograd.grad(x * 2, x, torch.ones(2, dtype=torch.float64))",
    "torch.autograd.grad(Cube.apply(x).sum(), x), gradcheck(Cube.apply, d), gradgradcheck(Cube.apply, d)",
    "gradcheck(Wrong.apply, d, raise_exception=False), gradcheck(Wrong.apply, d, raise_exception=False, fast_mode=True)",
    "made(lambda c, x: (x * 1, 3, None), lambda c, *g: g[0]).apply(x)",
    "made(lambda c, x: [x * 1], lambda c, *g: g[0]).apply(x), made(lambda c, x: 3, lambda c, *g: g[0]).apply(x)",
    "made(lambda c, x: x, lambda c, g: g).apply(x), made(lambda c, x: (x * 1, x.long()), lambda c, *g: g[0]).apply(x)",
    "functional.jacobian(lambda a: a ** 2, d), functional.hessian(lambda a: (a ** 3).sum(), d), functional.hvp(lambda a: (a ** 3).sum(), d, torch.ones_like(d))",
    "functional.vjp(lambda a: a ** 2, d, torch.ones_like(d)), functional.jvp(lambda a: a ** 2, d, torch.ones_like(d))",
    "nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Softmax(dim=1)), nn.ModuleList([nn.Linear(1, 1)] * 3), nn.Softplus(), nn.LogSoftmax(-1)",
    "nn.Parameter(torch.ones(2)), nn.Parameter(torch.ones(2), requires_grad=False), isinstance(nn.Parameter(torch.ones(1)), torch.Tensor)",
    "list(nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 1, bias=False)).state_dict()), nn.CrossEntropyLoss(), nn.MSELoss(reduction='sum')",
    "names(F.linear(m, torch.ones(2, 3, requires_grad=True), torch.ones(2, requires_grad=True)).grad_fn, 0), F.linear(m, torch.ones(2, 3))",
    "[names(F.linear(torch.ones(*s, 3), torch.ones(2, 3, requires_grad=True), b).grad_fn, 0) for s in ((), (4,), (4, 5)) for b in (None, torch.ones(2))]",
    "F.mse_loss(m, m * 2), F.mse_loss(m, m * 2, reduction='sum'), F.mse_loss(m, m * 2, reduction='none')",
    "F.binary_cross_entropy_with_logits(m, torch.ones(2, 3)), F.binary_cross_entropy_with_logits(m, torch.zeros(2, 3), pos_weight=torch.tensor([1., 2., 3.]), reduction='none')",
    "F.cross_entropy(m, torch.tensor([0, 2])), F.cross_entropy(m, torch.tensor([0, -100])), F.cross_entropy(m, torch.tensor([0, 2]), label_smoothing=0.1)",
    "F.cross_entropy(m, torch.tensor([0, 2]), weight=torch.tensor([1., 2., 3.]), label_smoothing=0.1), F.nll_loss(m, torch.tensor([1, 1]), reduction='none')",
    "F.cross_entropy(m, torch.softmax(m, 1)).detach(), F.softmax(m, dim=0), F.log_softmax(m, 1), F.softplus(m), F.l1_loss(m, m * 2)",
    "[torch.is_grad_enabled(), repr(torch.set_grad_enabled(True)), torch.is_inference_mode_enabled()]",
]

ERRORS = [
    "torch.ones(()).backward()",
    "(x * 2).backward()",
    "(x * 2).backward(torch.ones(3))",
    "(x * 2).backward(3.)",
    "torch.autograd.grad(3., x)",
    "torch.autograd.grad(x.sum(), 3)",
    "torch.autograd.grad(x.sum(), torch.ones(2))",
    "torch.autograd.grad(x.sum(), m)",
    "torch.autograd.grad(x.sum(), [])",
    "torch.autograd.grad(x.sum(), x, materialize_grads=True, allow_unused=False)",
    "x.sum().backward(inputs=[])",
    "torch.autograd.backward((x * x).sum()), x.long().requires_grad_()",
    "[y := (x * x).sum(), y.backward(), y.backward()]",
    "(x * 2).requires_grad_(False)",
    "torch.ones(2).register_hook(print)",
    "torch.ones(2).retain_grad()",
    "[y := x * 2, y.register_hook(lambda g: 3), y.sum().backward()]",
    "[y := x * 2, y.register_hook(lambda g: torch.ones(3)), y.sum().backward()]",
    "[y := x * 2, y.register_hook(lambda g: g.double()), y.sum().backward()]",
    "gradcheck(Wrong.apply, d)",
    "gradcheck(torch.sin, torch.ones(2, dtype=torch.float64))",
    "gradcheck(lambda a: a.detach(), d)",
    "made(lambda c, x, k: x * 1, lambda c, g: g).apply(x, 2).sum().backward()",
    "made(lambda c, x: x * 1, lambda c, g: (g, g)).apply(x).sum().backward()",
    "made(lambda c, x, k: x * 1, lambda c, g: (g, g)).apply(x, 2).sum().backward()",
    "made(lambda c, x: x * 1, lambda c, g: 3.).apply(x).sum().backward()",
    "made(lambda c, x: x * 1, lambda c, g: torch.ones(3)).apply(x).sum().backward()",
    "made(lambda c, x: (c.save_for_backward(3), x)[1], lambda c, g: g).apply(x)",
    "made(lambda c, x: (c.mark_dirty(x), x.mul_(2))[1], lambda c, g: g).apply(x)",
    "Cube()(x)",
    "Function.apply(x)",
    "functional.vjp(lambda a: a, d)",
    "functional.hessian(lambda a: a, d)",
    "functional.jacobian(lambda a: 3, d)",
    "F.mse_loss(x, x, reduction='other')",
    "F.mse_loss(m, torch.ones(2, 2))",
    "F.binary_cross_entropy_with_logits(m, torch.ones(3, 2))",
    "F.linear(m, torch.ones(2, 4))",
    "F.linear(m, torch.ones(2, 3, dtype=torch.float64))",
    "F.cross_entropy(m, torch.tensor([0, 5]))",
    "F.cross_entropy(m, torch.tensor([0, 1, 1]))",
    "nn.Linear(1, 1).nothing",
    "nn.Linear(1, 1).register_parameter('a.b', None)",
    "nn.Linear(1, 1).register_buffer('weight', torch.ones(1))",
    "nn.Linear(1, 1).load_state_dict({})",
    "nn.Module()(3)",
    "nn.Parameter(torch.ones(2).long())",
    "nn.Linear(2, 1)(torch.ones(2, 3))",
    "setattr(nn.Linear(1, 1), 'weight', 3)",
    "torch.nn.init.xavier_uniform_(torch.ones(3))",
]


def run(line, library):
    """("value", printed result) or ("error", exception) of a line after the setup."""
    scope = {"torch": library}
    exec(
        SETUP.replace("torch.autograd import", f"{library.__name__}.autograd import").replace(
            "import torch.nn", f"import {library.__name__}.nn"
        ),
        scope,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            result = eval(line, scope)
        except Exception as error:
            return "error", error
    return "value", re.sub(r"0x[0-9a-f]+", "0x", repr(result))


@pytest.mark.parametrize("line", VALUES)
def test_a_line_gives_what_torch_gives(line):
    assert run(line, tracegrad) == run(line, torch)


@pytest.mark.parametrize("line", ERRORS)
def test_a_mistake_raises_torch_s_class(line):
    kind, theirs = run(line, torch)
    assert kind == "error"
    kind, ours = run(line, tracegrad)
    assert kind == "error"
    builtin = next(c for c in type(theirs).__mro__ if c.__module__ == "builtins")
    assert isinstance(ours, builtin), f"torch: {theirs!r}, tracegrad: {ours!r}"
