"""The quick way of recording notes the same as the general one, and leaves to that what is not plain."""

import pytest

import tracegrad as tg
from tracegrad.compiler import recorder
from tracegrad.compiler.plain import kernel
from tracegrad.ir.op import REGISTRY

X = [0.5, -1.0, 2.0]
PROGRAMS = {
    "numbers on either side": lambda x: 2 - x * 3 + 1.5 / (x + 4),
    "comparisons": lambda x: tg.where(x > 0.1, x, -x) * (x <= 1),
    "other dtypes": lambda x: x * tg.tensor([1, 2, 3]) + x.to(tg.float32),
    "broadcast": lambda x: x[:, None] * x + x.sum(),
    "functions": lambda x: tg.sin(x).exp().clamp(0.1, 2.0) ** 2,
    "no gradient inside": lambda x: x * (x.detach() + 1) - x,
}


@pytest.mark.parametrize("needs", [False, True])
@pytest.mark.parametrize("name", PROGRAMS)
def test_programs_give_what_they_give_without_it(name, needs, monkeypatch):
    def outcome():
        x = tg.tensor(X, dtype=tg.float64, requires_grad=needs)
        result = tg.compile(PROGRAMS[name])(x)
        if needs:
            result.sum().backward()
        return result.dtype, result.requires_grad, result.tolist(), x.grad is not None and x.grad.tolist()

    quick = outcome()
    monkeypatch.setattr(recorder.Trace, "plain", lambda self, op, args: None)
    assert outcome() == quick


def test_shapes_that_do_not_fit_are_refused_as_eagerly():
    with pytest.raises(RuntimeError, match="broadcast"):
        tg.compile(lambda x, y: x * y)(tg.ones(2), tg.ones(3))


def test_operators_under_no_grad_pass_no_derivative():
    def f(x):
        with tg.no_grad():
            y = x * x
        return (x * y).sum()

    x = tg.tensor(X, requires_grad=True)
    tg.compile(f)(x).backward()
    assert x.grad.tolist() == [v * v for v in X]


@pytest.mark.parametrize("name", ["add", "sub", "mul", "div", "exp", "gt", "maximum"])
def test_ordinary_arithmetic_is_recorded_in_the_quick_way(name):
    assert kernel(REGISTRY[name]) is not None


def test_what_an_operator_refuses_of_other_dtypes_is_refused_still():
    f = tg.compile(lambda x, y: x - y)
    f(tg.ones(2), tg.ones(2))
    with pytest.raises(RuntimeError, match="bool"):
        f(tg.tensor([True]), tg.tensor([True]))
