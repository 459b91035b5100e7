"""Where a gradient is constant in pieces, compiled code has the histories of eager code: a second derivative of zeros, not an error."""

import pytest

import tracegrad as tg

F = tg.nn.functional
FUNCTIONS = {
    "relu": lambda x: (x.relu() * 2).sum(),
    "leaky_relu": lambda x: F.leaky_relu(x).sum(),
    "hardtanh": lambda x: F.hardtanh(x).sum(),
    "threshold": lambda x: F.threshold(x, 0.1, 3.0).sum(),
    "hardshrink": lambda x: F.hardshrink(x).sum(),
    "softshrink": lambda x: F.softshrink(x).sum(),
    "convolution": lambda x: F.conv1d(x.reshape(1, 1, 3), tg.ones(1, 1, 2)).relu().sum(),
    "linear": lambda x: (3 * x).sum(),
    "smooth": lambda x: (x.relu() * x.sin()).sum(),
}


def derivatives(f, x):
    """The first three, and which of them have a history."""
    values, found = f(x), []
    for _ in range(3):
        if not values.requires_grad:
            break
        (values,) = tg.autograd.grad(values.sum(), x, create_graph=True, allow_unused=True)
        if values is None:
            break
        found.append((values.tolist(), values.requires_grad))
    return found


@pytest.mark.parametrize("name", FUNCTIONS)
def test_derivatives_outside_have_the_histories_of_eager_code(name):
    x = tg.tensor([1.0, -2.0, 0.5], requires_grad=True)
    eager = derivatives(FUNCTIONS[name], x)
    got = derivatives(tg.compile(FUNCTIONS[name]), x)
    assert [follows for _, follows in got] == [follows for _, follows in eager]
    for (ours, _), (theirs, _) in zip(got, eager, strict=True):
        assert ours == pytest.approx(theirs)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_derivatives_inside_have_the_histories_of_eager_code(name):
    x = tg.tensor([1.0, -2.0, 0.5], requires_grad=True)
    inside = tg.compile(lambda x: derivatives(FUNCTIONS[name], x))
    eager = derivatives(FUNCTIONS[name], x)
    for _ in range(2):
        got = inside(x)
        assert [follows for _, follows in got] == [follows for _, follows in eager]
        for (ours, _), (theirs, _) in zip(got, eager, strict=True):
            assert ours == pytest.approx(theirs)


def test_no_such_step_is_left_in_what_runs():
    x = tg.tensor([1.0, -2.0, 0.5], requires_grad=True)

    @tg.compile
    def gradient(x):
        return tg.autograd.grad(x.relu().sum(), x, create_graph=True)[0]

    gradient(x)
    assert "np.where" in gradient.source and "np.positive" not in gradient.source
