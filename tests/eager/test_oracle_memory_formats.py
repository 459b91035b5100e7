"""Memory formats: the strides of copies, and what is_contiguous says of them, against torch 2.13."""

from __future__ import annotations

import pickle

import pytest

torch = pytest.importorskip("torch")

import tracegrad as tg  # noqa: E402
from tests.ops.oracle import BUILTIN, same_class  # noqa: E402

FORMATS = ["channels_last", "channels_last_3d", "preserve_format", "contiguous_format"]
TENSORS = [
    "t.arange(120.0).reshape(2, 3, 4, 5)",
    "t.arange(120.0).reshape(2, 3, 4, 5).to(memory_format=t.channels_last)",
    "t.arange(240.0).reshape(2, 3, 4, 5, 2)",
    "t.arange(120.0).reshape(2, 3, 4, 5)[:, :, ::2]",
    "t.arange(40.0).reshape(2, 1, 4, 5)",
    "t.arange(6.0).reshape(2, 3, 1, 1)",
    "t.arange(120.0).reshape(2, 3, 4, 5).to(memory_format=t.channels_last).transpose(0, 1)",
    "t.arange(120.0).reshape(2, 3, 4, 5).permute(0, 2, 3, 1)",
    "t.arange(6.0).reshape(2, 3)",
]
CALLS = """
x.is_contiguous(memory_format=f)
x.to(memory_format=f)
x.to(t.float64, memory_format=f)
x.to(memory_format=f, copy=True)
x.clone(memory_format=f)
x.contiguous(memory_format=f)
t.zeros_like(x, memory_format=f)
t.ones_like(x, memory_format=f)
t.full_like(x, 2, memory_format=f)
t.empty_like(x, memory_format=f).zero_()
t.rand_like(x, memory_format=f).zero_()
t.randn_like(x, memory_format=f).zero_()
t.randint_like(x, 3, memory_format=f).zero_()
x.double(memory_format=f)
x.long(memory_format=f)
x.float(memory_format=f)
x.bool(memory_format=f)
x.cfloat(memory_format=f)
x.half(memory_format=f).stride()
x.bfloat16(memory_format=f).stride()
x.cpu(memory_format=f)
x.to(memory_format=f) is x
x.contiguous(memory_format=f) is x
t.zeros(0).resize_(x.shape, memory_format=f).zero_()
t.empty(x.shape, memory_format=f).zero_()
t.empty(x.shape, memory_format=f).stride()
""".strip().splitlines()


def outcome(t, call, made, name):
    try:
        found = eval(call, {"t": t, "x": eval(made, {"t": t}), "f": getattr(t, name)})
    except BUILTIN as error:
        return error
    return (found.tolist(), found.stride()) if isinstance(found, t.Tensor) else found


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("made", TENSORS)
@pytest.mark.parametrize("call", CALLS)
def test_values_and_strides(call, made, name):
    wanted, got = (outcome(t, call, made, name) for t in (torch, tg))
    if isinstance(wanted, BaseException):
        assert isinstance(got, BaseException), f"torch raises {wanted}"
        assert same_class(got, wanted)
    else:
        assert got == wanted


@pytest.mark.parametrize(
    "call", ["x.contiguous(memory_format=3)", "x.to(memory_format=1)", "x.clone(memory_format='a')"]
)
def test_what_is_no_memory_format_is_refused(call):
    wanted, got = (outcome(t, call, TENSORS[0], "channels_last") for t in (torch, tg))
    assert same_class(got, wanted)


@pytest.mark.parametrize("name", FORMATS)
def test_formats_print_and_pickle_as_themselves(name):
    found = getattr(tg, name)
    assert repr(found) == repr(getattr(torch, name))
    assert pickle.loads(pickle.dumps(found)) is found


@pytest.mark.parametrize("call", ["x.contiguous(memory_format=t.channels_last)", "x.to(memory_format=t.channels_last)"])
def test_derivatives_pass_a_change_of_format(call):
    def run(t):
        x = t.arange(12.0).reshape(1, 3, 2, 2).requires_grad_()
        y = eval(call, {"t": t, "x": x})
        return y.grad_fn.name(), t.autograd.grad((y**2).sum(), x)[0].tolist()

    assert run(tg) == run(torch)


def test_a_module_changes_the_format_of_weights_with_four_axes():
    def run(t):
        module = t.nn.Sequential(t.nn.Conv2d(3, 4, 2), t.nn.Linear(3, 2)).to(memory_format=t.channels_last)
        return [tuple(p.stride()) for p in module.parameters()]

    assert run(tg) == run(torch)


def test_a_recording_has_no_order_of_its_own():
    x = tg.arange(12.0).reshape(1, 3, 2, 2)
    made = tg.compile(lambda x: x.contiguous(memory_format=tg.channels_last) * 2)(x)
    assert made.tolist() == (x * 2).tolist()
