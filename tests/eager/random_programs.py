"""What draws random numbers: functions of a tensor x of three elements; `BITS` are those whose numbers are equal in every backend, the others agree to 4 ulp."""

import tracegrad as tg

GENERATOR = tg.Generator()
F = tg.nn.functional
CHANCES = tg.tensor([0.1, 0.5, 0.9])
WEIGHTS = tg.tensor([[1.0, 2.0, 0.0, 3.0], [0.5, 0.5, 1.0, 1.0]])

BITS = {
    "rand": lambda x: tg.rand(3, 2),
    "rand of float64": lambda x: tg.rand(7, dtype=tg.float64),
    "rand of float16": lambda x: tg.rand(7, dtype=tg.float16),
    "rand of complex64": lambda x: tg.rand(3, dtype=tg.complex64),
    "rand of a generator": lambda x: tg.rand(3, generator=GENERATOR),
    "rand_like": lambda x: tg.rand_like(x),
    "randint": lambda x: tg.randint(-5, 10**10, (4,)),
    "randint_like": lambda x: tg.randint_like(x, 9),
    "randperm": lambda x: tg.randperm(9),
    "randperm of a generator": lambda x: tg.randperm(5, generator=GENERATOR),
    "bernoulli": lambda x: tg.bernoulli(CHANCES),
    "bernoulli of a number": lambda x: tg.bernoulli(x, 0.3),
    "bernoulli_": lambda x: tg.empty(4).bernoulli_(0.3),
    "bernoulli_ of a tensor": lambda x: tg.empty(2, 3).bernoulli_(CHANCES),
    "multinomial": lambda x: tg.multinomial(WEIGHTS, 5, True),
    "multinomial without replacement": lambda x: tg.multinomial(WEIGHTS, 2),
    "uniform_": lambda x: tg.empty(4).uniform_(-1, 3),
    "geometric_": lambda x: tg.empty(4).geometric_(0.3),
    "random_": lambda x: tg.empty(4, dtype=tg.int64).random_(100),
    "random_ of floats": lambda x: tg.empty(4).random_(),
    "dropout": lambda x: F.dropout(x),
    "dropout1d": lambda x: F.dropout1d(x.reshape(1, 3, 1)),
    "native_dropout": lambda x: tg.native_dropout(x, 0.5, True)[0],
    "poisson": lambda x: tg.poisson(x.abs() * 5),
    "binomial": lambda x: tg.binomial(x.abs().round() * 10, tg.sigmoid(x)),
}
ROUNDED = {
    "randn": lambda x: tg.randn(5),
    "randn of float64": lambda x: tg.randn(5, dtype=tg.float64),
    "randn of float16": lambda x: tg.randn(5, dtype=tg.float16),
    "randn of complex64": lambda x: tg.randn(5, dtype=tg.complex64),
    "randn_like": lambda x: tg.randn_like(x),
    "normal around a tensor": lambda x: tg.normal(x, 2.0),
    "normal as wide as a tensor": lambda x: tg.normal(0.0, x.abs()),
    "normal of two tensors": lambda x: tg.normal(x, x.abs()),
    "normal of numbers": lambda x: tg.normal(1.0, 2.0, (3,)),
    "normal_": lambda x: tg.empty(4).normal_(1, 3),
    "exponential_": lambda x: tg.empty(4).exponential_(2.0),
    "cauchy_": lambda x: tg.empty(4).cauchy_(),
    "log_normal_": lambda x: tg.empty(4).log_normal_(),
    "alpha_dropout": lambda x: F.alpha_dropout(x, 0.5, True),
    "feature_alpha_dropout": lambda x: F.feature_alpha_dropout(x.reshape(1, 3, 1), 0.5, True),
    "rrelu": lambda x: F.rrelu(x, training=True),
    "gumbel_softmax": lambda x: F.gumbel_softmax(x),
}


def draws(function, count=3):
    """What `count` calls give from one seed, and the states of the two generators after them."""
    GENERATOR.manual_seed(7)
    tg.manual_seed(3)
    x = tg.tensor([-1.0, 0.5, 2.0])
    found = [function(x).numpy() for _ in range(count)]
    return found, (tg.get_rng_state().tolist(), GENERATOR.get_state().tolist())


def parts(array):
    """The real numbers of an array."""
    return array.view(array.real.dtype) if array.dtype.kind == "c" else array
