"""Sampling of images and volumes at given places: grid_sample, and affine_grid, which makes such places.

Weighted sums of rows (one row holds the channels of a pixel), with weights that depend on the places: derivatives of every order by both follow.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from itertools import product
from typing import Any

from tracegrad.dtypes import I64, bfloat16, float16
from tracegrad.eager.argument_types import with_typed_arguments
from tracegrad.eager.creation import linspace
from tracegrad.eager.dispatch import T
from tracegrad.eager.rounding_once import rounds_once
from tracegrad.eager.tensor import Tensor
from tracegrad.errors import ArgumentValueError, NotSupportedError, ShapeError, explain
from tracegrad.ir.types import size_of
from tracegrad.nn.conv_functions import check_tensors

_MODES = ("bilinear", "nearest", "bicubic")
_PADDINGS = ("zeros", "border", "reflection")
_CUBIC = -0.75


@with_typed_arguments
def grid_sample(
    input: Tensor,  # noqa: A002
    grid: Tensor,
    mode: str = "bilinear",
    padding_mode: str = "zeros",
    align_corners: bool | None = None,
) -> Any:
    """input at the places grid, whose last axis is (x, y) or (x, y, z) in [-1, 1].  Shapes: (n, c, *s), (n, *t, len(s)) -> (n, c, *t).

    mode: "bilinear", "nearest" or, of images, "bicubic"; padding_mode says what is outside: "zeros", "border" or "reflection"; align_corners whether -1 and 1
    are the centres of the outermost pixels or their borders.  Raises ValueError for other modes, RuntimeError for shapes and dtypes that do not fit.
    """
    check_tensors("grid_sample", input=input, grid=grid)
    if mode not in _MODES:
        problem = f"expected mode to be 'bilinear', 'nearest' or 'bicubic', but got: {mode!r}"
        raise ArgumentValueError(explain("nn.functional.grid_sample()", problem))
    if padding_mode not in _PADDINGS:
        problem = f"expected padding_mode to be 'zeros', 'border', or 'reflection', but got: {padding_mode!r}"
        raise ArgumentValueError(explain("nn.functional.grid_sample()", problem))
    corners = _chosen(align_corners)
    return grid_sampler(input, grid, _MODES.index(mode), _PADDINGS.index(padding_mode), corners)


@with_typed_arguments
@rounds_once
def grid_sampler(
    input: Tensor,  # noqa: A002
    grid: Tensor,
    interpolation_mode: int,
    padding_mode: int,
    align_corners: bool,
) -> Any:
    """grid_sample with numbers for the modes: 0 bilinear, 1 nearest, 2 bicubic; 0 zeros, 1 border, 2 reflection."""
    check_tensors("grid_sampler", input=input, grid=grid)
    _check_shapes(input, grid, interpolation_mode)
    given = input.dtype
    if given in (float16, bfloat16):
        input, grid = input.float(), grid.float()  # type: ignore[attr-defined]  # noqa: A001
    d = input.ndim - 2
    n, channels, *sizes = input.shape
    lead = tuple(grid.shape[1:-1])
    order = (0, *range(2, d + 2), 1)
    table = T.reshape(T.permute(input, dims=order), shape=(n * size_of(tuple(sizes)), channels))
    # the axes of the image from the first on; the last axis of the grid names the last one first
    places = [T.reshape(T.select(grid, dim=d + 1, index=d - 1 - i), shape=(n, size_of(lead))) for i in range(d)]
    places = [_in_pixels(p, size, align_corners) for p, size in zip(places, sizes, strict=True)]
    total = _sampled(table, places, tuple(sizes), interpolation_mode, padding_mode, align_corners)
    made = T.reshape(total, shape=(n, *lead, channels))
    made = T.row_major(T.permute(made, dims=(0, d + 1, *range(1, d + 1))))
    made = made if made.dtype == given else made.to(given)
    return T.named(made, called=f"GridSampler{d}DBackward0")


def _grid_sampler_of(d: int) -> Callable[..., Any]:
    def function(
        input: Tensor,  # noqa: A002
        grid: Tensor,
        interpolation_mode: int,
        padding_mode: int,
        align_corners: bool,
    ) -> Any:
        return grid_sampler(input, grid, interpolation_mode, padding_mode, align_corners)

    function.__name__ = function.__qualname__ = f"grid_sampler_{d}d"
    function.__doc__ = f"grid_sampler of {'images' if d == 2 else 'volumes'}."
    return with_typed_arguments(function)


grid_sampler_2d, grid_sampler_3d = _grid_sampler_of(2), _grid_sampler_of(3)


def _chosen(align_corners: bool | None) -> bool:
    if align_corners is None:
        text = "Default grid_sample and affine_grid behavior has changed to align_corners=False since 1.3.0. Please specify align_corners=True if the old behavior is desired. See the documentation of grid_sample for details."
        warnings.warn(text, UserWarning, stacklevel=3)
    return bool(align_corners)


def _check_shapes(x: Any, grid: Any, mode: int) -> None:
    sizes, places = list(x.shape), list(grid.shape)
    problem = None
    if not sizes or not places or sizes[0] != places[0]:
        problem = f"expected grid and input to have same batch size, but got input with sizes {sizes} and grid with sizes {places}"
    elif places[-1] != len(sizes) - 2:
        problem = f"expected grid to have size {len(sizes) - 2} in last dimension, but got grid with sizes {places}"
    elif len(sizes) not in (4, 5) or len(places) != len(sizes):
        problem = f"expected 4D or 5D input and grid with same number of dimensions, but got input with sizes {sizes} and grid with sizes {places}"
    elif 0 in sizes[2:]:
        problem = f"expected input to have non-empty spatial dimensions, but input has sizes {sizes}"
    elif mode == _MODES.index("bicubic") and len(sizes) != 4:
        problem = "bicubic interpolation only supports 4D input"
    elif x._data.dtype != grid._data.dtype:
        problem = f"expected scalar type {x.dtype} but found {grid.dtype}"
    if problem is not None:
        raise ShapeError(explain("grid_sampler()", problem))
    if x._data.dtype.kind not in "fV":
        raise NotSupportedError(explain("grid_sampler", f"not implemented for {x.dtype}"))


def _in_pixels(place: Any, size: int, corners: bool) -> Any:
    """[-1, 1] as positions in [0, size - 1], or in [-1/2, size - 1/2]."""
    shifted = T.add(place, 1.0)
    if corners:
        return T.mul(shifted, (size - 1) / 2)
    return T.div(T.sub(T.mul(shifted, float(size)), 1.0), 2.0)


def _held(x: Any, size: int) -> Any:
    """x within [0, size - 1]; there is no derivative at the ends and beyond, and nan becomes 0."""
    low = T.where(T.gt(x, 0.0), x, 0.0)
    return T.where(T.lt(low, float(size - 1)), low, float(size - 1))


def _reflected(x: Any, size: int, corners: bool) -> Any:
    """x reflected at the centres or the borders of the outermost pixels until it is inside."""
    first, span = (0.0, float(size - 1)) if corners else (-0.5, float(size))
    if not span:
        return T.full(shape=tuple(x.shape), value=0, dtype=x._data.dtype)
    away = T.sub(x, first)
    away = T.where(T.lt(away, 0.0), T.neg(away), away)
    flips = T.detach(T.floor(T.div(away, span)))
    rest = T.sub(away, T.mul(flips, span))
    odd = T.ne(T.sub(flips, T.mul(T.floor(T.div(flips, 2.0)), 2.0)), 0.0)
    return T.add(T.where(odd, T.sub(span, rest), rest), first)


def _padded(x: Any, size: int, padding: int, corners: bool) -> Any:
    if padding == _PADDINGS.index("zeros"):
        return x
    return _held(_reflected(x, size, corners) if padding == _PADDINGS.index("reflection") else x, size)


def _sampled(table: Any, places: list[Any], sizes: tuple[int, ...], mode: int, padding: int, corners: bool) -> Any:
    """The weighted sum of the pixels around every place, as rows of channels."""
    if mode == _MODES.index("bicubic"):
        taps = [_cubic_taps(p) for p in places]

        def finish(x: Any, size: int) -> Any:
            return _padded(x, size, padding, corners)
    else:
        places = [_padded(p, size, padding, corners) for p, size in zip(places, sizes, strict=True)]
        taps = [[(T.round(p, decimals=0), None)] if mode else _linear_taps(p) for p in places]

        def finish(x: Any, size: int) -> Any:
            return x

    axes = [
        [(*_pixel(finish(at, size), size), weight) for at, weight in own] for own, size in zip(taps, sizes, strict=True)
    ]
    return _weighted_sum(table, axes, sizes, tuple(places[0].shape))


def _pixel(at: Any, size: int) -> tuple[Any, Any]:
    """Positions along an axis as int64 within it, and whether they were."""
    inside = T.logical_and(T.ge(at, 0.0), T.le(at, float(size - 1)))
    return T.cast(T.where(inside, T.detach(at), 0.0), dtype=I64), inside


def _weighted_sum(table: Any, axes: list[Any], sizes: tuple[int, ...], shape: tuple[int, ...]) -> Any:
    """The sums of the pixels of all corners times their weights; corners outside name one more row, of zeros."""
    n, count = shape
    pixels, channels = table.shape
    begin = T.mul(T.arange(start=0, step=1, count=n, dtype=I64), size_of(sizes))
    begin = T.unsqueeze(begin, dim=1)
    steps = [size_of(sizes[i + 1 :]) for i in range(len(sizes))]
    taps = [[(T.mul(at, step) if step > 1 else at, here, w) for at, here, w in own] for own, step in zip(axes, steps, strict=True)]  # fmt: skip
    taps[0] = [(T.add(at, begin), here, w) for at, here, w in taps[0]]
    indices, weights = [], []
    for corner in product(*taps):
        index, inside, weight = corner[0]
        for at, here, share in corner[1:]:
            index, inside = T.add(index, at), T.logical_and(inside, here)
            weight = weight if share is None else T.mul(weight, share)
        indices.append(T.where(inside, index, pixels))
        weights.append(weight)
    table = T.place(table, shape=(pixels + 1, channels), dim=0, starts=(0,), steps=(1,))
    if weights[0] is None:
        return T.index_select(table, T.reshape(indices[0], shape=(n * count,)), dim=0)
    both = (T.reshape(T.stack(*v, dim=2), shape=(n * count, len(v))) for v in (indices, weights))
    return T.weighted_rows(table, *both)


def _linear_taps(x: Any) -> list[tuple[Any, Any]]:
    below = T.detach(T.floor(x))
    part = T.sub(x, below)
    return [(below, T.sub(1.0, part)), (T.add(below, 1.0), part)]


def _cubic_taps(x: Any) -> list[tuple[Any, Any]]:
    below = T.detach(T.floor(x))
    part = T.sub(x, below)
    shares: list[Callable[[Any], Any]] = [_far, _near, _near, _far]
    distances = [T.add(part, 1.0), part, T.sub(1.0, part), T.sub(2.0, part)]
    return [(T.add(below, float(i - 1)), share(t)) for i, (share, t) in enumerate(zip(shares, distances, strict=True))]


def _near(t: Any) -> Any:
    """The cubic kernel at distances to 1."""
    return T.add(T.mul(T.mul(T.sub(T.mul(t, _CUBIC + 2), _CUBIC + 3), t), t), 1.0)


def _far(t: Any) -> Any:
    """The cubic kernel at distances between 1 and 2."""
    return T.sub(T.mul(T.add(T.mul(T.sub(T.mul(t, _CUBIC), 5 * _CUBIC), t), 8 * _CUBIC), t), 4 * _CUBIC)


@with_typed_arguments
def affine_grid(theta: Tensor, size: Any, align_corners: bool | None = None) -> Any:
    """The places at which an affine map reads an image of `size` (n, c, *s), for grid_sample.  Shapes: (n, d, d + 1) -> (n, *s, d), d = len(s) 2 or 3.

    Raises ValueError for matrices that do not fit or sizes that are not positive, NotImplementedError for other numbers of axes.
    """
    check_tensors("affine_grid", theta=theta)
    corners = _chosen(align_corners)
    if theta._data.dtype.kind not in "fV":
        raise ArgumentValueError(
            explain("affine_grid", f"Expected theta to have floating point type, but got {theta.dtype}")
        )
    if len(size) not in (4, 5):
        problem = f"only supports 4D and 5D sizes, for 2D and 3D affine transforms, respectively. Got size {size}."
        raise NotSupportedError(explain("affine_grid", problem))
    d = len(size) - 2
    if theta.ndim != 3 or tuple(theta.shape[1:]) != (d, d + 1):
        problem = f"Expected a batch of {d}D affine matrices of shape Nx{d}x{d + 1} for size {size}. Got {theta.shape}."
        raise ArgumentValueError(explain("affine_grid", problem))
    if min(size) <= 0:
        raise ArgumentValueError(explain("affine_grid", f"Expected non-zero, positive output size. Got {size}"))
    if corners and 1 in tuple(size)[2:]:
        text = "Since version 1.3.0, affine_grid behavior has changed for unit-size grids when align_corners=True. This is not an intended use case of affine_grid. See the documentation of affine_grid for details."
        warnings.warn(text, UserWarning, stacklevel=2)
    return affine_grid_generator(theta, size, corners)


@with_typed_arguments
def affine_grid_generator(theta: Tensor, size: Any, align_corners: bool) -> Any:
    """affine_grid without its checks."""
    n, _, *sizes = (int(s) for s in size)
    if theta.shape[0] != n:
        problem = f"Expected size for first two dimensions of batch2 tensor to be: [{n}, {len(sizes) + 1}] but got: {list(theta.shape[:2])}"
        raise ShapeError(explain("affine_grid_generator", problem))
    d, dtype = len(sizes), theta._data.dtype
    axes = []
    for i, count in reversed(list(enumerate(sizes))):
        steps: Any = (
            linspace(-1.0, 1.0, count, dtype=theta.dtype) if count > 1 else T.full(shape=(1,), value=0, dtype=dtype)
        )
        if not align_corners:
            steps = T.mul(steps, (count - 1) / count)
        steps = T.reshape(steps, shape=tuple(count if j == i else 1 for j in range(d)))
        axes.append(T.broadcast_to(steps, shape=tuple(sizes)))
    axes.append(T.full(shape=tuple(sizes), value=1, dtype=dtype))
    base = T.reshape(T.stack(*axes, dim=d), shape=(1, size_of(tuple(sizes)), d + 1))
    made = T.reshape(T.matmul(base, T.mT(theta)), shape=(n, *sizes, d))
    return T.named(made, called="AffineGridGeneratorBackward0")


__all__ = ["affine_grid", "affine_grid_generator", "grid_sample", "grid_sampler", "grid_sampler_2d", "grid_sampler_3d"]
