"""Discrete Fourier transforms: three linear operators, complex to complex, real to half a spectrum, and back.  torch.fft's functions are made of them.

A transform multiplies its result by `scale`; the scale of the functions follows from their norm.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from tracegrad.dtypes import TORCH_CLASS, default, from_numpy, is_half
from tracegrad.errors import ArgumentError, AxisError, DTypeError, ShapeError, explain
from tracegrad.ir.families import Composite
from tracegrad.ir.op import Op
from tracegrad.ir.prelude import Ops, Value
from tracegrad.ir.samples import A, C
from tracegrad.ir.types import Type, one_axis, size_of
from tracegrad.ops.checks import real_type

Dims = tuple[int, ...]


def _complex_type(x: Type) -> Type:
    if is_half(x.dtype):
        raise DTypeError(explain("fft", f"Unsupported dtype {TORCH_CLASS[x.dtype.name]}", x=x))
    return Type(x.shape, from_numpy(x.dtype).to_complex().numpy)


def _moved(dim: Dims) -> Dims:
    """The axes behind a new leading one."""
    return tuple(d + 1 for d in dim)


class Transform(Op, family=True):
    """A transform of the axes `dim`, multiplied by `scale`."""

    linear = ("x",)
    function, method, holomorphic = False, False, False


class FftC2c(Transform):
    """sum over n of x[n] exp(-2 pi i n k / N), or + for forward=False.  Shape: (*a) -> (*a), complex."""

    attrs, torch_name = ("dim", "scale", "forward"), "FftC2CBackward0"
    numpy, jax = "K.fft_c2c({x}, {dim}, {scale}, {forward})", "K.fft_c2c({x}, {dim}, {scale}, {forward})"
    samples = (
        [C(5), (0,), 1.0, True],
        [C(2, 4), (0, 1), 0.5, False],
        [C(2, 3), (1,), 1.0, False],
        [C(0, 3), (1,), 1.0, True],
    )

    @staticmethod
    def infer(x: Type, dim: Dims, scale: float, forward: bool) -> Type:
        """x's type, which must be complex."""
        if x.dtype.kind != "c":
            raise DTypeError(explain("fft_c2c", "expects a complex operand", x=x))
        return x

    @staticmethod
    def grad_x(F: Ops, g: Value, dim: Dims, scale: float, forward: bool) -> Value:
        return F.fft_c2c(g, dim=dim, scale=scale, forward=not forward)

    @staticmethod
    def batch(F: Ops, size: int, batched: Any, x: Value, dim: Dims, scale: float, forward: bool) -> Value:
        return F.fft_c2c(x, dim=_moved(dim), scale=scale, forward=forward)


class FftR2c(Transform):
    """The transform of real x: the first N // 2 + 1 values along the last of the axes dim if onesided.  Shape: (*a) -> (*b), complex."""

    attrs, torch_name = ("dim", "scale", "onesided"), "FftR2CBackward0"
    numpy, jax = "K.fft_r2c({x}, {dim}, {scale}, {onesided})", "K.fft_r2c({x}, {dim}, {scale}, {onesided})"
    samples = (
        [A(5), (0,), 1.0, True],
        [A(2, 4), (0, 1), 0.5, True],
        [A(2, 3), (1,), 1.0, False],
        [A(0, 4), (1,), 1.0, True],
        [A(4, 3), (1, 0), 1.0, True],
    )

    @staticmethod
    def infer(x: Type, dim: Dims, scale: float, onesided: bool) -> Type:
        """The complex dtype of x's."""
        if x.dtype.kind not in "fV":
            raise DTypeError(explain("fft_r2c", "expects a real operand", x=x))
        shape = list(x.shape)
        if onesided:
            shape[dim[-1]] = shape[dim[-1]] // 2 + 1
        return _complex_type(Type(tuple(shape), x.dtype))

    @staticmethod
    def grad_x(F: Ops, g: Value, x_type: Type, dim: Dims, scale: float, onesided: bool) -> Value:
        if onesided:
            g = sized(F, g, dim[-1], x_type.shape[dim[-1]])
        return F.real(F.fft_c2c(g, dim=dim, scale=scale, forward=False))

    @staticmethod
    def batch(F: Ops, size: int, batched: Any, x: Value, dim: Dims, scale: float, onesided: bool) -> Value:
        return F.fft_r2c(x, dim=_moved(dim), scale=scale, onesided=onesided)


class FftC2r(Transform):
    """The real inverse of fft_r2c without its 1 / N: x holds the first N // 2 + 1 values along the last of dim.  Shape: (*b) -> (*a), real.  length = N."""

    attrs, torch_name = ("dim", "scale", "length"), "FftC2RBackward0"
    numpy, jax = "K.fft_c2r({x}, {dim}, {scale}, {length})", "K.fft_c2r({x}, {dim}, {scale}, {length})"
    samples = (
        [C(3), (0,), 1.0, 5],
        [C(3), (0,), 1.0, 4],
        [C(2, 3), (0, 1), 0.5, 4],
        [C(0, 3), (1,), 1.0, 4],
        [C(1), (0,), 1.0, 1],
    )

    @staticmethod
    def infer(x: Type, dim: Dims, scale: float, length: int) -> Type:
        """The dtype of x's parts."""
        if x.dtype.kind != "c" or x.shape[dim[-1]] != length // 2 + 1:
            raise DTypeError(explain("fft_c2r", "expects the complex half of a spectrum", x=x, length=length))
        return real_type(Type(tuple(length if i == dim[-1] else n for i, n in enumerate(x.shape)), x.dtype))

    @staticmethod
    def grad_x(F: Ops, g: Value, dim: Dims, scale: float, length: int) -> Value:
        """The spectrum of g; every value stands for two but the first and, of an even length, the last."""
        found = F.fft_r2c(g, dim=dim, scale=scale, onesided=True)
        double = (length - 1) // 2
        if double <= 0:
            return found
        last, shape = dim[-1], F.shape(found)
        pieces = [
            F.slice(found, dim=last, start=0, stop=1, step=1),
            F.mul(F.slice(found, dim=last, start=1, stop=1 + double, step=1), 2.0),
        ]
        if 1 + double < shape[last]:
            pieces.append(F.slice(found, dim=last, start=1 + double, stop=shape[last], step=1))
        return F.cat(*pieces, dim=last)

    @staticmethod
    def batch(F: Ops, size: int, batched: Any, x: Value, dim: Dims, scale: float, length: int) -> Value:
        return F.fft_c2r(x, dim=_moved(dim), scale=scale, length=length)


# --- what torch.fft's functions share


def sized(F: Ops, x: Any, axis: int, size: int) -> Value:
    """x cut or filled with zeros to `size` along an axis."""
    t = F.type(x)
    have = t.shape[axis]
    if have == size:
        return x
    if have > size:
        return F.slice(x, dim=axis, start=0, stop=size, step=1)
    zeros = F.zeros(Type(tuple(size - have if i == axis else n for i, n in enumerate(t.shape)), t.dtype))
    return F.cat(x, zeros, dim=axis)


def scale_of(norm: Any, count: int, forward: bool) -> float:
    """What the result is multiplied by: norm "backward" (None), "ortho" or "forward", over `count` values."""
    if norm not in (None, "backward", "ortho", "forward"):
        raise ShapeError(explain("fft", f'Invalid normalization mode: "{norm}"'))
    if norm == "ortho":
        return 1 / math.sqrt(count)
    return 1.0 if (norm != "forward") == forward else 1 / count


def _points(count: int) -> None:
    if count < 1:
        raise ShapeError(explain("fft", f"Invalid number of data points ({count}) specified"))


def _floating(F: Ops, x: Any) -> Value:
    return x if F.is_floating(x) else F.as_dtype(x, default.float)


def _as_complex(F: Ops, x: Any) -> Value:
    return x if F.is_complex(x) else F.as_dtype(x, _complex_type(F.type(x)).dtype)


def _real(F: Ops, name: str, x: Any) -> Value:
    x = _floating(F, x)
    if F.is_complex(x):
        raise DTypeError(explain(name, f"{name} expects a real input tensor, but got a complex one", x=F.type(x)))
    return x


def one_dim(F: Ops, kind: str, x: Any, n: Any, dim: Any, norm: Any) -> Value:
    """The transform `kind` (fft, ifft, rfft, irfft, hfft, ihfft) along one axis, cut or filled to n."""
    x = _real(F, kind, x) if kind in ("rfft", "ihfft") else _floating(F, x)
    shape = F.shape(x)
    axis = one_axis(kind, len(shape), dim)
    if not shape:
        raise AxisError(explain(kind, f"Dimension specified as {dim} but tensor has no dimensions"))
    forward = kind in ("fft", "rfft", "hfft")
    if kind in ("irfft", "hfft"):
        length = 2 * (shape[axis] - 1) if n is None else int(n)
        _points(length)
        x = sized(F, _as_complex(F, x), axis, length // 2 + 1)
        x = F.conj(x) if kind == "hfft" else x
        return F.fft_c2r(x, dim=(axis,), scale=scale_of(norm, length, forward), length=length)
    count = shape[axis] if n is None else int(n)
    _points(count)
    x, scale = sized(F, x, axis, count), scale_of(norm, count, forward)
    if kind in ("rfft", "ihfft") or not F.is_complex(x):
        found = F.fft_r2c(x, dim=(axis,), scale=scale, onesided=kind in ("rfft", "ihfft"))
        return found if forward else F.conj(found)
    return F.fft_c2c(x, dim=(axis,), scale=scale, forward=forward)


def _axes(kind: str, shape: tuple[int, ...], s: Any, dim: Any) -> tuple[Dims, list[int]]:
    """The axes and the wanted length along each."""
    rank = len(shape)
    given = None if s is None else [int(n) for n in ((s,) if isinstance(s, int) else s)]
    if dim is None:
        count = rank if given is None else len(given)
        if count > rank:
            raise ShapeError(
                explain(kind, f"Got shape with {count} values but input tensor only has {rank} dimensions.")
            )
        dims = tuple(range(rank - count, rank))
    else:
        dims = tuple(one_axis(kind, rank, d) for d in ((dim,) if isinstance(dim, int) else dim))
        if dims and not rank:
            raise AxisError(explain(kind, "Dimension specified but tensor has no dimensions"))
    if len(set(dims)) != len(dims):
        raise ShapeError(explain(kind, "FFT dims must be unique", dim=dim))
    if given is not None and len(given) != len(dims):
        raise ShapeError(explain(kind, "When given, dim and shape arguments must have the same length", dim=dim, s=s))
    sizes = [shape[d] if given is None or given[i] == -1 else given[i] for i, d in enumerate(dims)]
    return dims, sizes


def many_dims(F: Ops, kind: str, x: Any, s: Any, dim: Any, norm: Any) -> Value:
    """The transform `kind` over several axes, each cut or filled to its length in s."""
    shape = tuple(F.shape(x))
    x = _real(F, "rfftn", x) if kind[:4] == "rfft" else _floating(F, x)
    dims, sizes = _axes(kind, shape, s, dim)
    x = _real(F, "ihfftn", x) if kind[:4] == "ihff" else x
    forward = kind[0] != "i"
    half = kind[:5] == "irfft" or kind[:4] == "hfft"
    if not dims:
        if kind[:4] in ("rfft", "ihff") or half:
            raise ShapeError(explain(kind, f"{kind} must transform at least one axis"))
        return F.named(_as_complex(F, x), called="FftC2CBackward0")
    if half:
        free = s is None or (not isinstance(s, int) and list(s)[-1] == -1)
        length = 2 * (shape[dims[-1]] - 1) if free else sizes[-1]
        sizes = [*sizes[:-1], length]
        _points(length)
    for count in sizes:
        _points(count)
    scale = scale_of(norm, size_of(tuple(sizes)), forward)
    if half:
        x = _as_complex(F, x)
        for d, count in zip(dims, [*sizes[:-1], sizes[-1] // 2 + 1], strict=True):
            x = sized(F, x, d, count)
        if kind[0] == "h":
            x = F.fft_c2c(x, dim=dims[:-1], scale=1.0, forward=True) if len(dims) > 1 else x
            return F.fft_c2r(F.conj(x), dim=dims[-1:], scale=scale, length=sizes[-1])
        return F.fft_c2r(x, dim=dims, scale=scale, length=sizes[-1])
    for d, count in zip(dims, sizes, strict=True):
        x = sized(F, x, d, count)
    if kind[:4] == "rfft":
        return F.fft_r2c(x, dim=dims, scale=scale, onesided=True)
    if kind[:4] == "ihff":
        found = F.conj(F.fft_r2c(x, dim=dims[-1:], scale=scale, onesided=True))
        return F.fft_c2c(found, dim=dims[:-1], scale=1.0, forward=False) if len(dims) > 1 else found
    return F.fft_c2c(_as_complex(F, x), dim=dims, scale=scale, forward=forward)


def _samples(kind: str) -> tuple[list[Any], ...]:
    """A sample of one axis (or two), one of a stack, and one of another length along an axis that is not the last."""
    one, plain = kind.endswith("t"), kind.rstrip("2n")
    given = C if plain in ("irfft", "hfft") else A
    cut: list[Any] = [4, 0, "ortho"] if one else [(2, 4), (1, 0)]
    whole = [given(4)] if not kind.endswith("2") else [given(3, 4)]
    mixed = C if plain in ("fft", "ifft") else given
    return whole, [mixed(2, 3, 2)], [given(3, 2), *cut]


def _function(kind: str) -> type[Composite]:
    """The Composite of one function of torch.fft."""
    single = not kind.endswith(("2", "n"))

    def call_one(F: Ops, input: Any, n: Any = None, dim: Any = -1, norm: Any = None) -> Value:  # noqa: A002
        return one_dim(F, kind, input, n, dim, norm)

    def call_two(F: Ops, input: Any, s: Any = None, dim: Any = (-2, -1), norm: Any = None) -> Value:  # noqa: A002
        return many_dims(F, kind, input, s, dim, norm)

    def call_many(F: Ops, input: Any, s: Any = None, dim: Any = None, norm: Any = None) -> Value:  # noqa: A002
        return many_dims(F, kind, input, s, dim, norm)

    call = call_one if single else call_two if kind.endswith("2") else call_many
    length = "n" if single else "s, one length per axis"
    text = f"The transform {kind} of torch.fft: cut or filled with zeros to {length}, along dim, scaled by norm.  Shape: (*a) -> (*b)."
    call.__doc__ = text
    body = {"name": f"fft_{kind}", "call": staticmethod(call), "function": False, "method": False}
    body["samples"] = _samples(kind)
    return type(f"Fft{kind.capitalize()}", (Composite,), {"__doc__": text, **body})


KINDS = ("fft", "ifft", "rfft", "irfft", "hfft", "ihfft")
FUNCTIONS = {kind + end: _function(kind + end) for kind in KINDS for end in ("", "2", "n")}


def _shifted(F: Ops, x: Any, dim: Any, forward: bool) -> Value:
    rank = len(F.shape(x))
    dims = (
        range(rank)
        if dim is None
        else [one_axis("fftshift", rank, d) for d in ((dim,) if isinstance(dim, int) else dim)]
    )
    if not dims:
        raise ShapeError(explain("fftshift", "`shifts` required: the input has no axes"))
    steps = tuple(F.shape(x)[d] // 2 if forward else (F.shape(x)[d] + 1) // 2 for d in dims)
    return F.roll(x, shifts=steps, dims=tuple(dims))


class FftFftshift(Composite):
    """The zero frequency moved to the middle of the axes dim (None: all).  Shape: (*a) -> (*a)."""

    function, method = False, False
    samples = ([A(5)], [A(2, 3)], [A(2, 3), 1])

    @staticmethod
    def call(F: Ops, input: Any, dim: int | Sequence[int] | None = None) -> Value:  # noqa: A002
        """input rolled by half of each size."""
        return _shifted(F, input, dim, True)


class FftIfftshift(Composite):
    """The inverse of fftshift.  Shape: (*a) -> (*a)."""

    function, method = False, False
    samples = ([A(5)], [A(2, 3)], [A(2, 3), 1])

    @staticmethod
    def call(F: Ops, input: Any, dim: int | Sequence[int] | None = None) -> Value:  # noqa: A002
        """input rolled back by half of each size."""
        return _shifted(F, input, dim, False)


def frequencies(n: int, d: float, half: bool) -> np.ndarray[Any, Any]:
    """The frequencies of a transform of n values d apart; those of a half spectrum if half."""
    if not isinstance(n, (int, np.integer)) or isinstance(n, bool):
        raise ArgumentError(explain("fft.rfftfreq" if half else "fft.fftfreq", "argument 'n' must be int", n=n))
    if n < 0:
        raise ShapeError(explain("fft.rfftfreq" if half else "fft.fftfreq", "n must not be negative", n=n))
    if not n:
        return np.full(1 if half else 0, np.nan)
    return np.asarray(np.fft.rfftfreq(n, d) if half else np.fft.fftfreq(n, d))
