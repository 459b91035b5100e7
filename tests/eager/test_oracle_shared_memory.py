"""Operators that read and write at different places, on operands and results in one memory, against torch 2.13."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.filterwarnings("ignore:.*(deprecated|is in beta):UserWarning")

import tracegrad as tg  # noqa: E402
from tests.ops.oracle import BUILTIN, same_class  # noqa: E402

INTO = """
t.take(x, i, out=o)
t.gather(x, 0, i, out=o)
t.index_select(x, 0, i, out=o)
t.masked_select(x, x > 1, out=o)
t.kthvalue(x, 1, out=(o, t.tensor(0)))
t.cat([x[:3], x[:3]], out=o)
t.stack([x, x], out=o)
t.hstack([x, x], out=o)
t.scatter(x, 0, i, x, out=o)
t.scatter_add(x, 0, i, x, out=o)
t.index_add(x, 0, i, x[:3], out=o)
t.index_copy(x, 0, i, x[:3], out=o)
t.take_along_dim(x, i, 0, out=o)
t.diff(x, out=o)
t.cumsum(x, 0, out=o)
t.msort(x, out=o)
t.searchsorted(x, x, out=o)
""".strip().splitlines()

WRITES = """
x.index_add_(0, i, o)
x.index_copy_(0, i, o)
x.scatter_(0, i, o)
x.scatter_add_(0, i, o)
x.scatter_reduce_(0, i, o, "sum")
x.index_reduce_(0, i, o, "mean")
x.put_(i, o)
x.index_put_((i,), o)
x.__setitem__(i, o)
x.masked_scatter_(t.arange(len(x)) < 3, o)
x.masked_fill_(x > 1, o[0])
x.index_fill_(0, i, o[0])
x.__setitem__(x > 1, o[0])
""".strip().splitlines()


def outcome(t, code, x, o):
    try:
        found = eval(code, {"t": t, "x": x, "o": o, "i": t.tensor([0, 1, 2])})
    except BUILTIN as error:
        return error
    found = found if isinstance(found, tuple) else (found,)
    return [x.tolist(), *(v.tolist() for v in found if v is not None)]


def compare(code, operands):
    wanted, got = (outcome(t, code, *operands(t)) for t in (torch, tg))
    if isinstance(wanted, BaseException):
        assert isinstance(got, BaseException), f"torch raises {wanted}"
        assert same_class(got, wanted)
    else:
        assert got == wanted


@pytest.mark.parametrize("code", INTO)
@pytest.mark.parametrize("part", ["x", "x[:3]"])
def test_a_result_over_its_operand(code, part):
    def operands(t):
        x = t.arange(6.0)
        return x, eval(part)

    compare(code, operands)


@pytest.mark.parametrize("code", INTO)
def test_a_result_between_the_elements_of_its_operand(code):
    if "x[:3], x[:3]" in code or "stack([x, x]" in code:
        pytest.skip("torch resizes the written view into its operand")

    def operands(t):
        x = t.arange(6.0)
        return x[::2], x[1::2]

    compare(code, operands)


@pytest.mark.parametrize("code", WRITES)
@pytest.mark.parametrize("first, last", [(0, 3), (0, 6), (2, 5)])
def test_a_write_of_its_own_memory(code, first, last):
    def operands(t):
        x = t.arange(6.0)
        return x[:3] if last != 6 else x, x[first:last][:3]

    compare(code, operands)
