"""In-place writes: memory, versions, messages, and that a refused write changes nothing.  Values and gradients are compared with torch in test_oracle_inplace.py."""

import gc

import numpy as np
import pytest

import tracegrad as tg
from tracegrad.eager import inplace
from tracegrad.errors import InplaceError, OverwrittenError
from tracegrad.ir.op import REGISTRY


def test_a_write_returns_the_tensor_itself_and_keeps_its_memory():
    x = tg.ones(3)
    memory = x.numpy()
    for write in (
        lambda: x.add_(1),
        lambda: x.mul_(x),
        lambda: x.zero_(),
        lambda: x.fill_(2.0),
        lambda: x.copy_(tg.ones(3)),
        lambda: x.exp_(),
        lambda: x.clamp_(0, 1),
    ):
        assert write() is x
        assert np.shares_memory(x.numpy(), memory)


def test_operators_with_assignment_write_in_place():
    x = tg.tensor([7.0, 8.0])
    before = x
    x += 1
    x -= tg.tensor([2.0, 1.0])
    x *= 2
    x /= 4
    x **= 2
    x //= 2
    x %= 4
    assert x is before and x.tolist() == [0.0, 0.0]
    i = tg.tensor([5, 6])
    i &= 4
    i |= 1
    i ^= 2
    assert i.tolist() == [7, 7]


def test_versions_count_writes_of_all_names_of_one_memory():
    x = tg.zeros(2, 3)
    row, other = x[0], tg.zeros(2)
    row.add_(1)
    x.mul_(2)
    x.detach().zero_()
    assert (x._version, row._version, other._version) == (3, 3, 0)


def test_a_dead_array_leaves_no_entry_in_the_clock():
    gc.collect()
    before = len(inplace.check_not_overwritten.__globals__["_written"])
    for _ in range(5):
        tg.zeros(3).add_(1)
    gc.collect()
    assert len(inplace.check_not_overwritten.__globals__["_written"]) == before


def test_overwritten_value_is_named_with_operator_shape_and_version():
    x = tg.ones(3, requires_grad=True)
    y = x * 1
    z = y.exp()
    z.add_(1)
    z.mul_(2)
    with pytest.raises(OverwrittenError) as caught:
        z.sum().backward()
    text = str(caught.value)
    assert (
        text.startswith("exp: its derivative needs the value of 'out'") and "at version 2" in text and "f32[3]" in text
    )
    assert x.grad is None


def test_untracked_operand_and_dead_view_are_detected():
    x, d = tg.ones(2, 3, requires_grad=True), tg.ones(2, 3)
    z = x * d
    d[0].add_(1)
    with pytest.raises(OverwrittenError, match="mul: its derivative needs the value of 'y'"):
        z.sum().backward()
    y = x * 1
    s = y[0].sin()
    y.add_(1)
    with pytest.raises(OverwrittenError, match="sin: its derivative needs the value of 'x'"):
        s.sum().backward()


def test_a_write_that_the_derivative_does_not_see_is_allowed():
    x = tg.ones(3, requires_grad=True)
    y = x * 1
    z = y + 1
    y.mul_(5)
    z.sum().backward()
    assert x.grad.tolist() == [1.0, 1.0, 1.0]


def test_multiplying_a_tensor_by_itself_in_place_has_the_right_gradient():
    x = tg.tensor([2.0, 3.0], requires_grad=True)
    y = x * 1
    y.mul_(y)
    y.sum().backward()
    assert x.grad.tolist() == [4.0, 6.0]


REFUSED = {
    "leaf": lambda x: x.add_(1),
    "view of a leaf": lambda x: x[0].add_(1),
    "shape": lambda x: (x * 1).add_(tg.ones(4, 3)),
    "smaller shape": lambda x: x.detach()[0].add_(tg.ones(2, 3)),
    "dtype": lambda x: tg.zeros(3, dtype=tg.int64).add_(1.5),
    "expanded": lambda x: tg.zeros(1).expand(3).add_(1),
    "copy of another shape": lambda x: x.detach().copy_(tg.ones(5)),
    "fill with several": lambda x: x.detach().fill_(tg.ones(2)),
    "data of integers": lambda x: setattr(x, "data", tg.ones(2, dtype=tg.int64)),
}


@pytest.mark.parametrize("how", REFUSED)
def test_a_refused_write_changes_nothing(how):
    x = tg.ones(2, 3, requires_grad=True)
    node = x._node
    with pytest.raises(RuntimeError, match=r"^\w+: "):
        REFUSED[how](x)
    assert x.tolist() == [[1.0] * 3] * 2 and x._version == 0 and x._node is node


def test_read_only_memory_is_not_written():
    array = np.ones(3, np.float32)
    array.flags.writeable = False
    x = tg.tensor(0.0)
    x._data = array
    for write in (lambda: x.add_(1), lambda: x.zero_(), lambda: x.fill_(2)):
        with pytest.raises(InplaceError, match="read-only"):
            write()
    assert array.tolist() == [1.0, 1.0, 1.0]


@pytest.mark.parametrize(
    "write",
    [
        lambda x: x[1:].add_(x[:-1]),
        lambda x: x[1:].copy_(x[:-1]),
        lambda x: x.view(3, 2).sub_(x[0]),
        lambda x: tg.exp(x[1:], out=x[:-1]),
        lambda x: x.__setitem__(slice(1, None), x[:-1]),
    ],
)
def test_a_write_that_reads_other_elements_of_its_memory_is_refused(write):
    x = tg.arange(6.0)
    with pytest.raises(InplaceError, match="single memory location"):
        write(x)
    assert x.tolist() == [0.0, 1.0, 2.0, 3.0, 4.0, 5.0] and x._version == 0


def test_a_write_of_a_tensor_onto_itself_is_no_overlap():
    x = tg.arange(6.0)
    x.add_(x)
    x[:] = x
    tg.mul(x, 2, out=x)
    x[::2].add_(x[1::2])
    assert x.tolist() == [4.0, 4.0, 20.0, 12.0, 36.0, 20.0]
    y = tg.arange(4.0)
    y.copy_(y.flip(0))
    assert y.tolist() == [3.0, 2.0, 1.0, 0.0]


DIRECT = [
    name
    for name, op in REGISTRY.items()
    if op.inplace and inplace.ufunc_of(op) is not None and not name.startswith(("bitwise", "gcd", "lcm"))  # of integers
]


@pytest.mark.parametrize("name", DIRECT)
def test_direct_write_gives_what_the_operator_gives(name):
    op = REGISTRY[name]
    rng = np.random.default_rng(3)
    a, b = (tg.from_numpy(rng.uniform(0.2, 0.9, (3, 4)).astype(np.float32)) for _ in range(2))
    rest = (b,) if len(op.operands) == 2 else ()
    want = getattr(tg, name)(a, *rest)
    got = getattr(a, f"{name}_")(*rest)
    assert got is a and np.array_equal(want.numpy(), a.numpy(), equal_nan=True)


def test_writes_are_silent_where_numpy_warns():
    x = tg.tensor([0.0, -1.0, 1e38])
    x.log_()
    x.div_(0.0)
    x.mul_(1e38)
    tg.zeros(2, dtype=tg.int64).copy_(tg.tensor([float("nan"), 1.0]))


def test_a_view_of_a_base_in_another_memory_order_is_written_through():
    x = tg.arange(6.0).view(2, 3).requires_grad_()
    y = x.T * 1
    assert not y.is_contiguous() or y.shape == (3, 2)
    y[1].mul_(x[:, 0])
    (y * y).sum().backward()
    base = np.arange(6.0).reshape(2, 3)
    want = 2 * base
    want[:, 1] = 2 * base[:, 1] * base[:, 0] ** 2
    want[:, 0] += 2 * base[:, 1] ** 2 * base[:, 0]
    assert np.allclose(x.grad.numpy(), want)


def test_many_short_lived_views_do_not_pile_up():
    x = tg.zeros(4)
    for _ in range(1000):
        x[0:2]
    assert len(x._views) < 200
