"""More operators for operators.py: positions, shapes, products, layers, and functions with a ufunc in SciPy."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from operator_cases import ROWS, VECTOR, Array, Case, _flat, _normal, _rng, _rows, _square, _with_positions

SPECIAL = {
    "erf": ("erf", (-3, 3)), "erfc": ("erfc", (-3, 3)), "erfcx": ("erfcx", (-2, 3)), "erfinv": ("erfinv", (-0.9, 0.9)),
    "digamma": ("psi", (0.1, 9)), "gammaln": ("gammaln", (0.1, 9)), "i0": ("i0", (-3, 3)), "i0e": ("i0e", (-3, 3)), "i1": ("i1", (-3, 3)),
    "i1e": ("i1e", (-3, 3)), "bessel_j0": ("j0", (-9, 9)), "bessel_j1": ("j1", (-9, 9)), "bessel_y0": ("y0", (0.1, 9)),
    "bessel_y1": ("y1", (0.1, 9)), "modified_bessel_k0": ("k0", (0.1, 9)), "modified_bessel_k1": ("k1", (0.1, 9)),
    "ndtr": ("ndtr", (-3, 3)), "ndtri": ("ndtri", (0.1, 0.9)), "log_ndtr": ("log_ndtr", (-3, 3)), "entr": ("entr", (0.1, 3)),
    "expit": ("expit", (-3, 3)), "logit": ("logit", (0.1, 0.9)), "exp2": ("exp2", (-3, 3)), "expm1": ("expm1", (-3, 3)), "log1p": ("log1p", (0.1, 3)),
}  # fmt: skip
SPECIAL_PAIRS = {
    "xlogy": "xlogy",
    "xlog1py": "xlog1py",
    "gammainc": "gammainc",
    "gammaincc": "gammaincc",
    "zeta": "zeta",
}


def special() -> Iterator[Case]:
    """Special functions, in the dtype of their operands."""
    for dtype, ending in ((np.float32, ""), (np.float64, " f64")):
        for name, (ufunc, bounds) in SPECIAL.items():
            yield Case("special", name + ending, lambda lib, x, f=name: getattr(lib.special, f)(x), _flat(bounds, dtype=dtype),
                       None, ufunc, "bessel" not in name and name not in ("erfcx",))  # fmt: skip
        for name, ufunc in SPECIAL_PAIRS.items():
            yield Case("special", name + ending, lambda lib, x, y, f=name: getattr(lib.special, f)(x, y),
                       _flat((1.1, 5), (0.5, 5), dtype=dtype), None, ufunc, name.startswith("xl"))  # fmt: skip


def positions() -> Iterator[Case]:
    """Gathering, scattering and masks."""
    same = _with_positions(_rows, bound=_square, count=_rows)
    yield Case(
        "positions",
        "gather 1",
        lambda lib, x, i: lib.gather(x, 1, i),
        same,
        lambda np, lax, nn, x, i: np.take_along_axis(x, i, 1),
    )
    yield Case(
        "positions",
        "gather 0",
        lambda lib, x, i: lib.gather(x, 0, i),
        same,
        lambda np, lax, nn, x, i: np.take_along_axis(x, i, 0),
    )
    yield Case("positions", "take_along_dim", lambda lib, x, i: lib.take_along_dim(x, i, 1), same)
    two = _with_positions(_rows, _rows, bound=_square, count=_rows)
    yield Case("positions", "scatter_add 1", lambda lib, x, y, i: x.scatter_add(1, i, y), two)
    yield Case("positions", "scatter_add 0", lambda lib, x, y, i: x.scatter_add(0, i, y), two)
    yield Case("positions", "scatter", lambda lib, x, y, i: x.scatter(1, i, y), two)
    yield Case(
        "positions",
        "scatter_reduce amax",
        lambda lib, x, y, i: x.scatter_reduce(1, i, y, "amax"),
        two,
        None,
        None,
        False,
    )
    yield Case(
        "positions",
        "scatter_reduce mean",
        lambda lib, x, y, i: x.scatter_reduce(1, i, y, "mean"),
        two,
        None,
        None,
        False,
    )
    rows = _with_positions(_rows, bound=_square, count=lambda n: (_square(n),))
    yield Case("positions", "index_select 0", lambda lib, x, i: lib.index_select(x, 0, i), rows)
    yield Case("positions", "index_select 1", lambda lib, x, i: lib.index_select(x, 1, i), rows)
    yield Case("positions", "x[i]", lambda lib, x, i: x[i], rows, lambda np, lax, nn, x, i: x[i])
    yield Case("positions", "x[:, i]", lambda lib, x, i: x[:, i], rows)
    added = _with_positions(_rows, _rows, bound=_square, count=lambda n: (_square(n),))
    yield Case("positions", "index_add 0", lambda lib, x, y, i: x.index_add(0, i, y), added)
    yield Case("positions", "index_add 1", lambda lib, x, y, i: x.index_add(1, i, y), added)
    yield Case("positions", "index_copy", lambda lib, x, y, i: x.index_copy(0, i, y), added, None, None, False)
    flat = _with_positions(lambda n: (n,), lambda n: (n,), bound=lambda n: n, count=lambda n: (n,))
    yield Case("positions", "index_put add", lambda lib, x, y, i: x.index_put((i,), y, accumulate=True), flat)
    yield Case("positions", "x[i] flat", lambda lib, x, y, i: x[i], flat)
    few = _with_positions(lambda n: (n,), lambda n: (n,), bound=lambda n: 10, count=lambda n: (n,))
    yield Case("positions", "index_add few rows", lambda lib, x, y, i: x.index_add(0, i, y), few)
    words = _with_positions(
        lambda n: (max(n // 640, 8), 64), bound=lambda n: max(n // 640, 8), count=lambda n: (8, max(n // 512, 1))
    )
    yield Case("positions", "embedding", lambda lib, w, i: lib.nn.functional.embedding(i, w), words)
    yield Case("positions", "masked_fill", lambda lib, x, i: x.masked_fill(i > 5, 0.0), same)
    yield Case("positions", "masked_select", lambda lib, x, i: x.masked_select(i > 5), same)
    yield Case("positions", "x[mask]", lambda lib, x: x[x > 0], ROWS)
    yield Case("positions", "nonzero", lambda lib, x: lib.nonzero(x > 1), ROWS, None, None, False)
    yield Case("positions", "tril", lambda lib, x: lib.tril(x), ROWS, lambda np, lax, nn, x: np.tril(x))


def shapes() -> Iterator[Case]:
    """Elements moved."""
    pair = _normal(lambda n: (_square(n) // 2, _square(n)), lambda n: (_square(n) // 2, _square(n)))
    yield Case(
        "shapes",
        "cat 0",
        lambda lib, x, y: lib.cat((x, y), 0),
        pair,
        lambda np, lax, nn, x, y: np.concatenate((x, y), 0),
    )
    yield Case(
        "shapes",
        "cat 1",
        lambda lib, x, y: lib.cat((x, y), 1),
        pair,
        lambda np, lax, nn, x, y: np.concatenate((x, y), 1),
    )
    for dim in (0, 2):
        yield Case("shapes", f"stack {dim}", lambda lib, x, y, d=dim: lib.stack((x, y), d), pair)
    for mode in ("constant", "reflect", "replicate", "circular"):
        yield Case("shapes", f"pad {mode}", lambda lib, x, m=mode: lib.nn.functional.pad(x[None], (2, 3), m), ROWS)
    yield Case("shapes", "roll", lambda lib, x: lib.roll(x, 3, 1), ROWS, lambda np, lax, nn, x: np.roll(x, 3, 1))
    for dim in (0, 1):
        yield Case(
            "shapes",
            f"flip {dim}",
            lambda lib, x, d=dim: lib.flip(x, (d,)),
            ROWS,
            lambda np, lax, nn, x, d=dim: np.flip(x, d),
        )
    yield Case("shapes", "repeat", lambda lib, x: x[: len(x) // 4].repeat(4, 1), ROWS)
    yield Case("shapes", "repeat_interleave", lambda lib, x: x[: len(x) // 4].repeat_interleave(4, 0), ROWS)
    yield Case("shapes", "t contiguous", lambda lib, x: x.t().contiguous(), ROWS)
    yield Case(
        "shapes",
        "permute contiguous",
        lambda lib, x: x.permute(0, 2, 3, 1).contiguous(),
        _normal(lambda n: (4, 16, max(n // 1024, 1), 16)),
    )
    yield Case("shapes", "clone", lambda lib, x: x.clone(), ROWS)


def products() -> Iterator[Case]:
    """Products of matrices, and distances."""
    side = lambda n: max(int(n**0.5) // 2, 4)  # noqa: E731
    square = _normal(lambda n: (side(n), side(n)), lambda n: (side(n), side(n)))
    yield Case("products", "matmul", lambda lib, x, y: x @ y, square, lambda np, lax, nn, x, y: x @ y)
    yield Case(
        "products",
        "matmul f64",
        lambda lib, x, y: x @ y,
        _normal(lambda n: (side(n), side(n)), lambda n: (side(n), side(n)), dtype=np.float64),
    )
    yield Case("products", "matmul transposed", lambda lib, x, y: x.t() @ y.t(), square)
    yield Case("products", "mv", lambda lib, x, y: x @ y, _normal(_rows, lambda n: (_square(n),)))
    stacks = _normal(lambda n: (max(n // 4096, 1), 64, 64), lambda n: (max(n // 4096, 1), 64, 64))
    yield Case("products", "bmm 64", lambda lib, x, y: lib.bmm(x, y), stacks, lambda np, lax, nn, x, y: x @ y)
    small = _normal(lambda n: (max(n // 64, 1), 8, 8), lambda n: (max(n // 64, 1), 8, 8))
    yield Case("products", "bmm 8", lambda lib, x, y: lib.bmm(x, y), small)
    yield Case("products", "linear", lambda lib, x, w, b: lib.nn.functional.linear(x, w, b),
               _normal(lambda n: (side(n), 256), lambda n: (256, 256), lambda n: (256,)))  # fmt: skip
    for text in ("ij,kj->ik", "ij,ij->i"):
        yield Case("products", f"einsum {text}", lambda lib, x, y, t=text: lib.einsum(t, x, y), square,
                   lambda np, lax, nn, x, y, t=text: np.einsum(t, x, y))  # fmt: skip
    yield Case("products", "einsum bij,bjk->bik", lambda lib, x, y: lib.einsum("bij,bjk->bik", x, y), stacks)
    heads = _normal(*[lambda n: (4, max(n // 2048, 4), 8, 32)] * 2)
    yield Case("products", "einsum bqhd,bkhd->bhqk", lambda lib, x, y: lib.einsum("bqhd,bkhd->bhqk", x, y), heads)
    three = _normal(*[lambda n: (side(n) // 2, side(n) // 2)] * 3)
    yield Case("products", "einsum ij,jk,kl->il", lambda lib, *xs: lib.einsum("ij,jk,kl->il", *xs), three)
    yield Case("products", "tensordot", lambda lib, x, y: lib.tensordot(x, y, ([0, 2], [0, 1])), stacks)
    yield Case("products", "outer", lambda lib, x, y: lib.outer(x, y), _normal(*[lambda n: (_square(n),)] * 2))
    points = _normal(*[lambda n: (side(n), 16)] * 2)
    for p in (2.0, 1.0):
        yield Case("distances", f"cdist {p:g}", lambda lib, x, y, p=p: lib.cdist(x, y, p), points)
    yield Case("distances", "pdist", lambda lib, x: lib.nn.functional.pdist(x), _normal(lambda n: (side(n), 16)))
    yield Case(
        "distances",
        "cosine_similarity",
        lambda lib, x, y: lib.nn.functional.cosine_similarity(x, y),
        _normal(_rows, _rows),
    )
    yield Case(
        "distances",
        "pairwise_distance",
        lambda lib, x, y: lib.nn.functional.pairwise_distance(x, y),
        _normal(_rows, _rows),
    )
    side3 = _normal(*[lambda n: (2, 8, max(int(n**0.5) // 8, 4), 64)] * 3)
    yield Case("products", "attention", lambda lib, *xs: lib.nn.functional.scaled_dot_product_attention(*xs), side3)


def _images(d: int, channels: int = 16, examples: int = 4) -> Any:
    """Shapes (examples, channels, *sides) with about n elements."""
    return lambda n: (examples, channels, *(max(int((n / (examples * channels)) ** (1 / d)), 6),) * d)


def layers() -> Iterator[Case]:
    """Convolutions, pools, normalisations and interpolation."""
    for d in (1, 2, 3):
        kernel = (3,) * d
        both = _normal(_images(d), lambda n, k=kernel: (16, 16, *k), lambda n: (16,))
        yield Case(
            "convolution",
            f"conv{d}d",
            lambda lib, x, w, b, d=d: getattr(lib.nn.functional, f"conv{d}d")(x, w, b, padding=1),
            both,
        )
        yield Case("convolution", f"conv_transpose{d}d",
                   lambda lib, x, w, b, d=d: getattr(lib.nn.functional, f"conv_transpose{d}d")(x, w, b, padding=1), both)  # fmt: skip
    image = _normal(_images(2), lambda n: (16, 16, 3, 3))
    yield Case(
        "convolution", "conv2d stride 2", lambda lib, x, w: lib.nn.functional.conv2d(x, w, stride=2, padding=1), image
    )
    yield Case("convolution", "conv2d dilation 2", lambda lib, x, w: lib.nn.functional.conv2d(x, w, dilation=2), image)
    yield Case(
        "convolution",
        "conv2d 1x1",
        lambda lib, x, w: lib.nn.functional.conv2d(x, w),
        _normal(_images(2), lambda n: (16, 16, 1, 1)),
    )
    yield Case(
        "convolution",
        "conv2d groups 4",
        lambda lib, x, w: lib.nn.functional.conv2d(x, w, groups=4),
        _normal(_images(2), lambda n: (16, 4, 3, 3)),
    )
    yield Case(
        "convolution",
        "conv2d depthwise",
        lambda lib, x, w: lib.nn.functional.conv2d(x, w, groups=16),
        _normal(_images(2), lambda n: (16, 1, 3, 3)),
    )
    yield Case(
        "convolution",
        "conv2d 3 channels",
        lambda lib, x, w: lib.nn.functional.conv2d(x, w),
        _normal(_images(2, 3), lambda n: (32, 3, 5, 5)),
    )
    yield Case(
        "convolution",
        "conv2d 64 channels",
        lambda lib, x, w: lib.nn.functional.conv2d(x, w, padding=1),
        _normal(_images(2, 64), lambda n: (64, 64, 3, 3)),
    )
    yield Case(
        "convolution",
        "unfold",
        lambda lib, x: lib.nn.functional.unfold(x, 3),
        _normal(lambda n: (4, 4, *(max(int((n / 144) ** 0.5), 6),) * 2)),
    )
    yield Case(
        "convolution",
        "fold",
        lambda lib, x: lib.nn.functional.fold(x, (32, 32), 3),
        _normal(lambda n: (4, max(n // 32400, 1) * 9, 900)),
    )
    for d in (1, 2, 3):
        for kind in ("max", "avg"):
            for k, stride in ((2, 2), (3, 2), (3, 1)):
                yield Case("pool", f"{kind}_pool{d}d {k}/{stride}",
                           lambda lib, x, f=f"{kind}_pool{d}d", k=k, t=stride: getattr(lib.nn.functional, f)(x, k, t), _normal(_images(d)))  # fmt: skip
            yield Case("pool", f"adaptive_{kind}_pool{d}d",
                       lambda lib, x, f=f"adaptive_{kind}_pool{d}d": getattr(lib.nn.functional, f)(x, 5), _normal(_images(d)))  # fmt: skip
    yield Case("pool", "max_unpool2d", lambda lib, x, y: lib.nn.functional.max_unpool2d(*lib.nn.functional.max_pool2d(x, 2, return_indices=True), 2),
               _normal(lambda n: (4, 16, *(max(int((n / 64) ** 0.5) // 2 * 2, 6),) * 2), lambda n: (1,)), None, None, False)  # fmt: skip
    yield Case("pool", "lp_pool2d", lambda lib, x: lib.nn.functional.lp_pool2d(x, 2.0, 2), _normal(_images(2)))
    for mode in ("nearest", "bilinear", "bicubic"):
        yield Case("interpolate", mode, lambda lib, x, m=mode: lib.nn.functional.interpolate(x, scale_factor=2, mode=m),
                   _normal(lambda n: _images(2)(n // 4)))  # fmt: skip
    for mode in ("bilinear", "nearest", "bicubic"):
        yield Case("interpolate", f"grid_sample {mode}",
                   lambda lib, x, g, m=mode: lib.nn.functional.grid_sample(x, g.tanh(), mode=m, align_corners=False),
                   _normal(lambda n: _images(2)(n // 4), lambda n: (_images(2)(n // 4)[0], *_images(2)(n // 4)[2:], 2)))  # fmt: skip
    yield Case(
        "interpolate", "pixel_shuffle", lambda lib, x: lib.nn.functional.pixel_shuffle(x, 2), _normal(_images(2))
    )
    side = _normal(_rows, lambda n: (_square(n),), lambda n: (_square(n),))
    yield Case("normalise", "layer_norm", lambda lib, x, w, b: lib.nn.functional.layer_norm(x, x.shape[1:], w, b), side)
    yield Case(
        "normalise",
        "rms_norm",
        lambda lib, x, w, b: lib.nn.functional.rms_norm(x, x.shape[1:], w),
        _normal(_rows, lambda n: (_square(n),), lambda n: (1,)),
        None,
        None,
        False,
    )
    images = _normal(_images(2), lambda n: (16,), lambda n: (16,))
    yield Case(
        "normalise", "batch_norm", lambda lib, x, w, b: lib.nn.functional.batch_norm(x, None, None, w, b, True), images
    )
    yield Case("normalise", "group_norm", lambda lib, x, w, b: lib.nn.functional.group_norm(x, 4, w, b), images)
    yield Case(
        "normalise", "instance_norm", lambda lib, x, w, b: lib.nn.functional.instance_norm(x, weight=w, bias=b), images
    )
    yield Case("normalise", "normalize", lambda lib, x: lib.nn.functional.normalize(x), ROWS)
    yield Case(
        "normalise",
        "local_response_norm",
        lambda lib, x: lib.nn.functional.local_response_norm(x, 5),
        _normal(_images(2)),
    )


def chance() -> Iterator[Case]:
    """Random numbers."""
    size = lambda n: [np.zeros(n, np.float32)]  # noqa: E731
    yield Case("random", "rand", lambda lib, x: lib.rand(len(x)), size, None, None, False)
    yield Case("random", "rand f64", lambda lib, x: lib.rand(len(x), dtype=lib.float64), size, None, None, False)
    yield Case("random", "randn", lambda lib, x: lib.randn(len(x)), size, None, None, False)
    yield Case("random", "randn f64", lambda lib, x: lib.randn(len(x), dtype=lib.float64), size, None, None, False)
    yield Case("random", "randint", lambda lib, x: lib.randint(0, 1000, (len(x),)), size, None, None, False)
    yield Case("random", "randperm", lambda lib, x: lib.randperm(len(x)), size, None, None, False)
    yield Case("random", "bernoulli", lambda lib, x: lib.bernoulli(x), size, None, None, False)
    yield Case("random", "dropout", lambda lib, x: lib.nn.functional.dropout(x, 0.5, True), VECTOR)
    yield Case("random", "arange", lambda lib, x: lib.arange(len(x)), size, None, None, False)
    yield Case("random", "linspace", lambda lib, x: lib.linspace(0, 1, len(x)), size, None, None, False)


def linear_algebra() -> Iterator[Case]:
    """Batched factorizations and solutions, in float64."""

    def stacked(size: int) -> list[Array]:
        count = max(size // 1024, 1)
        x = _rng().standard_normal((count, 32, 32))
        return [x @ x.swapaxes(1, 2) + 32 * np.eye(32)]

    chosen = {
        "inv": None,
        "cholesky": None,
        "det": None,
        "eigh": 0,
        "svd": 1,
        "qr": 0,
        "slogdet": 1,
        "matrix_exp": None,
        "lu": 1,
    }
    for name, i in chosen.items():  # of several results the one whose derivative does not depend on a gauge
        yield Case("linalg", name, lambda lib, x, f=name, i=i: getattr(lib.linalg, f)(x) if i is None else getattr(lib.linalg, f)(x)[i],
                   lambda n: stacked(n // 10), None, None, name != "lu")  # fmt: skip
    yield Case("linalg", "solve", lambda lib, x: lib.linalg.solve(x, x), lambda n: stacked(n // 10))
    yield Case(
        "linalg",
        "solve_triangular",
        lambda lib, x: lib.linalg.solve_triangular(x, x, upper=True),
        lambda n: stacked(n // 10),
    )


LAYERS = (special, positions, shapes, products, layers, chance, linear_algebra)
