"""The numbers have the distributions that their names promise: Kolmogorov-Smirnov and chi-squared tests with fixed seeds, and moments."""

import numpy as np
import pytest
from scipy import stats

import tracegrad as tg

COUNT = 20_000
LIMIT = 1e-3  # a p-value below it would come once in a thousand seeds; the seeds are fixed

CONTINUOUS = {
    "rand": (lambda: tg.rand(COUNT), stats.uniform()),
    "rand of float64": (lambda: tg.rand(COUNT, dtype=tg.float64), stats.uniform()),
    "randn": (lambda: tg.randn(COUNT), stats.norm()),
    "randn of float64": (lambda: tg.randn(COUNT, dtype=tg.float64), stats.norm()),
    "real parts of complex randn": (lambda: tg.randn(COUNT, dtype=tg.complex64).real, stats.norm(0, 0.5**0.5)),
    "normal": (lambda: tg.normal(2.0, 3.0, (COUNT,)), stats.norm(2, 3)),
    "uniform_": (lambda: tg.empty(COUNT).uniform_(-2, 5), stats.uniform(-2, 7)),
    "exponential_": (lambda: tg.empty(COUNT).exponential_(2.5), stats.expon(scale=0.4)),
    "cauchy_": (lambda: tg.empty(COUNT).cauchy_(1, 2), stats.cauchy(1, 2)),
    "log_normal_": (lambda: tg.empty(COUNT).log_normal_(0.5, 0.8), stats.lognorm(0.8, scale=np.exp(0.5))),
    "gumbel": (lambda: -tg.empty(COUNT).exponential_().log(), stats.gumbel_r()),
}
DISCRETE = {
    "bernoulli": (lambda: tg.bernoulli(tg.full((COUNT,), 0.3)), stats.bernoulli(0.3)),
    "randint": (lambda: tg.randint(-3, 9, (COUNT,)), stats.randint(-3, 9)),
    "random_": (lambda: tg.empty(COUNT).random_(7), stats.randint(0, 7)),
    "geometric_": (lambda: tg.empty(COUNT).geometric_(0.3), stats.geom(0.3)),
    "poisson of a small rate": (lambda: tg.poisson(tg.full((COUNT,), 0.2)), stats.poisson(0.2)),
    "poisson": (lambda: tg.poisson(tg.full((COUNT,), 7.5)), stats.poisson(7.5)),
    "poisson of a large rate": (lambda: tg.poisson(tg.full((COUNT,), 1234.5)), stats.poisson(1234.5)),
    "binomial": (lambda: tg.binomial(tg.full((COUNT,), 20.0), tg.full((COUNT,), 0.35)), stats.binom(20, 0.35)),
    "binomial of many": (
        lambda: tg.binomial(tg.full((COUNT,), 5000.0), tg.full((COUNT,), 0.9)),
        stats.binom(5000, 0.9),
    ),
    "multinomial": (
        lambda: tg.multinomial(tg.tensor([1.0, 2.0, 5.0]), COUNT, True),
        stats.rv_discrete(values=([0, 1, 2], [0.125, 0.25, 0.625])),
    ),
    "first of multinomial without replacement": (
        lambda: tg.multinomial(tg.tensor([1.0, 2.0, 5.0]).expand(COUNT, 3), 2)[:, 0],
        stats.rv_discrete(values=([0, 1, 2], [0.125, 0.25, 0.625])),
    ),
}


@pytest.mark.parametrize("name", CONTINUOUS)
def test_a_continuous_distribution_is_the_promised_one(name):
    draw, wanted = CONTINUOUS[name]
    tg.manual_seed(20)
    assert stats.kstest(draw().double().numpy(), wanted.cdf).pvalue > LIMIT


@pytest.mark.parametrize("name", DISCRETE)
def test_a_discrete_distribution_is_the_promised_one(name):
    draw, wanted = DISCRETE[name]
    tg.manual_seed(21)
    drawn = draw().double().numpy()
    edges = np.unique(wanted.ppf(np.linspace(0.02, 0.98, 25)))
    seen = np.histogram(drawn, np.concatenate([[-np.inf], edges + 0.5, [np.inf]]))[0]
    chances = np.diff(np.concatenate([[0.0], wanted.cdf(edges), [1.0]]))
    known = chances > 1e-12
    assert seen[~known].sum() == 0
    assert stats.chisquare(seen[known], chances[known] * COUNT).pvalue > LIMIT


@pytest.mark.parametrize(
    "name", ["dropout", "alpha_dropout", "feature_alpha_dropout", "dropout1d", "dropout2d", "dropout3d"]
)
def test_dropout_keeps_the_mean(name):
    tg.manual_seed(22)
    shape = {"dropout2d": (400, 50, 2, 2), "dropout3d": (400, 50, 1, 2, 2)}.get(name, (400, 50, 3))
    x = tg.randn(shape) if "alpha" in name else tg.ones(shape)
    y = getattr(tg.nn.functional, name)(x, 0.3, True)
    assert abs(float(y.mean() - x.mean())) < 0.03
    if "alpha" in name:
        assert abs(float(y.var()) - 1) < 0.05


@pytest.mark.parametrize("name", ["dropout1d", "dropout2d", "dropout3d"])
def test_dropout_of_channels_keeps_or_drops_a_channel_as_a_whole(name):
    tg.manual_seed(23)
    rank = int(name[-2])
    y = getattr(tg.nn.functional, name)(tg.ones(20, 10, *(3,) * rank), 0.5)
    whole = y.flatten(2)
    assert bool(((whole == 0).all(2) | (whole == 2).all(2)).all())
    assert 60 < int((whole[..., 0] == 0).sum()) < 140


def test_permutations_are_equally_likely():
    tg.manual_seed(24)
    seen = np.zeros(24)
    for _ in range(2400):
        order = tg.randperm(4).tolist()
        seen[
            sum(sum(b < a for b in order[i:]) * f for i, (a, f) in enumerate(zip(order, (6, 2, 1, 1), strict=True)))
        ] += 1
    assert stats.chisquare(seen).pvalue > LIMIT


def test_draws_without_replacement_are_different_positions():
    tg.manual_seed(25)
    drawn = tg.multinomial(tg.rand(50, 9), 9)
    assert tg.equal(drawn.sort(1).values, tg.arange(9).expand(50, 9))
    drawn = tg.multinomial(tg.tensor([0.0, 1.0, 0.0, 2.0]).expand(50, 4), 2)
    assert sorted(set(drawn.flatten().tolist())) == [1, 3]


def test_streams_of_different_draws_are_not_alike():
    tg.manual_seed(26)
    one, other = tg.rand(COUNT).numpy(), tg.rand(COUNT).numpy()
    assert abs(np.corrcoef(one, other)[0, 1]) < 0.03
    assert abs(np.corrcoef(one[1:], one[:-1])[0, 1]) < 0.03


@pytest.mark.parametrize("draw", [
    lambda x: tg.bernoulli(x), lambda x: tg.poisson(x), lambda x: tg.normal(x, 1.0), lambda x: tg.normal(0.0, x), lambda x: tg.normal(x, x),
])  # fmt: skip
def test_the_derivative_of_a_draw_is_zero(draw):
    x = tg.rand(5, requires_grad=True)
    draw(x).sum().backward()
    assert x.grad.tolist() == [0.0] * 5


def test_positions_have_no_derivative():
    x = tg.rand(5, requires_grad=True)
    assert not tg.multinomial(x, 2).requires_grad


@pytest.mark.parametrize("dtype", [tg.float16, tg.float32, tg.float64], ids=str)
def test_exponential_numbers_are_never_zero(dtype, monkeypatch):
    monkeypatch.setattr("tracegrad.eager.fills._uniform", lambda t, *_: tg.zeros(t.shape, dtype=t.dtype))
    assert bool((tg.empty(3, dtype=dtype).exponential_(2.0) > 0).all())


@pytest.mark.parametrize(("dtype", "bits"), [(tg.float16, 11), (tg.float32, 24), (tg.bfloat16, 8)], ids=str)
def test_uniform_numbers_are_below_one_and_multiples_of_a_power_of_two(dtype, bits):
    tg.manual_seed(27)
    drawn = tg.rand(20_000, dtype=dtype).double()
    assert float(drawn.max()) < 1
    assert tg.equal(drawn * 2**bits, (drawn * 2**bits).round())
