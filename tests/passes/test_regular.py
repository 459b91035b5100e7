"""regular: what loops over an axis leave is the same function in forms that are alike for every step."""

import numpy as np
import pytest

import tracegrad as tg
from tracegrad.passes.regular import regular
from tracegrad.passes.roll import roll


def rows(n, width=3, dtype=tg.float64):
    tg.manual_seed(n)
    return tg.rand(n, width, dtype=dtype)


def unbound(x):
    return sum([row.sin() * k for k, row in enumerate(x.unbind(0))])


def parts(x):
    return tg.cat([part * 2 for part in x.split(1)])


def columns(x):
    return tg.cat([x[:, i : i + 1] * 2 for i in range(x.shape[1])], 1)


def written(x):
    made = tg.ones_like(x)
    for i in range(2, len(x)):
        made[i] = x[i] + made[i - 1]
    return made


def written_backwards(x):
    made = tg.zeros(x.shape[1], len(x), dtype=x.dtype)
    for i in reversed(range(len(x))):
        made[:, i] = x[i]
    return made


def read_before(x):
    made = x.clone()
    for i in range(len(x) - 1):
        made[i] = made[i] + made[i + 1]
    return made


def written_twice(x):
    made = tg.zeros_like(x)
    for k in range(2):
        for i in range(len(x)):
            made[i] = x[i] * (k + 1)
    return made


def read_whole(x):
    made = tg.zeros_like(x)
    for i in range(len(x)):
        made[i] = x[i] + made.sum()
    return made


def overlapping(x):
    made = tg.zeros_like(x)
    for i in range(len(x)):
        made[i] = x[i].sum()
    return made


def grown(x):
    y = x[0]
    for i in range(len(x)):
        y = y + (x[i] - y) * (i * 0.1) / (i + 1)
    return y


def two_numbers(x):
    y = x[0]
    for i in range(len(x)):
        y = (0.5 * y + x[i] * i) * 2 + (3 - i)
    return y


def uneven(x):
    y = x[0]
    for i in range(len(x)):
        y = y * 0.5 + x[i] * i**2
    return y


def pieces_returned(x):
    return x.unbind(0)


def a_slice_read_twice(x):
    first = x[:1]
    for i in range(1, len(x)):
        first = first + x[i : i + 1] * x[:1]
    return first


PROGRAMS = [unbound, parts, columns, written, written_backwards, read_before, written_twice, read_whole, overlapping, grown, two_numbers, uneven, pieces_returned, a_slice_read_twice]  # fmt: skip
ROLLED = {"unbound", "parts", "written", "read_before", "written_twice", "grown", "two_numbers", "a_slice_read_twice"}


@pytest.mark.parametrize("f", PROGRAMS, ids=lambda f: f.__name__)
@pytest.mark.parametrize("dtype", [tg.float64, tg.float32, tg.int64], ids=str)
def test_the_function_stays_the_same(f, dtype):
    x = (rows(9) * 10).to(dtype)
    graph = tg.capture(f, x)
    for made in (regular(graph), roll(regular(graph), least=4)):
        for got, want in zip(made(x.numpy()), graph(x.numpy()), strict=True):
            assert got.dtype == want.dtype
            np.testing.assert_allclose(got, want, rtol=1e-6 if dtype == tg.float32 else 1e-13)


@pytest.mark.parametrize("f", PROGRAMS, ids=lambda f: f.__name__)
def test_loops_are_found(f):
    graph = tg.capture(f, rows(9))
    made = roll(regular(graph), least=4)
    assert any(node.op.name == "scan" for node in made.nodes) == (f.__name__ in ROLLED)


def test_a_graph_without_loops_stays_as_it_is():
    graph = tg.capture(lambda x: (x @ x.T).sum(0) * 2, rows(3))
    assert regular(graph) is graph


def test_numbers_that_overflow_stay():
    def f(x):
        for k in range(6):
            x = x * (1e308 * k)
        return x

    graph = tg.capture(f, rows(3))
    np.testing.assert_array_equal(regular(graph)(rows(3).numpy()), graph(rows(3).numpy()))
