"""What Tensor's methods do while a function is recorded: values may not leave, writes touch no memory."""

import pytest

import tracegrad as tg
from tests.eager.random_writes import argument, scalar_of
from tracegrad.config import local
from tracegrad.errors import InplaceError, TraceError

LEAVING = {
    "item": lambda x: x.sum().item(),
    "bool": lambda x: bool(x.sum() > 0),
    "if": lambda x: 1 if (x > 0).all() else 2,
    "float": lambda x: float(x.sum()),
    "int": lambda x: int(x.sum()),
    "index": lambda x: [1, 2, 3][x.sum().long()],
    "tolist": lambda x: x.tolist(),
    "numpy": lambda x: x.numpy(),
    "array": lambda x: __import__("numpy").asarray(x),
    "repr": lambda x: repr(x),
    "str": lambda x: str(x),
    "format": lambda x: f"{x.sum():.3f}",
    "contains": lambda x: 1.0 in x,
    "equal": lambda x: tg.equal(x, x),
    "allclose": lambda x: tg.allclose(x, x),
    "deepcopy": lambda x: __import__("copy").deepcopy(x),
    "pickle": lambda x: __import__("pickle").dumps(x),
}


@pytest.mark.parametrize("how", LEAVING)
def test_reading_a_recorded_value_is_refused(how):
    def function(x):
        LEAVING[how](x)
        return x * 2

    with pytest.raises(TraceError, match=r"test_recording\.py"):
        tg.capture(function, tg.ones(3))
    assert local.trace is None


def test_static_facts_may_be_read():
    def function(x):
        assert len(x) == 3 and x.shape == (3,) and x.numel() == 3 and x.dim() == 1 and x.dtype is tg.float32
        return sum(row * 2 for row in x)

    assert tg.compile(function)(tg.tensor([1.0, 2.0, 3.0])).item() == 12.0


def both(function, *args):
    """What the function gives eagerly and compiled, and how it left its arguments."""
    fresh = [a.clone() for a in args]
    eager, compiled = function(*args), tg.compile(function)(*fresh)
    for a, b in zip(args, fresh, strict=True):
        assert a.tolist() == b.tolist()
    return eager.tolist(), compiled.tolist()


def write_through_view(x):
    y = x * 1
    v = y[1:]
    w = v[0]
    v.mul_(3)
    w.add_(10)
    y.sub_(1)
    return y * v.sum() + w


def zero_fill_copy(x):
    y = x * 2
    z = x.clone()
    y[0].zero_()
    y[1:2].fill_(5.0)
    z.copy_(y)
    z += x
    return y + z


def chain(x):
    y = x + 1
    y *= 2
    y -= x
    y /= 3
    y **= 2
    return y


def square(x):
    y = x * 1
    y.mul_(y)
    return y


def buffer(x):
    total = tg.zeros(3)
    for i in range(3):
        total[i] = x[i] * i
        total += x
    return total


def detached(x):
    y = x * 2
    y.detach().mul_(3)
    return y


@pytest.mark.parametrize(
    "function", [write_through_view, zero_fill_copy, chain, square, buffer, detached], ids=lambda f: f.__name__
)
def test_writes_to_values_of_the_recording_are_recorded(function):
    eager, compiled = both(function, tg.tensor([1.0, 2.0, 4.0]))
    assert eager == compiled


@pytest.mark.parametrize(
    "function", [write_through_view, zero_fill_copy, chain, square, buffer], ids=lambda f: f.__name__
)
def test_recorded_writes_have_the_eager_gradient(function):
    x = tg.tensor([1.0, 2.0, 4.0], requires_grad=True)
    function(x).sum().backward()
    g = tg.compile(tg.func.grad(lambda v: function(v).sum()))(x.detach())
    assert g.tolist() == pytest.approx(x.grad.tolist())


@pytest.mark.parametrize(
    "write", [lambda x: x.add_(1), lambda x: x.zero_(), lambda x: x[0].mul_(2), lambda x: setattr(x, "data", x * 2)]
)
def test_writes_to_arguments_are_refused(write):
    def function(x):
        write(x)
        return x * 2

    x = tg.ones(3)
    with pytest.raises(TraceError):
        tg.capture(function, x)
    assert x.tolist() == [1.0, 1.0, 1.0]


def test_a_write_through_detach_to_a_differentiated_value_is_refused():
    def function(x):
        y = x * 2
        y.detach().mul_(3)
        return y.sum()

    with pytest.raises((InplaceError, TraceError)):
        tg.compile(tg.func.grad(function))(tg.ones(3))


@pytest.mark.parametrize("seed", range(120))
def test_a_random_program_of_views_and_writes_compiles_to_the_same_numbers(seed):
    x, _ = argument(tg, seed)

    def function(v):
        return scalar_of(tg, v, argument(tg, seed)[1], seed, [])

    try:
        compiled = tg.compile(function)(x)
    except (TraceError, InplaceError):
        return  # refused loudly
    assert compiled.item() == pytest.approx(function(x).item(), rel=1e-9)


@pytest.mark.parametrize("seed", range(60))
def test_a_random_program_of_views_and_writes_has_the_same_compiled_gradient(seed):
    x, _ = argument(tg, seed)

    def function(v):
        return scalar_of(tg, v, argument(tg, seed)[1], seed, [])

    leaf = x.clone().requires_grad_()
    try:
        function(leaf).backward()
        compiled = tg.compile(tg.func.grad(function))(x)
    except RuntimeError:
        return  # a saved value was overwritten, or the recording is refused
    assert compiled.numpy() == pytest.approx(leaf.grad.numpy(), rel=1e-8, abs=1e-10)
