"""Convolutions as matrix products over strided windows, and the product that gives their weights' derivative.

NumPy has kernels for them (kernels/convolutions.py); `decompose` says the same in simpler operators, for JAX.

A convolution's derivatives are a convolution (transposed or not) and `convolution_weight`; those of the latter are convolutions.
"""

from __future__ import annotations

from tracegrad.errors import DTypeError, ShapeError, explain
from tracegrad.ir.op import Op
from tracegrad.ir.prelude import Ops, Value
from tracegrad.ir.samples import A
from tracegrad.ir.types import Shape, Type, size_of
from tracegrad.ops.checks import whole_numbers

_ATTRS = ("stride", "padding", "dilation", "transposed", "output_padding", "groups")


class Convolution(Op):
    """x convolved with weight, plus bias for every channel.  Shapes: x (n, c, *s), weight (m, c // groups, *k), bias (m,) -> (n, m, *t).

    Transposed, weight is (c, m // groups, *k) and the result is what a convolution with these arguments would map to x's shape.
    """

    inputs, attrs, real_only = ("x", "weight", "bias?"), _ATTRS, True
    numpy = "K.convolution({x}, {weight}, {bias}, {stride}, {padding}, {dilation}, {transposed}, {output_padding}, {groups})"
    function, method = False, False
    samples = (
        [A(2, 3, 7), A(4, 3, 3), A(4), (2,), (1,), (1,), False, (0,), 1],
        [A(2, 4, 5, 6), A(6, 2, 3, 2), None, (1, 2), (1, 0), (1, 2), False, (0, 0), 2],
        [A(2, 4, 3, 3), A(4, 3, 3, 2), A(6), (2, 1), (1, 0), (1, 2), True, (1, 0), 2],
        [A(1, 2, 4), A(2, 1, 2), None, (3,), (0,), (1,), False, (0,), 2],
        [A(0, 3, 5), A(4, 3, 2), A(4), (1,), (0,), (1,), False, (0,), 1],
    )

    @staticmethod
    def infer(
        x: Type, weight: Type, bias: Type | None, stride: Shape, padding: Shape, dilation: Shape,
        transposed: bool, output_padding: Shape, groups: int,
    ) -> Type:  # fmt: skip
        """The result's type.  Raises RuntimeError for shapes or dtypes that do not fit."""
        check_convolution(x, weight, bias, stride, padding, dilation, transposed, output_padding, groups)
        channels = weight.shape[1] * groups if transposed else weight.shape[0]
        sizes = _sizes(x.shape[2:], weight.shape[2:], stride, padding, dilation, transposed, output_padding)
        return Type((x.shape[0], channels, *sizes), x.dtype)

    @staticmethod
    def decompose(
        F: Ops, x: Value, weight: Value, bias: Value | None, stride: Shape, padding: Shape, dilation: Shape,
        transposed: bool, output_padding: Shape, groups: int,
    ) -> Value:  # fmt: skip
        if transposed:
            out = _spread(F, x, weight, stride, padding, dilation, output_padding, groups)
        else:
            out = _gathered(F, x, weight, stride, padding, dilation, groups)
        if bias is None:
            return out
        return F.add(out, F.reshape(bias, shape=(F.shape(bias)[0], *(1,) * len(stride))))

    @staticmethod
    def grad_x(
        F: Ops, g: Value, weight: Value, x_type: Type, stride: Shape, padding: Shape, dilation: Shape,
        transposed: bool, groups: int,
    ) -> Value:  # fmt: skip
        if not transposed:
            return _transposed(F, g, weight, x_type.shape[2:], stride, padding, dilation, groups)
        none = (0,) * len(stride)
        back = F.convolution(g, weight, None, stride=stride, padding=padding, dilation=dilation, transposed=False, output_padding=none, groups=groups)  # fmt: skip
        return _cut(F, back, x_type.shape[2:])

    @staticmethod
    def grad_weight(
        F: Ops, g: Value, x: Value, weight_type: Type, stride: Shape, padding: Shape, dilation: Shape,
        transposed: bool, groups: int,
    ) -> Value:  # fmt: skip
        a, b = (g, x) if transposed else (x, g)
        return F.convolution_weight(a, b, kernel=weight_type.shape[2:], stride=stride, padding=padding, dilation=dilation, groups=groups)  # fmt: skip

    @staticmethod
    def grad_bias(F: Ops, g: Value) -> Value:
        return F.sum(g, dim=(0, *range(2, len(F.shape(g)))), keepdim=False)

    @staticmethod
    def batch(
        F: Ops, size: int, batched: tuple[bool, ...], x: Value, weight: Value, bias: Value | None, stride: Shape, padding: Shape, dilation: Shape,
        transposed: bool, output_padding: Shape, groups: int,
    ) -> Value:  # fmt: skip
        """Examples as more rows; with weights of their own, as more groups."""
        attrs = {
            "stride": stride,
            "padding": padding,
            "dilation": dilation,
            "transposed": transposed,
            "output_padding": output_padding,
        }
        if not any(batched[:2]):
            out = F.convolution(x, weight, None, groups=groups, **attrs)
        elif not batched[1]:
            n, *own = F.shape(x)[1:]
            out = F.convolution(F.reshape(x, shape=(size * n, *own)), weight, None, groups=groups, **attrs)
            out = F.reshape(out, shape=(size, n, *F.shape(out)[1:]))
        else:
            rows, n = _as_channels(F, size, batched[0], x)
            kernels = F.reshape(weight, shape=(size * F.shape(weight)[1], *F.shape(weight)[2:]))
            out = F.convolution(rows, kernels, None, groups=size * groups, **attrs)
            out = _from_channels(F, size, out)
        if bias is None:
            return out
        ones = (1,) * len(stride)
        shape = (size, 1, F.shape(bias)[1], *ones) if batched[2] else (F.shape(bias)[0], *ones)
        return F.add(out, F.reshape(bias, shape=shape))


class ConvolutionWeight(Op):
    """The derivative of a convolution of x by its weight, for the cotangent y.  Shapes: x (n, c, *s), y (n, m, *t) -> (m, c // groups, *kernel)."""

    inputs, attrs, linear, multilinear, real_only = (
        ("x", "y"),
        ("kernel", "stride", "padding", "dilation", "groups"),
        ("x", "y"),
        True,
        True,
    )
    function, method, torch_name = False, False, "ConvolutionBackwardBackward0"
    numpy = "K.convolution_weight({x}, {y}, {kernel}, {stride}, {padding}, {dilation}, {groups})"
    samples = (
        [A(2, 3, 7), A(2, 4, 4), (3,), (2,), (1,), (1,), 1],
        [A(2, 4, 5, 6), A(2, 6, 5, 2), (3, 2), (1, 2), (1, 0), (1, 2), 2],
        [A(0, 3, 5), A(0, 4, 4), (2,), (1,), (0,), (1,), 1],
    )

    @staticmethod
    def infer(x: Type, y: Type, kernel: Shape, stride: Shape, padding: Shape, dilation: Shape, groups: int) -> Type:
        """The weight's type.  Raises TypeError or RuntimeError for attributes that no convolution of x has."""
        axes = len(x.shape) - 2
        whole_numbers("convolution_weight", axes, 0, padding=padding, kernel=kernel)
        whole_numbers("convolution_weight", axes, 1, stride=stride, dilation=dilation)
        whole_numbers("convolution_weight", 1, 1, groups=(groups,))
        if x.shape[1] % groups or y.shape[1] % groups:
            raise ShapeError(explain("convolution_weight", f"channels do not divide into groups={groups}", x=x, y=y))
        fitting = zip(x.shape[2:], y.shape[2:], kernel, stride, padding, dilation, strict=True)
        if any(s + 2 * p < (t - 1) * step + d * (k - 1) + 1 for s, t, k, step, p, d in fitting):
            raise ShapeError(explain("convolution_weight", f"windows of {kernel} do not fit", x=x, y=y))
        return Type((y.shape[1], x.shape[1] // groups, *kernel), x.dtype)

    @staticmethod
    def decompose(
        F: Ops, x: Value, y: Value, kernel: Shape, stride: Shape, padding: Shape, dilation: Shape, groups: int
    ) -> Value:
        columns = _columns(F, x, kernel, stride, padding, dilation, groups, F.shape(y)[2:])
        n, m, *sizes = F.shape(y)
        parts = F.reshape(y, shape=(n, groups, m // groups, *sizes))
        parts = F.permute(parts, dims=(1, 2, 0, *range(3, len(sizes) + 3)))
        rows = F.reshape(parts, shape=(groups, m // groups, n * size_of(tuple(sizes))))
        return F.reshape(F.matmul(rows, F.mT(columns)), shape=(m, F.shape(x)[1] // groups, *kernel))

    @staticmethod
    def grad_x(
        F: Ops, g: Value, y: Value, x_type: Type, stride: Shape, padding: Shape, dilation: Shape, groups: int
    ) -> Value:
        return _transposed(F, y, g, x_type.shape[2:], stride, padding, dilation, groups)

    @staticmethod
    def grad_y(
        F: Ops, g: Value, x: Value, y_type: Type, stride: Shape, padding: Shape, dilation: Shape, groups: int
    ) -> Value:
        none = (0,) * len(stride)
        found = F.convolution(x, g, None, stride=stride, padding=padding, dilation=dilation, transposed=False, output_padding=none, groups=groups)  # fmt: skip
        return _cut(F, found, y_type.shape[2:])

    @staticmethod
    def batch(
        F: Ops, size: int, batched: tuple[bool, ...], x: Value, y: Value, kernel: Shape, stride: Shape, padding: Shape, dilation: Shape, groups: int
    ) -> Value:  # fmt: skip
        (a, _), (b, _) = (_as_channels(F, size, flag, v) for flag, v in zip(batched, (x, y), strict=True))
        found = F.convolution_weight(a, b, kernel=kernel, stride=stride, padding=padding, dilation=dilation, groups=size * groups)  # fmt: skip
        return F.reshape(found, shape=(size, F.shape(found)[0] // size, *F.shape(found)[1:]))


def check_convolution(
    x: Type, weight: Type, bias: Type | None, stride: Shape, padding: Shape, dilation: Shape, transposed: bool, output_padding: Shape, groups: int
) -> None:  # fmt: skip
    """Raise RuntimeError for what torch refuses to convolve."""

    def refuse(problem: str) -> None:
        raise ShapeError(explain("convolution", problem, input=x, weight=weight))

    if weight.dtype != x.dtype or (bias is not None and bias.dtype != x.dtype):
        problem = "Input type and weight type or bias type should be the same"
        raise DTypeError(explain("convolution", problem, "Convert one with .to(dtype)", input=x, weight=weight))
    if groups < 1:
        refuse("non-positive groups is not supported")
    if min((*padding, *output_padding)) < 0:
        refuse("negative padding is not supported")
    if min(stride) < 1:
        refuse("non-positive stride is not supported")
    if min(dilation) < 1:
        refuse("dilation should be greater than zero")
    channels = weight.shape[0] if transposed else weight.shape[1] * groups
    if weight.shape[0] % groups or weight.shape[0] < groups:
        refuse(f"expected weight to be divisible by groups={groups} at dimension 0")
    if x.shape[1] != channels:
        refuse(f"expected input{list(x.shape)} to have {channels} channels, but got {x.shape[1]} channels instead")
    made = weight.shape[1] * groups if transposed else weight.shape[0]
    if bias is not None and bias.shape != (made,):
        refuse(f"expected bias to be 1-dimensional with {made} elements, but got bias of size {list(bias.shape)}")
    if transposed and any(p >= s and p >= d for p, s, d in zip(output_padding, stride, dilation, strict=True)):
        refuse(f"output padding must be smaller than either stride or dilation, but got {list(output_padding)}")
    if 0 in weight.shape[1:]:
        refuse(f"kernel size should be greater than zero, but got a weight of shape {list(weight.shape)}")
    if transposed and 0 in x.shape[2:]:
        refuse(f"Only zero batch or zero channel inputs are supported, but got input shape: {list(x.shape)}")
    reach = tuple(d * (k - 1) + 1 for d, k in zip(dilation, weight.shape[2:], strict=True))
    if not transposed and any(s + 2 * p < r for s, p, r in zip(x.shape[2:], padding, reach, strict=True)):
        refuse("Kernel size can't be greater than actual input size")
    if min(_sizes(x.shape[2:], weight.shape[2:], stride, padding, dilation, transposed, output_padding)) < 1:
        refuse("the output size is too small")


def _sizes(
    own: Shape, kernel: Shape, stride: Shape, padding: Shape, dilation: Shape, transposed: bool, more: Shape
) -> Shape:
    if transposed:
        return tuple(
            (s - 1) * t - 2 * p + d * (k - 1) + 1 + o
            for s, k, t, p, d, o in zip(own, kernel, stride, padding, dilation, more, strict=True)
        )
    return tuple(
        (s + 2 * p - d * (k - 1) - 1) // t + 1
        for s, k, t, p, d in zip(own, kernel, stride, padding, dilation, strict=True)
    )


def _columns(
    F: Ops, x: Value, kernel: Shape, stride: Shape, padding: Shape, dilation: Shape, groups: int, sizes: Shape
) -> Value:
    """The windows of x as columns (groups, c // groups * kernel, n * sizes)."""
    n, c, *own = F.shape(x)
    x = F.reshape(x, shape=(n, groups, c // groups, *own))
    for i, p in enumerate(padding):
        if p:
            shape = F.shape(x)
            wide = (*shape[: i + 3], shape[i + 3] + 2 * p, *shape[i + 4 :])
            x = F.place(x, shape=wide, dim=i + 3, starts=(p,), steps=(1,))
    for i, (k, t, d) in enumerate(zip(kernel, stride, dilation, strict=True)):
        x = F.unfold(x, dim=i + 3, length=d * (k - 1) + 1, step=t)
        if F.shape(x)[i + 3] != sizes[i]:
            x = F.slice(x, dim=i + 3, start=0, stop=sizes[i], step=1)
        if d > 1:
            last = len(F.shape(x)) - 1
            x = F.slice(x, dim=last, start=0, stop=d * (k - 1) + 1, step=d)
    d = len(kernel)
    x = F.permute(x, dims=(1, 2, *range(3 + d, 3 + 2 * d), 0, *range(3, 3 + d)))
    return F.reshape(x, shape=(groups, c // groups * size_of(kernel), n * size_of(sizes)))


def _gathered(F: Ops, x: Value, weight: Value, stride: Shape, padding: Shape, dilation: Shape, groups: int) -> Value:
    n, own, (m, c, *kernel) = F.shape(x)[0], F.shape(x)[2:], F.shape(weight)
    sizes = _sizes(own, tuple(kernel), stride, padding, dilation, False, ())
    columns = _columns(F, x, tuple(kernel), stride, padding, dilation, groups, sizes)
    rows = F.reshape(weight, shape=(groups, m // groups, c * size_of(tuple(kernel))))
    made = F.reshape(F.matmul(rows, columns), shape=(m, n, *sizes))
    return F.permute(made, dims=(1, 0, *range(2, 2 + len(sizes)))) if n != 1 else F.reshape(made, shape=(n, m, *sizes))


def _spread(
    F: Ops, x: Value, weight: Value, stride: Shape, padding: Shape, dilation: Shape, more: Shape, groups: int
) -> Value:
    (n, c, *own), (_, m, *kernel) = F.shape(x), F.shape(weight)
    d, count = len(own), size_of(tuple(own))
    rows = F.permute(F.reshape(x, shape=(n, groups, c // groups, count)), dims=(1, 2, 0, 3))
    rows = F.reshape(rows, shape=(groups, c // groups, n * count))
    wide = F.reshape(weight, shape=(groups, c // groups, m * size_of(tuple(kernel))))
    parts = F.reshape(F.matmul(F.mT(wide), rows), shape=(groups, m, *kernel, n, *own))
    for i in reversed(range(d)):  # axis i of the window lies at 2 + i, behind it those that are still open and n
        k, t, w = kernel[i], stride[i], dilation[i]
        pieces = [F.select(parts, dim=2 + i, index=j) for j in range(k)]
        axis, shape = 3 + 2 * i, F.shape(pieces[0])
        total = (own[i] - 1) * t + w * (k - 1) + 1 + more[i]
        wide_shape = (*shape[:axis], total, *shape[axis + 1 :])
        starts = tuple(j * w for j in range(k))
        parts = F.place(*pieces, shape=wide_shape, dim=axis, starts=starts, steps=(t,) * k)
        if padding[i]:
            parts = F.slice(parts, dim=axis, start=padding[i], stop=total - padding[i], step=1)
    parts = F.permute(parts, dims=(2, 0, 1, *range(3, 3 + d)))
    return F.reshape(parts, shape=(n, groups * m, *F.shape(parts)[3:]))


def _transposed(
    F: Ops, g: Value, weight: Value, sizes: Shape, stride: Shape, padding: Shape, dilation: Shape, groups: int
) -> Value:
    """The transposed convolution of g whose result has these sizes."""
    least = _sizes(F.shape(g)[2:], F.shape(weight)[2:], stride, padding, dilation, True, (0,) * len(stride))
    more = tuple(s - have for s, have in zip(sizes, least, strict=True))
    whole = tuple(max(m, 0) for m in more)
    made = F.convolution(g, weight, None, stride=stride, padding=padding, dilation=dilation, transposed=True, output_padding=whole, groups=groups)  # fmt: skip
    return _cut(F, made, sizes)


def _cut(F: Ops, x: Value, sizes: Shape) -> Value:
    for i, size in enumerate(sizes):
        if F.shape(x)[i + 2] != size:
            x = F.slice(x, dim=i + 2, start=0, stop=size, step=1)
    return x


def _as_channels(F: Ops, size: int, batched: bool, x: Value) -> tuple[Value, int]:
    """Examples (size, n, c, *s) as (n, size * c, *s)."""
    if not batched:
        own = F.shape(x)
        x = F.broadcast_to(F.reshape(x, shape=(1, *own)), shape=(size, *own))
    _, n, c, *rest = F.shape(x)
    x = F.permute(x, dims=(1, 0, 2, *range(3, len(rest) + 3)))
    return F.reshape(x, shape=(n, size * c, *rest)), n


def _from_channels(F: Ops, size: int, x: Value) -> Value:
    n, c, *rest = F.shape(x)
    x = F.reshape(x, shape=(n, size, c // size, *rest))
    found: Value = F.permute(x, dims=(1, 0, 2, *range(3, len(rest) + 3)))
    return found


__all__ = ["Convolution", "ConvolutionWeight", "check_convolution"]
