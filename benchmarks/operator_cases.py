"""The operators that operators.py measures: each under PyTorch's names, which tracegrad shares, and in JAX where one call of it says the same.

`size` is the number of elements of the largest operand, about.  Arrays are made with a fixed seed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

Array = np.ndarray[Any, Any]
Make = Callable[[int], list[Array]]


class Case(NamedTuple):
    """One operator on given operands.

    `run(lib, *xs)` is the call, lib being tracegrad or torch; `jax(np, lax, nn, *xs)` the same with jax.numpy, jax.lax and jax.nn, or None;
    `scipy` the name of a ufunc; `backward` whether the derivative by all floating operands is measured.
    """

    family: str
    name: str
    run: Callable[..., Any]
    make: Make
    jax: Callable[..., Any] | None = None
    scipy: str | None = None
    backward: bool = True


def _rng() -> np.random.Generator:
    return np.random.default_rng(0)


def _flat(*bounds: tuple[float, float], dtype: Any = np.float32) -> Make:
    """Vectors of uniform numbers, one between each pair of bounds."""

    def make(size: int) -> list[Array]:
        rng = _rng()
        return [rng.uniform(low, high, size).astype(dtype) for low, high in bounds]

    return make


def _square(size: int) -> int:
    return max(int(math.sqrt(size)) // 2 * 2, 4)


def _normal(*shapes: Callable[[int], tuple[int, ...]], dtype: Any = np.float32) -> Make:
    """Normal numbers in the shapes made from the size."""

    def make(size: int) -> list[Array]:
        rng = _rng()
        return [rng.standard_normal(shape(size)).astype(dtype) for shape in shapes]

    return make


def _rows(n: int) -> tuple[int, int]:
    return _square(n), _square(n)


ROWS, VECTOR = _normal(_rows), _normal(lambda n: (n,))


def _with_positions(*shapes: Any, bound: Callable[[int], int], count: Callable[[int], Any]) -> Make:
    """Normal numbers in shapes, the last operand whole numbers below a bound."""

    def make(size: int) -> list[Array]:
        rng = _rng()
        floats = [rng.standard_normal(shape(size)).astype(np.float32) for shape in shapes]
        return [*floats, rng.integers(0, bound(size), count(size))]

    return make


UNARY: dict[str, tuple[float, float]] = {
    **dict.fromkeys(
        ("abs", "neg", "exp", "exp2", "expm1", "sin", "cos", "sinh", "cosh", "tanh", "atan", "asinh", "sigmoid"),
        (-3, 3),
    ),
    **dict.fromkeys(("square", "floor", "round", "trunc", "sign", "reciprocal"), (-3, 3)),
    **dict.fromkeys(("log", "log2", "log10", "log1p", "sqrt", "rsqrt"), (0.1, 9)),
    **dict.fromkeys(("asin", "acos", "atanh", "tan"), (-0.9, 0.9)),
    "acosh": (1.1, 9),
}
BINARY: dict[str, tuple[tuple[float, float], tuple[float, float]]] = {
    **dict.fromkeys(
        ("add", "sub", "mul", "div", "maximum", "minimum", "atan2", "hypot", "logaddexp", "fmod", "remainder"),
        ((-3, 3), (0.5, 2)),
    ),
    "pow": ((0.1, 3), (-2, 2)),
    "floor_divide": ((-9, 9), (0.5, 2)),
    "copysign": ((-3, 3), (-3, 3)),
}
JAX_NAMES = {
    "neg": "negative",
    "sub": "subtract",
    "mul": "multiply",
    "div": "divide",
    "asin": "arcsin",
    "acos": "arccos",
}
JAX_NAMES |= {
    "atan": "arctan",
    "asinh": "arcsinh",
    "acosh": "arccosh",
    "atanh": "arctanh",
    "atan2": "arctan2",
    "pow": "power",
}
IN_NN = ("sigmoid",)
IN_LAX = ("rsqrt",)


def _named(name: str) -> Callable[..., Any]:
    return lambda lib, *xs: getattr(lib, name)(*xs)


def _jax_named(name: str) -> Callable[..., Any]:
    wanted = JAX_NAMES.get(name, name)
    return lambda np, lax, nn, *xs: getattr(nn if name in IN_NN else lax if name in IN_LAX else np, wanted)(*xs)


def elementwise() -> Iterator[Case]:
    """One element in, one out."""
    flat = "floor round trunc sign floor_divide"
    for name, bounds in UNARY.items():
        yield Case("elementwise", name, _named(name), _flat(bounds), _jax_named(name), None, name not in flat)
    for name, pair in BINARY.items():
        yield Case("elementwise", name, _named(name), _flat(*pair), _jax_named(name), None, name not in flat)
    for name in ("exp", "log", "sin", "tanh", "sigmoid", "sqrt"):
        yield Case("elementwise", f"{name} f64", _named(name), _flat(UNARY[name], dtype=np.float64))
    for name in ("mul", "pow"):
        yield Case("elementwise", f"{name} f64", _named(name), _flat(*BINARY[name], dtype=np.float64))
    wide = _flat((-3, 3))
    yield Case("elementwise", "pow 2.5", lambda lib, x: x**2.5, _flat((0.1, 3)), lambda np, lax, nn, x: x**2.5)
    yield Case("elementwise", "clamp", lambda lib, x: x.clamp(-1, 1), wide, lambda np, lax, nn, x: np.clip(x, -1, 1))
    yield Case("elementwise", "lerp", lambda lib, x, y: lib.lerp(x, y, 0.3), _flat((-3, 3), (-3, 3)))
    yield Case("elementwise", "addcmul", lambda lib, *xs: lib.addcmul(*xs), _flat((-3, 3), (-3, 3), (-3, 3)))
    yield Case(
        "elementwise",
        "gt",
        lambda lib, x, y: x > y,
        _flat((-3, 3), (-3, 3)),
        lambda np, lax, nn, x, y: x > y,
        None,
        False,
    )
    yield Case("elementwise", "isnan", _named("isnan"), wide, _jax_named("isnan"), None, False)
    yield Case("elementwise", "nan_to_num", _named("nan_to_num"), wide, _jax_named("nan_to_num"))
    yield Case("elementwise", "where", lambda lib, x, y: lib.where(x > 0, x, y), _flat((-3, 3), (-3, 3)),
               lambda np, lax, nn, x, y: np.where(x > 0, x, y))  # fmt: skip
    yield Case(
        "elementwise", "broadcast add", _named("add"), _normal(_rows, lambda n: (_square(n),)), _jax_named("add")
    )
    yield Case("elementwise", "to f64", lambda lib, x: x.to(lib.float64), wide, None, None)


def activations() -> Iterator[Case]:
    """Activations and losses."""
    wide = _flat((-3, 3))
    for name in ("relu", "gelu", "silu", "softplus", "elu", "leaky_relu", "mish", "selu"):
        yield Case("activation", name, lambda lib, x, f=name: getattr(lib.nn.functional, f)(x), wide,
                   None if name == "mish" else lambda np, lax, nn, x, f=name: getattr(nn, f)(x))  # fmt: skip
    for name in ("hardswish", "hardtanh", "logsigmoid", "softsign", "hardsigmoid", "softshrink"):
        yield Case("activation", name, lambda lib, x, f=name: getattr(lib.nn.functional, f)(x), wide)
    yield Case("activation", "glu", lambda lib, x: lib.nn.functional.glu(x, 1), ROWS)
    for name in ("mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss", "binary_cross_entropy_with_logits"):
        yield Case("loss", name, lambda lib, x, y, f=name: getattr(lib.nn.functional, f)(x, y), _flat((-3, 3), (0, 1)))
    yield Case(
        "loss",
        "binary_cross_entropy",
        lambda lib, x, y: lib.nn.functional.binary_cross_entropy(x, y),
        _flat((0.1, 0.9), (0, 1)),
    )
    classes = _with_positions(_rows, bound=_square, count=lambda n: (_square(n),))
    yield Case("loss", "cross_entropy", lambda lib, x, i: lib.nn.functional.cross_entropy(x, i), classes)
    yield Case("loss", "nll_loss", lambda lib, x, i: lib.nn.functional.nll_loss(x, i), classes)
    for name in ("softmax", "log_softmax"):
        for dim in (0, 1):
            yield Case("softmax", f"{name} {dim}", lambda lib, x, f=name, d=dim: getattr(lib, f)(x, d), ROWS,
                       lambda np, lax, nn, x, f=name, d=dim: getattr(nn, f)(x, axis=d))  # fmt: skip
    yield Case("softmax", "softmax f64", lambda lib, x: lib.softmax(x, 1), _normal(_rows, dtype=np.float64))
    for dim in (0, 1):
        yield Case("softmax", f"logsumexp {dim}", lambda lib, x, d=dim: lib.logsumexp(x, d), ROWS,
                   lambda np, lax, nn, x, d=dim: nn.logsumexp(x, axis=d))  # fmt: skip
    yield Case("softmax", "softmax short rows", lambda lib, x: lib.softmax(x, 1), _normal(lambda n: (n // 10, 10)))


def reductions() -> Iterator[Case]:
    """Folds over axes."""
    for name in ("sum", "mean", "amax", "prod", "var", "std"):
        for dim in (None, 0, 1):
            yield Case("reduction", f"{name} {'all' if dim is None else dim}",
                       lambda lib, x, f=name, d=dim: getattr(lib, f)(x) if d is None else getattr(lib, f)(x, d), ROWS,
                       lambda np, lax, nn, x, f=name, d=dim: getattr(np, f)(x, d, **({"ddof": 1} if f in ("var", "std") else {})))  # fmt: skip
    for name in ("max", "min"):
        for dim in (0, 1):
            yield Case("reduction", f"{name} {dim}", lambda lib, x, f=name, d=dim: getattr(lib, f)(x, d)[0], ROWS,
                       lambda np, lax, nn, x, f=name, d=dim: getattr(np, f)(x, d))  # fmt: skip
    for name in ("argmax", "argmin"):
        for dim in (None, 0, 1):
            yield Case("reduction", f"{name} {'all' if dim is None else dim}", lambda lib, x, f=name, d=dim: getattr(lib, f)(x, dim=d),
                       ROWS, lambda np, lax, nn, x, f=name, d=dim: getattr(np, f)(x, d), None, False)  # fmt: skip
    yield Case("reduction", "any", lambda lib, x: (x > 9).any(), ROWS, None, None, False)
    yield Case("reduction", "count_nonzero", lambda lib, x: lib.count_nonzero(x), ROWS, None, None, False)
    for p in (1, 2, 3):
        yield Case("reduction", f"norm {p}", lambda lib, x, p=p: lib.linalg.vector_norm(x, p, 1), ROWS,
                   lambda np, lax, nn, x, p=p: np.linalg.norm(x, p, 1))  # fmt: skip
    for name in ("cumsum", "cumprod", "logcumsumexp"):
        for dim in (0, 1):
            yield Case("running", f"{name} {dim}", lambda lib, x, f=name, d=dim: getattr(lib, f)(x, d), ROWS)
    for dim in (0, 1):
        yield Case("running", f"cummax {dim}", lambda lib, x, d=dim: lib.cummax(x, d)[0], ROWS)


def ordering() -> Iterator[Case]:
    """Sorting and what is found by it."""
    for dim in (0, 1):
        yield Case("ordering", f"sort {dim}", lambda lib, x, d=dim: lib.sort(x, d)[0], ROWS,
                   lambda np, lax, nn, x, d=dim: np.sort(x, d))  # fmt: skip
    yield Case("ordering", "sort all", lambda lib, x: lib.sort(x)[0], VECTOR, lambda np, lax, nn, x: np.sort(x))
    yield Case("ordering", "sort descending", lambda lib, x: lib.sort(x, descending=True)[0], ROWS)
    yield Case("ordering", "sort f64", lambda lib, x: lib.sort(x)[0], _normal(_rows, dtype=np.float64))
    whole = _with_positions(bound=lambda n: n, count=_rows)
    yield Case("ordering", "sort int64", lambda lib, x: lib.sort(x)[0], whole, None, None, False)
    yield Case(
        "ordering",
        "argsort",
        lambda lib, x: lib.argsort(x, 1),
        ROWS,
        lambda np, lax, nn, x: np.argsort(x, 1),
        None,
        False,
    )
    yield Case(
        "ordering", "topk 5", lambda lib, x: lib.topk(x, 5, 1)[0], ROWS, lambda np, lax, nn, x: lax.top_k(x, 5)[0]
    )
    yield Case("ordering", "topk all", lambda lib, x: lib.topk(x, 100)[0] if len(x) > 99 else x.clone(), VECTOR)
    yield Case("ordering", "kthvalue", lambda lib, x: lib.kthvalue(x, 3, 1)[0], ROWS)
    yield Case("ordering", "median 1", lambda lib, x: lib.median(x, 1)[0], ROWS)
    yield Case("ordering", "median 0", lambda lib, x: lib.median(x, 0)[0], ROWS)
    yield Case("ordering", "median all", lambda lib, x: lib.median(x), ROWS)
    yield Case("ordering", "quantile", lambda lib, x: lib.quantile(x, 0.3, 1), ROWS)
    yield Case("ordering", "mode", lambda lib, x: lib.mode(x, 1)[0], ROWS)
    some = _with_positions(bound=lambda n: 1000, count=lambda n: (n,))
    yield Case("ordering", "unique", lambda lib, x: lib.unique(x), some, None, None, False)
    yield Case("ordering", "bincount", lambda lib, x: lib.bincount(x), some, None, None, False)
    yield Case("ordering", "histc", lambda lib, x: lib.histc(x, 100), VECTOR, None, None, False)
    edges = _flat((-3, 3))

    def searched(size: int) -> list[Array]:
        return [np.linspace(-3, 3, 1000, dtype=np.float32), *edges(size)]

    yield Case("ordering", "searchsorted", lambda lib, e, x: lib.searchsorted(e, x), searched, None, None, False)
    yield Case("ordering", "bucketize", lambda lib, e, x: lib.bucketize(x, e), searched, None, None, False)


CASES: tuple[Callable[[], Iterator[Case]], ...] = (elementwise, activations, reductions, ordering)
