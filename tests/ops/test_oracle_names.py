"""Every public name of an operator is one that torch has, and takes torch's keyword names."""

from __future__ import annotations

import pytest

import tracegrad as tg
from tests.ops.oracle import assert_same, draw
from tracegrad.ir.op import REGISTRY

torch = pytest.importorskip("torch")

OPERATORS = list(REGISTRY.values())


@pytest.mark.parametrize("op", [op for op in OPERATORS if op.function], ids=lambda op: op.name)
def test_functions_are_torchs(op):
    assert [name for name in (op.name, *op.aliases) if not hasattr(torch, name)] == []


@pytest.mark.parametrize("op", [op for op in OPERATORS if op.method], ids=lambda op: op.name)
def test_methods_are_torchs(op):
    assert [name for name in (op.name, *op.aliases) if not hasattr(torch.Tensor, name)] == []


@pytest.mark.parametrize("op", [op for op in OPERATORS if op.inplace], ids=lambda op: op.name)
def test_in_place_methods_are_torchs(op):
    assert [f"{name}_" for name in (op.name, *op.aliases) if not hasattr(torch.Tensor, f"{name}_")] == []


UNARY = """abs absolute neg negative square reciprocal sign exp expm1 log log1p sin cos tan tanh sigmoid sqrt rsqrt relu erf floor ceil trunc fix round isfinite isnan
isinf logical_not sum mean prod amax amin max min argmax argmin var std norm any all""".split()
BINARY = """add sub subtract mul multiply div divide true_divide rsub maximum minimum eq ne not_equal lt less le less_equal gt greater ge greater_equal logical_and logical_or
logical_xor remainder fmod""".split()


@pytest.mark.parametrize("name", UNARY)
def test_the_operand_is_called_input(name):
    assert_same(torch, lambda t, x: getattr(t, name)(input=x), draw(1, (2, 3), low=0.5))


@pytest.mark.parametrize("name", BINARY)
def test_the_operands_are_called_input_and_other(name):
    assert_same(
        torch, lambda t, x, y: getattr(t, name)(input=x, other=y), draw(1, (2, 3), low=0.5), draw(2, (3,), low=0.5)
    )
    assert_same(
        torch,
        lambda t, x, y: getattr(x, name)(other=y) if name != "rsub" else x,
        draw(1, (2, 3), low=0.5),
        draw(2, (3,), low=0.5),
    )


KEYWORDS = {
    "pow": lambda t, x: t.pow(input=x, exponent=2),
    "clamp": lambda t, x: t.clamp(input=x, min=0, max=1),
    "where": lambda t, x: t.where(condition=x > 1, input=x, other=x * 2),
    "where method": lambda t, x: x.where(condition=x > 1, other=x * 2),
    "where positions": lambda t, x: t.where(x > 1),
    "sum": lambda t, x: t.sum(input=x, dim=0, keepdim=True, dtype=t.float32),
    "mean": lambda t, x: t.mean(input=x, dim=(0, 1), keepdim=True),
    "prod": lambda t, x: t.prod(input=x, dim=1, keepdim=True),
    "amax": lambda t, x: t.amax(input=x, dim=(0,), keepdim=True),
    "max": lambda t, x: t.max(input=x, dim=0, keepdim=True),
    "max other": lambda t, x: t.max(input=x, other=x * 2),
    "argmin": lambda t, x: t.argmin(input=x, dim=0, keepdim=True),
    "var": lambda t, x: t.var(input=x, dim=0, correction=0, keepdim=True),
    "std": lambda t, x: t.std(input=x, dim=0, unbiased=False, keepdim=True),
    "norm": lambda t, x: t.norm(input=x, p=1, dim=0, keepdim=True),
    "any": lambda t, x: t.any(input=x, dim=0, keepdim=True),
    "cumsum": lambda t, x: t.cumsum(input=x, dim=0, dtype=t.float64),
    "logsumexp": lambda t, x: t.logsumexp(input=x, dim=0, keepdim=True),
    "softmax": lambda t, x: t.softmax(input=x, dim=0, dtype=t.float64),
    "log_softmax": lambda t, x: t.log_softmax(input=x, dim=0),
    "round": lambda t, x: t.round(input=x, decimals=1),
    "div": lambda t, x: t.div(input=x, other=x, rounding_mode="floor"),
    "add": lambda t, x: t.add(input=x, other=x, alpha=2),
}


@pytest.mark.parametrize("name", KEYWORDS)
def test_keywords_are_torchs(name):
    assert_same(torch, KEYWORDS[name], draw(1, (2, 3), low=0.5))


@pytest.mark.parametrize("shape", [(), (0,), (4,), (2, 3), (2, 0, 3)], ids=str)
@pytest.mark.parametrize("as_tuple", [False, True])
def test_nonzero_gives_torchs_positions(shape, as_tuple):
    assert_same(torch, lambda t, x: t.nonzero(x, as_tuple=as_tuple), draw(3, shape, "int64"), orders=0)
    assert_same(torch, lambda t, x: (x > 0).nonzero(as_tuple=as_tuple), draw(3, shape))


def test_a_compiled_nonzero_follows_the_values():
    fast = tg.compile(lambda x: x.nonzero())
    assert fast(tg.tensor([1.0, 0.0])).tolist() == [[0]]
    assert fast(tg.tensor([0.0, 1.0])).tolist() == [[1]]


def test_the_module_has_what_the_registry_exports():
    assert [op.name for op in OPERATORS if op.function and not hasattr(tg, op.name)] == []
