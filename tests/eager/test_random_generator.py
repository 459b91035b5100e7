"""Generators: seeds, states, and that every function that draws takes one."""

import copy
import pickle

import pytest

import tracegrad as tg

DRAWS = {
    "rand": lambda g: tg.rand(4, generator=g),
    "randn": lambda g: tg.randn(4, generator=g),
    "randint": lambda g: tg.randint(0, 10**9, (4,), generator=g),
    "randperm": lambda g: tg.randperm(40, generator=g),
    "rand_like": lambda g: tg.rand_like(tg.empty(4), generator=g),
    "randn_like": lambda g: tg.randn_like(tg.empty(4), generator=g),
    "normal": lambda g: tg.normal(0.0, 1.0, (4,), generator=g),
    "normal of tensors": lambda g: tg.normal(tg.zeros(4), tg.ones(4), generator=g),
    "bernoulli": lambda g: tg.bernoulli(tg.full((60,), 0.5), generator=g),
    "multinomial": lambda g: tg.multinomial(tg.ones(40), 40, generator=g),
    "multinomial with replacement": lambda g: tg.multinomial(tg.ones(40), 40, True, generator=g),
    "poisson": lambda g: tg.poisson(tg.full((40,), 30.0), generator=g),
    "binomial": lambda g: tg.binomial(tg.full((40,), 30.0), tg.full((40,), 0.5), generator=g),
    "uniform_": lambda g: tg.empty(4).uniform_(generator=g),
    "normal_": lambda g: tg.empty(4).normal_(generator=g),
    "exponential_": lambda g: tg.empty(4).exponential_(generator=g),
    "cauchy_": lambda g: tg.empty(4).cauchy_(generator=g),
    "log_normal_": lambda g: tg.empty(4).log_normal_(generator=g),
    "geometric_": lambda g: tg.empty(40).geometric_(0.01, generator=g),
    "random_": lambda g: tg.empty(4, dtype=tg.int64).random_(generator=g),
    "bernoulli_": lambda g: tg.empty(60).bernoulli_(0.5, generator=g),
}


@pytest.mark.parametrize("draw", DRAWS.values(), ids=DRAWS)
def test_a_generator_alone_decides_the_numbers(draw):
    tg.manual_seed(5)
    before = tg.get_rng_state()
    one, two = tg.Generator().manual_seed(11), tg.Generator().manual_seed(11)
    first = draw(one)
    assert tg.equal(first, draw(two))
    assert not tg.equal(first, draw(one))
    assert tg.equal(before, tg.get_rng_state())
    assert tg.equal(one.get_state(), one.clone_state().get_state())


@pytest.mark.parametrize("draw", DRAWS.values(), ids=DRAWS)
def test_a_generator_that_is_none_is_refused(draw):
    with pytest.raises(TypeError):
        draw(3)


def test_a_state_continues_the_numbers():
    generator = tg.Generator().manual_seed(-1)
    tg.rand(3, generator=generator)
    state = generator.get_state()
    wanted = tg.rand(5, generator=generator)
    generator.set_state(state)
    assert tg.equal(tg.rand(5, generator=generator), wanted)
    assert generator.initial_seed() == 2**64 - 1


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, lambda g: pickle.loads(pickle.dumps(g))])
def test_a_copy_of_a_generator_continues_as_the_generator(copied):
    generator = tg.Generator().manual_seed(3)
    tg.rand(2, generator=generator)
    other = copied(generator)
    assert tg.equal(tg.rand(2, generator=generator), tg.rand(2, generator=other))


@pytest.mark.parametrize("state", [tg.zeros(3), [1, 2], None], ids=str)
def test_a_state_is_a_tensor_of_bytes(state):
    with pytest.raises(TypeError):
        tg.set_rng_state(state)


def test_a_state_has_as_many_bytes_as_torchs():
    assert tuple(tg.get_rng_state().shape) == (5056,)
    with pytest.raises(RuntimeError):
        tg.set_rng_state(tg.zeros(16, dtype=tg.uint8))


def test_fork_rng_leaves_the_global_generator_as_it_was():
    tg.manual_seed(1)
    wanted = tg.rand(2)
    tg.manual_seed(1)
    with tg.random.fork_rng():
        tg.manual_seed(99)
        tg.rand(7)
    assert tg.equal(tg.rand(2), wanted)


def test_seed_gives_the_seed_that_it_chose():
    assert tg.seed() == tg.initial_seed()
    tg.manual_seed(4)
    assert tg.random.initial_seed() == 4
    assert tg.random.default_generator is tg.default_generator


def test_a_generator_lives_on_the_cpu():
    assert str(tg.Generator("cpu").device) == "cpu"
    with pytest.raises(RuntimeError):
        tg.Generator("cuda")
