"""Realistic scalar functions whose gradients' final graphs are kept as files: name -> (function, arrays of its arguments)."""

from __future__ import annotations

from typing import Any

import numpy as np

import tracegrad as tg

DRAW = np.random.default_rng(0)


def draw(*shape: int) -> Any:
    return DRAW.uniform(0.2, 1.2, shape)


def mlp(p, x, y):
    h = tg.tanh(x @ p["w1"] + p["b1"])
    return tg.nn.functional.mse_loss(h @ p["w2"] + p["b2"], y)


def logistic(w, b, x, y):
    return tg.nn.functional.binary_cross_entropy_with_logits(x @ w + b, y)


def rosenbrock(x):
    return (100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2).sum()


def gaussian(mean, log_scale, x):
    z = (x - mean) / tg.exp(log_scale)
    return (0.5 * z**2 + log_scale + 0.9189385332046727).sum()


def rnn(wh, wx, b, xs):
    h = tg.zeros(3, 4, dtype=tg.float64)
    for x in xs:
        h = tg.tanh(h @ wh + x @ wx + b)
    return (h**2).mean()


def attention(q, k, v):
    scores = q @ k.transpose(-1, -2) / k.shape[-1] ** 0.5
    return (tg.softmax(scores, dim=-1) @ v).square().sum()


def ridge(w, x, y):
    r = x @ w - y
    return (r * r).sum() + 0.1 * (w * w).sum()


def lennard_jones(r):
    d = r[:, None, :] - r[None, :, :]
    d2 = (d * d).sum(-1) + 1e3 * tg.eye(r.shape[0], dtype=tg.float64)
    s6 = (1.0 / d2) ** 3
    return 2 * (s6 * s6 - s6).sum()


def heat(u):
    for _ in range(3):
        u = tg.cat([u[:1], u[1:-1] + 0.1 * (u[2:] - 2 * u[1:-1] + u[:-2]), u[-1:]])
    return (u * u).sum()


def softmax_regression(w, b, x, t):
    logits = x @ w + b
    return (tg.logsumexp(logits, dim=1) - (logits * t).sum(1)).mean()


def polynomial(c, x, y):
    p = c[0] + c[1] * x + c[2] * x**2 + c[3] * x**3
    return ((p - y) ** 2).sum()


def layer_norm(x, g, b):
    mean = x.mean(-1, keepdim=True)
    var = x.var(-1, keepdim=True, unbiased=False)
    return (((x - mean) / tg.sqrt(var + 1e-5)) * g + b).sin().sum()


def quadratic_form(x, a):
    return 0.5 * x @ a @ x


def cosine_similarity(a, b):
    return (a * b).sum() / (a.norm() * b.norm())


def huber(w, x, y):
    r = x @ w - y
    return tg.where(r.abs() < 0.5, 0.5 * r * r, 0.5 * (r.abs() - 0.25)).mean()


def mixture(logits, means, x):
    d = -0.5 * (x[:, None] - means) ** 2
    return -tg.logsumexp(d + tg.log_softmax(logits, 0), dim=1).sum()


def convolution(k, x):
    n = x.shape[0] - k.shape[0] + 1
    y = sum(k[i] * x[i : i + n] for i in range(3))
    return tg.relu(y).sum()


def kalman(a, q, x):
    m, v, total = x[0], x[0] * 0 + 1.0, x[0] * 0
    for i in range(1, 4):
        m, v = a * m, a * a * v + q
        s = v + 0.5
        e = x[i] - m
        total = total + 0.5 * (e * e / s + s.log())
        m, v = m + v / s * e, v - v * v / s
    return total


def variance(x):
    return x.var()


def log_determinant_2x2(a):
    return (a[0, 0] * a[1, 1] - a[0, 1] * a[1, 0]).abs().log()


def gru_step(h, x, wz, wr, wh):
    z = tg.sigmoid(x @ wz + h @ wz)
    r = tg.sigmoid(x @ wr + h @ wr)
    n = tg.tanh(x @ wh + (r * h) @ wh)
    return ((1 - z) * n + z * h).sum()


def embedding(table, w):
    e = table[tg.tensor([0, 2, 2, 1])]
    return (e @ w).tanh().sum()


def total_variation(u):
    dx, dy = u[1:, :-1] - u[:-1, :-1], u[:-1, 1:] - u[:-1, :-1]
    return tg.sqrt(dx * dx + dy * dy + 1e-6).sum()


def pendulum(theta, omega):
    for _ in range(4):
        omega = omega - 0.1 * tg.sin(theta)
        theta = theta + 0.1 * omega
    return 0.5 * omega**2 - tg.cos(theta)


def poisson(w, x, y):
    eta = x @ w
    return (eta.exp() - y * eta).sum()


def gradient_penalty(w, x):
    g = tg.func.grad(lambda x: tg.tanh(x @ w).sum())(x)
    return ((g * g).sum(1).sqrt() - 1).square().mean()


def standardise(x, w):
    z = (x - x.mean(0)) / x.std(0)
    return (z @ w).sigmoid().sum()


def harmonic_chain(q):
    d = q[1:] - q[:-1]
    return 0.5 * (d**2).sum() + 0.25 * (d**4).sum()


def entropy(logits):
    p = tg.softmax(logits, dim=0)
    return -(p * tg.log(p)).sum()


def batched_products(a, b):
    return tg.bmm(a, b).relu().mean()


PROGRAMS: dict[str, Any] = {
    "mlp": (mlp, ({"w1": draw(3, 4), "b1": draw(4), "w2": draw(4, 2), "b2": draw(2)}, draw(5, 3), draw(5, 2))),
    "logistic": (logistic, (draw(3), draw(), draw(6, 3), (draw(6) > 0.6) * 1.0)),
    "rosenbrock": (rosenbrock, (draw(10),)),
    "gaussian": (gaussian, (draw(), draw(), draw(8))),
    "rnn": (rnn, (draw(4, 4), draw(2, 4), draw(4), [draw(3, 2) for _ in range(5)])),
    "attention": (attention, (draw(3, 4), draw(5, 4), draw(5, 2))),
    "ridge": (ridge, (draw(4), draw(6, 4), draw(6))),
    "lennard_jones": (lennard_jones, (draw(5, 3) * 2,)),
    "heat": (heat, (draw(12),)),
    "softmax_regression": (softmax_regression, (draw(4, 3), draw(3), draw(6, 4), np.eye(3)[[0, 1, 2, 0, 1, 2]])),
    "polynomial": (polynomial, (draw(4), draw(9), draw(9))),
    "layer_norm": (layer_norm, (draw(4, 5), draw(5), draw(5))),
    "quadratic_form": (quadratic_form, (draw(4), draw(4, 4))),
    "cosine_similarity": (cosine_similarity, (draw(5), draw(5))),
    "huber": (huber, (draw(3), draw(6, 3), draw(6))),
    "mixture": (mixture, (draw(3), draw(3), draw(7))),
    "convolution": (convolution, (draw(3), draw(9))),
    "kalman": (kalman, (draw(), draw(), draw(4))),
    "variance": (variance, (draw(3, 4),)),
    "log_determinant_2x2": (log_determinant_2x2, (draw(2, 2) + np.eye(2),)),
    "gru_step": (gru_step, (draw(2, 3), draw(2, 3), draw(3, 3), draw(3, 3), draw(3, 3))),
    "embedding": (embedding, (draw(3, 4), draw(4, 2))),
    "total_variation": (total_variation, (draw(4, 5),)),
    "pendulum": (pendulum, (draw(), draw())),
    "poisson": (poisson, (draw(3), draw(6, 3), draw(6))),
    "gradient_penalty": (gradient_penalty, (draw(3, 2), draw(5, 3))),
    "standardise": (standardise, (draw(6, 3), draw(3))),
    "harmonic_chain": (harmonic_chain, (draw(8),)),
    "entropy": (entropy, (draw(5),)),
    "batched_products": (batched_products, (draw(2, 3, 4), draw(2, 4, 3))),
}


def arguments(name: str) -> tuple[Any, ...]:
    """The arguments of a program as Tensors."""
    return tg.pytree.map(tg.tensor, PROGRAMS[name][1])  # type: ignore[no-any-return]
