"""One short program per public operator and form, written over a namespace `t` that is torch or tracegrad.

Each entry: name -> (function of (t, *tensors), shapes or arrays of its floating inputs).
"""

from __future__ import annotations

from typing import Any

import numpy as np

P = (0.3, 2.0)  # positive range
U = (-0.9, 0.9)  # inside (-1, 1)
R = (-2.0, 2.0)


def unary(name: str, low: float, high: float) -> dict[str, Any]:
    return {
        f"{name}": (lambda t, x: getattr(t, name)(x), [((2, 3), low, high)]),
        f"{name} method 0-d": (lambda t, x: getattr(x, name)(), [((), low, high)]),
    }


PROGRAMS: dict[str, Any] = {}
for _name, _range in {
    "abs": P, "neg": R, "exp": R, "log": P, "log1p": P, "expm1": R, "sin": R, "cos": R, "tan": U, "tanh": R, "sigmoid": R, "sqrt": P, "rsqrt": P, "square": R,
    "reciprocal": P, "relu": (0.1, 2.0), "erf": R, "sign": P, "floor": R, "round": R,
}.items():  # fmt: skip
    PROGRAMS.update(unary(_name, *_range))

two = [((2, 3), *R), ((3,), *P)]
same = [((2, 3), *R), ((2, 3), *P)]
one = [((2, 3), *R)]
cube = [((2, 3, 4), *R)]
I = np.array([2, 0, 1, 1])  # noqa: E741
IDX = np.array([[0, 2, 1], [1, 1, 0]])
MASK = np.array([[True, False, True], [False, True, True]])


def ix(t: Any, a: Any) -> Any:
    return t.tensor(a)


PROGRAMS |= {
    "add": (lambda t, x, y: t.add(x, y), two),
    "add alpha": (lambda t, x, y: t.add(x, y, alpha=3), two),
    "sub": (lambda t, x, y: t.sub(x, y), two),
    "sub alpha": (lambda t, x, y: x.sub(y, alpha=0.5), two),
    "mul": (lambda t, x, y: t.mul(x, y), two),
    "div": (lambda t, x, y: t.div(x, y), two),
    "numbers on both sides": (lambda t, x: (2 - x) * 3 + 1 / (x + 5) - x / 4 + 2 * x - (-x) ** 2, one),
    "pow number": (lambda t, x: x**3 + x**2 + t.pow(x, 1) + x**0, one),
    "pow real": (lambda t, x: x**2.5 + x**-1.5 + x**0.5, [((2, 3), *P)]),
    "pow tensor": (lambda t, x, y: x**y, [((2, 3), *P), ((3,), *R)]),
    "number to the power": (lambda t, x: 2**x + t.pow(3.0, x), one),
    "clamp": (lambda t, x: t.clamp(x, -0.5, 0.7), one),
    "clamp min": (lambda t, x: x.clamp(min=0.1), one),
    "clamp max keyword": (lambda t, x: t.clamp(x, max=0.1), one),
    "maximum": (lambda t, x, y: t.maximum(x, y), two),
    "minimum": (lambda t, x, y: t.minimum(x, y), two),
    "where": (lambda t, x, y: t.where(x > 0, x * y, y), two),
    "where number": (lambda t, x: t.where(x > 0, x, 0.0), one),
    "comparisons": (lambda t, x, y: x * (x > y) + y * (x <= y) + x * (x != y) + (x >= 0) * y + x * (x < 1) + (x == y) * x, two),
    "logical": (lambda t, x, y: x * t.logical_and(x > 0, y > 0) + y * t.logical_or(x > 0, t.logical_not(y > 1)), two),
    "isfinite": (lambda t, x: t.where(t.isfinite(x), x, 0.0), one),
    "softplus": (lambda t, x: t.nn.functional.softplus(x) + t.nn.functional.softplus(x, beta=2.0, threshold=3.0), one),
    "sum": (lambda t, x: t.sum(x), one),
    "sum dim": (lambda t, x: t.sum(x, 1) , one),
    "sum dims keepdim": (lambda t, x: x.sum(dim=(0, -1), keepdim=True), cube),
    "mean": (lambda t, x: t.mean(x), one),
    "mean dim": (lambda t, x: x.mean(-1, keepdim=True), cube),
    "prod": (lambda t, x: t.prod(x), one),
    "prod dim": (lambda t, x: x.prod(1), one),
    "amax": (lambda t, x: t.amax(x, (0, 1)).sin().sum() + x.amax(-1), cube),
    "amin": (lambda t, x: t.amin(x, 1), one),
    "max": (lambda t, x: t.max(x), one),
    "max dim": (lambda t, x: t.max(x, 1)[0], one),
    "max dim values": (lambda t, x: x.max(dim=-1, keepdim=True).values, cube),
    "max two": (lambda t, x, y: t.max(x, y), two),
    "min": (lambda t, x: x.min(), one),
    "min dim": (lambda t, x: x.min(0).values, one),
    "argmax gather": (lambda t, x: x.gather(1, x.argmax(1, keepdim=True)) + x[t.argmin(x, 0)[0]], one),
    "var": (lambda t, x: t.var(x) + x.var(1).sum() + x.var(dim=0, unbiased=False).sum(), one),
    "var correction": (lambda t, x: t.var(x, 1, correction=0, keepdim=True), one),
    "std": (lambda t, x: t.std(x) + x.std(1).sum(), one),
    "norm": (lambda t, x: t.norm(x), one),
    "norm dim": (lambda t, x: x.norm(2, dim=1) + x.norm(dim=-1), one),
    "norm one and inf": (lambda t, x: x.norm(1) + x.norm(float("inf")) + x.norm(3, dim=0).sum(), one),
    "any all": (lambda t, x: x * t.any(x > 0) + x * (x < 5).all() + x * (x > 1).any(1, keepdim=True), one),
    "cumsum": (lambda t, x: t.cumsum(x, 1) + x.cumsum(0), one),
    "logsumexp": (lambda t, x: t.logsumexp(x, 1) + x.logsumexp(dim=(0, 1)), one),
    "softmax": (lambda t, x: t.softmax(x, -1) * x.softmax(dim=0), one),
    "log_softmax": (lambda t, x: t.log_softmax(x, 1), one),
    "matmul 2x2": (lambda t, x, y: t.matmul(x, y), [((2, 3), *R), ((3, 4), *R)]),
    "matmul batched": (lambda t, x, y: x @ y, [((5, 2, 3), *R), ((3, 4), *R)]),
    "matmul broadcast": (lambda t, x, y: t.matmul(x, y), [((5, 1, 2, 3), *R), ((2, 3, 4), *R)]),
    "matmul vectors": (lambda t, x, y: x @ y, [((3,), *R), ((3,), *R)]),
    "matmul matrix vector": (lambda t, x, y: x @ y, [((2, 3), *R), ((3,), *R)]),
    "matmul vector matrix": (lambda t, x, y: x @ y, [((3,), *R), ((3, 2), *R)]),
    "matmul batch vector": (lambda t, x, y: x @ y, [((4, 2, 3), *R), ((3,), *R)]),
    "mm": (lambda t, x, y: t.mm(x, y), [((2, 3), *R), ((3, 4), *R)]),
    "mv": (lambda t, x, y: t.mv(x, y), [((2, 3), *R), ((3,), *R)]),
    "dot": (lambda t, x, y: t.dot(x, y), [((3,), *R), ((3,), *R)]),
    "bmm": (lambda t, x, y: t.bmm(x, y), [((5, 2, 3), *R), ((5, 3, 4), *R)]),
    "t": (lambda t, x: t.t(x) * x.t().sin(), one),
    "T": (lambda t, x: x.T.sin() @ x, one),
    "transpose": (lambda t, x: t.transpose(x, 0, -1).sin(), cube),
    "permute": (lambda t, x: t.permute(x, (2, 0, 1)).sin() * x.permute(2, 0, 1), cube),
    "reshape": (lambda t, x: t.reshape(x, (3, -1)).sin(), one),
    "view": (lambda t, x: x.view(-1).sin() * x.view(6), one),
    "flatten": (lambda t, x: t.flatten(x, 1).sin() * x.flatten(start_dim=1), cube),
    "expand": (lambda t, x: x.unsqueeze(1).expand(2, 4, 3).sin() * x[:, None].expand(-1, 4, -1), one),
    "expand_as": (lambda t, x, y: y.expand_as(x) * x, two),
    "broadcast_to": (lambda t, x: t.broadcast_to(x, (4, 2, 3)).sin(), one),
    "unsqueeze squeeze": (lambda t, x: x.unsqueeze(0).unsqueeze(-1).sin().squeeze().squeeze(0) * t.squeeze(t.unsqueeze(x, 1), 1), one),
    "cat": (lambda t, x, y: t.cat([x, y.sin(), x * 2], 0) * t.cat((x, y, x), dim=0), same),
    "cat last": (lambda t, x, y: t.cat((x, y), -1).sin(), same),
    "stack": (lambda t, x, y: t.stack([x, y], 1).sin(), same),
    "split": (lambda t, x: t.split(x, 2, 1)[0].sin().sum() + x.split([1, 2], dim=1)[1].cos().sum(), one),
    "chunk": (lambda t, x: t.chunk(x, 2, 0)[1].sin() * x.chunk(2)[0], one),
    "slices": (lambda t, x: x[1:].sin().sum() + x[:, ::2].cos().sum() + x[..., -1].sum() + x[0, 1:3].sum() + x[-1].exp().sum(), one),
    "None and ellipsis": (lambda t, x: x[None, ..., 1].sin() * x[:, None, 0].cos(), one),
    "index_select": (lambda t, x: t.index_select(x, 1, ix(t, np.array([2, 0, 0]))).sin(), one),
    "gather": (lambda t, x: t.gather(x, 1, ix(t, IDX)).sin(), one),
    "scatter_add": (lambda t, x, y: t.scatter_add(x, 1, ix(t, IDX), y.sin()) * x, same),
    "integer index": (lambda t, x: x[ix(t, np.array([1, 0, 1]))].sin(), one),
    "two integer indices": (lambda t, x: x[ix(t, np.array([1, 0, 1])), ix(t, np.array([2, 2, 0]))].sin(), one),
    "integer index and slice": (lambda t, x: x[:, ix(t, np.array([2, 0])), 1:].sin(), cube),
    "list index": (lambda t, x: x[[0, 1, 1]].sin(), one),
    "diagonal": (lambda t, x: t.diagonal(x).sin() * x.diagonal(0, 0, 1), [((3, 3), *R)]),
    "diagonal offset": (lambda t, x: t.diagonal(x, 1, -2, -1).sin(), cube),
    "tril triu": (lambda t, x: t.tril(x) * 2 + t.triu(x, 1).sin() + x.tril(-1), one),
    "flip": (lambda t, x: t.flip(x, [0]) * x.flip(0, 1), one),
    "detach": (lambda t, x: x * x.detach() + x, one),
    "clone": (lambda t, x: x.clone() * t.clone(x), one),
    "to float32 and back": (lambda t, x: x.to(t.float32).double() * x, one),
    "creation inside": (lambda t, x: x * t.ones(3, dtype=t.float64) + t.zeros_like(x) + t.full((3,), 2.0, dtype=t.float64) * x + t.arange(3) * x + t.linspace(0, 1, 3, dtype=t.float64) * x + t.eye(3, dtype=t.float64)[0] * x, one),
    "in place arithmetic": (lambda t, x: _in_place(x), one),
    "assignment": (lambda t, x: _assign(t, x), one),
    "mask assignment": (lambda t, x: _mask_assign(x), one),
    "index assignment": (lambda t, x, y: _index_assign(t, x, y), [((4, 3), *R), ((2, 3), *R)]),
    "linear": (lambda t, x, w, b: t.nn.functional.linear(x, w, b).tanh(), [((2, 3), *R), ((4, 3), *R), ((4,), *R)]),
    "mse_loss": (lambda t, x, y: t.nn.functional.mse_loss(x, y) + t.nn.functional.mse_loss(x, y, reduction="sum"), same),
    "bce with logits": (lambda t, x: t.nn.functional.binary_cross_entropy_with_logits(x, t.ones(2, 3, dtype=t.float64) * 0.3), one),
}  # fmt: skip


def _in_place(x: Any) -> Any:
    y = x * 1
    y += x
    y *= 2
    y -= 0.5
    y /= 3
    return y.mul_(x).add_(x, alpha=2)


def _assign(t: Any, x: Any) -> Any:
    y = x.clone()
    y[0] = x[1] * 2
    y[:, 1] = 3.0
    y[1, 2] = x[0, 0]
    y[..., :1] += 1
    return y * x


def _mask_assign(x: Any) -> Any:
    y = x.clone()
    y[x < 0] = 0
    return y * x


def _index_assign(t: Any, x: Any, y: Any) -> Any:
    z = x.clone()
    z[ix(t, np.array([3, 1]))] = y * 2
    return z * x


VALUE_DEPENDENT: dict[str, Any] = {
    "mask index": (lambda t, x: x[x > 0].sin(), one),
    "fixed mask index": (lambda t, x: x[ix(t, MASK)].sin(), one),
    "masked_select": (lambda t, x: t.masked_select(x, x > 0.1), one),
}


def inputs(spec: Any, seed: int = 0) -> list[np.ndarray]:
    """Float64 arrays for the ranges of a program."""
    generator = np.random.default_rng(seed)
    return [np.asarray(generator.uniform(low, high, shape)) for shape, low, high in spec]
