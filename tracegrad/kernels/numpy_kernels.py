"""What one NumPy expression cannot say.  Arrays in, arrays out; knows nothing of the rest of the package.

Each function may use NumPy, SciPy (imported inside the function) and the other functions of this file, and nothing else: exported Python modules carry copies.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np

from tracegrad.kernels.complex_numbers import (  # noqa: F401
    angle,
    complex_of,
    polar,
    put_part,
    sgn,
    squared_size,
    view_as_complex,
    view_as_real,
)
from tracegrad.kernels.positions import (  # noqa: F401  (kernels under one name)
    arange,
    bmm,
    bounded_positions,
    check_positions,
    diagonal,
    dot,
    flip,
    full,
    full_index,
    gather,
    index,
    index_add,
    index_mask,
    index_put,
    index_select,
    linspace,
    matmul,
    mm,
    mv,
    place,
    put_diagonal,
    put_mask,
    put_select,
    put_slice,
    scatter_add,
    select_axis,
    slice_axis,
    squeeze,
    stack,
    unsqueeze,
)
from tracegrad.kernels.random import (  # noqa: F401
    binomial_counts,
    distribution_parameter,
    poisson_counts,
    random_integers,
    random_normal,
    random_permutation,
    random_uniform,
)
from tracegrad.kernels.windows import (  # noqa: F401
    as_strided,
    concatenated,
    copied,
    put_strided,
    put_unfolded,
    strided_or_zero,
    unfold,
)

Array = np.ndarray[Any, Any]

# kernels of modules that are loaded at the first use of one of their names
LATER = {
    name: f"tracegrad.kernels.{module}"
    for module, names in {
        "ordering": (
            "sort topk kthvalue median_dim median mode cummax cummin linear_recurrence cumsum cumprod logaddexp logcumsumexp searchsorted roll "
            "unique_positions bincount repeated_positions histc take"
        ),
        "folded_scatters": "scatter_reduce",
        "elementwise": "relu leaky_relu choose hypot floor_divide trunc_divide fmod remainder check_divisor nan_to_num lerp huber softshrink",
        "convolutions": "convolution convolution_weight",
        "pairs": "pair_differences pair_sums row_distances pair_distances row_slopes pair_slopes",
        "pools": "max_pool sum_pool spread_pool",
        "weighted_rows": "weighted_rows spread_rows row_products",
        "rows": "softmax log_softmax standardise standardise_backward softmax_backward log_softmax_backward product products_of_others",
        "polynomials": "polynomial airy_ai",
        "tails": (
            "gaussian erfc ndtr log_ndtr erfcx_slope normal_hazard normal_excess erfinv_slope ndtri_slope lgamma "
            "gamma_density bessel_ratio gelu gelu_slope"
        ),
        "special": "special digamma polygamma xlogy logit sinc_slope frexp spherical_j0 signbit",
        "matrices": (
            "matrix_inverse matrix_solve determinant slogdet cofactors cofactors_along cholesky_factor cholesky_info cholesky_solved "
            "solve_triangular eigh eig svd singular_values hermitian_eigenvalues eigenvalues pinv qr lu_info lu_packed permutation_matrix matrix_exp least_squares check_phase"
        ),
        "matrix_factors": "ldl_packed ldl_solved reflections",
        "fourier": "fft_c2c fft_r2c fft_c2r",
        "ctc": "ctc_paths banded_recurrence",
        "loops": "cond scan while_loop while_backward",
    }.items()
    for name in names.split()
}


def __getattr__(name: str) -> Any:
    if name not in LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = globals()[name] = getattr(import_module(LATER[name]), name)
    return found


def sum_to(x: Array, shape: tuple[int, ...]) -> Array:
    """x summed over the axes along which `shape` was broadcast to x's shape."""
    if x.shape == shape:
        return x
    lead = x.ndim - len(shape)
    axes = tuple(range(lead)) + tuple(lead + i for i, size in enumerate(shape) if size == 1 and x.shape[lead + i] != 1)
    if axes and x.dtype.char in "eE":  # half precision is summed in float32
        return np.add.reduce(x.astype(np.float32), axis=axes, keepdims=True).astype(x.dtype).reshape(shape)
    if x.size >= 16384 and axes and axes[-1] == x.ndim - 1:
        first = next((i for i in range(x.ndim, 0, -1) if i - 1 not in axes), 0)
        x, axes = total(x, tuple(range(first, x.ndim)), True), tuple(i for i in axes if i < first)
    return np.asarray(np.add.reduce(x, axis=axes, keepdims=True) if axes else x).reshape(shape)


def power(x: Array, y: Any) -> Array:
    """x ** y; small whole exponents by multiplication, which is exact and many times faster than pow."""
    if type(y) is bool:  # x is bool as well
        return np.array(x) if y else np.ones(x.shape, bool)
    if type(y) is int or type(y) is float:
        if y == 2:
            return np.square(x)
        if y == 3:
            return np.multiply(np.square(x), x)
        if y == 1:
            return np.positive(x)
        if y == 0.5:
            return np.sqrt(x)
        if y < 0 and x.dtype.kind in "iu":
            raise RuntimeError("pow: Integers to negative integer powers are not allowed")
        if y == -1:
            return np.reciprocal(x)
        if y == -0.5:
            return np.reciprocal(np.sqrt(x))
        return np.power(x, y)
    if type(y) is complex:
        return np.power(x, y)
    if y.dtype.kind == "i" and (y < 0).any():
        whole = np.power(x, np.absolute(y))  # integers below zero: 1/x**|y| rounded toward zero, as torch has it
        return np.where(y < 0, np.where(np.absolute(whole) == 1, whole, 0), whole).astype(y.dtype)
    return np.power(x, y)


def broadcast_to(x: Array, shape: tuple[int, ...]) -> Array:
    """x repeated to shape without copying."""
    if x.shape == shape:
        return x
    if (
        type(x) is np.ndarray and x.flags.c_contiguous and x.size
    ):  # several times faster than np.broadcast_to, whose checks infer has made
        lead = len(shape) - x.ndim
        strides = [0 if size == 1 else stride for size, stride in zip(x.shape, x.strides)]
        return np.ndarray(shape, x.dtype, x, 0, [0] * lead + strides)
    return np.broadcast_to(x, shape)


def repeated(x: Array, shape: tuple[int, ...]) -> Array:
    """x repeated to shape: a small result is an array of its own, which a gradient can keep, a large one shows x's memory."""
    count = 1
    for size in shape:
        count *= size
    if count > 4096:
        return broadcast_to(x, shape)
    out = np.empty(shape, x.dtype)
    out[...] = x
    return out


def strided_view(x: Array, shape: tuple[int, ...], strides: tuple[int, ...], offset: int) -> Array:
    """The elements offset + sum(i * strides) of x in row-major order, as a view of x if that is how x lies in memory."""
    x = np.ascontiguousarray(x)
    if 0 in shape:
        return np.empty(shape, x.dtype)
    return np.ndarray(shape, x.dtype, x, offset * x.itemsize, tuple(s * x.itemsize for s in strides))


def copy_slices(x: Array, part: Array, strides: tuple[int, ...], offset: int) -> Array:
    """A copy of x whose elements offset + sum(i * strides), in row-major order, are those of part."""
    out = np.array(x, order="C")
    strided_view(out, part.shape, strides, offset)[...] = part
    return out


# Elementary functions


def sign(x: Array) -> Array:
    """-1, 0 or 1; 0 for nan."""
    if x.dtype.kind == "b":
        return np.array(x)
    if type(x) is not np.ndarray or x.size < 1024:
        return np.subtract(np.greater(x, 0), np.less(x, 0), dtype=x.dtype)
    return np.subtract(np.greater(x, 0).view(np.int8), np.less(x, 0).view(np.int8)).astype(x.dtype)


def round(x: Array, decimals: int) -> Array:  # noqa: A001
    """x rounded to decimals places, halves to even; integers as they are."""
    if x.dtype.kind in "iu":
        return np.array(x)
    return np.round(x, decimals) if decimals else np.rint(x)


def sigmoid(x: Array) -> Array:
    """1 / (1 + exp(-x)); an overflow of exp gives the right 0."""
    t = np.negative(x)
    if type(t) is not np.ndarray:
        return np.reciprocal(np.add(np.exp(t), 1))
    np.exp(t, out=t)
    np.add(t, 1, out=t)
    if t.size >= 1024 and t.dtype.kind == "f":  # reciprocal has no vector instructions
        return np.divide(1, t, out=t)
    return np.reciprocal(t, out=t)


def rsqrt(x: Array) -> Array:
    """1 / sqrt(x)."""
    return np.reciprocal(np.sqrt(x))


def softplus(x: Array, beta: float, threshold: float) -> Array:
    """log(1 + exp(beta * x)) / beta; x itself above the threshold."""
    scaled = np.multiply(x, beta)
    return np.where(scaled > threshold, x, np.log1p(np.exp(np.minimum(scaled, threshold))) / beta)


def erf(x: Array) -> Array:
    """The error function, in x's dtype."""
    from scipy.special import erf as function

    return np.asarray(function(x)).astype(x.dtype, copy=False)


def keep(mask: Array, x: Array) -> Array:
    """x where the mask holds, 0 elsewhere.  Large floats go by their bits: np.where branches at every element, which an irregular mask makes slow."""
    if x.size < 4096 or x.dtype.kind != "f" or x.dtype.itemsize > 8 or not isinstance(mask, np.ndarray):
        return np.where(mask, x, np.zeros((), x.dtype))
    whole = np.dtype(f"i{x.dtype.itemsize}")
    bits = mask.view(np.int8).astype(whole)
    np.negative(bits, out=bits)
    return np.bitwise_and(x.view(whole), bits, out=bits if bits.shape == x.shape else None).view(x.dtype)


def drop(mask: Array, x: Array) -> Array:
    """0 where the mask holds, x elsewhere; as `keep`."""
    if x.size < 4096 or x.dtype.kind != "f" or x.dtype.itemsize > 8 or not isinstance(mask, np.ndarray):
        return np.where(mask, np.zeros((), x.dtype), x)
    whole = np.dtype(f"i{x.dtype.itemsize}")
    bits = mask.view(np.int8).astype(whole)
    np.subtract(bits, 1, out=bits)
    return np.bitwise_and(x.view(whole), bits, out=bits if bits.shape == x.shape else None).view(x.dtype)


def clamp(x: Array, low: Any, high: Any) -> Array:
    """x within [low, high]; None is no bound."""
    if x.size >= 2048 and x.dtype.kind == "f":  # maximum with a number is slow
        return np.clip(x, -np.inf if low is None else low, np.inf if high is None else high)
    if low is not None:
        x = np.maximum(x, low)
    return x if high is None else np.minimum(x, high)


# Folds over axes


def total(x: Array, dim: Any, keepdim: bool) -> Array:
    """The sum over axes.  Large float32 by products with ones, which have vector instructions, and their sums in float64: closer than NumPy's sums by pairs."""
    if x.size < 16384 or x.dtype.char != "f" or not x.flags.c_contiguous:
        return np.add.reduce(x, axis=dim, keepdims=keepdim)
    first = 0 if dim is None else x.ndim - len(dim)
    n = 1
    for size in x.shape[first:]:
        n *= size
    width = 128 if first == 0 else next((d for d in range(250, 49, -1) if n % d == 0), 0)
    if not width or (dim is not None and dim != tuple(range(first, x.ndim))):
        return np.add.reduce(x, axis=dim, keepdims=keepdim)
    rows = x.reshape(-1, n)
    whole = n // width * width
    parts = np.dot(rows[:, :whole].reshape(-1, width), np.ones(width, np.float32))
    found = np.add.reduce(parts.reshape(len(rows), -1), axis=1, dtype=np.float64)
    if whole < n:
        found = np.add(found, np.add.reduce(rows[:, whole:], axis=1))
    return found.astype(np.float32).reshape(x.shape[:first] + (1,) * (x.ndim - first if keepdim else 0))


def mean(x: Array, dim: Any, keepdim: bool) -> Array:
    """Sum by count; nan without elements."""
    found = np.add.reduce(x, axis=dim, keepdims=keepdim) if x.size < 16384 else total(x, dim, keepdim)
    return np.divide(found, x.size // max(found.size, 1), order="C")


def var(x: Array, dim: Any, keepdim: bool, correction: float) -> Array:
    """Squared deviations from the mean by (count - correction), or by 0 if that is negative."""
    center = mean(x, dim, True)
    deviation = np.subtract(x, center)
    count = x.size // max(center.size, 1)
    total = np.add.reduce(squared_size(deviation), axis=dim, keepdims=keepdim)
    return np.divide(total, max(count - correction, 0), order="C")


def std(x: Array, dim: Any, keepdim: bool, correction: float) -> Array:
    """The root of the variance."""
    return np.sqrt(var(x, dim, keepdim, correction))


def trace(x: Array) -> Array:
    """The sum of the diagonal, in x's dtype."""
    return np.add.reduce(x.diagonal())


def vector_norm(x: Array, order: float, dim: Any, keepdim: bool) -> Array:
    """The p-norm over axes; order inf, -inf, 0: maximum, minimum, count of |x|."""
    if order == 2:
        if x.size >= 2048 and x.dtype.kind == "f" and dim == (x.ndim - 1,) and x.shape[-1] <= 4096:
            root = np.sqrt(np.einsum("...i,...i->...", x, x))  # no array of squares, and short rows are not slow
            return root[..., None] if keepdim else np.asarray(root)
        return np.sqrt(np.add.reduce(squared_size(x), axis=dim, keepdims=keepdim), order="C")
    size = np.absolute(x)
    if order == 1:
        return np.add.reduce(size, axis=dim, keepdims=keepdim)
    if order == np.inf:
        return np.maximum.reduce(size, axis=dim, keepdims=keepdim)
    if order == -np.inf:
        return np.minimum.reduce(size, axis=dim, keepdims=keepdim)
    if order == 0:
        return np.add.reduce(np.not_equal(x, 0), axis=dim, keepdims=keepdim, dtype=size.dtype)
    if order < 0 and 0 in (x.shape if dim is None else [x.shape[d] for d in dim]):
        raise ValueError("a negative order has no value for no elements")
    return np.power(np.add.reduce(np.power(size, order), axis=dim, keepdims=keepdim), 1 / order)


def max_dim(x: Array, dim: int, keepdim: bool) -> tuple[Array, Array]:
    """Largest elements along an axis and the first positions of them."""
    values = np.asarray(np.maximum.reduce(x, axis=dim, keepdims=keepdim), order="C")
    return values, x.argmax(dim, keepdims=keepdim)


def min_dim(x: Array, dim: int, keepdim: bool) -> tuple[Array, Array]:
    """Smallest elements along an axis and the first positions of them."""
    values = np.asarray(np.minimum.reduce(x, axis=dim, keepdims=keepdim), order="C")
    return values, x.argmin(dim, keepdims=keepdim)


def largest(x: Array, dim: Any) -> Array:
    """The maximum over axes, which are kept, for use as an offset: 0 where it is infinite or there is no element."""
    start = {} if x.size else {"initial": -np.inf}
    found = np.maximum.reduce(x, axis=dim, keepdims=True, **start)
    return np.where(np.isinf(found), x.dtype.type(0), found)


def logsumexp(x: Array, dim: Any, keepdim: bool) -> Array:
    """log(sum(exp(x))) with the maximum taken out."""
    offset = largest(x.real if x.dtype.kind == "c" else x, dim)
    total = np.add.reduce(np.exp(np.subtract(x, offset)), axis=dim, keepdims=True)
    found = np.add(np.log(total), offset, order="C")
    return found if keepdim else np.add.reduce(found, axis=dim)
