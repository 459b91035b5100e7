"""In-place writes and views against torch: values, gradients, printed history, versions and error classes."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import tracegrad as tg  # noqa: E402

X = np.arange(1.0, 7.0).reshape(2, 3)


def leaf(t):
    return t.tensor(X.tolist(), dtype=t.float64, requires_grad=True)


def write_through_a_view_read_the_base(t, x):
    y = x * 1
    v = y[0]
    v.mul_(2.0)
    return (y * y).sum()


def write_the_base_read_a_view_made_before(t, x):
    y = x * 1
    v = y[:, 0:2]
    y.mul_(3.0)
    return (v * v).sum()


def view_of_a_view_then_the_base(t, x):
    y = x * 1
    v = y[0]
    w = v[1:3]
    w.mul_(5.0)
    y.add_(1.0)
    return (y * y).sum() + (v * v).sum() + (w * w).sum()


def exp_needs_its_own_result(t, x):
    y = x * 1
    z = y.exp()
    z.add_(1.0)
    return z.sum()


def sin_needs_its_input(t, x):
    y = x * 1
    z = y.sin()
    y.add_(1.0)
    return z.sum()


def add_saves_nothing(t, x):
    y = x * 1
    z = y + 1
    y.mul_(2.0)
    return z.sum()


def untracked_operand_written_later(t, x):
    d = t.ones(2, 3, dtype=t.float64)
    z = x * d
    d.add_(1.0)
    return z.sum()


def dead_view_whose_memory_the_base_overwrote(t, x):
    y = x * 1
    z = y[0].sin()
    y.add_(1.0)
    return z.sum()


def leaf_written_in_place(t, x):
    x.add_(1.0)
    return x.sum()


def view_of_a_leaf_written(t, x):
    x[0].mul_(2)
    return x.sum()


def leaf_written_under_no_grad(t, x):
    with t.no_grad():
        x -= 0.1
    return (x * x).sum()


def update_between_forward_and_backward(t, x):
    z = (x * x).sum()
    with t.no_grad():
        x -= 0.1
    return z


def update_of_a_linear_leaf_between_forward_and_backward(t, x):
    z = (x * 3).sum()
    with t.no_grad():
        x -= 0.1
    return z


def overwritten_under_no_grad(t, x):
    y = x * 1
    z = y.sin()
    with t.no_grad():
        y.add_(1)
    return z.sum()


def multiplied_by_the_leaf(t, x):
    y = x * 1
    y.mul_(x)
    return y.sum()


def out_plus_bias(t, x):
    out = x @ x.T
    out += x[:, 0]
    return (out * out).sum()


def untracked_buffer_collects_tracked_values(t, x):
    total = t.zeros(3, dtype=t.float64)
    for i in range(2):
        total += x[i] * x[i]
    return (total * total).sum()


def untracked_base_written_through_a_view(t, x):
    base = t.ones(4, 3, dtype=t.float64)
    base[1].mul_(x[0])
    base[2:4].copy_(x)
    return (base * base).sum()


def transposed_view_written(t, x):
    y = x * 1
    v = y.t()
    v[1].mul_(2.0)
    v.add_(x.t())
    return (y * y * y).sum()


def reshaped_view_written(t, x):
    y = x * 1
    v = y.view(6)
    y.mul_(2)
    v[1::2].mul_(x.view(6)[::2])
    return (v * v).sum() + y.sum()


def expanded_view_reads_a_written_base(t, x):
    y = x[0] * 1
    e = y.expand(4, 3)
    y.mul_(3.0)
    return (e * e).sum()


def base_that_is_not_row_major(t, x):
    y = x.t() * 1
    v = y[1]
    v.mul_(3.0)
    return (y * y).sum() + v.sum()


def detached_write_to_saved_value(t, x):
    y = x * 1
    z = y * y
    y.detach().mul_(2)
    return z.sum()


def detached_write_before_use(t, x):
    y = x * 1
    y.detach().mul_(2)
    return (y * y).sum()


def detached_write_of_a_leaf(t, x):
    x.detach().mul_(2)
    return (x * x).sum()


def data_write_of_a_leaf(t, x):
    x.data -= 0.5
    x.data = x.data * 2
    return (x * x).sum()


def zeroed(t, x):
    y = x * 1
    y.zero_()
    return y.sum()


def filled_with_a_number(t, x):
    y = x * 1
    y.fill_(3.0)
    return (y * x).sum()


def filled_with_a_tensor(t, x):
    y = x * 1
    y.fill_(x[0, 1])
    return (y * y).sum()


def copied_from_a_broadcast_source(t, x):
    y = t.zeros(2, 3, dtype=t.float32)
    y.copy_(x[0])
    return (y * y).sum()


def copied_from_a_number(t, x):
    y = x * 1
    y.copy_(3)
    return (y * x).sum()


def copied_into_a_view(t, x):
    y = x * 1
    y[:, 1].copy_(x[:, 0] * 2)
    return (y * y).sum()


def view_made_without_grad_written_with(t, x):
    y = x * 1
    with t.no_grad():
        v = y[0]
    v.mul_(2.0)
    return (y * y).sum()


def view_made_and_written_without_grad(t, x):
    y = x * 1
    with t.no_grad():
        y[0].mul_(2.0)
    return (y * 3).sum()


def in_place_with_alpha(t, x):
    y = x * 1
    y.add_(x, alpha=2.5)
    y.sub_(x * x, alpha=2)
    return y.sum()


def in_place_chain(t, x):
    return (x * 2).add_(1).div_(3).sub_(x).neg_().pow_(2).sum()


def expanded_write(t, x):
    t.ones(1, dtype=t.float64).expand(3).add_(1)
    return x.sum()


def expanded_copy(t, x):
    t.ones(1).expand(3).copy_(t.ones(3))
    return x.sum()


def expanded_fill(t, x):
    one = t.ones(1, dtype=t.float64)
    one.expand(3).fill_(2)
    return (x * one).sum()


def clone_is_not_a_view(t, x):
    y = x * 1
    c = y.clone()
    c.mul_(2)
    return (y * c).sum()


CASES = [
    value
    for value in list(globals().values())
    if callable(value) and getattr(value, "__code__", None) and value.__code__.co_varnames[:2] == ("t", "x")
]


def outcome(t, case):
    x = leaf(t)
    try:
        result = case(t, x)
        result.backward()
    except RuntimeError:
        return "RuntimeError"
    return result.detach().numpy(), x.detach().numpy(), x.grad.numpy()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
def test_values_and_gradients_are_torchs(case):
    ours, theirs = outcome(tg, case), outcome(torch, case)
    if "RuntimeError" in (ours, theirs):
        assert ours == theirs
        return
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12)


def printed_histories(t):
    x = leaf(t)
    y = x * 1
    v, whole = y[0], y.view(6)
    v.mul_(2.0)
    yield from (y, v, whole, y.grad_fn.next_functions[0][0].name())
    y.add_(1)
    yield from (y, v, whole, v._version, y._version, whole._version)
    yield from (v._is_view(), y._is_view(), v._base is y, y._base, x.detach()._is_view())


def test_views_print_their_history_as_in_torch():
    assert [repr(p) for p in printed_histories(tg)] == [repr(p) for p in printed_histories(torch)]


DTYPES = ["bool", "uint8", "int32", "int64", "float16", "float32", "float64"]


@pytest.mark.parametrize("left", DTYPES)
@pytest.mark.parametrize("right", DTYPES)
@pytest.mark.parametrize("operation", ["add_", "mul_", "div_", "copy_"])
def test_in_place_result_must_fit_the_dtype(left, right, operation):
    def run(t, library):
        a = library(np.ones(3, left))
        try:
            getattr(a, operation)(library(np.full(3, 2).astype(right)))
        except RuntimeError:
            return "RuntimeError", a.tolist()
        return a.tolist(), str(a.dtype)

    assert run(tg, tg.from_numpy) == run(torch, torch.from_numpy)


@pytest.mark.parametrize("left", DTYPES)
@pytest.mark.parametrize("number", [True, 2, 2.5])
@pytest.mark.parametrize("operation", ["add_", "mul_", "div_", "fill_", "copy_"])
def test_in_place_number_must_fit_the_dtype(left, number, operation):
    def run(library):
        a = library(np.ones(3, left))
        try:
            getattr(a, operation)(number)
        except RuntimeError:
            return "RuntimeError", a.tolist()
        return a.tolist(), str(a.dtype)

    assert run(tg.from_numpy) == run(torch.from_numpy)


BAD = {
    "shape": lambda t: t.ones(1).add_(t.ones(3)),
    "copy shape": lambda t: t.ones(3).copy_(t.ones(2)),
    "fill shape": lambda t: t.ones(3).fill_(t.ones(2)),
    "fill text": lambda t: t.ones(3).fill_("a"),
    "add text": lambda t: t.ones(3).add_("a"),
    "copy list": lambda t: t.ones(3).copy_([1.0, 2.0, 3.0]),
    "detach_ of a view": lambda t: (t.ones(2, 2, requires_grad=True) * 2)[0].detach_(),
    "data is no tensor": lambda t: setattr(t.ones(2), "data", 3),
    "data is integer": lambda t: setattr(t.ones(2, requires_grad=True), "data", t.tensor([1, 2])),
    "requires_grad of a value": lambda t: setattr(t.ones(2, requires_grad=True) * 2, "requires_grad", False),
    "grad shape": lambda t: setattr(t.ones(2), "grad", t.ones(3)),
    "grad dtype": lambda t: setattr(t.ones(2), "grad", t.ones(2, dtype=t.float64)),
    "grad type": lambda t: setattr(t.ones(2), "grad", 3),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_write_raises_torchs_class(name):
    with pytest.raises(Exception) as theirs:
        BAD[name](torch)
    with pytest.raises(theirs.type):
        BAD[name](tg)
