"""A compiled function draws the numbers that the eager one draws from the same seed, new ones at every call, and leaves the generators in the same state."""

import numpy as np
import pytest

import tracegrad as tg
from tests.eager.random_programs import BITS, ROUNDED, draws, parts
from tracegrad.errors import TraceError


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
def test_seeding_while_recording_is_refused(seed):
    def function(x):
        seed()
        return x + tg.rand(2)

    with pytest.raises(TraceError, match="random generator"):
        tg.compile(function)(tg.zeros(2))


def test_probabilities_that_a_recording_cannot_check_give_nan():
    function = tg.compile(lambda p: tg.bernoulli(p))
    assert function(tg.tensor([0.5, 2.0, -1.0])).isnan().tolist() == [False, True, True]
    assert tg.compile(lambda r: tg.poisson(r))(tg.tensor([1.0, -1.0])).isnan().tolist() == [False, True]
