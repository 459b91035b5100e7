"""What compiled gradients of five programs cost beside careful gradients written by hand for NumPy.

    python benchmarks/programs.py [--rounds 21]

Target: at most 1.3 times the hand-written derivative.
"""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np
from compare import report

import tracegrad as tg

DRAW = np.random.default_rng(0)


def network(w1: Any, b1: Any, w2: Any, b2: Any, x: Any, y: Any) -> Any:
    """Mean squared error of a network with one hidden layer: 64 x 32 -> 32 -> 10."""
    h = tg.tanh(x @ w1 + b1)
    return ((h @ w2 + b2 - y) ** 2).mean()


def network_by_hand(w1: Any, b1: Any, w2: Any, b2: Any, x: Any, y: Any) -> tuple[Any, ...]:
    h = x @ w1
    h += b1
    np.tanh(h, h)
    r = h @ w2
    r += b2
    r -= y
    value = np.dot(r.ravel(), r.ravel()) / r.size
    r *= 2.0 / r.size
    gh = r @ w2.T
    w2_gradient, b2_gradient = h.T @ r, np.add.reduce(r, 0)
    np.multiply(h, h, h)
    np.subtract(1.0, h, h)
    gh *= h
    return value, x.T @ gh, np.add.reduce(gh, 0), w2_gradient, b2_gradient


def classes(w: Any, b: Any, x: Any, t: Any) -> Any:
    """Softmax regression with one-hot targets: 128 x 20 -> 10."""
    logits = x @ w + b
    return (tg.logsumexp(logits, dim=1) - (logits * t).sum(1)).mean()


def classes_by_hand(w: Any, b: Any, x: Any, t: Any) -> tuple[Any, ...]:
    z = x @ w
    z += b
    top = np.maximum.reduce(z, 1, keepdims=True)
    e = np.exp(z - top)
    s = np.add.reduce(e, 1, keepdims=True)
    value = (np.add.reduce(np.log(s) + top) - np.add.reduce(np.multiply(z, t).ravel())) / x.shape[0]
    e /= s
    e -= t
    e /= x.shape[0]
    return value[0], x.T @ e, np.add.reduce(e, 0)


def ridge(w: Any, x: Any, y: Any) -> Any:
    """Ridge regression: 200 x 30."""
    r = x @ w - y
    return (r * r).sum() + 0.1 * (w * w).sum()


def ridge_by_hand(w: Any, x: Any, y: Any) -> tuple[Any, ...]:
    r = x @ w
    r -= y
    value = np.dot(r, r) + 0.1 * np.dot(w, w)
    r *= 2.0
    g = x.T @ r
    g += 0.2 * w
    return value, g


def energy(q: Any) -> Any:
    """Lennard-Jones energy of 30 particles."""
    d = q[:, None, :] - q[None, :, :]
    d2 = (d * d).sum(-1) + 1e6 * tg.eye(30, dtype=tg.float64)
    s6 = (1.0 / d2) ** 3
    return 2 * (s6 * s6 - s6).sum()


def energy_by_hand(q: Any) -> tuple[Any, ...]:
    d = q[:, None, :] - q
    d2 = np.add.reduce(d * d, 2)
    d2.ravel()[:: d2.shape[0] + 1] += 1e6
    inverse = 1.0 / d2
    s6 = inverse * inverse * inverse
    s12 = s6 * s6
    value = 2.0 * np.add.reduce((s12 - s6).ravel())
    force = s6
    force -= 2.0 * s12
    force *= inverse
    force *= 24.0
    d *= force[:, :, None]
    return value, np.add.reduce(d, 1)


def heat(u: Any) -> Any:
    """Energy after five explicit steps of the heat equation on 1,000 points."""
    for _ in range(5):
        u = tg.cat([u[:1], u[1:-1] + 0.1 * (u[2:] - 2 * u[1:-1] + u[:-2]), u[-1:]])
    return (u * u).sum()


def heat_by_hand(u: Any) -> tuple[Any, ...]:
    for _ in range(5):
        inner = u[2:] + u[:-2]
        inner *= 0.1
        inner += 0.8 * u[1:-1]
        u = np.concatenate([u[:1], inner, u[-1:]])
    value, g = np.dot(u, u), 2.0 * u
    for _ in range(5):
        inner = g[1:-1]
        new = np.zeros_like(g)
        new[0], new[-1] = g[0], g[-1]
        new[1:-1] += 0.8 * inner
        part = 0.1 * inner
        new[:-2] += part
        new[2:] += part
        g = new
    return value, g


def draw(*shape: int) -> Any:
    return DRAW.standard_normal(shape)


PROGRAMS: dict[str, Any] = {
    "network": (
        network,
        network_by_hand,
        4,
        (draw(32, 32) / 6, draw(32), draw(32, 10) / 6, draw(10), draw(64, 32), draw(64, 10)),
    ),
    "softmax regression": (
        classes,
        classes_by_hand,
        2,
        (draw(20, 10), draw(10), draw(128, 20), np.eye(10)[DRAW.integers(0, 10, 128)]),
    ),
    "ridge regression": (ridge, ridge_by_hand, 1, (draw(30), draw(200, 30), draw(200))),
    "Lennard-Jones": (energy, energy_by_hand, 1, (draw(30, 3) * 4,)),
    "heat equation": (heat, heat_by_hand, 1, (draw(1000),)),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=21)
    options = parser.parse_args()
    for name, (function, by_hand, count, arrays) in PROGRAMS.items():
        compiled = tg.compile(tg.func.value_and_grad(function, argnums=tuple(range(count))))
        tensors = tuple(map(tg.tensor, arrays))
        for got, want in zip(tg.pytree.leaves(compiled(*tensors)), by_hand(*arrays), strict=True):
            np.testing.assert_allclose(got.numpy(), want, rtol=1e-9, atol=1e-12, err_msg=name)
        runs = {"numpy by hand": lambda f=by_hand, a=arrays: f(*a), "compiled": lambda f=compiled, t=tensors: f(*t)}
        report(name, runs, "numpy by hand", options.rounds)


if __name__ == "__main__":
    main()
