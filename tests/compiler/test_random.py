"""A compiled function draws the numbers that the eager one draws from the same seed, new ones at every call, and leaves the generators in the same state."""

import threading

import numpy as np
import pytest

import tracegrad as tg
from tests.eager.random_programs import BITS, ROUNDED, draws, parts


@pytest.mark.parametrize("name", [*BITS, *ROUNDED])
def test_compiled_draws_are_the_eager_ones(name):
    function = {**BITS, **ROUNDED}[name]
    eager, states = draws(function)
    compiled, states_after = draws(tg.compile(function, backend="numpy"))
    assert states == states_after
    for one, other in zip(eager, compiled, strict=True):
        assert one.dtype == other.dtype
        np.testing.assert_array_max_ulp(parts(one), parts(other), 4 if name in ROUNDED else 0)


@pytest.mark.parametrize("name", ["rand", "randn", "randperm", "rand of a generator", "normal of two tensors"])
def test_every_call_draws_new_numbers(name):
    found, _ = draws(tg.compile({**BITS, **ROUNDED}[name]), count=4)
    assert len({array.tobytes() for array in found}) == 4


def test_the_backward_of_a_compiled_dropout_uses_its_mask():
    function = tg.compile(lambda x: tg.nn.functional.dropout(x, 0.5))
    x = tg.ones(50, requires_grad=True)
    for _ in range(3):
        x.grad = None
        y = function(x)
        y.sum().backward()
        assert tg.equal(x.grad, y.detach())


@pytest.mark.parametrize(
    "seed",
    [lambda: tg.manual_seed(0), lambda: tg.Generator().manual_seed(1), lambda: tg.set_rng_state(tg.get_rng_state())],
)
def test_a_function_that_seeds_runs_uncompiled_with_a_warning(seed):
    def function(x):
        seed()
        return x + tg.rand(2)

    tg.manual_seed(7)
    expected = [function(tg.zeros(2)) for _ in range(2)]
    tg.manual_seed(7)
    fast = tg.compile(function)
    with pytest.warns(RuntimeWarning, match="random generator"):
        made = [fast(tg.zeros(2)) for _ in range(2)]
    assert all(tg.equal(a, b) for a, b in zip(made, expected, strict=True))


PARAMETERS = {
    "bernoulli": (tg.bernoulli, [0.5, 2.0]),
    "bernoulli, negative": (tg.bernoulli, [0.5, -1.0]),
    "bernoulli, nan": (tg.bernoulli, [0.5, float("nan")]),
    "bernoulli_": (lambda p: tg.zeros(2).bernoulli_(p), [0.5, 2.0]),
    "poisson": (tg.poisson, [1.0, -1.0]),
    "normal": (lambda p: tg.normal(tg.zeros(2), p), [1.0, -1.0]),
    "multinomial": (lambda p: tg.multinomial(p, 1), [1.0, -1.0]),
    "multinomial, infinite": (lambda p: tg.multinomial(p, 4, replacement=True), [1.0, float("inf")]),
    "multinomial, no weight": (lambda p: tg.multinomial(p, 1), [0.0, 0.0]),
    "multinomial, no weight, with replacement": (lambda p: tg.multinomial(p, 3, replacement=True), [0.0, 0.0]),
}


@pytest.mark.parametrize("name", PARAMETERS)
def test_wrong_parameters_of_a_distribution_raise_at_every_call(name):
    check_parameters(*PARAMETERS[name], "numpy")


def check_parameters(function, wrong, backend):
    """A wrong parameter raises what eager code raises, at the user's line and without a draw, before and after a right one."""
    fast, wrong, right = tg.compile(function, backend=backend), tg.tensor(wrong), tg.tensor([0.25, 0.5])
    for k in range(2):
        tg.manual_seed(k)
        state = tg.get_rng_state().tolist()
        with pytest.raises(RuntimeError) as want:
            function(wrong)
        with pytest.raises(RuntimeError) as got:
            fast(wrong)
        assert type(got.value) is type(want.value)
        assert tg.get_rng_state().tolist() == state
        assert k == 0 or "test_random.py:" in str(got.value)
        want = function(right).tolist()
        tg.manual_seed(k)
        assert fast(right).tolist() == pytest.approx(want)


def drawn(function, calls=12):
    """Results of calls (or the class of what they raise), and the next number of the generator."""
    tg.manual_seed(5)
    found = []
    for k in range(calls):
        try:
            found.append(function(tg.arange(6.0).reshape(2, 3) / 7 + 0.1 * k))
        except Exception as error:
            found.append(type(error).__name__)
    return [*found, tg.rand(2)]


def decisions(x):
    u = tg.rand(3)
    if u.sum() > 1.5:
        v = tg.randn(3)
        return u + v + tg.rand(3) if v.max() > 0.5 else u - v
    return u * tg.randint(0, 9, (3,))


def loop(x):
    s = x.sum() * 0
    while s < 2:
        s = s + tg.rand(())
    return s + tg.rand(1)


def exceptions(x):
    if tg.rand(()) > 0.5:
        raise KeyError("early")
    y = tg.rand(3)
    if y.sum() > 1.5:
        raise ValueError("late")
    return y + tg.rand(3)


def failing_kernel(x):
    inverse = tg.linalg.inv((tg.rand(2, 2) > 0.5).float())
    return inverse + tg.rand(2, 2)


def parameter_made_inside(x):
    return tg.nn.Linear(3, 2)(x)


def branch_that_draws(x):
    return tg.cond(x.sum() > 2, lambda t: t + tg.rand(2, 3), lambda t: t - tg.rand(2, 3), (x,))


def state_looked_at(x):
    return tg.rand(2) + tg.get_rng_state()[8].item()


def scan_that_draws(x):
    return tg.scan(lambda c, e: (c + tg.rand(()) * e, c), tg.tensor(0.0), x.reshape(-1))[1]


def checkpoint(x):
    w = x.clone().requires_grad_()
    y = tg.utils.checkpoint.checkpoint(lambda t: tg.nn.functional.dropout(t * 2), w, use_reentrant=False)
    (y**2).sum().backward()
    return w.grad


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # some of them run uncompiled
@pytest.mark.parametrize(
    "function",
    [
        decisions,
        loop,
        exceptions,
        failing_kernel,
        parameter_made_inside,
        branch_that_draws,
        state_looked_at,
        scan_that_draws,
        checkpoint,
    ],
)
def test_compiled_code_draws_what_eager_code_draws(function):
    expected = drawn(function)
    fast = tg.compile(function)
    for _ in range(2):
        made = drawn(fast)
        assert [isinstance(m, str) for m in made] == [isinstance(e, str) for e in expected]
        for m, e in zip(made, expected, strict=True):
            assert m == e if isinstance(m, str) else tg.allclose(m, e, atol=1e-6)


def test_threads_draw_numbers_of_their_own():
    def function(x):
        return tg.rand(3) if tg.rand(()) > 0.5 else -tg.rand(3)

    fast, found = tg.compile(function), []

    def work():
        for _ in range(20):
            found.append(tuple(fast(tg.ones(1)).tolist()))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert len(set(found)) == 80
