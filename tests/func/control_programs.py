"""Functions with structured control flow, each with the same in plain Python: what the tests run in every mode."""

from __future__ import annotations

import numpy as np

import tracegrad as tg

RNG = np.random.default_rng(5)


def tensor(*shape, scale=1.0):
    return tg.tensor(RNG.normal(size=shape) * scale)


W, B = tensor(3, 3, scale=0.5), tensor(3)


def rnn(h, xs, w=W):
    def step(h, x):
        h = tg.tanh(h @ w + x + B)
        return h, (h * h).sum()

    h, y = tg.scan(step, h, xs)
    return h.sum() + (y * tg.arange(len(y))).sum()


def rnn_plain(h, xs, w=W):
    total = 0.0
    for t in range(len(xs)):
        h = tg.tanh(h @ w + xs[t] + B)
        total = total + (h * h).sum() * t
    return h.sum() + total


def branches(x, y):
    return tg.cond(x.sum() > 0, lambda a, b: tg.sin(a) * b, lambda a, b: tg.exp(a) - b * B.sum(), (x, y)).sum()


def branches_plain(x, y):
    return (tg.sin(x) * y if x.sum() > 0 else tg.exp(x) - y * B.sum()).sum()


def grows(x, y):
    def going(v, i):
        return (v * v).sum() < 100.0

    return tg.while_loop(going, lambda v, i: (v * 1.3 + tg.sin(v) * y, i + 1), (x, tg.tensor(0)))[0].sum()


def grows_plain(x, y):
    while (x * x).sum() < 100.0:
        x = x * 1.3 + tg.sin(x) * y
    return x.sum()


def bounded(x, y):
    return tg.while_loop(lambda v: (v * v).sum() < 100.0, lambda v: v * 1.3 + tg.sin(v) * y, x, max_steps=60).sum()


def counted(x, y):
    return tg.fori_loop(2, 6, lambda i, v: tg.sin(v) * y + i * x[i % 3], x).sum()


def counted_plain(x, y):
    v = x
    for i in range(2, 6):
        v = tg.sin(v) * y + i * x[i % 3]
    return v.sum()


def mapped(x, y):
    return tg.map(lambda row: {"a": tg.exp(row["x"]) * y.sum(), "b": row["x"] * row["y"]}, {"x": x, "y": y})["a"].sum()


def mapped_plain(x, y):
    return (tg.exp(x) * y.sum()).sum()


def nested(x, y):
    def outer(c, row):
        c = tg.cond(row > 0, lambda c: c * row, lambda c: tg.fori_loop(0, 3, lambda i, v: tg.sin(v) + row, c), (c,))
        return c, c.sum()

    c, s = tg.scan(outer, x, y, reverse=True)
    return (c * c).sum() + s[0]


def nested_plain(x, y):
    c = x
    for t in (2, 1, 0):
        if y[t] > 0:
            c = c * y[t]
        else:
            for _ in range(3):
                c = tg.sin(c) + y[t]
        s = c.sum()
    return (c * c).sum() + s


PAIRS = {
    "scan": (rnn, rnn_plain, (tensor(3), tensor(5, 3))),
    "cond, first": (branches, branches_plain, (abs(tensor(3)), tensor(3))),
    "cond, second": (branches, branches_plain, (-abs(tensor(3)), tensor(3))),
    "while_loop": (grows, grows_plain, (tensor(3, scale=0.1), tensor(3))),
    "while_loop with max_steps": (bounded, grows_plain, (tensor(3, scale=0.1), tensor(3))),
    "fori_loop": (counted, counted_plain, (tensor(3), tensor(3))),
    "map": (mapped, mapped_plain, (tensor(3), tensor(3))),
    "nested": (nested, nested_plain, (tensor(3), tg.tensor([0.7, -0.4, 1.2], dtype=tg.float64))),
}


def assert_close(found, want):
    np.testing.assert_allclose(found.detach().numpy(), want.detach().numpy(), rtol=1e-9, atol=1e-11)
