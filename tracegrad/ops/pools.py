"""Sums and maxima over windows: what the poolings are made of.

NumPy has kernels for them (kernels/pools.py); `decompose` says the same in simpler operators, window position by window position.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tracegrad.dtypes import I64
from tracegrad.errors import ArgumentError, ShapeError, explain
from tracegrad.ir.op import Op
from tracegrad.ir.prelude import Ops, Value
from tracegrad.ir.samples import A
from tracegrad.ir.types import Shape, Type, size_of
from tracegrad.ops.checks import whole_numbers


class SumPool(Op):
    """The sums of windows over the last axes of x, which is padded by zeros.  Shape: (*a, *s) -> (*a, *sizes)."""

    attrs, linear, function, method = ("kernel", "stride", "padding", "sizes"), ("x",), False, False
    numpy = "K.sum_pool({x}, {kernel}, {stride}, {padding}, {sizes})"
    samples = (
        [A(2, 3, 7), (3,), (2,), (1,), (4,)],
        [A(2, 3, 5, 6), (2, 3), (2, 2), (0, 1), (2, 3)],
        [A(1, 4, 4), (3, 3), (2, 2), (0, 0), (2, 2)],
        [A(0, 2, 4), (2,), (2,), (0,), (2,)],
    )

    @staticmethod
    def torch_name(kernel: Shape, *attributes: Any) -> str:
        return f"AvgPool{len(kernel)}DBackward0"

    @staticmethod
    def infer(x: Type, kernel: Shape, stride: Shape, padding: Shape, sizes: Shape) -> Type:
        """The given sizes in place of the last axes.  Raises TypeError or RuntimeError for windows that x does not have."""
        check_windows("sum_pool", x, kernel, stride, padding, (1,) * len(kernel), sizes)
        return Type((*x.shape[: len(x.shape) - len(kernel)], *sizes), x.dtype)

    @staticmethod
    def decompose(F: Ops, x: Value, kernel: Shape, stride: Shape, padding: Shape, sizes: Shape) -> Value:
        first = len(F.shape(x)) - len(kernel)
        for i, (k, t, p, n) in enumerate(zip(kernel, stride, padding, sizes, strict=True)):
            x = padded(F, x, first + i, p, (n - 1) * t + k, 0)
            total = None
            for j in range(k):
                part = F.slice(x, dim=first + i, start=j, stop=j + (n - 1) * t + 1, step=t)
                total = part if total is None else F.add(total, part)
            x = total
        return x

    @staticmethod
    def grad_x(F: Ops, g: Value, x_type: Type, kernel: Shape, stride: Shape, padding: Shape) -> Value:
        sizes = x_type.shape[len(x_type.shape) - len(kernel) :]
        return F.spread_pool(g, kernel=kernel, stride=stride, padding=padding, sizes=sizes)

    @staticmethod
    def batch(
        F: Ops, size: int, batched: Any, x: Value, kernel: Shape, stride: Shape, padding: Shape, sizes: Shape
    ) -> Value:
        return F.sum_pool(x, kernel=kernel, stride=stride, padding=padding, sizes=sizes)


class SpreadPool(Op):
    """Each element of x added to all elements of its window: the transpose of sum_pool.  Shape: (*a, *t) -> (*a, *sizes)."""

    attrs, linear, function, method = ("kernel", "stride", "padding", "sizes"), ("x",), False, False
    numpy = "K.spread_pool({x}, {kernel}, {stride}, {padding}, {sizes})"
    samples = (
        [A(2, 3, 4), (3,), (2,), (1,), (7,)],
        [A(2, 3, 2, 3), (2, 3), (2, 2), (0, 1), (5, 6)],
        [A(1, 2, 2), (3, 3), (2, 2), (0, 0), (4, 4)],
    )

    @staticmethod
    def torch_name(kernel: Shape, *attributes: Any) -> str:
        return f"AvgPool{len(kernel)}DBackwardBackward0"

    @staticmethod
    def infer(x: Type, kernel: Shape, stride: Shape, padding: Shape, sizes: Shape) -> Type:
        """The given sizes in place of the last axes.  Raises TypeError or RuntimeError for windows that they do not have."""
        if isinstance(kernel, tuple) and isinstance(sizes, tuple) and len(kernel) <= len(x.shape):
            first = len(x.shape) - len(kernel)
            spread = Type((*x.shape[:first], *sizes), x.dtype)
            check_windows("spread_pool", spread, kernel, stride, padding, (1,) * len(kernel), x.shape[first:])
            return spread
        raise ArgumentError(
            explain("spread_pool", f"kernel and sizes must be tuples, not {kernel!r} and {sizes!r}", x=x)
        )

    @staticmethod
    def decompose(F: Ops, x: Value, kernel: Shape, stride: Shape, padding: Shape, sizes: Shape) -> Value:
        first = len(F.shape(x)) - len(kernel)
        for i, (k, t, p, n) in enumerate(zip(kernel, stride, padding, sizes, strict=True)):
            shape = F.shape(x)
            total = max((shape[first + i] - 1) * t + k, n + p)
            wide = (*shape[: first + i], total, *shape[first + i + 1 :])
            x = F.place(*(x,) * k, shape=wide, dim=first + i, starts=tuple(range(k)), steps=(t,) * k)
            if total != n:
                x = F.slice(x, dim=first + i, start=p, stop=p + n, step=1)
        return x

    @staticmethod
    def grad_x(F: Ops, g: Value, x_type: Type, kernel: Shape, stride: Shape, padding: Shape) -> Value:
        sizes = x_type.shape[len(x_type.shape) - len(kernel) :]
        return F.sum_pool(g, kernel=kernel, stride=stride, padding=padding, sizes=sizes)

    @staticmethod
    def batch(
        F: Ops, size: int, batched: Any, x: Value, kernel: Shape, stride: Shape, padding: Shape, sizes: Shape
    ) -> Value:
        return F.spread_pool(x, kernel=kernel, stride=stride, padding=padding, sizes=sizes)


class MaxPool(Op):
    """The maxima of windows over the last axes, and their positions in the plane of those axes.  Shape: (*a, *s) -> twice (*a, *sizes).

    The first of equal elements is chosen, nan before all; the derivative goes to the chosen element.
    """

    masks, real_only = "selects", True
    attrs, outputs, nondiff_outputs = (
        ("kernel", "stride", "padding", "dilation", "sizes"),
        ("values", "indices"),
        ("indices",),
    )
    function, method = False, False
    numpy = "K.max_pool({x}, {kernel}, {stride}, {padding}, {dilation}, {sizes})"
    samples = (
        [A(2, 3, 7), (3,), (2,), (1,), (1,), (4,)],
        [A(2, 3, 5, 6), (2, 3), (2, 2), (0, 1), (1, 1), (2, 3)],
        [A(1, 5, 5), (2, 2), (2, 2), (0, 0), (2, 1), (2, 2)],
        [A(1, 12, 12), (9, 9), (3, 3), (0, 0), (1, 1), (2, 2)],
        [A(0, 2, 4), (2,), (2,), (0,), (1,), (2,)],
    )

    @staticmethod
    def torch_name(kernel: Shape, *attributes: Any) -> str:
        return f"MaxPool{len(kernel)}DWithIndicesBackward0"

    @staticmethod
    def infer(
        x: Type, kernel: Shape, stride: Shape, padding: Shape, dilation: Shape, sizes: Shape
    ) -> tuple[Type, Type]:
        """The given sizes in place of the last axes.  Raises TypeError or RuntimeError for windows that x does not have."""
        check_windows("max_pool", x, kernel, stride, padding, dilation, sizes)
        shape = (*x.shape[: len(x.shape) - len(kernel)], *sizes)
        return Type(shape, x.dtype), Type(shape, I64)

    @staticmethod
    def decompose(
        F: Ops, x: Value, kernel: Shape, stride: Shape, padding: Shape, dilation: Shape, sizes: Shape
    ) -> tuple[Value, Value]:
        d = len(kernel)
        first = len(F.shape(x)) - d
        own = F.shape(x)[first:]
        at = F.reshape(F.arange(start=0, step=1, count=size_of(own), dtype=I64), shape=(*(1,) * first, *own))
        d_type = F.type(x).dtype
        low = -math.inf if d_type.kind in "fV" else int(np.iinfo(d_type).min)
        for i, (k, t, p, w, n) in enumerate(zip(kernel, stride, padding, dilation, sizes, strict=True)):
            reach = (n - 1) * t + w * (k - 1) + 1
            x, at = padded(F, x, first + i, p, reach, low), padded(F, at, first + i, p, reach, 0)
        best: Any = None
        chosen: Any = None
        for place in np.ndindex(*kernel):
            value, index = x, at
            for i, j in enumerate(place):
                begin, span = int(j) * dilation[i], (sizes[i] - 1) * stride[i] + 1
                piece = {"dim": first + i, "start": begin, "stop": begin + span, "step": stride[i]}
                value, index = F.slice(value, **piece), F.slice(index, **piece)
            if best is None:
                best, chosen = value, F.broadcast_to(index, shape=F.shape(value))
                continue
            better = F.gt(value, best)
            if d_type.kind in "fV":
                better = F.logical_or(better, F.isnan(value))
            best, chosen = F.where(better, value, best), F.where(better, index, chosen)
        return F.add(best, 0) if size_of(kernel) == 1 else best, F.add(chosen, 0)

    @staticmethod
    def grad_x(F: Ops, g_values: Value, indices: Value, x_type: Type, kernel: Shape) -> Value:
        first = len(x_type.shape) - len(kernel)
        rows, plane = x_type.shape[:first], size_of(x_type.shape[first:])
        shape = (*rows, size_of(F.shape(indices)[first:]))
        g, at = F.reshape(g_values, shape=shape), F.reshape(indices, shape=shape)
        found = F.scatter_add(F.zeros(Type((*rows, plane), x_type.dtype)), at, g, dim=first)
        return F.reshape(found, shape=x_type.shape)

    @staticmethod
    def batch(
        F: Ops, size: int, batched: Any, x: Value, kernel: Shape, stride: Shape, padding: Shape, dilation: Shape, sizes: Shape
    ) -> Any:  # fmt: skip
        return F.max_pool(x, kernel=kernel, stride=stride, padding=padding, dilation=dilation, sizes=sizes)


def check_windows(
    operation: str, x: Type, kernel: Any, stride: Any, padding: Any, dilation: Any, sizes: Any
) -> None:  # fmt: skip
    """Raise TypeError for attributes that are no tuples of ints, RuntimeError where they are too small or a window lies outside of padded x."""
    axes = len(kernel) if isinstance(kernel, tuple) else 1
    whole_numbers(operation, axes, 1, kernel=kernel, stride=stride, dilation=dilation)
    whole_numbers(operation, axes, 0, padding=padding, sizes=sizes)
    if not 0 < axes <= len(x.shape):
        raise ShapeError(explain(operation, f"x has fewer axes than kernel={kernel}", x=x))
    own = x.shape[len(x.shape) - axes :]
    for s, k, t, p, d, n in zip(own, kernel, stride, padding, dilation, sizes, strict=True):
        reach = (n - 1) * t + d * (k - 1) + 1
        if reach > s + 2 * p + t:  # in ceil mode the last window ends at most one step behind
            raise ShapeError(explain(operation, f"{sizes} windows of {kernel} do not fit", x=x))


def padded(F: Ops, x: Value, dim: int, before: int, total: int, value: float) -> Value:
    """x with `before` elements of a value in front of an axis, and as many behind as make `total`, if that is more."""
    shape = F.shape(x)
    n = shape[dim]
    behind = max(total - before - n, 0)
    if not before and not behind:
        return x
    wide = (*shape[:dim], before + n + behind, *shape[dim + 1 :])
    if not value:
        return F.place(x, shape=wide, dim=dim, starts=(before,), steps=(1,))
    parts = []
    for count, part in ((before, None), (n, x), (behind, None)):
        block = (*shape[:dim], count, *shape[dim + 1 :])
        if part is not None:
            parts.append(part)
        elif count:
            parts.append(F.full(shape=block, value=value, dtype=F.type(x).dtype))
    joined: Value = F.cat(*parts, dim=dim)
    return joined


__all__ = ["MaxPool", "SpreadPool", "SumPool", "padded"]
