"""Random functions under vmap: refused by default, equal for all examples, or different; and their derivatives in func."""

import pytest

import tracegrad as tg

F = tg.nn.functional
DRAWS = {
    "rand": lambda v: tg.rand(3),
    "randn": lambda v: tg.randn(3),
    "randint": lambda v: tg.randint(0, 10**9, (3,)),
    "randperm": lambda v: tg.randperm(30),
    "rand_like": lambda v: tg.rand_like(v),
    "bernoulli": lambda v: tg.bernoulli(v.expand(40, 3) * 0.5),
    "bernoulli_": lambda v: v.repeat(40).bernoulli_(0.5),
    "dropout": lambda v: F.dropout(v.repeat(40)),
    "normal": lambda v: tg.normal(v, v),
    "normal_": lambda v: v.clone().normal_(),
    "exponential_": lambda v: v.clone().exponential_(),
    "poisson": lambda v: tg.poisson(v.repeat(20) * 5),
    "multinomial": lambda v: tg.multinomial(v, 40, True),
    "rrelu": lambda v: F.rrelu(-v, training=True),
}


def examples(name, mode):
    tg.manual_seed(1)
    rows = tg.func.vmap(DRAWS[name], randomness=mode)(tg.ones(4, 3))
    return len({str(row.tolist()) for row in rows.expand(4, *rows.shape[1:])})


@pytest.mark.parametrize("name", DRAWS)
def test_a_draw_is_refused_by_default(name):
    with pytest.raises(RuntimeError, match="randomness"):
        tg.func.vmap(DRAWS[name])(tg.ones(4, 3))


@pytest.mark.parametrize("name", DRAWS)
def test_every_example_draws_its_own_numbers(name):
    assert examples(name, "different") == 4


@pytest.mark.parametrize("name", DRAWS)
def test_all_examples_draw_the_same_numbers(name):
    assert examples(name, "same") == 1


def test_a_generator_of_ones_own_draws_for_the_examples():
    generator = tg.Generator().manual_seed(2)
    before = tg.get_rng_state()
    rows = tg.func.vmap(lambda v: v + tg.rand(2, generator=generator), randomness="different")(tg.zeros(3, 2))
    assert len({str(row.tolist()) for row in rows}) == 3
    assert tg.equal(before, tg.get_rng_state())


@pytest.mark.parametrize("function", [F.dropout, lambda v: F.dropout(v, 0.0), lambda v: F.dropout(v, 1.0)])
def test_the_gradient_of_dropout_in_func_is_its_mask(function):
    tg.manual_seed(3)
    grads, values = tg.func.vmap(tg.func.grad_and_value(lambda v: function(v).sum()), randomness="different")(
        tg.ones(4, 30)
    )
    assert tg.allclose(grads.sum(1), values)


@pytest.mark.parametrize("draw", [tg.bernoulli, tg.poisson, lambda v: tg.normal(v, 1.0), lambda v: tg.normal(0.0, v)])
def test_draws_have_zero_derivatives_in_both_modes(draw):
    x = tg.full((5,), 0.5)
    assert tg.func.grad(lambda v: draw(v).sum())(x).tolist() == [0.0] * 5
    assert tg.func.jvp(draw, (x,), (tg.ones(5),))[1].tolist() == [0.0] * 5
